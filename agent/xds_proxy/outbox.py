"""What the agent itself still has to tell the control plane, bounded by construction.

Requests of Envoy are never queued: one is read, one is written, and HTTP/2 flow control holds the rest in Envoy. Only
answers that the agent owes for what it consumed, and its health reports, may have to wait, because the task that takes
responses from the control plane must never wait for the control plane to take a request: both ends blocked in a send
was a deadlock of another agent, cured there with an unbounded queue. Here each kind of word has one slot, and a newer
word replaces an unsent older one:

* the answer per consumed type: the control plane keeps one response per type outstanding, so a peer within the protocol
  never replaces anything; one outside it gets the answer to its newest response;
* the health of the workload: only the latest state means anything.

So there are at most ``len(consumed types) + 1`` entries, whatever the peers do.
"""

from __future__ import annotations

__all__ = ["HEALTH_SLOT", "Outbox"]

# No type URL is empty, so this slot is nobody else's.
HEALTH_SLOT = ""


class Outbox:
    """Requests waiting to be written upstream, oldest slot first. One event loop owns it."""

    def __init__(self) -> None:
        self._waiting: dict[str, bytes] = {}

    def put(self, slot: str, request: bytes) -> None:
        """Queue a request; an unsent one of the same slot is replaced and keeps its place in the order."""
        self._waiting[slot] = request

    def take(self) -> bytes | None:
        """The next request to write, or None."""
        if not self._waiting:
            return None
        return self._waiting.pop(next(iter(self._waiting)))

    def __len__(self) -> int:
        return len(self._waiting)
