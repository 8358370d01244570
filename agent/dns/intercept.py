"""The consumer of the name table among the types of xDS that end in the agent."""

from __future__ import annotations

from typing import Any

from agent.dns.name_table import parse_name_table
from agent.dns.resolver import Resolver
from agent.dns.table import Place, build_table
from discovery.runtime.logs import get_logger
from discovery.wire import type_urls

__all__ = ["NameTableIntercept"]

_LOG = get_logger("dns")


class NameTableIntercept:
    """Puts each table that comes into force whole; one that cannot be read leaves the old one in force."""

    def __init__(self, resolver: Resolver, place: Place) -> None:
        self._resolver = resolver
        self._place = place

    @property
    def type_url(self) -> str:
        """That of the name table."""
        return type_urls.NAME_TABLE

    @property
    def objection(self) -> str:
        """Why the DNS proxy is not ready; empty once it has a table."""
        if self._resolver.table is not None:
            return ""
        return "istio DNS capture is turned ON and DNS lookup table is not ready yet"

    def document(self) -> dict[str, Any] | None:
        """The table for people, every name that is answered with its addresses; None: none has come yet."""
        table = self._resolver.table
        if table is None:
            return None
        return {"table": {name: {"ips": addresses.texts()} for name, addresses in sorted(table.names())}}

    def handle(self, resource: bytes) -> None:
        """Take a table.

        Raises:
            ValueError: it cannot be read.
        """
        table = build_table(parse_name_table(resource), self._place)
        self._resolver.table = table
        _LOG.debug("name table updated", hosts=len(table))
