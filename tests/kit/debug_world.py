"""A control plane without a network, with proxies that have subscribed and acknowledged: something to look at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import yaml

from discovery.auth.chain import Gatekeeper
from discovery.debug.explain import Explainer
from discovery.debug.handlers import DebugContent
from discovery.engine import Database
from discovery.runtime.metrics import new_registry
from discovery.runtime.readiness import Readiness
from discovery.schema.decode import decode
from discovery.schema.findings import Finding
from discovery.schema.meta import Origin
from discovery.store.state import ObjectChange, Store
from discovery.translate.generators import MeshGenerators
from discovery.wire.envoy import DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node, Struct
from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE, VIRTUAL_HOST
from discovery.xds.connection import Connection, Context, Wiring
from discovery.xds.connections import Connections
from discovery.xds.delta import Delta
from discovery.xds.node_key import proxy_key, read_node
from discovery.xds.rejections import Rejection
from discovery.xds.session import Session
from discovery.xds.world import Rejected, World
from tests.kit.fake_clock import FakeClock

__all__ = ["SHOP", "DebugWorld"]

SHOP = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.1.0.1, ports: [{name: http, port: 80, targetPort: 8080}], selector: {app: web}}
---
apiVersion: v1
kind: Service
metadata: {name: other, namespace: shop}
spec: {clusterIP: 10.1.0.2, ports: [{name: http, port: 80, targetPort: 8080}], selector: {app: other}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints: [{addresses: [10.2.0.1], conditions: {ready: true}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: shop}
spec:
  host: web
  trafficPolicy: {connectionPool: {tcp: {maxConnections: 7}}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: shop}
spec: {mtls: {mode: STRICT}}
"""


class DebugWorld:
    """Holds what the debug endpoints read."""

    def __init__(self, text: str = SHOP, *, gatekeeper: Gatekeeper | None = None) -> None:
        self.clock = FakeClock()
        self.clock.advance(100)
        self.db = Database()
        self.store = Store(self.db)
        self.generators = MeshGenerators()
        self.world = World.of(self.db, self.generators)
        self.connections = Connections(self.clock, failures=lambda: {"CDS broken": "cannot be rendered"})
        self.findings: list[Finding] = []
        self.apply(text)
        self.content = DebugContent(
            connections=self.connections,
            explainer=Explainer(self.db, self.generators, self.store.objects),
            readiness=Readiness(),
            registry=new_registry(),
            findings=lambda: tuple(self.findings),
            root_namespace="istio-system",
            gatekeeper=gatekeeper,
        )

    def apply(self, text: str) -> None:
        """Add or replace objects; the n-th document is at line n."""
        changes = []
        for number, document in enumerate(yaml.load_all(text, yaml.CSafeLoader), start=1):
            decoded = decode(document, origin=Origin("directory", "mesh.yaml", number))
            changes += [ObjectChange(obj.key, obj) for obj in decoded.objects]
        commit = self.store.apply(changes).commit
        for session, view in self.world.views.affected(commit.touched):
            session.look(view)
        for table, names in self.world.tables.refresh(commit.touched).items():
            for watch in table.watchers(names):
                watch.session.mark(watch)

    def connect(
        self,
        name: str = "web-1.shop",
        *,
        ip: str = "10.2.0.1",
        rejects: Iterable[str] = (),
        vhds: bool = False,
        types: Iterable[str] = (CLUSTER, ENDPOINT, LISTENER, ROUTE),
    ) -> Connection:
        """A sidecar that takes everything, except types that it ``rejects``."""
        namespace = name.rpartition(".")[2]
        metadata = Struct()
        metadata.update({"NAMESPACE": namespace, "CLUSTER_ID": "Kubernetes", "ISTIO_VERSION": "1.30.0"})
        node_id = f"sidecar~{ip}~{name}~{namespace}.svc.cluster.local"
        facts = read_node(Node(id=node_id, metadata=metadata, user_agent_name="envoy"))
        key = proxy_key(facts, delta=True, vhds=vhds)
        session = Session(self.world, key, Delta(), number=len(self.connections) + 1)
        wiring = cast("Wiring", _Clocked(self.clock))
        connection = Connection(session, facts, cast("Context", None), wiring, address="ipv4:10.2.0.1:5000")
        self.connections.add(connection)
        names = {
            ENDPOINT: ["outbound|80||web.shop.svc.cluster.local", "outbound|80||other.shop.svc.cluster.local"],
            ROUTE: ["80"],
        }
        wanted = [*types, VIRTUAL_HOST] if vhds else list(types)
        for type_url in wanted:
            self._receive(connection, type_url=type_url, resource_names_subscribe=names.get(type_url, []))
        self.settle(connection, rejects=rejects)
        return connection

    def settle(self, connection: Connection, *, rejects: Iterable[str] = ()) -> None:
        """Have it take, and answer, all that there is for it."""
        while (send := connection.session.next_send(self.clock.monotonic())) is not None:
            response = DeltaDiscoveryResponse.FromString(send.data())
            answer: dict[str, Any] = {"type_url": response.type_url, "response_nonce": response.nonce}
            if response.type_url in rejects:
                answer["error_detail"] = {"code": 13, "message": "no such filter"}
            self._receive(connection, **answer)

    def _receive(self, connection: Connection, **fields: Any) -> None:
        request, _ = Delta().parse(DeltaDiscoveryRequest(**fields).SerializeToString())
        for fact in connection.session.receive(request, self.clock.monotonic()):
            if isinstance(fact, Rejected):
                self.connections.rejections.add(Rejection(at=self.clock.now(), connection=connection.id, what=fact))


class _Clocked:
    """As much of the wiring as a connection needs that is never served."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
