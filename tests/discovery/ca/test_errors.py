from __future__ import annotations

from certs.errors import CaError
from discovery.ca.errors import RootReplacedError


def test_replaced_root_is_a_ca_error() -> None:
    """Whoever keeps the last good CA on a CaError keeps it here too."""
    assert issubclass(RootReplacedError, CaError)
