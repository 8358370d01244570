"""All that is wrong, in istiod's shape."""

from __future__ import annotations

from datetime import UTC, datetime

from discovery.debug.problems import push_status
from discovery.schema.findings import Finding, Severity
from discovery.schema.meta import Origin
from discovery.wire.type_urls import CLUSTER
from discovery.xds.rejections import Rejection
from discovery.xds.world import Rejected

FINDING = Finding(
    "VirtualService shop/web", "spec.hosts", "want one", "name it", Severity.ERROR, Origin("d", "a.yaml", 3)
)


def rejection(connection: str = "web-1", error: str = "bad", names: int = 1) -> Rejection:
    what = Rejected(CLUSTER, "1.1", tuple(f"c{n}" for n in range(names)), (), error)
    return Rejection(at=datetime(2026, 1, 1, tzinfo=UTC), connection=connection, what=what)


def test_every_entry_has_proxy_and_message() -> None:
    """Whatever the kind of problem, tools find the two."""
    found = push_status([FINDING], {"CDS a": "broken"}, [rejection()])
    assert set(found) == {"configuration", "rendering", "rejections"}
    for group in found.values():
        assert [set(entry) >= {"proxy", "message"} for entry in group.values()] == [True]


def test_findings_say_where() -> None:
    """Object and path are the key, file and line beside."""
    entry = push_status([FINDING], {}, [])["configuration"]["VirtualService shop/web spec.hosts"]
    assert (entry["file"], entry["line"], entry["severity"], entry["hint"]) == ("a.yaml", 3, "error", "name it")


def test_no_finding_hides_another() -> None:
    """Two of one title are both there."""
    assert len(push_status([FINDING, FINDING], {}, [])["configuration"]) == 2


def test_the_newest_rejection_of_a_proxy_is_shown() -> None:
    """Rejections come newest first."""
    found = push_status([], {}, [rejection(error="new"), rejection(error="old"), rejection("web-2")])["rejections"]
    assert {key: entry["message"] for key, entry in found.items()} == {"CDS web-1": "new", "CDS web-2": "bad"}


def test_resources_of_a_rejection_are_bounded() -> None:
    """A first response holds thousands."""
    (entry,) = push_status([], {}, [rejection(names=30)])["rejections"].values()
    assert len(entry["resources"]) == 9
    assert entry["resources"][-1] == "and 22 more"
