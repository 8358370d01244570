"""How far an object has got on its way to proxies: told by the xDS server, read by whoever writes conditions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

import msgspec

from discovery.schema.meta import ObjectKey

__all__ = ["NOT_YET", "Delivery", "DeliveryOracle", "RejectedResource"]


class RejectedResource(msgspec.Struct, frozen=True, kw_only=True):
    """A resource that a proxy rejected (NACK), and that is still served so.

    Attributes:
        proxy: the first that did, `<name>.<namespace>`.
        type: short name of the xDS type, such as `Cluster`.
        name: of the resource.
        version: that was rejected.
        error: what the proxy says.
    """

    proxy: str
    type: str
    name: str
    version: str
    error: str


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """An object and the proxies that it concerns.

    Attributes:
        waiting: streams that have not acknowledged it yet; 0: all have.
        rejected: what was made of it and rejected.
        unheard: replicas of the control plane that do not say how far it has got with their proxies, each with why.
    """

    waiting: int = 0
    rejected: tuple[RejectedResource, ...] = ()
    unheard: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Whether every proxy has acknowledged it."""
        return not (self.waiting or self.rejected or self.unheard)


NOT_YET: Final = Delivery(waiting=1)
"""What is supposed of an object while nothing is known."""


class DeliveryOracle(Protocol):
    """Says how far objects have got: `discovery.xds.delivery.Deliveries` with the proxies of one replica,
    `discovery.replicas.fleet.Fleet` with those of all."""

    def of(self, key: ObjectKey, mark: int) -> Delivery:
        """How far a generation of an object has got."""

    def forget(self, key: ObjectKey) -> None:
        """The object is gone."""

    def rejected(self) -> Iterable[tuple[ObjectKey, RejectedResource]]:
        """The objects whose result was rejected and is served still."""
