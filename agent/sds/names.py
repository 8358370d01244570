"""What the name of a secret asks for.

The names are Istio's: the control plane writes them into clusters and listeners, Envoy asks the agent for them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

__all__ = [
    "DEFAULT",
    "ROOTCA",
    "FilePair",
    "FileRoots",
    "OsRoots",
    "SecretSource",
    "Workload",
    "WorkloadRoots",
    "is_known",
    "parse_secret_name",
]

DEFAULT: Final = "default"
ROOTCA: Final = "ROOTCA"

_FILE_CERT: Final = "file-cert:"
_FILE_ROOT: Final = "file-root:"
_OS_ROOTS: Final = "file-root:system"


class Workload(msgspec.Struct, frozen=True):
    """The workload's own key and certificate."""


class WorkloadRoots(msgspec.Struct, frozen=True):
    """The roots that the workload's peers are verified with."""


class FilePair(msgspec.Struct, frozen=True):
    """A key and its certificate in files."""

    chain: Path
    key: Path


class FileRoots(msgspec.Struct, frozen=True):
    """Roots in a file."""

    path: Path


class OsRoots(msgspec.Struct, frozen=True):
    """The roots of the operating system."""


SecretSource = Workload | WorkloadRoots | FilePair | FileRoots | OsRoots


def parse_secret_name(name: str) -> SecretSource:
    """Where the secret of this name comes from; an unknown name means the workload's certificate, as in Istio.

    Raises:
        ValueError: the name of a file pair does not hold two paths.
    """
    if name == ROOTCA:
        return WorkloadRoots()
    if name == _OS_ROOTS:
        return OsRoots()
    if name.startswith(_FILE_ROOT):
        return FileRoots(Path(name.removeprefix(_FILE_ROOT)))
    if name.startswith(_FILE_CERT):
        paths = name.removeprefix(_FILE_CERT).split("~")
        if len(paths) != 2 or not all(paths):
            raise ValueError(f"secret name {name!r}: want file-cert:<certificate path>~<key path>")
        return FilePair(Path(paths[0]), Path(paths[1]))
    return Workload()


def is_known(name: str) -> bool:
    """Whether the name is one that means the agent; others usually belong to a control plane or another provider."""
    return name in (DEFAULT, ROOTCA) or name.startswith((_FILE_CERT, _FILE_ROOT))
