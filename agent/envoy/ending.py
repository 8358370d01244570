"""How one Envoy is brought to its end: which steps, in which order, for which reason. Pure.

``/drain`` is a preparation: the platform waits by itself afterwards, so the SIGTERM that follows finds nothing to wait
for. ``/quitquitquit`` is for jobs that are done: nobody is left to be drained for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Close", "Drain", "DrainPolicy", "Reason", "Step", "Wait", "WaitForZero", "plan_drain", "plan_ending"]

# The last part of the wait, in which nobody can connect any more: what is under way ends before Envoy does.
_CLOSED_SHARE = 0.25
_CLOSED_MAX_S = 1.0


class Reason(StrEnum):
    """Why it shall end."""

    SIGNAL = "signal"
    QUIT = "quit"


@dataclass(frozen=True, slots=True)
class Drain:
    """Tell Envoy to take no more connections; a failure is logged, the ending goes on."""

    inbound_only: bool
    skip_exit: bool


@dataclass(frozen=True, slots=True)
class Close:
    """Take no connections from now on, not even those that a drain still takes; open ones go on.

    A refused connection is one that callers' sidecars try elsewhere; one that is cut with a request on it is a failure.
    """

    inbound_only: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Let connections finish for so long, or until Envoy ends by itself."""

    seconds: float


@dataclass(frozen=True, slots=True)
class WaitForZero:
    """After ``minimum_s``, wait until no connection is open, but from the drain on no longer than ``maximum_s``.

    Connections that never end (ambient listeners, clients that ping for ever) would hold a machine's agent for ever;
    in a pod the platform's grace period usually comes first.
    """

    minimum_s: float
    maximum_s: float


Step = Drain | Close | Wait | WaitForZero


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainPolicy:
    """What the user wants of a drain. ``inbound_only``: a sidecar keeps serving the application's own calls."""

    inbound_only: bool = True
    wait_s: float = 5.0
    until_zero_connections: bool = False
    minimum_s: float = 5.0
    maximum_s: float = 86_400.0


def plan_drain(policy: DrainPolicy) -> tuple[Step, ...]:
    """``/drain``: stop taking connections, stay alive."""
    return (Drain(policy.inbound_only, skip_exit=True),)


def plan_ending(reason: Reason, policy: DrainPolicy, *, drained: bool) -> tuple[Step, ...]:
    """The steps before Envoy is killed. ``drained``: ``/drain`` was called before."""
    if reason is Reason.QUIT or drained:
        return ()
    close = Close(policy.inbound_only)
    if policy.until_zero_connections:
        drain = Drain(policy.inbound_only, skip_exit=True)
        return (drain, WaitForZero(policy.minimum_s, policy.maximum_s), close, Wait(_CLOSED_MAX_S * _CLOSED_SHARE))
    closed_s = min(policy.wait_s * _CLOSED_SHARE, _CLOSED_MAX_S)
    drain = Drain(policy.inbound_only, skip_exit=False)
    return (drain, Wait(policy.wait_s - closed_s), close, Wait(closed_s))
