"""How a stream ended, and what that means for counters, logs and the next attempt. Decides only."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

__all__ = ["End", "Severity", "Side", "explain_failure", "judge_severity"]

# gRPC's names of status codes; the core does not import grpc.
_OK: Final = "OK"
_EXPECTED_CODES: Final = frozenset({"CANCELLED", "DEADLINE_EXCEEDED"})
_EXPECTED_UNAVAILABLE: Final = (
    "client disconnected",
    "error reading from server: EOF",
    "transport is closing",
    # What the C core says where Go's gRPC says the above: the peer closed a connection that had worked.
    "Socket closed",
    "GOAWAY received",
)
_EXPECTED_TEXTS: Final = (
    "stream terminated by RST_STREAM with error code: NO_ERROR",
    "received prior goaway: code: NO_ERROR",
)


class Side(StrEnum):
    """Who ended the stream."""

    ISTIOD = "istiod"
    ENVOY = "envoy"
    AGENT = "agent"  # a newer stream of Envoy took over, or the agent stops


class Severity(StrEnum):
    """The value of the ``type`` label of the termination counters."""

    CANCELLED = "cancelled"
    ERROR = "error"


class End(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a relayed stream.

    Attributes:
        side: who ended it.
        code: gRPC's name of the status, ``OK`` for a regular end.
        details: the status message.
        connected: whether the upstream stream had been established.
        answered: whether the control plane had sent anything.
    """

    side: Side
    code: str = _OK
    details: str = ""
    connected: bool = True
    answered: bool = False

    @property
    def graceful(self) -> bool:
        """Whether the peer just ended its stream."""
        return self.code == _OK


def judge_severity(code: str, details: str) -> Severity:
    """Tell ends that belong to normal operation from failures that somebody should look at."""
    if code == _OK or code in _EXPECTED_CODES or any(text in details for text in _EXPECTED_TEXTS):
        return Severity.CANCELLED
    if code == "UNAVAILABLE" and any(text in details for text in _EXPECTED_UNAVAILABLE):
        return Severity.CANCELLED
    return Severity.ERROR


def explain_failure(code: str, details: str, *, address: str, roots: str, token: str, chain: str = "") -> str:
    """A hint for the log: what an operator should look at first; empty when the status speaks for itself.

    Args:
        code: gRPC's name of the status.
        details: the status message.
        address: of the control plane.
        roots: where the trusted roots came from.
        token: the file of the bearer token.
        chain: the file of our certificate, if there is one to show.
    """
    if "CERTIFICATE_VERIFY_FAILED" in details:
        return (
            f"the certificate of {address} is not signed by a root in {roots}, or is expired; "
            "check that this workload and the control plane belong to the same mesh"
        )
    if "peer name" in details.lower() or "hostname verification" in details.lower():
        return f"the certificate of {address} names another server; set ISTIOD_SAN to the name it carries"
    if "WRONG_VERSION_NUMBER" in details:
        return (
            f"{address} does not speak TLS, it seems to be a plaintext port; use the control plane's TLS port "
            "(discoveryAddress, usually 15012), or set controlPlaneAuthPolicy to NONE"
        )
    if chain and "TSI_DATA_CORRUPTED" in details:  # gRPC's word for an alert after our part of the handshake
        return (
            f"{address} refuses the certificate in {chain}; if another mesh issued it, remove it and its key, "
            "and the token counts"
        )
    if code == "UNIMPLEMENTED":
        return (
            f"the server at {address} does not offer this service; is it the control plane's port, "
            "and for certificates its TLS port (CA_ADDR)?"
        )
    if code == "UNAUTHENTICATED":
        return (
            f"the control plane refused our credentials; check that the token in {token} is unexpired and meant for it"
        )
    if code == "UNAVAILABLE":
        return f"is the control plane running and reachable at {address}?"
    return ""
