"""What a leader asks a replica, and when it is told."""

from __future__ import annotations

from discovery.replicas.asked import Asked
from discovery.replicas.messages import Ask, Forget, Told
from discovery.schema.meta import Kind, ObjectKey
from discovery.store.delivery import Delivery, RejectedResource

KEY = ObjectKey(Kind.SIDECAR, "shop", "a")
NAME = ("Sidecar", "shop", "a")
BAD = RejectedResource(proxy="web-0.shop", type="Cluster", name="c", version="3", error="no")


class World:
    """Deliveries as the test says, and who asked for what."""

    def __init__(self) -> None:
        self.delivery = Delivery(waiting=3)
        self.applied = 7
        self.asked = Asked(self, lambda key, generation: generation <= self.applied)
        self.looked_at: list[tuple[ObjectKey, int]] = []

    def of(self, key: ObjectKey, mark: int) -> Delivery:
        self.looked_at.append((key, mark))
        return self.delivery

    def forget(self, key: ObjectKey) -> None:
        """Nothing is kept."""

    def rejected(self) -> tuple[()]:
        return ()


def test_waiting_is_what_is_supposed_and_not_told() -> None:
    """However many are waited for."""
    world = World()
    world.asked.take([Ask(NAME, 7)])
    assert world.asked.look() == []
    world.delivery = Delivery(waiting=1)
    assert world.asked.look() == []
    assert world.looked_at == [(KEY, 7)] * 2


def test_arrival_is_told_once_and_then_forgotten() -> None:
    """Nothing is left to look at."""
    world = World()
    world.asked.take([Ask(NAME, 7)])
    world.delivery = Delivery()
    assert world.asked.look() == [Told(NAME, 7, Delivery())]
    assert len(world.asked) == 0
    assert world.asked.look() == []


def test_rejection_is_told_once_and_its_mending_too() -> None:
    """It is looked at until it is well."""
    world = World()
    world.asked.take([Ask(NAME, 7)])
    world.delivery = Delivery(rejected=(BAD,))
    assert [told.delivery for told in world.asked.look()] == [Delivery(rejected=(BAD,))]
    assert world.asked.look() == []
    world.delivery = Delivery(waiting=2)
    assert [told.delivery for told in world.asked.look()] == [Delivery(waiting=1)]
    world.delivery = Delivery()
    assert [told.delivery for told in world.asked.look()] == [Delivery()]
    assert len(world.asked) == 0


def test_generation_that_is_not_here_yet_has_not_arrived() -> None:
    """What deliveries say then is about the version before."""
    world = World()
    world.delivery = Delivery()
    world.asked.take([Ask(NAME, 8)])
    assert world.asked.look() == []
    assert world.looked_at == []
    world.applied = 8
    assert [told.generation for told in world.asked.look()] == [8]


def test_kind_of_a_newer_release_has_not_arrived() -> None:
    """Our proxies get nothing of it; they will once this replica is replaced."""
    world = World()
    world.asked.take([Ask(("Wormhole", "shop", "a"), 1)])
    world.delivery = Delivery()
    assert world.asked.look() == []
    assert len(world.asked) == 1


def test_newer_question_replaces_the_older_and_forgotten_ones_go() -> None:
    """So that there are never more than objects."""
    world = World()
    world.asked.take([Ask(NAME, 6), Ask(NAME, 7)])
    assert len(world.asked) == 1
    world.asked.take([Forget(NAME), Forget(NAME)])
    assert len(world.asked) == 0
