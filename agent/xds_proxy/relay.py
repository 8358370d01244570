"""What the relay does with each message of one stream: a value in, values out, no I/O.

Requests of Envoy all go upstream, unchanged and in order; the first one for listeners pulls the agent's own requests
behind it, for only then does the control plane know the proxy and will answer. Responses go to Envoy when they are
Envoy's, to an intercept when the agent consumes their type, and nowhere otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from agent.xds_proxy.messages import (
    Form,
    ResponseHead,
    build_ack,
    build_health,
    build_nack,
    build_subscription,
    first_resource,
    peek_request_type,
    peek_response,
)
from agent.xds_proxy.outbox import HEALTH_SLOT, Outbox
from discovery.wire import type_urls

__all__ = ["Consume", "Deliver", "Drop", "Health", "Relay", "Verdict"]

# Besides these prefixes nothing of a control plane may reach Envoy: it would reject what it does not know.
_FOR_ENVOY: Final = (type_urls.PREFIX + "envoy.", type_urls.PREFIX + "istio.workload.Workload")


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The last word of the workload's health probe; ``failure`` is None when it is healthy."""

    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Deliver:
    """Write the response to Envoy as it came."""

    type_url: str


@dataclass(frozen=True, slots=True)
class Consume:
    """Hand ``resource`` to the intercept of ``head.type_url``, then tell the relay with ``answer``.

    ``resource`` is None when the response had none: then nothing is handled and nothing answered.
    """

    head: ResponseHead
    resource: bytes | None


@dataclass(frozen=True, slots=True)
class Drop:
    """Discard the response with an error in the log: it is for nobody here."""

    reason: str


Verdict = Deliver | Consume | Drop


class Relay:
    """The state of one downstream stream: whether Envoy asked for listeners yet, and what the agent has yet to say.

    Args:
        form: of both streams.
        consumed: type URLs the agent consumes, in the order in which it subscribes.
        health: the workload's health if it was ever probed.
    """

    def __init__(self, form: Form, *, consumed: Iterable[str] = (), health: Health | None = None) -> None:
        self.form = form
        self.outbox = Outbox()
        self._consumed = tuple(consumed)
        self._health = health
        self._introduced = False

    def on_request(self, data: bytes) -> tuple[bytes, ...]:
        """What to write upstream, in order, for a request of Envoy; the request itself is always first."""
        if self._introduced:
            return (data,)
        try:
            self._introduced = peek_request_type(self.form, data) == type_urls.LISTENER
        except ValueError:
            return (data,)  # not ours to judge: the control plane will say what is wrong with it
        if not self._introduced:
            return (data,)
        own = [build_subscription(self.form, type_url) for type_url in self._consumed]
        if self._health is not None:
            own.append(self._health_request(self._health))
        return (data, *own)

    def on_response(self, data: bytes) -> Verdict:
        """Say whom a response of the control plane is for.

        Raises:
            ValueError: the bytes are no protobuf message; the stream cannot go on.
        """
        head = peek_response(self.form, data)
        if head.type_url in self._consumed:
            return Consume(head, first_resource(self.form, data))
        if head.type_url.startswith(_FOR_ENVOY):
            return Deliver(head.type_url)
        return Drop(f"type {head.type_url!r} is neither Envoy's nor consumed by this agent")

    def answer(self, consumed: Consume, failure: str | None) -> None:
        """Queue the ACK of a consumed response, or its NACK with ``failure``; nothing for one without resources."""
        if consumed.resource is None:
            return
        head = consumed.head
        reply = build_ack(self.form, head) if failure is None else build_nack(self.form, head, failure)
        self.outbox.put(head.type_url, reply)

    def on_health(self, health: Health) -> None:
        """Queue a change of health; before the first LDS request it is only remembered, to be sent behind that."""
        if self._introduced:
            self.outbox.put(HEALTH_SLOT, self._health_request(health))
        self._health = health

    def _health_request(self, health: Health) -> bytes:
        return build_health(self.form, type_urls.HEALTH_INFORMATION, health.failure)
