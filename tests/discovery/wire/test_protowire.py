"""The wire format, written and read; the generated classes are the judge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.wire.envoy import DeltaDiscoveryResponse, DiscoveryRequest, serialize
from discovery.wire.protowire import bytes_field, fields, string_field, uint_field, varint


@given(st.integers(0, 2**64 - 1))
def test_a_varint_is_read_back(value: int) -> None:
    """Any 64-bit number."""
    assert list(fields(varint(1 << 3) + varint(value))) == [(1, value)]


@given(st.integers(1, 2**20), st.binary(max_size=300))
def test_a_bytes_field_is_read_back(number: int, value: bytes) -> None:
    """Also when it is empty, and whatever its number."""
    ((read_number, read_value),) = fields(bytes_field(number, value))
    assert (read_number, bytes(read_value if isinstance(read_value, memoryview) else b"")) == (number, value)


@given(st.text(max_size=200), st.text(max_size=20), st.lists(st.binary(max_size=50), max_size=3))
def test_spliced_responses_are_what_grpc_clients_read(type_url: str, nonce: str, removed: list[bytes]) -> None:
    """A response put together from fields equals one that was built and serialised."""
    names = [item.hex() for item in removed]
    spliced = string_field(4, type_url) + string_field(5, nonce)
    spliced += b"".join(bytes_field(6, name.encode()) for name in names)
    built = DeltaDiscoveryResponse(type_url=type_url, nonce=nonce, removed_resources=names)
    assert DeltaDiscoveryResponse.FromString(spliced) == built


def test_zero_and_empty_are_left_out() -> None:
    """As proto3 has it; a bytes field is written even when empty."""
    assert uint_field(3, 0) == string_field(3, "") == b""
    assert bytes_field(3, b"") == b"\x1a\x00"


@given(st.binary(max_size=60))
def test_nonsense_is_an_error_not_a_crash(data: bytes) -> None:
    """Any bytes either are fields or a ValueError."""
    try:
        list(fields(data))
    except ValueError as error:
        assert "protobuf" in str(error)  # noqa: PT017 - both outcomes are fine, this is about one of them


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"\x80", "varint runs past the end"),
        (b"\x0a\x05ab", "field 1 wants 5 bytes, 2 are left"),
        (b"\x00\x00", "field number 0"),
        (b"\x0b", "wire type 3 in field 1"),
        (b"\x08" + b"\xff" * 11, "longer than 10 bytes"),
    ],
)
def test_what_is_wrong_is_told(data: bytes, complaint: str) -> None:
    """Which field, what was wanted."""
    with pytest.raises(ValueError, match=complaint):
        list(fields(data))


def test_peeking_reads_real_requests() -> None:
    """Numbers, fixed fields and views of strings."""
    raw = serialize(DiscoveryRequest(version_info="v", type_url="t", response_nonce="n"))
    assert {n: bytes(v) for n, v in fields(raw) if isinstance(v, memoryview)} == {1: b"v", 4: b"t", 5: b"n"}
    assert list(fields(b"\x0d\x01\x00\x00\x00\x11\x02\x00\x00\x00\x00\x00\x00\x00")) == [(1, 1), (2, 2)]
