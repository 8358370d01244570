"""The CA's counters and gauges, under the names that dashboards of Istio's CA know."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from prometheus_client import CollectorRegistry, Gauge

from certs.ca import SigningCa
from discovery.runtime.clock import Clock
from discovery.runtime.metrics import PlainCounter

__all__ = ["CaMetrics", "SignFailure"]


class SignFailure(StrEnum):
    """Why signing failed; the closed set of the label `error`."""

    NOT_READY = "CA_NOT_READY"
    CSR = "CSR_ERROR"
    TTL = "TTL_ERROR"
    SIGNING = "CERT_GEN_ERROR"
    OVERLOADED = "OVERLOADED"


class CaMetrics:
    """What the CA counts, on a registry passed in."""

    def __init__(self, registry: CollectorRegistry, *, ca: Callable[[], SigningCa], clock: Clock) -> None:
        def counter(name: str, text: str) -> PlainCounter:
            return PlainCounter(f"citadel_server_{name}", text, registry=registry)

        def gauge(name: str, text: str, read: Callable[[], float]) -> None:
            Gauge(f"citadel_server_{name}", text, registry=registry).set_function(read)

        self.requests = counter("csr_count", "Certificate requests received.")
        self.authentication_failures = counter("authentication_failure_count", "Callers that nobody vouches for.")
        self.csr_parse_failures = counter("csr_parsing_err_count", "Requests whose CSR could not be used.")
        self.identity_failures = counter("id_extraction_err_count", "Callers without a usable identity.")
        self.issued = counter("success_cert_issuance_count", "Certificates issued.")
        self.sign_failures = PlainCounter(
            "citadel_server_csr_sign_err_count",
            "Requests that were authenticated and not signed.",
            registry=registry,
            label="error",
            values=tuple(SignFailure),
        )

        def root_end() -> float:
            return min(root.not_valid_after_utc for root in ca().roots.roots).timestamp()

        def chain_end() -> float:
            return ca().valid_until.timestamp()

        def now() -> float:
            return clock.now().timestamp()

        gauge("root_cert_expiry_timestamp", "When the first root expires, Unix time.", root_end)
        gauge("root_cert_expiry_seconds", "Seconds until the first root expires.", lambda: root_end() - now())
        gauge("cert_chain_expiry_timestamp", "When the signing chain expires, Unix time.", chain_end)
        gauge("cert_chain_expiry_seconds", "Seconds until the signing chain expires.", lambda: chain_end() - now())
