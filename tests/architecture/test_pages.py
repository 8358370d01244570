"""What pages refer to is there: files, headings and, in code style, paths of this tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

_ROOT: Final = Path(__file__).resolve().parents[2]
_FOLDERS: Final = ("agent", "benchmarks", "certs", "charts", "discovery", "docs", "examples", "tests")
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
_PATH: Final = re.compile(rf"`((?:{'|'.join(_FOLDERS)})/[\w./-]+)`")
_FENCE: Final = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
PAGES: Final = sorted(
    [*_ROOT.glob("*.md"), *(page for folder in _FOLDERS for page in (_ROOT / folder).rglob("*.md"))],
)


def _prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def _anchors(page: Path) -> set[str]:
    """The names by which headings are linked to, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _broken(page: Path) -> Iterator[str]:
    for link in _LINK.findall(_prose(page)):
        if re.match(r"[a-z]+:", link):
            continue  # elsewhere; tests do not ask the internet
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            yield link
    for path in _PATH.findall(_prose(page)):
        if not (_ROOT / path).exists():
            yield path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(_ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Within this tree; whoever moves a file moves its links."""
    assert list(_broken(page)) == []


def test_what_is_broken_is_found(tmp_path: Path) -> None:
    """A file that is missing, a heading that is, a path in code style; not what stands in a fenced block."""
    (tmp_path / "there.md").write_text("# One `heading`, here\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# Own\n[a](there.md) [b](there.md#one-heading-here) [c](#own) [d](https://a.example/b)\n"
        "[e](gone.md) [f](there.md#two) `discovery/app.py` `discovery/no.py`\n```text\n[g](gone.md)\n```\n"
    )
    assert list(_broken(page)) == ["gone.md", "there.md#two", "discovery/no.py"]
