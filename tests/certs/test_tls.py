from __future__ import annotations

from pathlib import Path

import pytest

from certs.errors import KeyMaterialError
from certs.keys import KeyFormat, dump_key
from certs.tls import load_key_pair, read_key_pair
from tests.kit.certs import key, leaf, root_ca

PAIR = leaf(root_ca())


@pytest.mark.parametrize("key_format", list(KeyFormat))
def test_pair_survives_its_files(tmp_path: Path, key_format: KeyFormat) -> None:
    """What is written is read back as the same pair."""
    (tmp_path / "chain").write_bytes(PAIR.chain_pem())
    (tmp_path / "key").write_bytes(PAIR.key_pem(key_format=key_format))
    read = read_key_pair(tmp_path / "chain", tmp_path / "key")
    assert (read.chain, read.key_pem()) == (PAIR.chain, PAIR.key_pem())


def test_half_replaced_files_are_an_error() -> None:
    """The new certificate with the old key is told, never used."""
    with pytest.raises(KeyMaterialError, match="replace both files together"):
        load_key_pair(PAIR.chain_pem(), dump_key(key("other")), where="x")


def test_missing_file_is_named(tmp_path: Path) -> None:
    """The error says which file cannot be read."""
    (tmp_path / "chain").write_bytes(PAIR.chain_pem())
    with pytest.raises(KeyMaterialError, match=r"nokey\.pem: cannot be read"):
        read_key_pair(tmp_path / "chain", tmp_path / "nokey.pem")


def test_key_is_not_printed() -> None:
    """A pair in a log line or a traceback shows no key."""
    assert repr(PAIR) == "KeyPair(leaf serial 2)"
