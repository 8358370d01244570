"""How WorkloadEntries are read and written, whoever keeps them, and what can go wrong with that.

WriteError
├── ChangedError       somebody else wrote first: read again
├── UnavailableError   the keeper of the objects does not answer: later again
└── InvalidEntryError  the entry is not accepted, and will not be however often it is tried
"""

from __future__ import annotations

from typing import Protocol

from discovery.controllers.workload_entries import Document
from discovery.schema.meta import ObjectKey

__all__ = ["ChangedError", "EntryWriter", "InvalidEntryError", "UnavailableError", "WriteError"]


class WriteError(Exception):
    """An entry could not be read or written; the text says which, and why."""


class ChangedError(WriteError):
    """It is not as it was when it was read."""


class UnavailableError(WriteError):
    """Nobody answers now. ``retry_after_s``: how long they ask to wait; 0: they do not."""

    def __init__(self, reason: str, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class InvalidEntryError(WriteError):
    """It, or our writing it, is refused."""


class EntryWriter(Protocol):
    """Reads and writes entries; every method raises ``WriteError``. Documents carry what they were read at."""

    async def read(self, key: ObjectKey) -> Document | None:
        """The entry as it is; None: there is none."""

    async def create(self, document: Document) -> Document:
        """Make an entry; as it was stored."""

    async def replace(self, document: Document) -> Document:
        """Write an entry without its status; as it was stored."""

    async def replace_status(self, document: Document) -> Document:
        """Write the status of an entry; as it was stored."""

    async def delete(self, document: Document) -> None:
        """Remove an entry; one that is gone already is as well."""
