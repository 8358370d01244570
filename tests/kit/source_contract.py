"""What every source of configuration must do, whatever it reads: one suite, run on each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

from discovery.engine import Database
from discovery.schema.decode import decode
from discovery.schema.meta import Kind, ObjectKey
from discovery.sources.source import Source
from discovery.store.cells import OBJECT
from discovery.store.state import Store, StoreCommit

__all__ = [
    "ISTIO_GATEWAY",
    "KUBERNETES_GATEWAY",
    "AtOnce",
    "Changed",
    "PlainWorld",
    "SourceContract",
    "SourceWorld",
    "gateway",
    "running",
    "virtual_service",
]

PATIENCE_S = 10.0  # only a failure waits that long


def virtual_service(name: str, *hosts: str) -> dict[str, Any]:
    """A VirtualService as a document."""
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"hosts": list(hosts), "tcp": [{"route": [{"destination": {"host": "backend"}}]}]},
    }


def gateway(group: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """A Gateway, of Istio's or of the Gateway API's group."""
    metadata = {"name": "web", "namespace": "shop"}
    return {"apiVersion": f"{group}/v1", "kind": "Gateway", "metadata": metadata, "spec": dict(spec)}


ISTIO_GATEWAY = gateway(
    "networking.istio.io",
    {"servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["a.example.com"]}]},
)
KUBERNETES_GATEWAY = gateway(
    "gateway.networking.k8s.io",
    {"gatewayClassName": "istio", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
)


class SourceWorld(Protocol):
    """The outside that a source reads, as tests change it."""

    def source(self, store: Store) -> Source:
        """A source that reads this world into a store."""

    async def write(self, name: str, *documents: Mapping[str, Any]) -> None:
        """Put objects, under the name of a file or group; those that it had before and has no more are gone."""

    async def delete(self, name: str) -> None:
        """Take away all that was written under the name."""


class PlainWorld(Protocol):
    """A world that is changed by plain calls."""

    def source(self, store: Store) -> Source:
        """A source that reads this world into a store."""

    def write(self, name: str, *documents: Mapping[str, Any]) -> None:
        """Put objects."""

    def delete(self, name: str) -> None:
        """Take objects away."""


class AtOnce:
    """A plain world as the contract wants it."""

    def __init__(self, world: PlainWorld) -> None:
        self._world = world

    def source(self, store: Store) -> Source:
        """The world's."""
        return self._world.source(store)

    async def write(self, name: str, *documents: Mapping[str, Any]) -> None:
        """Done when this returns."""
        self._world.write(name, *documents)

    async def delete(self, name: str) -> None:
        """Done when this returns."""
        self._world.delete(name)


class Changed:
    """Waits for states of a store, without sleeping: every commit is looked at."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.commits: list[StoreCommit] = []
        self._event = asyncio.Event()
        store.subscribe(self._heard)

    def _heard(self, commit: StoreCommit) -> None:
        self.commits.append(commit)
        self._event.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds, which is asked after every commit."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._event.clear()
                await self._event.wait()

    def hosts(self, name: str) -> tuple[str, ...] | None:
        """The hosts of a VirtualService as queries see them; None when there is none."""
        obj = OBJECT(self.store.db, ObjectKey(Kind.VIRTUAL_SERVICE, "shop", name))
        return obj.spec.hosts if obj is not None else None


@asynccontextmanager
async def running(source: Source) -> AsyncIterator[None]:
    """The source synced and serving; it is cancelled at the end, and must not have ended by itself."""
    async with source, asyncio.TaskGroup() as group:
        task = group.create_task(source.run())
        await source.synced.wait()
        yield
        assert not task.done()
        task.cancel()


class SourceContract:
    """Inherit, and give ``world`` as a fixture."""

    async def test_what_is_there_at_the_start_is_there_when_synced(self, world: SourceWorld) -> None:
        """Nobody is served before the first whole state is in the store."""
        await world.write("a", virtual_service("one", "h1"), virtual_service("two", "h2"))
        store = Store(Database())
        changed = Changed(store)
        source = world.source(store)
        assert not source.synced.is_set()
        async with source:
            await source.synced.wait()
            assert (changed.hosts("one"), changed.hosts("two")) == (("h1",), ("h2",))
            assert len(changed.commits) == 1

    async def test_objects_are_added_changed_and_removed(self, world: SourceWorld) -> None:
        """The store follows the outside."""
        changed = Changed(Store(Database()))
        async with running(world.source(changed.store)):
            await world.write("a", virtual_service("one", "h1"))
            await changed.until(lambda: changed.hosts("one") == ("h1",))
            await world.write("a", virtual_service("one", "h2"), virtual_service("two", "h2"))
            await changed.until(lambda: changed.hosts("one") == changed.hosts("two") == ("h2",))
            await world.write("a", virtual_service("two", "h2"))
            await changed.until(lambda: changed.hosts("one") is None)
            assert changed.hosts("two") == ("h2",)
            await world.delete("a")
            await changed.until(lambda: changed.hosts("two") is None)
            ours = (Kind.VIRTUAL_SERVICE, "shop")
            assert not [key for key in changed.store.objects if (key.kind, key.namespace) == ours]

    async def test_deleted_and_made_again(self, world: SourceWorld) -> None:
        """An object that comes back is as good as new."""
        await world.write("a", virtual_service("one", "h1"))
        changed = Changed(Store(Database()))
        async with running(world.source(changed.store)):
            await world.delete("a")
            await changed.until(lambda: changed.hosts("one") is None)
            await world.write("a", virtual_service("one", "h1"))
            await changed.until(lambda: changed.hosts("one") == ("h1",))

    async def test_writing_the_same_again_changes_nothing(self, world: SourceWorld) -> None:
        """Only what differs is committed; the sentinel after it shows that the source has looked."""
        await world.write("a", virtual_service("one", "h1"))
        changed = Changed(Store(Database()))
        async with running(world.source(changed.store)):
            await world.write("a", virtual_service("one", "h1"))
            await world.write("b", virtual_service("sentinel", "s"))
            await changed.until(lambda: changed.hosts("sentinel") == ("s",))
            touched = {node.key for commit in changed.commits[1:] for node in commit.commit.changed}
            assert ObjectKey(Kind.VIRTUAL_SERVICE, "shop", "one") not in touched

    async def test_objects_are_those_that_decoding_gives(self, world: SourceWorld) -> None:
        """A source adds an origin and nothing else."""
        document = virtual_service("one", "h1")
        await world.write("a", document)
        store = Store(Database())
        source = world.source(store)
        async with source:
            await source.synced.wait()
            (decoded,) = decode(document).objects
            stored = store.objects[decoded.key]
            assert (stored.spec, stored.raw["spec"]) == (decoded.spec, decoded.raw["spec"])
            assert (stored.meta.labels, stored.meta.annotations) == (decoded.meta.labels, decoded.meta.annotations)

    async def test_gateways_of_both_groups_are_two_objects(self, world: SourceWorld) -> None:
        """Though they have one name, in one namespace, and are of one kind as written; one goes, the other stays."""
        await world.write("a", ISTIO_GATEWAY)
        await world.write("b", KUBERNETES_GATEWAY)
        changed = Changed(Store(Database()))
        objects = changed.store.objects
        istio, kubernetes = (ObjectKey(kind, "shop", "web") for kind in (Kind.GATEWAY, Kind.KUBERNETES_GATEWAY))
        async with running(world.source(changed.store)):
            assert (objects[istio].spec.servers[0].hosts, objects[kubernetes].spec.gateway_class_name) == (
                ("a.example.com",),
                "istio",
            )
            await world.delete("a")
            await changed.until(lambda: istio not in objects)
            assert kubernetes in objects
            await world.delete("b")
            await changed.until(lambda: kubernetes not in objects)
