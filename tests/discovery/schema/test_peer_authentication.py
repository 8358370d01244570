from __future__ import annotations

from discovery.schema.meta import Kind
from discovery.schema.peer_authentication import MutualTLS, MutualTLSMode, PeerAuthentication
from tests.kit.manifests import istio


def test_ports_are_numbers() -> None:
    """They are written as keys, with or without quotes."""
    text = "{selector: {matchLabels: {a: b}}, mtls: {}, portLevelMtls: {8080: {mode: DISABLE}, '9090': {mode: STRICT}}}"
    spec = istio(Kind.PEER_AUTHENTICATION, text).spec
    assert isinstance(spec, PeerAuthentication)
    assert spec.mtls == MutualTLS(mode=MutualTLSMode.UNSET)
    assert {port: mtls.mode for port, mtls in spec.port_level_mtls.items()} == {
        8080: MutualTLSMode.DISABLE,
        9090: MutualTLSMode.STRICT,
    }
