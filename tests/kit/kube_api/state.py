"""What the parts of the double share: objects, kinds, clock. And the options of one write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from tests.kit.kube_api.callers import User
from tests.kit.kube_api.clock import ServerClock, time_text
from tests.kit.kube_api.kinds import Kind, Kinds, ResourceId
from tests.kit.kube_api.objects import Json, Key
from tests.kit.kube_api.store import Store
from tests.kit.kube_api.watching import Watches

__all__ = ["CRDS", "NAMESPACES", "PODS", "SERVICES", "SERVICE_ACCOUNTS", "Admission", "Change", "State", "WriteOptions"]

CRDS = ResourceId("apiextensions.k8s.io", "customresourcedefinitions")
NAMESPACES = ResourceId("", "namespaces")
PODS = ResourceId("", "pods")
SERVICES = ResourceId("", "services")
SERVICE_ACCOUNTS = ResourceId("", "serviceaccounts")


class WriteOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a write was asked for.

    Attributes:
        manager: whose fields these are, for `managedFields`.
        applies: it is a server-side apply.
        force: that takes fields from their owners.
        subresource: such as `status`; empty for the object itself.
        body: the `DeleteOptions` of a delete.
    """

    user: User
    manager: str
    dry_run: bool = False
    applies: bool = False
    force: bool = False
    subresource: str = ""
    body: Mapping[str, object] = msgspec.field(default_factory=dict)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A write on its way to the store, as admission sees it. `new` is None for a delete, `old` for a create."""

    operation: str
    kind: Kind
    key: Key
    new: Json | None
    old: Json | None
    options: WriteOptions


class Admission(Protocol):
    """Who may alter or refuse a write: webhooks."""

    async def mutate(self, change: Change) -> Json | None:
        """The object to write instead of `change.new`.

        Raises:
            StatusError: it is refused.
        """

    async def validate(self, change: Change) -> None:
        """Return if the write may go on.

        Raises:
            StatusError: it is refused.
        """


class State:
    """The server's memory; it outlives restarts."""

    def __init__(self, clock: ServerClock) -> None:
        self.clock = clock
        self.kinds = Kinds()
        self.store = Store()
        self.watches = Watches(self.store)

    def now_text(self) -> str:
        """The server's time as objects hold it."""
        return time_text(self.clock.now())
