from benchmarks.loadgen.held import Held
from benchmarks.loadgen.payload import Batch, Entry
from discovery.wire.envoy import DeltaDiscoveryRequest

A1, A2, B1 = Entry("80/a", "1", ("x",)), Entry("80/a", "2", ("y",)), Entry("90/b", "1", ())


def test_the_same_history_gives_the_same_object() -> None:
    """Streams that receive equal batches share their state."""
    start, batch = Held(), Batch((A1, B1), ())
    assert start.apply(batch) is start.apply(batch)
    assert start.apply(Batch((), ())) is start


def test_a_batch_updates_and_removes() -> None:
    """Later versions win, removed names go, the state before is unchanged."""
    before = Held().apply(Batch((A1, B1), ()))
    after = before.apply(Batch((A2,), ("90/b", "unknown")))
    assert dict(after.entries) == {"80/a": A2}
    assert dict(before.entries) == {"80/a": A1, "90/b": B1}


def test_replace_keeps_only_the_batch() -> None:
    """A complete answer of SotW is all there is, also when it is empty."""
    before = Held().apply(Batch((A1,), ()))
    assert dict(before.apply(Batch((B1,), ()), replace=True).entries) == {"90/b": B1}
    assert not before.apply(Batch((), ()), replace=True).entries


def test_derived_values() -> None:
    """References, route configurations of hosts, and encoded versions come from what is held."""
    held = Held().apply(Batch((A1, B1), ()))
    assert held.references == frozenset({"x"})
    assert held.prefixes == frozenset({"80", "90"})
    assert held.using_vhds == frozenset({"80/a"})
    request = DeltaDiscoveryRequest.FromString(held.versions)
    assert dict(request.initial_resource_versions) == {"80/a": "1", "90/b": "1"}
    assert held.only(frozenset(("90/b",))).entries.keys() == {"90/b"}
    assert held.only(frozenset({*held.entries, "more"})) is held
