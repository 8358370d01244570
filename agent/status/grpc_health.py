"""One call of ``grpc.health.v1.Health/Check`` without I/O: bytes to send, bytes received, a verdict.

By hand, because gRPC's own client cannot choose the address that it calls from, and in a pod all depends on that
address. Headers are not decoded: that the answer's message says SERVING is all that counts.

Spec: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

from __future__ import annotations

from typing import Final

from agent.status.http2_exchange import Exchange, Http2Error
from discovery.wire.protowire import fields, string_field

__all__ = ["HealthCall", "HealthError"]

_SERVING: Final = 1
_STATUS_NAMES: Final = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


class HealthError(RuntimeError):
    """The service is not healthy, or does not say so; the text tells."""


class HealthCall:
    """The call: send ``opening``, hand everything received to ``receive``, send what that gives back."""

    def __init__(self, *, authority: str, service: str) -> None:
        message = string_field(1, service)
        headers = (
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/grpc.health.v1.Health/Check"),
            (":authority", authority),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("user-agent", "pilot-agent"),
        )
        self._exchange = Exchange(headers, b"\0" + len(message).to_bytes(4, "big") + message)
        self.opening = self._exchange.opening
        self.done = False

    def receive(self, data: bytes) -> bytes:
        """Take what came; gives what is to be sent. Once the answer is complete and good, ``done`` is true.

        Raises:
            HealthError: the answer is another one, or none.
        """
        try:
            reply = self._exchange.receive(data)
        except Http2Error as error:
            raise HealthError(f"{error}; does this port speak gRPC in plaintext?") from error
        if self._exchange.ended:
            self._judge()
        return reply

    def end(self) -> HealthError:
        """What it means that the connection was closed before the answer was complete."""
        return HealthError("the connection was closed without an answer; does this port speak gRPC in plaintext?")

    def _judge(self) -> None:
        body = bytes(self._exchange.body)
        if not body:
            raise HealthError("the call failed; is grpc.health.v1.Health served, and the service known to it?")
        size = int.from_bytes(body[1:5], "big")
        if body[0] != 0 or len(body) != 5 + size:
            raise HealthError("the answer is malformed")
        try:
            status = next((value for number, value in fields(body[5:]) if number == 1), 0)
        except ValueError as error:
            raise HealthError(f"the answer is malformed: {error}") from error
        if status != _SERVING:
            name = _STATUS_NAMES.get(status, str(status)) if isinstance(status, int) else "malformed"
            raise HealthError(f"the status is {name}, want SERVING")
        self.done = True
