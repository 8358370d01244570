"""How ends of streams are classed and explained."""

from __future__ import annotations

import pytest

from agent.xds_proxy.ends import Severity, explain_failure, judge_severity


@pytest.mark.parametrize(
    ("code", "details", "severity"),
    [
        ("OK", "", Severity.CANCELLED),
        ("CANCELLED", "whatever", Severity.CANCELLED),
        ("DEADLINE_EXCEEDED", "", Severity.CANCELLED),
        ("UNAVAILABLE", "client disconnected", Severity.CANCELLED),
        ("UNAVAILABLE", "error reading from server: EOF", Severity.CANCELLED),
        ("UNAVAILABLE", "transport is closing", Severity.CANCELLED),
        ("UNAVAILABLE", "Socket closed", Severity.CANCELLED),
        ("UNAVAILABLE", "connection refused", Severity.ERROR),
        ("INTERNAL", "stream terminated by RST_STREAM with error code: NO_ERROR", Severity.CANCELLED),
        ("UNAVAILABLE", "received prior goaway: code: NO_ERROR", Severity.CANCELLED),
        ("UNAUTHENTICATED", "request authenticate failure", Severity.ERROR),
        ("INTERNAL", "client disconnected", Severity.ERROR),
    ],
)
def test_severity(code: str, details: str, severity: Severity) -> None:
    """Regular ends and lost connections are expected; everything else is an error."""
    assert judge_severity(code, details) is severity


@pytest.mark.parametrize(
    ("code", "details", "says"),
    [
        (
            "UNAVAILABLE",
            "Ssl handshake failed: CERTIFICATE_VERIFY_FAILED: unable to get",
            "not signed by a root in /r.pem",
        ),
        ("UNAVAILABLE", "Peer name istiod.istio-system.svc is not in peer certificate", "ISTIOD_SAN"),
        ("UNAUTHENTICATED", "request authenticate failure", "token in /token"),
        ("UNAVAILABLE", "connection refused", "reachable at istiod:15012"),
        ("UNAVAILABLE", "SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER", "controlPlaneAuthPolicy to NONE"),
        (
            "UNAVAILABLE",
            "ipv4:1.2.3.4:15012: Unwrap failed (TSI_DATA_CORRUPTED)",
            "refuses the certificate in /chain.pem",
        ),
        ("UNIMPLEMENTED", "Method not found!", "CA_ADDR"),
        ("INTERNAL", "boom", ""),
    ],
)
def test_hints_name_what_to_look_at(code: str, details: str, says: str) -> None:
    """A failure with a usual cause comes with the file or address to check."""
    hint = explain_failure(code, details, address="istiod:15012", roots="/r.pem", token="/token", chain="/chain.pem")
    assert says in hint
    assert bool(hint) == bool(says)
