"""The steps of a page of the documentation: its fenced blocks, by the words behind the fence.

```sh machine, application        language, then what the block is for
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

__all__ = ["DocStep", "doc_steps"]

_BLOCK = re.compile(r"^```(\w+) +([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class DocStep(msgspec.Struct, frozen=True):
    """One block; those without words behind the language are not meant to be run."""

    language: str
    purpose: str
    text: str


def doc_steps(page: Path) -> tuple[DocStep, ...]:
    """All steps of a page, in order."""
    return tuple(DocStep(*match) for match in _BLOCK.findall(page.read_text(encoding="utf-8")))
