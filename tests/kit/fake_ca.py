"""A CA on a real gRPC server, and a signer without one; both sign what a test's ``MeshCa`` signs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Self

import grpc
import grpc.aio

from agent.sds.errors import SigningError
from discovery.runtime.clock import Clock
from discovery.wire.protowire import fields, string_field
from tests.kit.mesh_ca import MeshCa

__all__ = ["FakeCaServer", "FakeSigner"]

_Context = grpc.aio.ServicerContext[bytes, bytes]


class FakeSigner:
    """Signs in process; ``failing`` makes it refuse, ``lifetime``, ``ca`` and ``clock`` may be changed at any time."""

    def __init__(self, ca: MeshCa, clock: Clock, *, lifetime: timedelta = timedelta(hours=24)) -> None:
        self.ca = ca
        self.lifetime = lifetime
        self.failing = ""
        self.calls = 0
        self.clock = clock

    async def sign(self, csr: bytes, *, ttl_s: int) -> Sequence[str]:
        """Sign, or fail as told."""
        self.calls += 1
        if self.failing:
            raise SigningError(self.failing)
        return self.ca.sign(csr, now=self.clock.now(), lifetime=min(self.lifetime, timedelta(seconds=ttl_s)))


class FakeCaServer:
    """``IstioCertificateService`` as the wire sees it: ``async with FakeCaServer(ca, clock) as server``.

    Args:
        ca: who signs.
        clock: when.
        credentials: TLS of the server; plaintext without.
        port: 0 for any.
        refuse: answers with this status instead, given the call's metadata and its number from 1.
    """

    def __init__(
        self,
        ca: MeshCa,
        clock: Clock,
        *,
        credentials: grpc.ServerCredentials | None = None,
        port: int = 0,
        refuse: Callable[[Mapping[str, str], int], tuple[grpc.StatusCode, str] | None] = lambda _metadata, _call: None,
    ) -> None:
        self.chain: Sequence[str] | None = None
        self.calls = 0
        self.requests: list[bytes] = []
        self.metadata: Mapping[str, str] = {}
        self._ca = ca
        self._clock = clock
        self._credentials = credentials
        self._port = port
        self._refuse = refuse

    @property
    def port(self) -> int:
        """The bound port."""
        return self._port

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        handlers = {"CreateCertificate": grpc.unary_unary_rpc_method_handler(self._create)}
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("istio.v1.auth.IstioCertificateService", handlers),)
        )
        address = f"127.0.0.1:{self._port}"
        self._port = (
            self._server.add_insecure_port(address)
            if self._credentials is None
            else self._server.add_secure_port(address, self._credentials)
        )
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(0.1)

    async def _create(self, request: bytes, context: _Context) -> bytes:
        self.calls += 1
        self.requests.append(request)
        self.metadata = {str(key): str(value) for key, value in context.invocation_metadata() or ()}
        refusal = self._refuse(self.metadata, self.calls)
        if refusal is not None:
            await context.abort(*refusal)
        parts = dict(fields(request))
        csr, ttl_s = parts[1], parts[3]
        assert isinstance(csr, memoryview)
        assert isinstance(ttl_s, int)
        chain = self.chain
        if chain is None:
            chain = self._ca.sign(bytes(csr), now=self._clock.now(), lifetime=timedelta(seconds=ttl_s))
        return b"".join(string_field(1, part) for part in chain)
