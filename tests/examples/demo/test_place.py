from __future__ import annotations

import socket

import pytest

from examples.demo.errors import DemoError
from examples.demo.layout import SERVICE_PORT, Workload
from examples.demo.place import claimed_block

ONE = [Workload(name="w", namespace="n", address="127.0.10.99", labels={}, service_account="s")]


def test_demos_at_the_same_time_get_different_blocks() -> None:
    """A block is kept until its demo ends."""
    with claimed_block(ONE) as first, claimed_block(ONE) as second:
        assert first.number != second.number
    with claimed_block(ONE) as third:
        assert third.number <= second.number


def test_a_block_in_which_somebody_listens_is_passed_over() -> None:
    """Envoys share ports silently, so a taken one must be seen before."""
    with claimed_block(ONE) as block:
        taken = block.relocate(ONE[0].address)
    with socket.create_server((taken, SERVICE_PORT)), claimed_block(ONE) as other:
        assert other.number != block.number


def test_an_address_that_is_not_ours_is_an_error() -> None:
    """It would be on systems where not all of 127.0.0.0/8 is this machine; the hint says so."""
    elsewhere = [Workload(name="w", namespace="n", address="192.0.2.77", labels={}, service_account="s")]
    with pytest.raises(DemoError, match=r"cannot use address 192\.0\.2\.77") as failed, claimed_block(elsewhere):
        pass
    assert "127.0.0.0/8" in failed.value.hint
