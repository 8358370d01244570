"""How to reach an API server, and as whom: from a kubeconfig or from a pod's service account.

Kubeconfigs are read by the official client (contexts, merged files, exec plugins, OIDC), which is imported only then:
it costs 21 MB and 0.2 s that a pod in its cluster need not pay (docs/adr/0004-kubernetes-client.md).
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from discovery.kube.errors import AccessError
from discovery.runtime.clock import Clock

__all__ = ["SERVICE_ACCOUNT_DIR", "Access", "Credentials", "KubeConfig", "is_in_cluster", "load_access"]

SERVICE_ACCOUNT_DIR: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
_HOST: Final = "KUBERNETES_SERVICE_HOST"
_PORT: Final = "KUBERNETES_SERVICE_PORT"
_REREAD_S: Final = 60.0  # the kubelet replaces a projected token when a fifth of its life is left: minutes at least


class KubeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Which API server to use, and how much of it.

    Without ``kubeconfig`` it is the cluster that ``environ`` says we run in.
    """

    kubeconfig: str = ""
    context: str = ""
    environ: Mapping[str, str] = {}
    service_account_dir: str = SERVICE_ACCOUNT_DIR
    qps: float = 80.0  # requests per second in the long run; 0: as many as are made
    burst: int = 160
    timeout_s: float = 30.0  # of a request from its first to its last byte; watches have their own
    user_agent: str = "pilot-discovery"


class Credentials(Protocol):
    """Says who we are."""

    async def authorization(self, *, renew: bool = False) -> str:
        """The value of the header, empty if there is none. ``renew``: the last one was refused.

        Raises:
            AccessError: it cannot be read.
        """


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Where an API server is, whom we take it for, and who we are."""

    server: str  # https://host:port, without a slash at the end
    credentials: Credentials
    tls: ssl.SSLContext | None = None  # None: plain HTTP
    tls_server_name: str = ""
    proxy: str = ""


def is_in_cluster(environ: Mapping[str, str]) -> bool:
    """Whether the environment is that of a pod."""
    return bool(environ.get(_HOST) and environ.get(_PORT))


async def load_access(config: KubeConfig, clock: Clock) -> Access:
    """Read what the configuration points to.

    Raises:
        AccessError: there is nothing to read, or it cannot be used.
    """
    if config.kubeconfig:
        return await _from_kubeconfig(config)
    if not is_in_cluster(config.environ):
        hint = "give --kubeconfig, or run in a pod with a service account"
        raise AccessError(f"no cluster: neither a kubeconfig nor {_HOST} and {_PORT} are given; {hint}")
    return await asyncio.to_thread(_in_cluster, config, clock)


class TokenFile:
    """A service account's token, read again as the kubelet replaces it."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._token = ""
        self._read_at = 0.0

    async def authorization(self, *, renew: bool = False) -> str:
        """The token as a bearer; at most a minute old.

        Raises:
            AccessError: there never was a token that could be read.
        """
        now = self._clock.monotonic()
        if renew or not self._token or now - self._read_at >= _REREAD_S:
            await asyncio.to_thread(self.read)
            self._read_at = now
        return f"Bearer {self._token}"

    def read(self) -> None:
        """Read the file; while it cannot be read, the last token stays."""
        try:
            token = self._path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeError) as error:
            if not self._token:
                raise AccessError(
                    f"service account token {self._path}: {error}; is it mounted into the pod?"
                ) from error
            return
        if not token and not self._token:
            raise AccessError(f"service account token {self._path} is empty")
        self._token = token or self._token


def _in_cluster(config: KubeConfig, clock: Clock) -> Access:
    host, port = config.environ[_HOST], config.environ[_PORT]
    directory = Path(config.service_account_dir)
    roots = directory / "ca.crt"
    token = TokenFile(directory / "token", clock)
    token.read()
    try:
        tls = ssl.create_default_context(cafile=str(roots))
    except (OSError, ssl.SSLError) as error:
        raise AccessError(f"roots of the API server {roots}: {error}; is the service account mounted?") from error
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return Access(server=f"https://{where}", credentials=token, tls=_strict_where_possible(tls))


def _strict_where_possible(tls: ssl.SSLContext) -> ssl.SSLContext:
    """Certificates of clusters often lack a key identifier, which Python 3.13 demands and client-go does not."""
    tls.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    return tls


class _FromLoader:
    """Credentials of a kubeconfig; refused ones are asked for again (exec plugins, OIDC, token files)."""

    def __init__(self, load: Callable[[], Awaitable[Any]], configuration: Any) -> None:
        self._load = load
        self._configuration = configuration

    async def authorization(self, *, renew: bool = False) -> str:
        """The header that the kubeconfig's user gives."""
        if renew:
            self._configuration = await self._load()
        return str(self._configuration.api_key.get("BearerToken", ""))


async def _from_kubeconfig(config: KubeConfig) -> Access:
    async def load() -> Any:
        return await _load_kubeconfig(config)

    found = await load()
    server = str(found.host).rstrip("/")
    tls: ssl.SSLContext | None = None
    if server.startswith("https://"):
        tls = await asyncio.to_thread(_tls_of, found, config.kubeconfig)
    return Access(
        server=server,
        credentials=_FromLoader(load, found),
        tls=tls,
        tls_server_name=found.tls_server_name or "",
        proxy=found.proxy or "",
    )


async def _load_kubeconfig(config: KubeConfig) -> Any:
    from kubernetes.aio import config as loader  # 21 MB that only a kubeconfig needs
    from kubernetes.aio.client import Configuration

    path = await asyncio.to_thread(_existing, config.kubeconfig)
    found = Configuration()
    try:
        await loader.load_kube_config(  # type: ignore[no-untyped-call] # the client has none
            config_file=path, context=config.context or None, client_configuration=found, persist_config=False
        )
    # The loader meets whatever a file may hold with whatever Python raises: KeyError, TypeError, YAMLError, ...
    except Exception as error:
        raise AccessError(f"kubeconfig {path}: {str(error) or type(error).__name__}") from error
    return found


def _tls_of(found: Any, path: str) -> ssl.SSLContext:
    try:
        tls = ssl.create_default_context(cafile=found.ssl_ca_cert)
        if found.cert_file:
            tls.load_cert_chain(found.cert_file, keyfile=found.key_file)
    except (OSError, ssl.SSLError) as error:
        raise AccessError(f"kubeconfig {path}: certificates cannot be used: {error}") from error
    if not found.verify_ssl:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    return _strict_where_possible(tls)


def _existing(path: str) -> str:
    expanded = os.path.expanduser(path)
    if not os.path.isfile(expanded):
        raise AccessError(f"kubeconfig {path} does not exist or is no file; give --kubeconfig another")
    return expanded
