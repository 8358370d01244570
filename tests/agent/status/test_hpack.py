"""Header blocks, by the examples of RFC 7541; beside a real server in test_probe_http."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.status.hpack import HpackError, decode_block, encode_literal


@pytest.mark.parametrize(
    ("block", "headers"),
    [
        # Appendix C.5.1: literals
        (
            "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e17"
            "68747470733a2f2f7777772e6578616d706c652e636f6d",
            [
                (":status", "302"),
                ("", "private"),
                ("", "Mon, 21 Oct 2013 20:13:21 GMT"),
                ("location", "https://www.example.com"),
            ],
        ),
        # Appendix C.6.1: the same, compressed
        (
            "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
            [
                (":status", "302"),
                ("", "private"),
                ("", "Mon, 21 Oct 2013 20:13:21 GMT"),
                ("location", "https://www.example.com"),
            ],
        ),
        ("88", [(":status", "200")]),
        ("2088", [(":status", "200")]),  # after a change of the table's size
        ("3fe11f8d", [(":status", "404")]),
    ],
)
def test_examples(block: str, headers: list[tuple[str, str]]) -> None:
    """Names that no probe needs are empty."""
    assert decode_block(bytes.fromhex(block)) == headers


@given(st.lists(st.tuples(st.from_regex(r"\A[a-z-]{1,9}\Z"), st.text(st.characters(max_codepoint=255), max_size=300))))
def test_what_we_write_can_be_read(headers: list[tuple[str, str]]) -> None:
    """Short and long texts."""
    assert decode_block(b"".join(encode_literal(name, value) for name, value in headers)) == headers


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("be", "entry 62 of a table of 61"),
        ("80", "entry 0"),
        ("4803", "ends within a text"),
        ("48", "ends within a header"),
        ("00", "ends within a header"),
        ("ff", "no end"),
        ("ffffffffffffff", "no end"),
        ("4881fe", "ends within a symbol"),
        ("4884ffffffff", "contains its end mark"),
    ],
)
def test_malformed_blocks(block: str, words: str) -> None:
    """Also those that refer to what we did not allow."""
    with pytest.raises(HpackError, match=words):
        decode_block(bytes.fromhex(block))


@given(st.binary(max_size=60))
def test_any_bytes_end(block: bytes) -> None:
    """With headers or with the one error."""
    with suppress(HpackError):
        decode_block(block)
