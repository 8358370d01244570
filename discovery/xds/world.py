"""What all streams share, and what a stream's core reports to its shell."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from discovery.engine import Database
from discovery.translate.tables import Generators
from discovery.xds.names import NameSets
from discovery.xds.tables import Tables
from discovery.xds.views import Views

__all__ = ["Expired", "Fact", "Limits", "Rejected", "Send", "TooManyNamesError", "Unserved", "World"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a session."""

    gate_s: float = 5.0  # how long a type waits for another one, or a removal for the routes
    max_names: int = 50_000  # explicitly named resources of one type


class TooManyNamesError(RuntimeError):
    """A client names more resources than any configuration could have."""


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What all sessions share."""

    db: Database
    generators: Generators
    tables: Tables
    views: Views
    sets: NameSets
    limits: Limits = Limits()

    @classmethod
    def of(cls, db: Database, generators: Generators, limits: Limits | None = None) -> World:
        """A world with nobody in it."""
        return cls(
            db=db,
            generators=generators,
            tables=Tables(db),
            views=Views(db, generators.view),
            sets=NameSets(),
            limits=limits or Limits(),
        )


class Send(NamedTuple):
    """A response to write."""

    type_url: str
    pieces: tuple[bytes, ...]  # the message, in pieces that are shared by many streams as far as they are equal
    resources: int  # how many it carries or removes

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(map(len, self.pieces))

    def data(self) -> bytes:
        """The message; a copy of its own, so make it when it is written and not before."""
        return b"".join(self.pieces)


class Rejected(NamedTuple):
    """The client rejected a response (NACK)."""

    type_url: str
    nonce: str
    names: tuple[str, ...]  # of the resources it carried, the first few
    versions: tuple[str, ...]  # in which these are served now, empty for one that is gone
    error: str


class Expired(NamedTuple):
    """A request spoke of an earlier response than the last one."""

    type_url: str


class Unserved(NamedTuple):
    """A request for a type that this stream does not get."""

    type_url: str
    error: str | None = None  # that it carries; a report of health says so what is wrong


Fact = Rejected | Expired | Unserved
