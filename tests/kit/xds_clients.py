"""xDS clients that behave as Envoy does, without a network: they hold resources, reject bad ones, and reconnect."""

from __future__ import annotations

from collections.abc import Iterable

from discovery.wire.envoy import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
    serialize,
)
from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE, VIRTUAL_HOST
from tests.kit.xds_world import BAD

__all__ = ["DeltaClient", "SotwClient"]

_TAKES_THE_GOOD_ONES = (CLUSTER, LISTENER)  # of a response with a bad resource; other types take nothing


class DeltaClient:
    """Speaks delta xDS. ``held`` is what it would run with: type URL -> name -> (version, bytes)."""

    def __init__(self, *, vhds: bool = False) -> None:
        self.held: dict[str, dict[str, tuple[str, bytes]]] = {}
        self.names: dict[str, set[str]] = {}
        self.rejected = 0
        self.responses: list[DeltaDiscoveryResponse] = []
        self._vhds = vhds
        self._asked_for_hosts = False

    def subscribe(self, type_url: str, names: Iterable[str] = ()) -> bytes:
        """Ask for names, or, naming nothing, for everything."""
        wanted = set(names)
        self.names.setdefault(type_url, set()).update(wanted or {"*"})
        return serialize(DeltaDiscoveryRequest(type_url=type_url, resource_names_subscribe=sorted(wanted)))

    def unsubscribe(self, type_url: str, names: Iterable[str]) -> bytes:
        """Ask no longer; what was held of these is forgotten, unless the wildcard covers it."""
        dropped = set(names)
        mine = self.names.setdefault(type_url, set())
        mine -= dropped
        if "*" not in mine:
            held = self.held.setdefault(type_url, {})
            for name in [n for n in held if n not in mine]:
                del held[name]
        if type_url == ROUTE:
            self._forget_hosts(dropped)
        return serialize(DeltaDiscoveryRequest(type_url=type_url, resource_names_unsubscribe=sorted(dropped)))

    def _forget_hosts(self, routes: set[str]) -> None:
        hosts = self.held.setdefault(VIRTUAL_HOST, {})
        for name in [n for n in hosts if n.rpartition("/")[0] in routes]:
            del hosts[name]

    def take(self, raw: bytes) -> list[bytes]:
        """Apply a response; gives the requests that answer it."""
        response = DeltaDiscoveryResponse.FromString(raw)
        self.responses.append(response)
        type_url = response.type_url
        bad = [entry.name for entry in response.resources if BAD in entry.resource.value]
        answer = DeltaDiscoveryRequest(type_url=type_url, response_nonce=response.nonce)
        requests: list[bytes] = []
        if bad:
            self.rejected += 1
            answer.error_detail.message = f"bad resource {', '.join(bad)}"
        if not bad or type_url in _TAKES_THE_GOOD_ONES:
            self._apply(response)
            if type_url == ROUTE and self._vhds and response.resources and not self._asked_for_hosts:
                self._asked_for_hosts = True
                requests.append(self.subscribe(VIRTUAL_HOST))
        return [*requests, answer.SerializeToString()]

    def _apply(self, response: DeltaDiscoveryResponse) -> None:
        held = self.held.setdefault(response.type_url, {})
        names = [entry.name for entry in response.resources] + list(response.removed_resources)
        assert len(names) == len(set(names)), f"a name twice in one response: {names}"
        for name in response.removed_resources:
            held.pop(name, None)
        mine = self.names.get(response.type_url, set())
        for entry in response.resources:
            if BAD in entry.resource.value or not ("*" in mine or entry.name in mine):
                continue
            if response.type_url == VIRTUAL_HOST and entry.name.rpartition("/")[0] not in self.held.get(ROUTE, {}):
                continue  # Envoy accepts and loses the hosts of route configurations that it does not have
            held[entry.name] = (entry.version, entry.resource.value)

    def reconnect(self) -> list[bytes]:
        """The first requests of a new stream."""
        requests = []
        for type_url in (CLUSTER, ENDPOINT, LISTENER, ROUTE, VIRTUAL_HOST):
            mine = self.names.get(type_url, set())
            if not mine:
                continue
            versions = {name: version for name, (version, _) in self.held.get(type_url, {}).items()}
            named = sorted(mine - {"*"})
            if named and "*" in mine:
                named.append("*")
            requests.append(
                DeltaDiscoveryRequest(
                    type_url=type_url, resource_names_subscribe=named, initial_resource_versions=versions
                ).SerializeToString()
            )
        return requests

    def values(self, type_url: str) -> dict[str, bytes]:
        """What is held, without versions."""
        return {name: value for name, (_, value) in self.held.get(type_url, {}).items()}


class SotwClient:
    """Speaks state-of-the-world xDS. Resources are named by the bytes before ``=`` in their value."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, bytes]] = {}
        self.names: dict[str, set[str]] = {}
        self.rejected = 0
        self.responses: list[DiscoveryResponse] = []
        self._nonces: dict[str, str] = {}
        self._versions: dict[str, str] = {}

    def subscribe(self, type_url: str, names: Iterable[str] = ()) -> bytes:
        """Ask for more names, or, naming nothing, for everything."""
        self.names.setdefault(type_url, set()).update(set(names) or {"*"})
        return serialize(self._request(type_url))

    def unsubscribe(self, type_url: str, names: Iterable[str]) -> bytes:
        """Ask for fewer."""
        mine = self.names.setdefault(type_url, set())
        mine -= set(names)
        if "*" not in mine:
            held = self.held.setdefault(type_url, {})
            for name in [n for n in held if n not in mine]:
                del held[name]
        return serialize(self._request(type_url))

    def _request(self, type_url: str) -> DiscoveryRequest:
        names = self.names.get(type_url, set())
        return DiscoveryRequest(
            type_url=type_url,
            resource_names=sorted(names) if names != {"*"} else [],
            response_nonce=self._nonces.get(type_url, ""),
            version_info=self._versions.get(type_url, ""),
        )

    def take(self, raw: bytes) -> list[bytes]:
        """Apply a response; gives the requests that answer it."""
        response = DiscoveryResponse.FromString(raw)
        self.responses.append(response)
        type_url = response.type_url
        self._nonces[type_url] = response.nonce
        resources = dict(_named(entry.value) for entry in response.resources)
        assert len(resources) == len(response.resources), "a name twice in one response"
        bad = {name for name, value in resources.items() if BAD in value}
        request = self._request(type_url)
        if not bad or type_url in _TAKES_THE_GOOD_ONES:
            mine = self.names.get(type_url, set())
            held = self.held.setdefault(type_url, {})
            if type_url in _TAKES_THE_GOOD_ONES:
                for name in [n for n in held if n not in resources]:
                    del held[name]
            held.update({n: v for n, v in resources.items() if n not in bad and ("*" in mine or n in mine)})
        if bad:
            self.rejected += 1
            request.error_detail.message = "bad resource"
        else:
            request.version_info = self._versions[type_url] = response.version_info
        return [request.SerializeToString()]

    def reconnect(self) -> list[bytes]:
        """The first requests of a new stream."""
        self._nonces.clear()
        types = (CLUSTER, ENDPOINT, LISTENER, ROUTE)
        return [self._request(t).SerializeToString() for t in types if self.names.get(t)]

    def values(self, type_url: str) -> dict[str, bytes]:
        """What is held."""
        return self.held.get(type_url, {})


def _named(value: bytes) -> tuple[str, bytes]:
    name, _, _ = value.partition(b"=")
    return name.decode(), value
