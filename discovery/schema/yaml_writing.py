"""Plain data as YAML text that Kubernetes tools read back as the same data.

PyYAML quotes what PyYAML itself would not take for a text. Go's library takes more for numbers and booleans (``1e3``,
``0o17``, ``08``, ``y``), so that a commit such as ``123e4`` in a label would come back as a number.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

from discovery.schema.yaml_text import is_plain_text

__all__ = ["render_yaml"]

_FOLDED: Final = 80.0
_ONE_LINE: Final = 1e9


class _Dumper(yaml.CSafeDumper):
    """With texts in quotes wherever somebody could take them for something else."""


def _represent_text(dumper: _Dumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_plain_text(text) else "'")


_Dumper.add_representer(str, _represent_text)


def render_yaml(value: Any, *, sort_keys: bool = False, folded: bool = True) -> str:
    """The document of dicts, lists, texts, numbers, booleans and None; ``folded`` breaks texts above 80 characters."""
    width = _FOLDED if folded else _ONE_LINE
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=sort_keys, allow_unicode=True, width=width))
