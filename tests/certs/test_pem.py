from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from certs import pem
from certs.errors import PemError
from tests.kit.certs import root_ca

ROOT = root_ca().certificate
ROOT_PEM = pem.dump_certificate(ROOT)


@given(st.lists(st.sampled_from([b"\n", b"# a note\n", b"\r\n \n"]), max_size=3))
def test_text_around_blocks_is_skipped(between: list[bytes]) -> None:
    """Comments and empty lines before, between and after blocks mean nothing."""
    text = b"".join(part + ROOT_PEM for part in [*between, b""]) + b"the end"
    certificates = pem.load_certificates(text, where="x")
    assert certificates == (ROOT,) * (len(between) + 1)


def test_blocks_keep_their_text() -> None:
    """A block's text is a PEM of its own that ends in one newline, whatever followed it."""
    blocks = pem.split(ROOT_PEM.rstrip() + b"\n\n\n" + ROOT_PEM, where="x")
    assert [block.text for block in blocks] == [ROOT_PEM, ROOT_PEM]


def test_windows_line_ends_are_read() -> None:
    """A file edited on another system is the same certificate."""
    assert pem.load_certificates(ROOT_PEM.replace(b"\n", b"\r\n"), where="x") == (ROOT,)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "no PEM block found"),
        (b"-----BEGIN -----\nAAAA\n-----END -----\n", "no PEM block found"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n", "is missing"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERT-----\n", "is missing"),
        (b"-----BEGIN CERTIFICATE-----\nA*AA\n-----END CERTIFICATE-----\n", "not base64"),
        (b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "empty"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "does not parse"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "is a PUBLIC KEY"),
    ],
)
def test_broken_chain_is_an_error(text: bytes, says: str) -> None:
    """What we present or sign with must be whole; the error names the place."""
    with pytest.raises(PemError, match=says) as caught:
        pem.load_certificates(text, where="chain.pem")
    assert caught.value.where.startswith("chain.pem")


def test_broken_block_does_not_swallow_the_next() -> None:
    """A block without end stops at the next begin; the good one after it counts."""
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n"
    blocks, findings = pem.scan(broken + ROOT_PEM, where="roots")
    assert [block.text for block in blocks] == [ROOT_PEM]
    assert [finding.where for finding in findings] == ["roots, PEM block 1"]


def test_negative_serial_is_refused() -> None:
    """RFC 5280 wants a positive serial number; Go's verifier, and so Istio, drops what has none."""
    der = bytearray(ROOT.public_bytes(Encoding.DER))
    at = bytes(der).index(b"\xa0\x03\x02\x01\x02\x02\x01\x01")  # version 3, then serial 1
    der[at + 7] = 0x81
    with pytest.raises(PemError, match="not positive"):
        pem.parse_der(bytes(der), where="x")


@given(st.binary(max_size=80))
def test_any_bytes_are_a_certificate_or_an_error(der: bytes) -> None:
    """Nothing a peer sends raises anything but PemError."""
    with pytest.raises(PemError):
        pem.parse_der(der, where="peer")


def test_join_begins_each_part_on_its_own_line() -> None:
    """A missing newline at the end of one part does not glue it to the next; empty parts vanish."""
    assert pem.join([b"a", b"", b"b\n", b" \n", b"c"]) == b"a\nb\nc\n"
