"""An object as it was written, kept as JSON bytes: a tenth of the memory of the dict, decoded only when looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

__all__ = ["Manifest"]


class Manifest(Mapping[str, Any]):
    """A read-only mapping over JSON text; every look decodes it anew, which is for debugging, not for hot paths."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Manifest:
        """The manifest of parsed data."""
        return cls(msgspec.json.encode(document))

    @property
    def data(self) -> bytes:
        """The JSON text."""
        return self._data

    def _decoded(self) -> dict[str, Any]:
        return msgspec.json.decode(self._data, type=dict[str, Any])

    def __getitem__(self, key: str) -> Any:
        return self._decoded()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._decoded())

    def __len__(self) -> int:
        return len(self._decoded())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Manifest):
            return self._data == other._data
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._data)
