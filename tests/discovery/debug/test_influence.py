"""What-if questions about one resource."""

from __future__ import annotations

from discovery.debug.influence import Influence
from discovery.engine import Database
from discovery.schema.meta import Kind, ObjectKey
from discovery.translate.tables import ResourceRef
from discovery.wire.type_urls import CLUSTER
from tests.kit.debug_world import DebugWorld

WEB = "outbound|80||web.shop.svc.cluster.local"


def made(world: DebugWorld, *, questions: int = 1000) -> Influence:
    connection = world.connect()
    left = iter(range(questions))

    def find(db: Database) -> ResourceRef | None:
        for table in world.generators.tables(CLUSTER, connection.session.view, frozenset()):
            index = table.index(db, table.key)
            if WEB in index:
                return index[WEB]
        return None

    return Influence(world.db, find, enough=lambda: next(left, None) is None)


def key(kind: Kind, name: str) -> ObjectKey:
    return ObjectKey(kind, "shop", name)


def test_an_object_decides_if_bytes_differ_without_it() -> None:
    """Its own service does, another one does not."""
    influence = made(DebugWorld())
    assert influence.decides(key(Kind.SERVICE, "web")) is True
    assert influence.decides(key(Kind.SERVICE, "other")) is False


def test_answers_do_not_depend_on_earlier_questions() -> None:
    """Each question starts from the present state."""
    influence = made(DebugWorld())
    wanted = [key(Kind.SERVICE, "web"), key(Kind.DESTINATION_RULE, "web"), key(Kind.SERVICE, "other")]
    first = [influence.decides(each) for each in wanted]
    assert first == [influence.decides(each) for each in wanted] == [True, True, False]


def test_fields_are_as_deep_as_they_decide() -> None:
    """A field whose parts decide is told by its parts."""
    world = DebugWorld()
    rule = world.store.objects[key(Kind.DESTINATION_RULE, "web")]
    assert made(world).fields(rule) == ["spec.host", "spec.trafficPolicy.connectionPool.tcp.maxConnections"]


def test_kubernetes_objects_have_no_fields() -> None:
    """They are not kept as they were written."""
    world = DebugWorld()
    assert made(world).fields(world.store.objects[key(Kind.SERVICE, "web")]) == []


def test_questions_are_bounded() -> None:
    """When there is enough, the answer is open."""
    influence = made(DebugWorld(), questions=1)
    assert influence.decides(key(Kind.SERVICE, "web")) is True
    assert influence.decides(key(Kind.SERVICE, "web")) is None
