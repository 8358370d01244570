"""Fault injection."""

from __future__ import annotations

from datetime import timedelta

import pytest

from discovery.schema.virtual_service import Abort, Delay, HTTPFaultInjection, Percent
from discovery.translate.routes.fault import fault
from discovery.wire.envoy import HTTPFault

SECOND = timedelta(seconds=1)


def built(injection: HTTPFaultInjection) -> HTTPFault:
    packed = fault(injection)
    assert packed is not None
    assert packed["type_url"].endswith("HTTPFault")
    return HTTPFault.FromString(packed["value"])


def test_delay_and_abort() -> None:
    """Both travel in one configuration, each with its share."""
    delay = Delay(fixed_delay=SECOND, percentage=Percent(value=12.5))
    found = built(HTTPFaultInjection(delay=delay, abort=Abort(http_status=503, percentage=Percent(value=50))))
    assert (found.delay.fixed_delay.seconds, found.delay.percentage.numerator) == (1, 125_000)
    assert (found.abort.http_status, found.abort.percentage.numerator) == (503, 500_000)


def test_deprecated_percent() -> None:
    """Whole percents count where no percentage is written."""
    found = built(HTTPFaultInjection(delay=Delay(fixed_delay=SECOND, percent=7)))
    assert (found.delay.percentage.numerator, found.delay.percentage.denominator) == (7, 0)


@pytest.mark.parametrize(("name", "number"), [("UNAVAILABLE", 14), ("CANCELLED", 1)])
def test_grpc_statuses_have_numbers(name: str, number: int) -> None:
    """gRPC statuses are written by name."""
    assert built(HTTPFaultInjection(abort=Abort(grpc_status=name))).abort.grpc_status == number


@pytest.mark.parametrize(
    "injection",
    [
        HTTPFaultInjection(),
        HTTPFaultInjection(delay=Delay(exponential_delay=SECOND)),
        HTTPFaultInjection(abort=Abort(http2_error="X")),
        HTTPFaultInjection(abort=Abort(grpc_status="NONSENSE")),
    ],
)
def test_what_envoy_cannot_do_is_left_out(injection: HTTPFaultInjection) -> None:
    """Nothing to inject is no configuration at all."""
    assert fault(injection) is None
