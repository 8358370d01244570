"""The client of ``istio.v1.auth.IstioCertificateService``: a CSR in, a certificate chain out.

Each attempt has a connection of its own: certificates are asked for twice a day, so keeping one open would only cost
memory, and a new one reads roots, token and client certificate again. Each attempt has a deadline.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

import grpc
import grpc.aio

from agent.sds.errors import SigningError
from agent.sds.metrics import CSR, SecretMetrics
from agent.x509.client import X509
from agent.xds_proxy.dial import DialError, UpstreamOptions, call_metadata, open_channel
from agent.xds_proxy.ends import explain_failure
from discovery.runtime.backoff import backoff_delays
from discovery.runtime.clock import Clock
from discovery.runtime.logs import get_logger
from discovery.wire.protowire import bytes_field, fields, string_field, uint_field

__all__ = ["CaClient", "encode_request", "parse_response"]

METHOD: Final = "/istio.v1.auth.IstioCertificateService/CreateCertificate"

_ATTEMPTS: Final = 5
_FIRST_DELAY_S: Final = 0.1
_MAX_DELAY_S: Final = 5.0
# Signers behind a Kubernetes CertificateSigningRequest take tens of seconds.
_CALL_TIMEOUT_S: Final = 30.0
_RETRIED: Final = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
    }
)

log = get_logger("ca")


def encode_request(csr: bytes, *, ttl_s: int, signer: str) -> bytes:
    """The bytes of ``IstioCertificateRequest``; the signer's name is in its metadata even when empty."""
    value = bytes_field(3, signer.encode())  # google.protobuf.Value.string_value
    entry = string_field(1, "CertSigner") + bytes_field(2, value)
    metadata = bytes_field(1, entry)  # google.protobuf.Struct.fields
    return bytes_field(1, csr) + uint_field(3, ttl_s) + bytes_field(4, metadata)


def parse_response(data: bytes) -> tuple[str, ...]:
    """The chain of an ``IstioCertificateResponse``: leaf, intermediates, and as its last element the root.

    Raises:
        SigningError: the bytes are no such message.
    """
    try:
        return tuple(
            str(value, "utf-8") for number, value in fields(data) if number == 1 and isinstance(value, memoryview)
        )
    except ValueError as error:
        raise SigningError(f"answer of the CA: {error}") from error


class CaClient:
    """Asks a CA for certificates.

    Args:
        options: where it is.
        signer: the name of the signer it shall use; empty for its own choice.
        x509: judges our client certificate.
        clock: for latency, and that certificate's expiry.
        metrics: counts calls.
        sleep: waits between attempts.
        chance: uniform in [0, 1), spreads them.
    """

    def __init__(  # noqa: PLR0913 - two of them are what tests replace
        self,
        options: UpstreamOptions,
        *,
        signer: str = "",
        x509: X509,
        clock: Clock,
        metrics: SecretMetrics,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._options = options
        self._signer = signer
        self._x509 = x509
        self._clock = clock
        self._metrics = metrics
        self._sleep = sleep
        self._chance = chance

    async def sign(self, csr: bytes, *, ttl_s: int) -> tuple[str, ...]:
        """The chain for a PEM request.

        Raises:
            SigningError: the CA refused, or could not be reached several times in a row.
        """
        request = encode_request(csr, ttl_s=ttl_s, signer=self._signer)
        delays = backoff_delays(first_s=_FIRST_DELAY_S, max_s=_MAX_DELAY_S, chance=self._chance)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return parse_response(await self._call(request))
            except grpc.aio.AioRpcError as error:
                self._metrics.failures.inc(CSR)
                if error.code() not in _RETRIED or attempt == _ATTEMPTS:
                    raise SigningError(self._describe(error, attempt)) from error
                log.debug("asking the CA again", code=error.code().name, reason=error.details(), attempt=attempt)
            except DialError as error:
                self._metrics.failures.inc(CSR)
                raise SigningError(f"CA at {self._options.address}: {error}") from error
            await self._sleep(next(delays))
            self._metrics.retries.inc(CSR)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _call(self, request: bytes) -> bytes:
        started = self._clock.monotonic()
        self._metrics.requests.inc(CSR)
        channel = await open_channel(self._options, x509=self._x509, now=self._clock.now)
        try:
            call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD, None, None)
            return await call(request, metadata=call_metadata(self._options), timeout=_CALL_TIMEOUT_S)
        finally:
            await channel.close(None)
            self._metrics.latency_ms.inc(CSR, by=(self._clock.monotonic() - started) * 1000)

    def _describe(self, error: grpc.aio.AioRpcError, attempts: int) -> str:
        options, code, details = self._options, error.code().name, error.details() or "no details"
        hint = explain_failure(
            code,
            details,
            address=options.address,
            roots=options.roots,
            token=options.token,
            chain=options.client_chain,
        )
        text = f"CA at {options.address}: {code} after {attempts} attempt{'s' * (attempts > 1)}: {details}"
        return f"{text}; {hint}" if hint else text
