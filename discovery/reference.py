"""The reference page of ``pilot-discovery``, made from the very tables that the program reads its settings by."""

from __future__ import annotations

from discovery.settings import FLAGS, VARIABLES

__all__ = ["render_reference"]

_HEAD = """# pilot-discovery

Made from the program's own tables; `make goldens` rewrites it. Unknown flags are ignored with a warning, so manifests
of other versions keep working.

## Flags of `pilot-discovery discovery`
"""


def render_reference() -> str:
    """Markdown: every flag by group with its default, then every environment variable."""
    lines = [_HEAD]
    for group in dict.fromkeys(flag.group for flag in FLAGS):
        lines += [f"### {group}", "", "| flag | default | meaning |", "|---|---|---|"]
        for flag in FLAGS:
            if flag.group == group:
                names = ", ".join(f"`{name}`" for name in flag.names)
                default = str(flag.default).lower() if isinstance(flag.default, bool) else flag.default
                lines.append(f"| {names} | {f'`{default}`' if default != '' else ''} | {flag.help} |")
        lines.append("")
    lines += ["## Environment", "", "| variable | default | meaning |", "|---|---|---|"]
    lines += [
        f"| `{variable.name}` | {f'`{variable.default}`' if variable.default else ''} | {variable.help} |"
        for variable in VARIABLES
    ]
    return "\n".join(lines) + "\n"
