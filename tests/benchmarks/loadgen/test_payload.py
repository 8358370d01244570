import pytest

from benchmarks.loadgen.payload import Reader, Variant
from discovery.wire.envoy import (
    AnyMessage,
    Cluster,
    DeltaDiscoveryResponse,
    DiscoveryResponse,
    Resource,
    pack,
)
from discovery.wire.type_urls import CLUSTER


def delta(count: int, *, nonce: str, removed: tuple[str, ...] = (), system_version: str = "") -> bytes:
    """A CDS response of ``count`` clusters."""
    resources = [
        Resource(name=f"c{i}", version=f"v{i}", resource=AnyMessage(**pack(Cluster(name=f"c{i}", type="EDS"))))
        for i in range(count)
    ]
    response = DeltaDiscoveryResponse(
        type_url=CLUSTER,
        nonce=nonce,
        resources=resources,
        removed_resources=removed,
        system_version_info=system_version,
    )
    return bytes(response.SerializeToString())


def test_reads_what_a_delta_response_says() -> None:
    """Type, nonce, names, versions, references and removals."""
    response = Reader(Variant.DELTA).read(delta(2, nonce="n1", removed=("gone",)))
    assert (response.type_url, response.nonce, response.batch.removed) == (CLUSTER, "n1", ("gone",))
    assert [(e.name, e.version, e.references) for e in response.batch.entries] == [
        ("c0", "v0", ("c0",)),
        ("c1", "v1", ("c1",)),
    ]


def test_reads_names_inside_a_sotw_response() -> None:
    """State of the world has no names around its resources."""
    data = DiscoveryResponse(
        type_url=CLUSTER, nonce="n", version_info="7", resources=[AnyMessage(**pack(Cluster(name="c", type="EDS")))]
    ).SerializeToString()
    response = Reader(Variant.SOTW).read(data)
    assert (response.version, [e.name for e in response.batch.entries]) == ("7", ["c"])


@pytest.mark.parametrize("count", [1, 2000])
def test_equal_resources_are_parsed_once(count: int) -> None:
    """Responses that differ in the nonce alone share one batch, small ones and large ones."""
    reader = Reader(Variant.DELTA)
    first, second = reader.read(delta(count, nonce="n1")), reader.read(delta(count, nonce="n2"))
    parsed = reader.parsed_bytes
    assert first.batch is second.batch
    assert (first.nonce, second.nonce) == ("n1", "n2")
    assert parsed == reader.parsed_bytes < len(delta(count, nonce="n1"))


def test_a_longer_response_is_not_mistaken_for_its_beginning() -> None:
    """A known run followed by more resources, or by removals, is another response."""
    reader = Reader(Variant.DELTA)
    reader.read(delta(2000, nonce="n"))
    assert len(reader.read(delta(2001, nonce="n")).batch.entries) == 2001
    assert reader.read(delta(2000, nonce="n", removed=("x",))).batch.removed == ("x",)


def test_fields_before_the_resources_may_change() -> None:
    """Another system version shifts the run; it is then read anew, and rightly."""
    reader = Reader(Variant.DELTA)
    reader.read(delta(2000, nonce="n", system_version="1"))
    assert len(reader.read(delta(2000, nonce="n", system_version="long")).batch.entries) == 2000


def test_garbage_is_an_error() -> None:
    """Bytes that are no response are refused, not ignored."""
    with pytest.raises(ValueError, match="protobuf"):
        Reader(Variant.DELTA).read(b"\x12\xff")
