"""TLS that a listener terminates or passes on: shared by Sidecar ingress and Gateway servers.

Spec: https://istio.io/latest/docs/reference/config/networking/gateway/#ServerTLSSettings
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from discovery.schema.message import Message, ProtoEnum

__all__ = ["ServerTLSMode", "ServerTLSSettings", "TLSCertificate", "TLSProtocol"]


_ONE_OR_TWO = msgspec.Meta(min_length=1, max_length=2)  # of each kind of key, as RSA and ECDSA


class ServerTLSMode(ProtoEnum):
    """Whether and how TLS is terminated."""

    PASSTHROUGH = "PASSTHROUGH"
    SIMPLE = "SIMPLE"
    MUTUAL = "MUTUAL"
    AUTO_PASSTHROUGH = "AUTO_PASSTHROUGH"
    ISTIO_MUTUAL = "ISTIO_MUTUAL"
    OPTIONAL_MUTUAL = "OPTIONAL_MUTUAL"


class TLSProtocol(ProtoEnum):
    """TLS versions; TLS_AUTO leaves the choice to Envoy."""

    TLS_AUTO = "TLS_AUTO"
    TLSV1_0 = "TLSV1_0"
    TLSV1_1 = "TLSV1_1"
    TLSV1_2 = "TLSV1_2"
    TLSV1_3 = "TLSV1_3"


class TLSCertificate(Message, frozen=True, kw_only=True):
    """Paths of a key pair."""

    server_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""


class ServerTLSSettings(Message, frozen=True, kw_only=True):
    """TLS of a server port."""

    https_redirect: bool = False
    mode: ServerTLSMode = ServerTLSMode.PASSTHROUGH
    server_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""
    ca_crl: str = ""
    credential_name: str = ""
    credential_names: Annotated[tuple[str, ...], _ONE_OR_TWO] = ()
    ca_cert_credential_name: str = ""
    tls_certificates: Annotated[tuple[TLSCertificate, ...], _ONE_OR_TWO] = ()
    subject_alt_names: tuple[str, ...] = ()
    verify_certificate_spki: tuple[str, ...] = ()
    verify_certificate_hash: tuple[str, ...] = ()
    min_protocol_version: TLSProtocol = TLSProtocol.TLS_AUTO
    max_protocol_version: TLSProtocol = TLSProtocol.TLS_AUTO
    cipher_suites: tuple[str, ...] = ()
    ecdh_curves: tuple[str, ...] = ()
    insecure_skip_verify: bool | None = None
