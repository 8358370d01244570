"""`IstioCertificateService` over gRPC: authenticate, judge and sign off the event loop, answer.

Signing holds a thread for a millisecond or so; requests beyond a bound are told to come back, which agents do, for a
fleet that starts at once must not starve the configuration streams of the same process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, NoReturn, Protocol

import grpc
import grpc.aio
import msgspec

from certs import pem
from certs.ca import SigningCa, new_serial, sign_leaf
from certs.errors import CertsError
from certs.spiffe import Spiffe
from discovery.auth.caller import Caller, Credentials, Listener
from discovery.auth.chain import Gatekeeper
from discovery.auth.errors import ForbiddenError, UnauthenticatedError, UndecidedError
from discovery.ca.metrics import CaMetrics, SignFailure
from discovery.ca.policy import IMPERSONATED, OPAQUE_REFUSAL, CaPolicy, Refusal, RefusalKind, judge_request
from discovery.runtime.clock import Clock
from discovery.runtime.grpc_abort import abort
from discovery.runtime.logs import get_logger
from discovery.wire.istio_ca import SERVICE, CertificateRequest, decode_request, encode_response

__all__ = ["CertificateService", "Impersonation", "sign_request"]

_MAX_WAITING: Final = 256
"""Requests in hand at once; above, RESOURCE_EXHAUSTED: agents retry that with backoff."""
_CODES: Final = {
    RefusalKind.NO_IDENTITY: grpc.StatusCode.UNAUTHENTICATED,
    RefusalKind.IMPERSONATION: grpc.StatusCode.UNAUTHENTICATED,
    RefusalKind.BAD_CSR: grpc.StatusCode.INVALID_ARGUMENT,
    RefusalKind.TTL_TOO_LONG: grpc.StatusCode.INVALID_ARGUMENT,
}
_log = get_logger("ca")

_Context = grpc.aio.ServicerContext[bytes, bytes]


class Impersonation(Protocol):
    """Says who may act as another; `discovery.auth.node_authorization.NodeAuthorizer` is one."""

    def authorize(self, caller: Caller, wanted: str) -> Spiffe:
        """The identity that the caller may act as.

        Raises:
            ForbiddenError: it may not.
        """


def sign_request(
    ca: SigningCa, caller: Caller, request: CertificateRequest, policy: CaPolicy, *, clock: Clock
) -> tuple[str, ...] | Refusal:
    """The elements of the answer's chain, or why there are none. Heavy: run it in a thread.

    Raises:
        CaError: the CA cannot sign.
    """
    verdict = judge_request(caller, request, policy)
    if isinstance(verdict, Refusal):
        return verdict
    leaf = sign_leaf(ca, verdict.leaf, now=clock.now(), serial=new_serial())
    chain = (leaf, *ca.intermediates)
    return (*(pem.dump_certificate(certificate).decode() for certificate in chain), ca.roots.to_pem().decode())


class CertificateService:
    """The service, to be put on any number of servers, one handler per listener.

    Args:
        gatekeeper: says who is calling.
        ca: the present signing material.
        policy: lifetimes.
        executor: where signing runs; it bounds how many run at once. Owned by the caller.
        impersonation: who may act as another; without it nobody may.
    """

    def __init__(  # noqa: PLR0913 - the seams of the service; `app` wires them by name
        self,
        gatekeeper: Gatekeeper,
        ca: Callable[[], SigningCa],
        *,
        policy: CaPolicy,
        metrics: CaMetrics,
        clock: Clock,
        executor: ThreadPoolExecutor,
        impersonation: Impersonation | None = None,
    ) -> None:
        self._gatekeeper = gatekeeper
        self._ca = ca
        self._policy = policy
        self._metrics = metrics
        self._clock = clock
        self._executor = executor
        self._impersonation = impersonation
        self._waiting = 0

    def handler(self, via: Listener) -> grpc.GenericRpcHandler[bytes, bytes]:
        """The handler for a server that listens there; bytes in, bytes out."""
        method = grpc.unary_unary_rpc_method_handler(partial(self._create_certificate, via))
        return grpc.method_handlers_generic_handler(SERVICE, {"CreateCertificate": method})

    async def _create_certificate(self, via: Listener, data: bytes, context: _Context) -> bytes:
        self._metrics.requests.inc()
        pairs = ((str(key), value) for key, value in context.invocation_metadata() or ())
        credentials = Credentials.read(via, context.peer(), pairs)
        caller = await self._authenticate(credentials, context)
        try:
            request = decode_request(data)
        except ValueError as error:
            self._metrics.csr_parse_failures.inc()
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, f"malformed request: {error}")
        caller, request = await self._impersonate(caller, request, credentials.peer, context)
        if self._waiting >= _MAX_WAITING:
            self._metrics.sign_failures.inc(SignFailure.OVERLOADED)
            await abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "too many certificate requests, try again later")
        result = await self._sign(caller, request, credentials.peer, context)
        if isinstance(result, Refusal):
            await self._refuse(result, credentials.peer, context)
        self._metrics.issued.inc()
        _log.debug("certificate issued", peer=credentials.peer, identity=str(caller.identities[0]))
        return encode_response(result)

    async def _authenticate(self, credentials: Credentials, context: _Context) -> Caller:
        try:
            return await self._gatekeeper.authenticate(credentials)
        except UnauthenticatedError as refusal:
            self._metrics.authentication_failures.inc()
            _log.warning("certificate request refused", peer=credentials.peer, reason=str(refusal))
            await abort(context, grpc.StatusCode.UNAUTHENTICATED, OPAQUE_REFUSAL)
        except UndecidedError as undecided:  # UNAVAILABLE: agents try again by themselves
            self._metrics.authentication_failures.inc()
            _log.warning("caller cannot be authenticated now", peer=credentials.peer, reason=str(undecided))
            await abort(context, grpc.StatusCode.UNAVAILABLE, "cannot authenticate now, try again later")

    async def _impersonate(
        self, caller: Caller, request: CertificateRequest, peer: str, context: _Context
    ) -> tuple[Caller, CertificateRequest]:
        """The caller as who it may act, and the request without what asked for that; else as they are."""
        wanted = request.metadata.get(IMPERSONATED)
        if not wanted or self._impersonation is None:
            return caller, request
        try:
            identity = self._impersonation.authorize(caller, wanted)
        except ForbiddenError as error:
            refusal = Refusal(kind=RefusalKind.IMPERSONATION, reason=str(error), answer=OPAQUE_REFUSAL)
            await self._refuse(refusal, peer, context)
        metadata = {key: value for key, value in request.metadata.items() if key != IMPERSONATED}
        return (
            msgspec.structs.replace(caller, identities=(identity,)),
            msgspec.structs.replace(request, metadata=metadata),
        )

    async def _sign(
        self, caller: Caller, request: CertificateRequest, peer: str, context: _Context
    ) -> tuple[str, ...] | Refusal:
        work = partial(sign_request, self._ca(), caller, request, self._policy, clock=self._clock)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        except CertsError as error:
            self._metrics.sign_failures.inc(SignFailure.SIGNING)
            _log.error("certificate not signed", peer=peer, reason=str(error))
            await abort(context, grpc.StatusCode.INTERNAL, f"CSR signing error ({error.what})")
        finally:
            self._waiting -= 1

    async def _refuse(self, refusal: Refusal, peer: str, context: _Context) -> NoReturn:
        match refusal.kind:
            case RefusalKind.NO_IDENTITY:
                self._metrics.identity_failures.inc()
            case RefusalKind.IMPERSONATION:
                self._metrics.authentication_failures.inc()
            case RefusalKind.BAD_CSR:
                self._metrics.csr_parse_failures.inc()
                self._metrics.sign_failures.inc(SignFailure.CSR)
            case RefusalKind.TTL_TOO_LONG:
                self._metrics.sign_failures.inc(SignFailure.TTL)
        _log.warning("certificate request refused", peer=peer, reason=refusal.reason)
        await abort(context, _CODES[refusal.kind], refusal.answer)
