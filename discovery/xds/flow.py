"""The order of responses on one stream: what goes next, what has to wait for it, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from discovery.wire.protowire import string_field
from discovery.wire.resource import Resource
from discovery.wire.type_urls import CLUSTER, ENDPOINT, ROUTE, VIRTUAL_HOST
from discovery.xds.answer import Answer, Terms, compose, lookup
from discovery.xds.plan import SERVED, must_wait, removals_wait
from discovery.xds.variant import Variant
from discovery.xds.watch import Sent, Watch
from discovery.xds.world import Send, World

__all__ = ["Flow"]

_NOTHING: frozenset[str] = frozenset()
_TYPE = {type_url: string_field(4, type_url) for type_url in SERVED}
_ENVOYS = "type.googleapis.com/envoy."


class Flow:
    """Decides what is written next. Owned by the ``Session`` whose watches it is given.

    Attributes:
        stirred: something happened since the last time there was nothing to send.
        wake_at: when there may be something to send although nothing happens until then.
        acks: requests that would accept a response in flight and say nothing else.
        warming: clusters sent whose endpoints the client has not acknowledged yet.
        clusters_sent: clusters sent before the client subscribed to endpoints.
    """

    __slots__ = (
        "_fallback",
        "_gate_since",
        "_number",
        "_sends",
        "_variant",
        "_watches",
        "_world",
        "acks",
        "clusters_sent",
        "stirred",
        "wake_at",
        "warming",
    )

    def __init__(
        self,
        world: World,
        variant: Variant,
        watches: Mapping[str, Watch],
        *,
        number: int,
        fallback: Callable[[str, str], Resource | None],
    ) -> None:
        self.stirred = False
        self.wake_at: float | None = None
        self.acks: dict[bytes, Watch] = {}
        self.warming = _NOTHING
        self.clusters_sent = _NOTHING
        self._world = world
        self._variant = variant
        self._watches = watches
        self._number = number
        self._fallback = fallback
        self._gate_since: float | None = None
        self._sends = 0

    def next_send(self, now: float) -> Send | None:
        """The next response to write.

        Raises:
            FellBehindError: what the client misses cannot be told any more.
        """
        if not self.stirred and (self.wake_at is None or now < self.wake_at):
            return None
        self.wake_at = None
        send = self._next_addition(now) or self._next_removal(now)
        if send is None:
            self.stirred = False
        return send

    def settle(self, watch: Watch) -> Sent | None:
        """The response in flight is answered; gives it."""
        sent, watch.in_flight = watch.in_flight, None
        if sent is not None:
            self.acks.pop(sent.ack, None)
        self.stirred = True
        return sent

    # -- additions, in push order ----------------------------------------------------------------------------------

    def _next_addition(self, now: float) -> Send | None:
        waiting = False
        for type_url in SERVED:
            watch = self._watches.get(type_url)
            if watch is None or watch.in_flight is not None or not (watch.dirty or watch.retries):
                continue
            if type_url == VIRTUAL_HOST and self._routes_pending():
                continue
            if must_wait(type_url, self._watches, self.warming):
                if self._gate_since is None:
                    self._gate_since = now
                if now < self._gate_since + self._world.limits.gate_s:
                    waiting = True
                    continue
            send = self._compose(watch, now)
            if send is not None:
                return send
        if not waiting:
            self._gate_since = None
        elif self._gate_since is not None:
            self._wake(self._gate_since + self._world.limits.gate_s)
        return None

    def _routes_pending(self) -> bool:
        """Envoy drops virtual hosts of route configurations that it does not have; so these go first, always."""
        routes = self._watches.get(ROUTE)
        return routes is None or routes.dirty

    def _compose(self, watch: Watch, now: float) -> Send | None:
        if not watch.dirty:
            watch.resend, watch.retries = watch.retries[0], watch.retries[1:]
        hold = removals_wait(watch.type_url, self._watches)
        if hold and watch.lingering and now >= watch.lingering_since + self._world.limits.gate_s:
            hold = False
        return self._send(watch, now, hold=hold)

    # -- removals of what others referred to, in reverse order -----------------------------------------------------

    def _next_removal(self, now: float) -> Send | None:
        for type_url in (ENDPOINT, CLUSTER):
            watch = self._watches.get(type_url)
            if watch is None or not watch.lingering or watch.in_flight is not None:
                continue
            deadline = watch.lingering_since + self._world.limits.gate_s
            if now < deadline and removals_wait(type_url, self._watches):
                self._wake(deadline)
                continue
            send = self._send(watch, now, hold=False)
            if send is not None:
                return send
        return None

    def _wake(self, at: float) -> None:
        self.wake_at = at if self.wake_at is None else min(at, self.wake_at)

    # -- sending ---------------------------------------------------------------------------------------------------

    def _send(self, watch: Watch, now: float, *, hold: bool) -> Send | None:
        type_url = watch.type_url
        answer = compose(watch, Terms(self._variant, lambda name: self._fallback(type_url, name), hold))
        initial = not watch.held and watch.known is None
        # An agent that is sent an empty table takes it for an error; Envoy waits for the empty answer.
        awaited = watch.answer and (watch.names.wildcard or bool(watch.names.explicit))
        nothing = answer.empty and not (awaited and type_url.startswith(_ENVOYS))
        if answer.lingering and not watch.lingering:
            watch.lingering_since = now
        watch.settle(self._world.tables, answer.lingering)
        if nothing:
            return None
        if type_url == CLUSTER:
            self._clusters_go(answer, initial=initial)
        elif type_url == ROUTE:
            self._routes_go(watch, answer)
        return self._write(watch, answer, now)

    def _clusters_go(self, answer: Answer, *, initial: bool) -> None:
        """Clusters that are new or changed warm up: their endpoints must follow, also those that did not change.

        With an unchanged assignment Envoy would keep an updated cluster warming until its fetch timeout and then use it
        without endpoints.
        """
        endpoints = self._watches.get(ENDPOINT)
        names = answer.sent[0] if len(answer.sent) == 1 else _NOTHING.union(*answer.sent)
        if endpoints is None:
            self.clusters_sent = self.clusters_sent | names if self.clusters_sent else names
            return
        again = names & endpoints.names.explicit
        if again:
            endpoints.resend |= again
            endpoints.dirty = True
        if not initial:  # a client that starts asks for listeners and routes when its clusters are warm
            self.warming |= {name for name in names if any(table.has(name) for table in endpoints.tables)}

    def _routes_go(self, routes: Watch, answer: Answer) -> None:
        """Route configurations that the client rejected or that were not there go again: it has lost their hosts."""
        sent = _NOTHING.union(*answer.sent)
        absent = answer.removed | {name for name in sent if lookup(routes.tables, name) is None}
        again = (routes.rejected & sent) - absent
        routes.rejected = (routes.rejected - again) | absent
        hosts = self._watches.get(VIRTUAL_HOST)
        if again and hosts is not None:
            hosts.forgotten |= again
            hosts.dirty = True

    def _write(self, watch: Watch, answer: Answer, now: float) -> Send:
        self._sends += 1
        nonce = f"{self._number:x}.{self._sends:x}"
        version = str(self._world.db.revision)
        names = (*answer.sent, answer.removed) if answer.removed else answer.sent
        ack = self._variant.ack(watch, version, nonce)
        watch.in_flight = Sent(nonce, names, ack)
        watch.nonce, watch.sent_at = nonce, now
        if ack:
            self.acks[ack] = watch
        tail = _TYPE[watch.type_url] + string_field(5, nonce)
        return Send(watch.type_url, (string_field(1, version), *answer.body, tail), sum(map(len, names)))
