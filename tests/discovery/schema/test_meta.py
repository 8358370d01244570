from __future__ import annotations

from datetime import UTC, datetime

from discovery.schema.meta import Kind, Object, ObjectKey, ObjectMeta, Origin, age_order


def test_keys_and_origins_read_well() -> None:
    """They stand in logs and findings."""
    assert str(ObjectKey(Kind.SERVICE, "shop", "web")) == "Service shop/web"
    assert str(ObjectKey(Kind.NODE, "", "n1")) == "Node n1"
    assert str(Origin("directory", "a.yaml", 3)) == "a.yaml:3"
    assert str(Origin("cluster-1")) == "cluster-1"


def test_the_oldest_comes_first_then_names_decide() -> None:
    """The order in which conflicts are settled."""

    def made(name: str, year: int) -> Object:
        key = ObjectKey(Kind.SERVICE, "shop", name)
        return Object(key=key, meta=ObjectMeta(creation_timestamp=datetime(year, 1, 1, tzinfo=UTC)), spec=None)

    objects = [made("b", 2020), made("c", 2019), made("a", 2020)]
    assert [obj.name for obj in sorted(objects, key=age_order)] == ["c", "a", "b"]
