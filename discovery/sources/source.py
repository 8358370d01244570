"""What every feed of configuration has in common, so that ``app`` can wire any of them to the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from discovery.runtime.supervise import Service
from discovery.schema.findings import Finding
from discovery.schema.meta import Kind
from discovery.store.state import ObjectChange, StoreCommit

__all__ = ["Apply", "Source", "without"]

Apply = Callable[[Sequence[ObjectChange]], StoreCommit]  # ``Store.apply``; called on the event loop, one at a time


class Source(Service, Protocol):
    """A service that keeps the store level with something outside.

    ``run`` feeds the store until it is cancelled. It is level-triggered: events only say "look again".
    """

    @property
    def synced(self) -> asyncio.Event:
        """Set once everything there was at the start is in the store; until then nobody should be served."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong now with what the source reads."""


def without(kinds: Collection[Kind], apply: Apply) -> Apply:
    """For a source whose objects of these kinds are not wanted, or somebody else's to tell."""

    def filtered(changes: Sequence[ObjectChange]) -> StoreCommit:
        return apply([change for change in changes if change.key.kind not in kinds])

    return filtered if kinds else apply
