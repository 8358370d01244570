"""Which version of an object is served, and what is told about the others."""

from __future__ import annotations

import msgspec

from discovery.kube.cache import Change
from discovery.kube.envelope import Name
from discovery.schema.meta import Kind, ObjectKey, Origin
from discovery.sources.kubernetes_objects import ClusterFindings, Served, change_of, decoder_of, last_good
from tests.kit.kube_cluster import endpoint_slice, pod, service
from tests.kit.source_contract import virtual_service

ORIGIN = Origin("cluster c")
KEY = Name("shop", "one")


def read(*hosts: str, timeout: str = "1s") -> Served:
    document = virtual_service("one", *hosts)
    document["spec"]["http"] = [{"timeout": timeout, "route": [{"destination": {"host": "a"}}]}]
    return decoder_of(Kind.VIRTUAL_SERVICE, ORIGIN)(msgspec.json.encode(document))


def test_objects_carry_their_origin() -> None:
    """Which cluster; the UID is in the metadata."""
    served = read("h")
    assert served.object is not None
    assert (served.object.origin, served.findings) == (ORIGIN, ())


def test_annotations_that_change_all_the_time_are_left_out() -> None:
    """A Service's say how it is exported; those of what runs say nothing to us."""
    for kind, document, kept in (
        (Kind.POD, pod("one", "shop", "10.0.0.1"), {}),
        (Kind.ENDPOINT_SLICE, endpoint_slice("one", "shop", ["10.0.0.1"]), {}),
        (Kind.SERVICE, service("one", "shop"), {"a": "b"}),
    ):
        document["metadata"]["annotations"] = {"a": "b"}
        served = decoder_of(kind, ORIGIN)(msgspec.json.encode(document))
        assert served.object is not None
        assert served.object.meta.annotations == kept


def test_a_bad_version_leaves_the_last_good_one() -> None:
    """With its findings; a rule broken counts like a field that cannot be read."""
    good, unreadable, forbidden = read("h"), read("h", timeout="soon"), read()
    for bad in (unreadable, forbidden):
        assert bad.object is None
        settled = last_good(good, bad)
        assert (settled.object, settled.findings) == (good.object, bad.findings)
    assert last_good(good, read("other")).object != good.object


def test_what_changes_in_the_store() -> None:
    """Only another object is a change."""
    good = read("h")
    same = last_good(good, read())
    key = ObjectKey(Kind.VIRTUAL_SERVICE, *KEY)
    assert change_of(Kind.VIRTUAL_SERVICE, Change(KEY, None, good)) == (key, good.object)
    assert change_of(Kind.VIRTUAL_SERVICE, Change(KEY, good, same)) is None
    assert change_of(Kind.VIRTUAL_SERVICE, Change(KEY, same, None)) == (key, None)
    assert change_of(Kind.VIRTUAL_SERVICE, Change(KEY, Served(None), None)) is None


def test_findings_follow_their_objects() -> None:
    """Told once when they are new, gone with the object or when it is good again."""
    findings = ClusterFindings()
    bad = read()
    told = findings.heard(Kind.VIRTUAL_SERVICE, [Change(KEY, None, bad)])
    assert told == bad.findings != ()
    assert findings.heard(Kind.VIRTUAL_SERVICE, [Change(KEY, bad, read())]) == ()
    assert findings.all(()) == bad.findings
    findings.heard(Kind.VIRTUAL_SERVICE, [Change(KEY, bad, read("h"))])
    assert findings.all(()) == ()
    findings.heard(Kind.VIRTUAL_SERVICE, [Change(KEY, None, bad)])
    findings.forget(Kind.VIRTUAL_SERVICE)
    assert findings.all(()) == ()
