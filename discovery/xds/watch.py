"""What the server remembers of one client and one type, and how a request is judged by it.

There may be a thousand clients with nine types each, so a watch names nothing that is not shared: a subscription, the
tables it draws from, and for each of these the revision up to which the client has been told. What the client holds
follows from these.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from discovery.translate.tables import TableKey
from discovery.wire.resource import Resource
from discovery.xds.names import Names
from discovery.xds.reports import Report
from discovery.xds.request import Request
from discovery.xds.table import Table

if TYPE_CHECKING:
    from discovery.xds.session import Session
    from discovery.xds.tables import Tables

__all__ = ["Sent", "Verdict", "Watch", "judge"]

_NOTHING: frozenset[str] = frozenset()


class Verdict(Enum):
    """What a request tells of our last response of its type."""

    FIRST = "first"  # nothing: it opens the subscription, or opens it anew
    SPONTANEOUS = "spontaneous"  # nothing: it only changes the subscription
    ACK = "ack"
    NACK = "nack"
    STALE = "stale"  # it speaks of an earlier response


class Sent(NamedTuple):
    """A response that the client has not answered yet."""

    nonce: str
    names: tuple[frozenset[str], ...]  # what it carries or removes; sets are shared between clients
    ack: bytes  # the request that would accept it and say nothing else

    def all_names(self) -> frozenset[str]:
        """The names in one set."""
        return self.names[0] if len(self.names) == 1 else frozenset().union(*self.names)


class Watch:
    """One type on one stream. Owned by its ``Session``; tables point back to it."""

    __slots__ = (
        "acked",
        "acked_at",
        "answer",
        "demanded",
        "dirty",
        "error",
        "error_at",
        "forgotten",
        "held",
        "in_flight",
        "known",
        "lingering",
        "lingering_since",
        "names",
        "nonce",
        "rejected",
        "resend",
        "retries",
        "sent_at",
        "session",
        "spoke",
        "tables",
        "type_url",
    )

    def __init__(self, session: Session, type_url: str, names: Names) -> None:
        self.session = session
        self.type_url = type_url
        self.names = names
        self.spoke = bool(names.explicit)  # has named something: from then on, naming nothing means wanting nothing
        self.tables: tuple[Table, ...] = ()  # what it is to be served from
        self.held: tuple[tuple[Table, int], ...] = ()  # what it was served from, and up to which revision
        self.resend: frozenset[str] = _NOTHING  # to be sent although the client was told of them before
        self.forgotten: frozenset[str] = _NOTHING  # route configurations whose virtual hosts the client has forgotten
        self.demanded: frozenset[str] = _NOTHING  # virtual hosts that a paused request waits for
        self.retries: tuple[frozenset[str], ...] = ()  # parts of a rejected response, to be tried on their own
        self.rejected: frozenset[str] = _NOTHING  # route configurations that the client rejected or that were not there
        self.known: Report | None = None  # what it says it holds, until that has been answered
        self.lingering: dict[str, Resource | None] = {}  # gone from the tables, but still needed by the client
        self.lingering_since = 0.0
        self.dirty = True  # there may be something to say
        self.answer = True  # it waits for a response, be it an empty one
        self.in_flight: Sent | None = None
        self.nonce = ""
        self.sent_at = 0.0  # monotonic seconds, like the next two; 0 means never
        self.acked = ""
        self.acked_at = 0.0
        self.error = ""
        self.error_at = 0.0

    # -- the tables it takes part in: those it is to be served from, and those it was served from ------------------

    def joined(self) -> list[Table]:
        """All of them, each once."""
        return list(dict.fromkeys([*self.tables, *(table for table, _ in self.held)]))

    def aim(self, world: Tables, keys: Sequence[TableKey]) -> bool:
        """Have it served from the tables of these keys; False: it is already."""
        if [table.key for table in self.tables] == list(keys):
            return False
        joined = {table.key: table for table in self.joined()}
        before = self.tables
        self.tables = tuple(joined.get(key) or world.join(key, self, self.names) for key in keys)
        self._leave(world, before)
        self.dirty = True
        return True

    def rename(self, world: Tables, names: Names) -> None:
        """Have it ask for other names."""
        for table in self.joined():
            world.rename(table, self, self.names, names)
        self.names = names

    def settle(self, world: Tables, lingering: dict[str, Resource | None]) -> None:
        """The client is brought up to date, save for what must linger."""
        before = [table for table, _ in self.held]
        self.held = tuple((table, table.revision) for table in self.tables)
        self._leave(world, before)
        self.resend = self.demanded = self.forgotten = _NOTHING
        self.known = None
        self.lingering = lingering
        self.dirty = self.answer = False

    def start_over(self, world: Tables) -> None:
        """The client wants everything anew. What it may hold is not forgotten: some of it may have to be removed."""
        before = [table for table, _ in self.held]
        self.resend |= frozenset(name for table, since in self.held if since for name, _ in table.held(since))
        self.resend |= frozenset(self.known.versions if self.known else ())
        if self.in_flight is not None:  # it may arrive after the client has forgotten everything
            self.resend |= self.in_flight.all_names()
        self.held, self.known = (), None
        self._leave(world, before)
        self.dirty = True

    def restart(self, world: Tables) -> None:
        """The client starts over: it holds nothing."""
        before = [table for table, _ in self.held]
        self.held = ()
        self._leave(world, before)
        self.resend, self.retries, self.lingering = _NOTHING, (), {}
        self.dirty = self.answer = True

    def release(self, world: Tables) -> None:
        """Leave all tables."""
        for table in self.joined():
            world.leave(table, self, self.names)
        self.tables = self.held = ()

    def _leave(self, world: Tables, tables: Iterable[Table]) -> None:
        joined = self.joined()
        for table in tables:
            if table not in joined:
                world.leave(table, self, self.names)


def judge(watch: Watch | None, request: Request) -> Verdict:
    """Say what a request tells of our last response. Decides only; changes nothing.

    Whether it also changes the names wanted is a separate question: even a NACK can.
    Spec: https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#ack-nack-and-versioning
    """
    if watch is None:
        return Verdict.FIRST
    if not request.nonce:
        if request.error is not None:
            return (
                Verdict.NACK
            )  # of nothing we know; taken for a first request it would be answered, and again, for ever
        # State of the world: the client starts over. Delta: it changes its subscription without answering anything.
        return Verdict.FIRST if request.names is not None else Verdict.SPONTANEOUS
    if request.nonce != watch.nonce:
        return Verdict.STALE
    return Verdict.ACK if request.error is None else Verdict.NACK
