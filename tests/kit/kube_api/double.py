"""The in-process API server: the parts wired together.

A verified fake: `tests/integration/test_kube_api.py` holds for it and for the real server alike. What it leaves out is
told in `README.md` beside this file.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from discovery.runtime.clock import Clock, SystemClock
from tests.kit.kube_api.admission import Webhooks
from tests.kit.kube_api.authentication import Authenticator
from tests.kit.kube_api.authorization import BOOTSTRAP, Authorizer
from tests.kit.kube_api.builtin_admission import BuiltinAdmission
from tests.kit.kube_api.call import Call, Reply
from tests.kit.kube_api.callers import ADMIN, User
from tests.kit.kube_api.clock import ServerClock
from tests.kit.kube_api.definitions import Definitions
from tests.kit.kube_api.deleting import Deleter
from tests.kit.kube_api.documents import VERSION, Documents
from tests.kit.kube_api.faults import Faults
from tests.kit.kube_api.handle import ApiAddress, kubeconfig_text
from tests.kit.kube_api.objects import Json
from tests.kit.kube_api.pki import ClusterCa, load_pair
from tests.kit.kube_api.requests import RequestLog
from tests.kit.kube_api.resources import Resources
from tests.kit.kube_api.reviews import Reviews
from tests.kit.kube_api.server import Server
from tests.kit.kube_api.state import State, WriteOptions
from tests.kit.kube_api.subresources import Subresources
from tests.kit.kube_api.tokens import Tokens
from tests.kit.kube_api.writing import Writer

__all__ = ["Double"]

_NAMESPACES: Final = ("default", "kube-system", "kube-public", "kube-node-lease")
_KUBERNETES: Final[Json] = {
    "metadata": {"name": "kubernetes", "labels": {"component": "apiserver", "provider": "kubernetes"}},
    "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443, "targetPort": 6443}]},
}


class Double:
    """An API server on loopback, running while the context is open.

    Args:
        folder: where the kubeconfig is written.
        clock: the server's wall clock; it can be made to jump.
        port: 0 for a free one.
    """

    def __init__(self, folder: Path, *, clock: Clock | None = None, port: int = 0, plaintext: bool = False) -> None:
        base = clock or SystemClock()
        self.state = State(ServerClock(base))
        self.ca = ClusterCa(SystemClock().now())
        self.tokens = Tokens(self.state)
        self.authenticator = Authenticator(self.tokens)
        self.authorizer = Authorizer(self.state)
        self.webhooks = Webhooks(self.state)
        self.requests = RequestLog()
        self.faults = Faults(self.state, self.restart, self.stop)
        self._folder = folder
        builtin = BuiltinAdmission(self.state, self.ca.pem)
        self._writer = Writer(self.state, self.webhooks, builtin.steps())
        deleter = Deleter(self.state, self.webhooks)
        Definitions(self.state, deleter)
        reviews = Reviews(self.authenticator, self.authorizer)
        special = Subresources(self.state, self._writer, deleter, self.tokens)
        self._resources = Resources(self.state, self._writer, deleter, reviews, special)
        self._documents = Documents(self.state, self.tokens)
        self._tls: ssl.SSLContext | None = None if plaintext else self.ca.server_context()
        self._server = Server(
            self._answer,
            self.faults.before,
            watches=self.state.watches,
            callers=(self.authenticator, self.authorizer),
            requests=self.requests,
            tls=self._tls,
        )
        self._server.port = port

    async def __aenter__(self) -> Self:
        await self._fill()
        await self._server.start()
        self.kubeconfig.write_text(kubeconfig_text(self.url, self.ca.pem, self.authenticator.admin_token))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._server.port}"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self._folder / "kubeconfig"

    @property
    def address(self) -> ApiAddress:
        """All that a client needs."""
        return ApiAddress(
            url=self.url,
            kubeconfig=self.kubeconfig,
            ca_pem=self.ca.pem,
            admin_token=self.authenticator.admin_token,
            version=VERSION,
        )

    def add_user(self, token: str, name: str, *groups: str) -> None:
        """Let a token stand for a user."""
        self.authenticator.add_token(token, User(name=name, groups=(*groups, "system:authenticated")))

    def client_context(self, user: str, *groups: str) -> ssl.SSLContext:
        """TLS of a client with a certificate for the user."""
        context = ssl.create_default_context(cadata=self.ca.pem.decode())
        load_pair(context, self.ca.client(user, *groups))
        return context

    def enforce_rbac(self) -> None:
        """From now on callers other than the administrator may do what roles grant them, and nothing else."""
        self.authorizer.enforced = True

    async def stop(self) -> None:
        """Close the port, keep the state."""
        await self._server.stop()

    async def restart(self) -> None:
        """Close the port, if it is open, and open it again."""
        await self._server.stop()
        await self._server.start()

    async def _answer(self, call: Call) -> Reply:
        if call.route.version:
            return await self._resources.answer(call)
        return self._documents.answer(call)

    async def _fill(self) -> None:
        for name in _NAMESPACES:
            await self._create("v1", "Namespace", "", {"metadata": {"name": name}})
        await self._create("v1", "Service", "default", _KUBERNETES)
        for item in BOOTSTRAP:
            await self._create(item["apiVersion"], item["kind"], "", item)

    async def _create(self, api_version: str, kind: str, namespace: str, item: Json) -> None:
        served = self.state.kinds.by_kind(api_version, kind)
        assert served is not None
        await self._writer.create(served, namespace, item, WriteOptions(user=ADMIN, manager="kube-apiserver"))
