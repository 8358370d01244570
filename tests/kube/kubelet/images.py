"""What stands for images: commands of this machine, and the root that a container finds itself in."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

__all__ = ["IMAGES", "Image", "host_paths", "image_name"]

_PROJECT: Final = Path(__file__).resolve().parents[3]
_BIN: Final = Path(sys.prefix) / "bin"
_PYTHON: Final = str(_BIN / "python")


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """What an image would say of itself.

    Attributes:
        entrypoint: the program and its first arguments; a container's `command` replaces it.
        arguments: a container's `args` replace them.
        user: where no security context says otherwise.
    """

    entrypoint: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    user: int = 0
    group: int = 0

    @property
    def environment(self) -> dict[str, str]:
        """Of every process in it."""
        return {
            "PATH": f"{_BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": str(_PROJECT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }


def _module(name: str, *arguments: str, user: int = 0) -> Image:
    return Image(entrypoint=(_PYTHON, "-m", name), arguments=arguments, user=user, group=user)


IMAGES: Final[Mapping[str, Image]] = {
    "proxyv2": Image(entrypoint=("pilot-agent",), user=1337, group=1337),
    "proxy": Image(entrypoint=("pilot-agent",), user=1337, group=1337),
    "pilot": Image(entrypoint=("pilot-discovery",), user=1337, group=1337),
    "discovery": Image(entrypoint=("pilot-discovery",), user=1337, group=1337),
    "echo": _module("tests.kube.apps.echo"),
    "caller": _module("tests.kube.apps.caller"),
    "shell": Image(entrypoint=("/bin/sh",), arguments=("-c", "exec sleep infinity")),
}
"""By the last part of an image's name, without its tag."""


def image_name(image: str) -> str:
    """`proxyv2` of `registry.example:5000/istio/proxyv2:1.30@sha256:...`."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def host_paths() -> tuple[Path, ...]:
    """Folders of this machine that every container sees, read-only: its programs, this project and its Python."""
    paths = [Path("/usr"), Path("/opt"), _PROJECT, Path(sys.prefix), Path(sys.base_prefix)]
    paths += [path for path in map(Path, ("/bin", "/sbin", "/lib", "/lib32", "/lib64")) if not path.is_symlink()]
    kept: list[Path] = []
    for path in sorted(path for path in set(paths) if path.is_dir()):
        if not any(parent in path.parents for parent in kept):
            kept.append(path)
    return tuple(kept)
