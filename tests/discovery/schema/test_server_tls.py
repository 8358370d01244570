from __future__ import annotations

from discovery.schema.server_tls import ServerTLSMode, ServerTLSSettings, TLSProtocol


def test_defaults_are_the_protos() -> None:
    """Nothing written is PASSTHROUGH with versions left to Envoy."""
    settings = ServerTLSSettings()
    assert settings.mode is ServerTLSMode.PASSTHROUGH
    assert settings.min_protocol_version is TLSProtocol.TLS_AUTO
