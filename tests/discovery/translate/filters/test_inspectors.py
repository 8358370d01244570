from __future__ import annotations

from discovery.translate.filters.inspectors import Inspection, http_inspector, original_src, tls_inspector


def test_everywhere_needs_no_predicate() -> None:
    """An inspector without ports works on all of them."""
    assert "filter_disabled" not in tls_inspector(Inspection())


def test_excluded_ports() -> None:
    """Excluded ports disable the inspector, each as a range of one; a single one needs no list."""
    one = {"destination_port_range": {"start": 80, "end": 81}}
    two = {"destination_port_range": {"start": 90, "end": 91}}
    assert http_inspector(Inspection((80,)))["filter_disabled"] == one
    assert http_inspector(Inspection((80, 90)))["filter_disabled"] == {"or_match": {"rules": [one, two]}}


def test_only_some_ports() -> None:
    """An inspector for some ports only is disabled on what they are not."""
    one = {"destination_port_range": {"start": 80, "end": 81}}
    assert tls_inspector(Inspection((80,), only=True))["filter_disabled"] == {"not_match": one}


def test_constants_are_not_changed() -> None:
    """A predicate of one listener does not leak into the next."""
    tls_inspector(Inspection((80,)))
    assert "filter_disabled" not in tls_inspector(Inspection())


def test_original_source_is_marked() -> None:
    """TPROXY answers find back by the mark."""
    assert original_src(1337)["name"] == "envoy.filters.listener.original_src"
