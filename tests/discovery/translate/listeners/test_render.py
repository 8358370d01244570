from __future__ import annotations

from datetime import timedelta
from typing import Any

from discovery.engine import Database
from discovery.schema.mesh_config import MeshConfig, NormalizationType
from discovery.store.cells import MESH
from discovery.translate.filters.access_log import FileLog
from discovery.translate.filters.http import Side
from discovery.translate.filters.inspectors import Inspection
from discovery.translate.listeners.filter_chain import ListenerSettings
from discovery.translate.listeners.render import NOTHING_SAID, ListenerKey, build_listener, listener, listener_settings
from discovery.translate.listeners.spec import Chain, ListenerShape, ListenerSpec, TcpTarget, WeightedCluster
from discovery.wire.envoy import Listener

SETTINGS = ListenerSettings(
    detection_timeout=timedelta(seconds=5),
    normalization=NormalizationType.DEFAULT,
    access_logs=(FileLog("/l"),),
    listener_logs=True,
    trust_domains=("cluster.local",),
)
CHAIN = Chain(TcpTarget("c", (WeightedCluster("c"),)))


def _spec(binds: tuple[str, ...] = ("10.0.0.1",), port: int = 1, **shape: Any) -> ListenerSpec:
    return ListenerSpec("l", binds, port, ListenerShape(**{"side": Side.OUTBOUND, **shape}), (CHAIN,), CHAIN)


def _built(*args: Any, **shape: Any) -> Any:
    return Listener.FromString(build_listener(_spec(*args, **shape), SETTINGS))


def test_parts_read_as_one_listener() -> None:
    """Name, address, chains and what is common are serialised apart and read as one message."""
    built = _built()
    assert built.name == "l"
    assert (built.address.socket_address.address, built.address.socket_address.port_value) == ("10.0.0.1", 1)
    assert len(built.filter_chains) == 1
    assert built.HasField("default_filter_chain")
    assert len(built.access_log) == 1


def test_captured_listeners_do_not_bind() -> None:
    """Connections come from the capture listener, which hands them off and does bind."""
    captured = _built(captured=True)
    assert captured.HasField("bind_to_port")
    assert not captured.bind_to_port.value
    capture = _built(hands_off=True)
    assert not capture.HasField("bind_to_port")
    assert capture.use_original_dst.value


def test_addresses() -> None:
    """The first address is the listener's, further ones are added; a path is a pipe."""
    both = _built(("0.0.0.0", "::"))
    assert both.additional_addresses[0].address.socket_address.address == "::"
    assert _built(("unix:///run/x",), 0).address.pipe.path == "/run/x"


def test_order_of_listener_filters() -> None:
    """The destination is restored first, and HTTP is looked for only after TLS."""
    built = _built(
        side=Side.INBOUND,
        original_dst=True,
        transparent=True,
        tls_inspection=Inspection(),
        http_inspection=Inspection(),
    )
    names = [item.name.rpartition(".")[2] for item in built.listener_filters]
    assert names == ["original_dst", "original_src", "tls_inspector", "http_inspector"]


def test_detection_timeout_is_for_http_only() -> None:
    """The mesh's timeout bounds the search for HTTP; a TLS client always speaks first, and is waited for."""
    assert _built(http_inspection=Inspection()).listener_filters_timeout.ToSeconds() == 5
    assert _built(tls_inspection=Inspection()).listener_filters_timeout.ToSeconds() == 0
    assert _built(tls_inspection=Inspection()).continue_on_listener_filters_timeout


def test_settings_cut_off_other_changes() -> None:
    """A change of the mesh that listeners do not depend on renders none of them again."""
    db = Database()
    listener(db, ListenerKey(_spec()))
    db.commit([(MESH, None, MeshConfig(ingress_class="other"))])
    listener(db, ListenerKey(_spec()))
    assert db.runs_by_query["listener"] == 1
    db.commit([(MESH, None, MeshConfig(trust_domain="prod.example"))])
    assert listener_settings(db, NOTHING_SAID).trust_domains == ("prod.example",)
