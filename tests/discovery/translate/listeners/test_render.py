from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from discovery.engine import Database
from discovery.schema.mesh_config import MeshConfig, NormalizationType
from discovery.store.cells import MESH
from discovery.translate.filters.http import Side
from discovery.translate.filters.inspectors import Inspection
from discovery.translate.listeners.render import ListenerSettings, build_listener, listener, listener_settings
from discovery.translate.listeners.spec import Chain, ChainMatch, ListenerSpec, TcpTarget, Tunnel, WeightedCluster
from discovery.wire.envoy import Listener, TcpProxy

SETTINGS = ListenerSettings(
    detection_timeout=timedelta(seconds=5),
    normalization=NormalizationType.DEFAULT,
    access_logs=(),
    listener_logs=True,
    trust_domains=("cluster.local",),
)


def _spec(**fields: Any) -> ListenerSpec:
    target = fields.pop("target", {})
    match = fields.pop("match", ChainMatch())
    tcp = TcpTarget(**{"stat_prefix": "c", "clusters": (WeightedCluster("c"),), **target})
    given = {"name": "l", "binds": ("10.0.0.1",), "port": 1, "side": Side.OUTBOUND, **fields}
    return ListenerSpec(chains=(Chain(target=tcp, match=match),), **given)


def _built(**fields: Any) -> Any:
    return Listener(**build_listener(_spec(**fields), SETTINGS))


def _proxy(**target: Any) -> Any:
    built = _built(target=target)
    return TcpProxy.FromString(built.filter_chains[0].filters[-1].typed_config.value)


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
    both = _built(binds=("0.0.0.0", "::"))
    assert both.additional_addresses[0].address.socket_address.address == "::"
    assert _built(binds=("unix:///run/x",), port=0).address.pipe.path == "/run/x"


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


@pytest.mark.parametrize(
    ("subnet", "prefix", "length"), [("10.8.3.1/16", "10.8.0.0", 16), ("10.0.0.1", "10.0.0.1", 32), ("::1", "::1", 128)]
)
def test_subnets(subnet: str, prefix: str, length: int) -> None:
    """Bits of the host part, which people write, are masked; an address is a range of one."""
    (found,) = _built(match=ChainMatch(subnets=(subnet,))).filter_chains[0].filter_chain_match.prefix_ranges
    assert (found.address_prefix, found.prefix_len.value) == (prefix, length)


def test_tcp_proxy_fields() -> None:
    """What a rule says of connections is written into the proxy."""
    assert _proxy().cluster == "c"
    weighted = _proxy(clusters=(WeightedCluster("a", 3), WeightedCluster("b", 1)))
    assert [(c.name, c.weight) for c in weighted.weighted_clusters.clusters] == [("a", 3), ("b", 1)]
    tuned = _proxy(idle_timeout=timedelta(seconds=9), max_duration=timedelta(hours=1), hash_source_ip=True)
    assert tuned.idle_timeout.ToSeconds() == 9
    assert tuned.max_downstream_connection_duration.ToSeconds() == 3600
    assert tuned.hash_policy[0].HasField("source_ip")
    tunnel = _proxy(tunnel=Tunnel("POST", "a.example:443")).tunneling_config
    assert (tunnel.hostname, tunnel.use_post) == ("a.example:443", True)


def test_settings_cut_off_other_changes() -> None:
    """A change of the mesh that listeners do not depend on renders none of them again."""
    db = Database()
    listener(db, _spec())
    db.commit([(MESH, None, MeshConfig(ingress_class="other"))])
    listener(db, _spec())
    assert db.runs_by_query["listener"] == 1
    db.commit([(MESH, None, MeshConfig(trust_domain="prod.example"))])
    assert listener_settings(db, None).trust_domains == ("prod.example",)
