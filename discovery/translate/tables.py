"""How rendered resources are handed to the xDS server: named references into the query database, grouped in tables.

A table is the set of resources of one type that every proxy with an equal key is served. Its index is a query that says
which names there are and where each is rendered; it does not render. So an index is cheap to bring up to date, and a
change in one resource re-renders that one alone.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from discovery.engine import Database, Query
from discovery.mesh.proxy import ProxyKey, ProxyView
from discovery.wire.resource import Resource

__all__ = ["Generators", "Index", "ResourceRef", "TableKey"]


class ResourceRef(NamedTuple):
    """Where a resource is rendered; None: it turned out that there is nothing to serve."""

    query: Query[Any, Resource] | Query[Any, Resource | None]
    key: Hashable


# Resource name -> where it is rendered.
Index = Mapping[str, ResourceRef]


class TableKey(msgspec.Struct, frozen=True, cache_hash=True):
    """The identity of a table: a type and an index query at a key."""

    type_url: str
    index: Query[Any, Index]
    key: Hashable


class Generators(Protocol):
    """What the xDS server asks of translation; ``app`` wires the two together."""

    @property
    def view(self) -> Query[ProxyKey, ProxyView]:
        """The query that tells what selection makes of a proxy."""

    def tables(self, type_url: str, view: ProxyView, routes: frozenset[str]) -> tuple[TableKey, ...]:
        """The tables whose union a proxy may be served for a type; empty for a type we do not serve.

        Args:
            type_url: the xDS type.
            view: the proxy.
            routes: names of the route configurations that the proxy watches (they decide its virtual hosts).
        """

    def fallback(self, db: Database, type_url: str, view: ProxyView, name: str) -> Resource | None:
        """The answer for a name that no table has (an empty assignment, an empty route); None: no answer."""
