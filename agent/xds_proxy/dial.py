"""How the agent reaches the control plane: name, roots, own certificate, token. For xDS and for the CA alike.

Everything that may rotate on disk (roots, certificate, token) is read again for each connection or call, so a rotation
needs no restart and no watcher.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import grpc.aio
import msgspec

from agent.x509.client import X509
from certs.errors import CertsError
from discovery.runtime.logs import get_logger

__all__ = [
    "DEFAULT_ISTIOD_HOST",
    "OS_ROOTS",
    "SYSTEM",
    "DialError",
    "UpstreamOptions",
    "call_metadata",
    "choose_server_name",
    "find_os_roots",
    "open_channel",
    "read_roots",
]

SYSTEM: Final = "SYSTEM"
DEFAULT_ISTIOD_HOST: Final = "istiod.istio-system.svc"

# Where distributions keep the bundle of public roots; the first that exists counts.
OS_ROOTS: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/etc/ssl/cert.pem",
    "/etc/ssl/certs/ca-certificates",
)

_PEM_BEGINS: Final = b"-----BEGIN "
_WINDOW_BYTES: Final = 1 << 20

log = get_logger("dial")


class DialError(RuntimeError):
    """The control plane cannot even be called; the text says what is missing and where."""


class UpstreamOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where the control plane is and what to show it.

    Attributes:
        address: ``host:port``.
        tls: false only for the plaintext port.
        server_name: what its certificate must name; empty: derived from the address.
        roots: file of trusted roots in PEM, or ``SYSTEM`` for those of the operating system.
        client_chain: file of our certificate chain, if we have one; shown when it is readable and unexpired.
        client_key: file of its key.
        token: file of a bearer token, read for each call; empty: none is sent.
        cluster_id: told with each call.
        headers: further metadata, sent with each call.
        keepalive_interval_s: between pings on an idle connection.
        keepalive_timeout_s: until an unanswered ping ends the connection.
        connect_timeout_s: for TCP, TLS and the first frame together.
        through: Unix socket that leads to the address; empty: gRPC connects by itself.
    """

    address: str
    tls: bool = True
    server_name: str = ""
    roots: str = ""
    client_chain: str = ""
    client_key: str = ""
    token: str = ""
    cluster_id: str = ""
    headers: Mapping[str, str] = {}
    keepalive_interval_s: float = 30.0
    keepalive_timeout_s: float = 10.0
    connect_timeout_s: float = 5.0
    through: str = ""


def choose_server_name(address: str, override: str = "") -> str:
    """The name that the control plane's certificate must carry.

    An address on localhost is a port-forward or a development set-up: there the certificate names the usual service.
    """
    if override:
        return override
    if "localhost" in address:
        return DEFAULT_ISTIOD_HOST
    return address.rpartition(":")[0].strip("[]")


def find_os_roots() -> Path | None:
    """The operating system's bundle of public roots, if it has one in a known place."""
    return next((Path(path) for path in OS_ROOTS if Path(path).is_file()), None)


def read_roots(roots: str) -> bytes:
    """The PEM of the trusted roots.

    Raises:
        DialError: there are none.
    """
    path = find_os_roots() if roots == SYSTEM else Path(roots)
    if path is None:
        raise DialError(f"trusted roots of the operating system: none of {', '.join(OS_ROOTS)} exists")
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise _bad_roots(path, error.strerror or str(error)) from error
    if _PEM_BEGINS not in pem:  # of an empty text gRPC makes the roots of the whole web
        raise _bad_roots(path, "no certificate in it")
    return pem


def _bad_roots(path: Path, reason: str) -> DialError:
    return DialError(
        f"trusted roots {path}: {reason}, want the PEM of the root that signs the control plane; "
        "mount it there, or name another file with XDS_ROOT_CA (CA_ROOT_CA for the CA)"
    )


def _read_pair(options: UpstreamOptions) -> tuple[bytes, bytes]:
    return Path(options.client_chain).read_bytes(), Path(options.client_key).read_bytes()


async def _read_client_pair(options: UpstreamOptions, x509: X509, now: datetime) -> tuple[bytes | None, bytes | None]:
    """Key and chain to show, or neither: a token may still do where the certificate is gone or expired."""
    if not (options.client_chain and options.client_key):
        return None, None
    try:
        chain, key = _read_pair(options)
        pair = await x509.check_pair(chain, key, where=f"{options.client_chain} with {options.client_key}")
    except (CertsError, OSError) as error:
        log.warning("client certificate is unusable; going on with the token alone", reason=str(error))
        return None, None
    if pair.expiry <= now:
        log.warning(
            "client certificate has expired; going on with the token alone",
            file=options.client_chain,
            expired_at=pair.expiry.isoformat(),
        )
        return None, None
    return key, chain


def call_metadata(options: UpstreamOptions) -> tuple[tuple[str, str], ...]:
    """The metadata of one call; the token's file is read now."""
    metadata = [(key.lower(), value) for key, value in options.headers.items()]
    if options.cluster_id:
        metadata.append(("clusterid", options.cluster_id))
    if options.token:
        token = _read_token(options.token)
        if token:
            metadata.append(("authorization", f"Bearer {token}"))
    return tuple(metadata)


def _read_token(path: str) -> str:
    try:
        token = Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        log.warning("token cannot be read; calling without it", file=path, reason=reason)
        return ""
    if not token or not token.isprintable():  # a line break within would make gRPC refuse the whole call
        log.warning("token is empty or no token; calling without it", file=path)
        return ""
    return token


async def open_channel(options: UpstreamOptions, *, x509: X509, now: Callable[[], datetime]) -> grpc.aio.Channel:
    """A new channel to the control plane; it connects with the first call. The caller closes it.

    Raises:
        DialError: the roots cannot be read.
    """
    settings: list[tuple[str, int | str]] = [
        # Each channel its own connection: a shared one would hand pending messages to another instance of istiod, and
        # would keep roots and certificates that have been rotated since.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),
        ("grpc.min_reconnect_backoff_ms", int(options.connect_timeout_s * 1000)),  # the limit of one attempt, too
        ("grpc.service_config_disable_resolution", 1),
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
        ("grpc.http2.lookahead_bytes", _WINDOW_BYTES),
        ("grpc.http2.bdp_probe", 0),  # the window is set; probing would only send pings
        ("grpc.keepalive_time_ms", int(options.keepalive_interval_s * 1000)),
        ("grpc.keepalive_timeout_ms", int(options.keepalive_timeout_s * 1000)),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    target = options.address
    if options.through:
        target = f"unix:{options.through}"
        settings.append(("grpc.default_authority", options.address))
    if not options.tls:
        return grpc.aio.insecure_channel(target, options=settings)
    key, chain = await _read_client_pair(options, x509, now())
    credentials = grpc.ssl_channel_credentials(read_roots(options.roots), key, chain)  # TLS 1.2 is the core's minimum
    name = choose_server_name(options.address, options.server_name)
    settings.append(("grpc.ssl_target_name_override", name))
    return grpc.aio.secure_channel(target, credentials, options=settings)
