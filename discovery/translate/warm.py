"""Selecting ahead, before the first proxy asks, what proxies of each namespace will be served.

Only selection: nothing is rendered that nobody may ever want. After a restart all proxies come back at once, and the
first of them would otherwise wait for the work of all.
"""

from __future__ import annotations

from itertools import islice

from discovery.engine import Database
from discovery.mesh.proxy import ProxyKey
from discovery.mesh.services import all_services
from discovery.mesh.warm import warm_selection
from discovery.store.cells import CLUSTER
from discovery.translate.tables import Generators
from discovery.wire.node import NodeType
from discovery.wire.type_urls import CLUSTER as CLUSTER_TYPE
from discovery.wire.type_urls import ENDPOINT, LISTENER, ROUTE, VIRTUAL_HOST

__all__ = ["warm_tables"]


def warm_tables(db: Database, generators: Generators, *, most: int = 64) -> int:
    """Bring services, endpoints and the indexes of plain sidecars up to date; gives how many namespaces were done.

    Args:
        db: loaded.
        generators: what will be served.
        most: namespaces; the others are selected when a proxy of theirs connects.
    """
    warm_selection(db)
    facts = CLUSTER(db, None)
    namespaces = dict.fromkeys(ref.namespace for ref in all_services(db, None))
    for namespace in islice(namespaces, most):
        plain = ProxyKey(
            type=NodeType.SIDECAR,
            ips=(),
            namespace=namespace,
            dns_domain=f"{namespace}.svc.{facts.domain}",
            cluster_id=facts.cluster_id,
            vhds=True,
        )
        _select(db, generators, plain)
    return min(len(namespaces), most)


def _select(db: Database, generators: Generators, proxy: ProxyKey) -> None:
    view = generators.view(db, proxy)
    routes: frozenset[str] = frozenset()
    for type_url in (CLUSTER_TYPE, ENDPOINT, LISTENER, ROUTE, VIRTUAL_HOST):
        for table in generators.tables(type_url, view, routes):
            names = table.index(db, table.key)
            if type_url == ROUTE:
                routes |= names.keys()
