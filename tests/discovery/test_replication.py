"""Both sides together, through a real secure port: replicas know each other by certificates of their authority."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from discovery.auth.caller import Listener
from discovery.engine import Database
from discovery.front.service import Front
from discovery.kube.client import KubeClient
from discovery.kube.timing import Timing
from discovery.replication import Replication
from discovery.runtime.clock import SystemClock
from discovery.runtime.readiness import Readiness
from discovery.schema.meta import Kind, Object, ObjectKey, ObjectMeta
from discovery.schema.sidecar import Sidecar
from discovery.settings import FLAGS, Settings, load_settings
from discovery.store.cells import MESH
from discovery.store.delivery import Delivery
from discovery.store.state import ObjectChange, Store
from discovery.translate.generators import MeshGenerators
from discovery.trust import Trust
from discovery.xds.endpoint import GrpcEndpoint
from discovery.xds.server import AdsServer
from tests.kit.eventually import eventually
from tests.kit.free_ports import free_port
from tests.kit.kube_api.handle import KubeApi
from tests.kit.kube_clients import client_of, lasting_fence, running
from tests.kit.prerequisites import envoy_binary
from tests.kit.replicas import replica_pod

pytestmark = [pytest.mark.envoy, pytest.mark.kube]

KEY = ObjectKey(Kind.SIDECAR, "shop", "a")
ADDRESS: Final = "127.0.0.2"


class Replica:
    """One control plane's part of it."""

    def __init__(self, client: KubeClient, name: str, namespace: str, authority: Path, port: int) -> None:
        flags: dict[str, Any] = {flag.field: flag.default for flag in FLAGS}
        flags |= {"kubeconfig": "x", "namespace": namespace, "secureGRPCAddr": f"{ADDRESS}:{port}", "caDir": authority}
        environ = {"POD_NAME": name, "ROOT_CA_DIR": ""}
        self.settings: Settings = load_settings({k: str(v) for k, v in flags.items()}, environ)
        db, clock = Database(), SystemClock()
        self.store = Store(db)
        self.trust = Trust(self.settings, trust_domain=MESH(db, None).trust_domain, clock=clock)
        self.ads = AdsServer(db, MeshGenerators(), clock=clock, readiness=Readiness())
        self.parts = Replication(self.settings, client, self.store, self.trust, self.ads.deliveries, Timing(clock))


@asynccontextmanager
async def serving(replica: Replica, folder: Path) -> AsyncIterator[None]:
    address, path = replica.settings.secure_grpc, str(folder / "server")
    assert address is not None
    front = Front(
        binary=str(envoy_binary()),
        host=address.host,
        port=address.port,
        upstream_path=path,
        certificate=replica.trust.serving_certificate,
    )
    handlers = [replica.parts.answering.handler(Listener.FRONT)]
    async with GrpcEndpoint("server", f"unix:{path}", handlers), front, running(replica.parts.answering.run):
        yield


@pytest.mark.parametrize("same", [True, False], ids=["same authority", "another authority"])
async def test_replicas_of_one_authority_answer_each_other(kube_api: KubeApi, tmp_path: Path, *, same: bool) -> None:
    """One of another is not believed, however it is called."""
    namespace, port = await kube_api.new_namespace(), free_port()
    async with client_of(kube_api) as client:
        other = Replica(client, "other", namespace, tmp_path / "authority", port)
        me = Replica(client, "me", namespace, tmp_path / ("authority" if same else "elsewhere"), port)
        pod = replica_pod("other", namespace, ADDRESS)
        await kube_api.apply(pod)
        await kube_api.set_status(pod)
        fleet = me.parts.asking
        async with serving(other, tmp_path), running(lambda: fleet.lead(lasting_fence())):
            if same:
                await eventually(lambda: fleet.others == ("other",))
                assert fleet.of(KEY, 0) == Delivery(waiting=1)
                known = Object(key=KEY, meta=ObjectMeta(name=KEY.name, namespace=KEY.namespace), spec=Sidecar())
                other.store.apply([ObjectChange(KEY, known)])
                await eventually(lambda: fleet.of(KEY, 0) == Delivery())
            else:
                await eventually(lambda: bool(fleet.of(KEY, 0).unheard))
                assert "UNAVAILABLE" in fleet.of(KEY, 0).unheard[0]
