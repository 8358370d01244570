from __future__ import annotations

import pytest

from agent.envoy.ending import Close, Drain, DrainPolicy, Reason, Step, Wait, WaitForZero, plan_drain, plan_ending

_SIDECAR = DrainPolicy(wait_s=5)
_ROUTER = DrainPolicy(inbound_only=False, wait_s=2)
_ZERO = DrainPolicy(until_zero_connections=True, minimum_s=3, maximum_s=8)


@pytest.mark.parametrize(
    ("reason", "policy", "drained", "steps"),
    [
        (
            Reason.SIGNAL,
            _SIDECAR,
            False,
            (Drain(inbound_only=True, skip_exit=False), Wait(4), Close(inbound_only=True), Wait(1)),
        ),
        (
            Reason.SIGNAL,
            _ROUTER,
            False,
            (Drain(inbound_only=False, skip_exit=False), Wait(1.5), Close(inbound_only=False), Wait(0.5)),
        ),
        (
            Reason.SIGNAL,
            _ZERO,
            False,
            (Drain(inbound_only=True, skip_exit=True), WaitForZero(3, 8), Close(inbound_only=True), Wait(0.25)),
        ),
        (Reason.SIGNAL, _SIDECAR, True, ()),
        (Reason.QUIT, _SIDECAR, False, ()),
        (Reason.QUIT, _ZERO, False, ()),
    ],
)
def test_the_way_to_the_end(reason: Reason, policy: DrainPolicy, steps: tuple[Step, ...], *, drained: bool) -> None:
    """A signal drains, and closes what listens before the last of the wait; after a drain, or for quit, no wait."""
    assert plan_ending(reason, policy, drained=drained) == steps


def test_a_drain_keeps_envoy_alive() -> None:
    """Only the platform decides when it ends."""
    assert plan_drain(_SIDECAR) == (Drain(inbound_only=True, skip_exit=True),)
