"""The core of one stream, without I/O: requests and changes go in, the next response to write comes out.

Responses are pulled, not pushed: until a stream can take another one, nothing is kept for it but revision numbers, so a
slow client costs no memory and gets the latest state when it wakes up. At most one response per type is in flight.
"""

from __future__ import annotations

import msgspec

from discovery.engine import Node
from discovery.mesh.proxy import ProxyKey, ProxyView
from discovery.wire.resource import Resource
from discovery.wire.type_urls import CLUSTER, ENDPOINT, EXTENSION_CONFIG, ROUTE, SECRET, VIRTUAL_HOST
from discovery.xds.answer import lookup
from discovery.xds.flow import Flow
from discovery.xds.plan import SERVED
from discovery.xds.request import Request
from discovery.xds.variant import Subscription, Variant
from discovery.xds.watch import Verdict, Watch, judge
from discovery.xds.world import Expired, Fact, Rejected, Send, TooManyNamesError, Unserved, World

__all__ = ["Session"]

_NOTHING: frozenset[str] = frozenset()
_ACK_BYTES = 1024  # an ACK is a type URL and a nonce; requests that name a thousand resources are 100 KB
_NAMES_QUOTED = 32  # of a rejected response, in the report
# One bad resource makes Envoy drop the good ones beside it, for these types; of clusters and listeners it takes them.
_ALL_OR_NOTHING = frozenset({ENDPOINT, ROUTE, VIRTUAL_HOST, SECRET, EXTENSION_CONFIG})
_PLACE = {type_url: place for place, type_url in enumerate(SERVED)}


class Session:
    """One stream. Its shell calls ``receive`` for every request and writes what ``next_send`` gives.

    Attributes:
        key: the proxy, as it announced itself.
        view: what selection makes of it.
        watches: by type URL.
        number: unlike that of any other session of this process; makes nonces unlike.
        refused: type URLs that this stream is not served.
    """

    __slots__ = ("_flow", "_view_node", "_world", "key", "number", "refused", "variant", "view", "watches")

    def __init__(
        self, world: World, key: ProxyKey, variant: Variant, *, number: int, refused: frozenset[str] = _NOTHING
    ) -> None:
        """Join the world.

        Raises:
            Exception: what the query for the proxy's view raised.
        """
        self.key = key
        self.variant = variant
        self.number = number
        self.refused = refused
        self.watches: dict[str, Watch] = {}
        self._world = world
        self._flow = Flow(world, variant, self.watches, number=number, fallback=self._fallback)
        self._view_node: Node
        self.view: ProxyView
        self._view_node, self.view = world.views.join(self, key)

    def close(self) -> None:
        """Leave the world."""
        for watch in self.watches.values():
            watch.release(self._world.tables)
        self.watches.clear()
        self._world.views.leave(self, self._view_node)

    @property
    def wake_at(self) -> float | None:
        """When ``next_send`` may have something although nothing happens until then (monotonic seconds)."""
        return self._flow.wake_at

    @property
    def quiet(self) -> bool:
        """Whether no response waits for its ACK."""
        return all(watch.in_flight is None for watch in self.watches.values())

    def next_send(self, now: float) -> Send | None:
        """The next response to write.

        Raises:
            FellBehindError: what the client misses cannot be told any more; the stream should end.
        """
        return self._flow.next_send(now)

    # -- requests --------------------------------------------------------------------------------------------------

    def receive_ack(self, raw: bytes, now: float) -> bool:
        """Take a request that is nothing but the ACK of a response in flight; False: it is something else.

        This is nearly all that a thousand idle proxies ever say, and so it costs one dictionary lookup.
        """
        watch = self._flow.acks.get(raw) if len(raw) <= _ACK_BYTES else None  # to look up is to hash it all
        if watch is None:
            return False
        self._acknowledge(watch, now)
        return True

    def receive(self, request: Request, now: float) -> tuple[Fact, ...]:
        """Take a request.

        Raises:
            TooManyNamesError: it names more than a client may; the stream should end.
        """
        type_url = request.type_url
        if type_url not in _PLACE or type_url in self.refused:
            return (Unserved(type_url, request.error),)
        watch = self.watches.get(type_url)
        if watch is None:
            self._open(request)
            return ()
        facts: tuple[Fact, ...] = ()
        match judge(watch, request):
            case Verdict.STALE:
                facts = (Expired(type_url),)
                if request.names is not None:
                    # The client tells its names again when it answers the last response. What it dropped meanwhile it
                    # has forgotten, even if it names it again by then.
                    dropped = watch.names.explicit - request.names
                    if dropped:
                        watch.resend |= dropped
                        watch.dirty = True
                    return facts
            case Verdict.ACK:
                self._acknowledge(watch, now)
            case Verdict.NACK:
                facts = (self._reject(watch, request, now),)
            case Verdict.FIRST:
                self._flow.settle(watch)
                watch.restart(self._world.tables)
        self._subscribe(watch, request)
        return facts

    def _open(self, request: Request) -> None:
        subscription = self.variant.first(request, self._world.sets)
        self._check_size(subscription)
        names = subscription.names
        if not names.wildcard and not names.explicit:
            return  # for a type without wildcard, naming nothing is no subscription
        type_url = SERVED[_PLACE[request.type_url]]  # ours, which all share
        watch = self.watches[type_url] = Watch(self, type_url, names)
        watch.demanded = subscription.demanded
        if request.known:
            watch.known = request.known
            watch.answer = False
        self._aim(watch)
        self._flow.stirred = True
        if request.type_url == ENDPOINT:
            # Clusters sent before wait for their endpoints, also for those that the client reports to hold.
            watch.resend = self._flow.clusters_sent & names.explicit if watch.known else _NOTHING
            self._flow.clusters_sent = _NOTHING
        elif request.type_url == ROUTE:
            self._follow_routes(_NOTHING)

    def _subscribe(self, watch: Watch, request: Request) -> None:
        subscription = self.variant.change(watch, request, self._world.sets)
        self._check_size(subscription)
        names, asked, everything, demanded = subscription
        moved = names is not watch.names
        watch.spoke = watch.spoke or bool(request.names or request.subscribe)
        if moved:
            watch.rename(self._world.tables, names)
            watch.resend = frozenset(filter(names.wants, watch.resend))
        if asked or everything or demanded:
            if everything:
                watch.start_over(self._world.tables)
            watch.resend |= asked
            watch.demanded |= demanded
            watch.dirty = self._flow.stirred = True
        if watch.type_url == ROUTE and (moved or asked):
            self._follow_routes(asked)

    def _check_size(self, subscription: Subscription) -> None:
        size, limit = len(subscription.names.explicit) + len(subscription.demanded), self._world.limits.max_names
        if size > limit:
            raise TooManyNamesError(f"{size} resources named, at most {limit} may be; use the wildcard")

    def _acknowledge(self, watch: Watch, now: float) -> None:
        watch.acked, watch.acked_at, watch.error = watch.nonce, now, ""
        sent = self._flow.settle(watch)
        if sent is None:
            return
        if watch.type_url == ENDPOINT and self._flow.warming:
            self._flow.warming -= sent.all_names()
        elif watch.type_url == ROUTE and self.key.vhds and VIRTUAL_HOST not in self.watches:
            self._doubt_virtual_hosts(frozenset(n for n in sent.all_names() if lookup(watch.tables, n) is not None))

    def _reject(self, watch: Watch, request: Request, now: float) -> Rejected:
        watch.error, watch.error_at = request.error or "", now
        sent = self._flow.settle(watch) if request.nonce else None
        names = sent.all_names() if sent is not None else _NOTHING
        if watch.type_url in _ALL_OR_NOTHING and len(names) > 1:
            # Halve until the bad ones are alone: one bad resource must never hold back another.
            ordered = sorted(names)
            middle = len(ordered) // 2
            watch.retries += (frozenset(ordered[:middle]), frozenset(ordered[middle:]))
        if watch.type_url == ROUTE:
            watch.rejected |= names
        elif watch.type_url == CLUSTER:
            self._flow.warming = _NOTHING
        elif watch.type_url == ENDPOINT:
            self._flow.warming -= names
        quoted = tuple(sorted(names)[:_NAMES_QUOTED])
        found = [lookup(watch.tables, name) for name in quoted]
        versions = tuple("" if resource is None else resource.version for resource in found)
        return Rejected(watch.type_url, request.nonce, quoted, versions, watch.error)

    # -- virtual hosts follow the route configurations -------------------------------------------------------------

    def _follow_routes(self, asked: frozenset[str]) -> None:
        """Serve the virtual hosts of the routes now watched; those of routes asked for (again) from scratch.

        A client that unsubscribes from a route configuration forgets its virtual hosts: equal versions do not count.
        """
        hosts = self.watches.get(VIRTUAL_HOST)
        if hosts is None:
            return
        self._aim(hosts)
        if asked:
            hosts.forgotten |= asked
            hosts.dirty = self._flow.stirred = True

    def _doubt_virtual_hosts(self, routes: frozenset[str]) -> None:
        """The client took routes whose virtual hosts come separately, and has not asked for these.

        Envoy asks before it acknowledges. So this client does not speak VHDS: serve it whole routes from now on.
        """
        keys = self._world.generators.tables(VIRTUAL_HOST, self.view, routes)
        if any(key.index(self._world.db, key.key) for key in keys):
            self.use(msgspec.structs.replace(self.key, vhds=False))

    # -- changes ---------------------------------------------------------------------------------------------------

    def mark(self, watch: Watch) -> None:
        """A table of the watch has changed in names that it asks for."""
        watch.dirty = self._flow.stirred = True

    def use(self, key: ProxyKey) -> None:
        """Go on as another proxy.

        Raises:
            Exception: what the query for its view raised; the session stays as it was.
        """
        node, view = self._world.views.join(self, key)
        if node is not self._view_node:
            self._world.views.leave(self, self._view_node)
        self._view_node, self.key = node, key
        self.look(view)

    def look(self, view: ProxyView) -> bool:
        """Serve by another view from now on; False: it is the same."""
        if view == self.view:
            return False
        self.view = view
        for watch in self.watches.values():
            self._aim(watch)
            nowhere = self._nowhere(watch)  # what stands in for these may depend on the view
            if nowhere:
                watch.resend |= nowhere
                watch.dirty = self._flow.stirred = True
        return True

    @staticmethod
    def _nowhere(watch: Watch) -> frozenset[str]:
        """Names asked for that no table has, and had not when the client was last told of them."""
        somewhere = {name for table in watch.joined() for name in table.resources}
        for table, since in watch.held:
            somewhere.update(table.changed_since(since))
        return watch.names.explicit - somewhere

    def _aim(self, watch: Watch) -> None:
        """Make the watch's tables those of the present view."""
        routes = _NOTHING
        if watch.type_url == VIRTUAL_HOST and self.key.vhds and ROUTE in self.watches:
            routes = self.watches[ROUTE].names.explicit
        keys = self._world.generators.tables(watch.type_url, self.view, routes)
        if watch.aim(self._world.tables, keys):
            self._flow.stirred = True

    def _fallback(self, type_url: str, name: str) -> Resource | None:
        return self._world.generators.fallback(self._world.db, type_url, self.view, name)
