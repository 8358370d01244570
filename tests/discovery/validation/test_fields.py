"""Rules that fields of many kinds share."""

from __future__ import annotations

from datetime import timedelta

import pytest

from discovery.schema.findings import Severity
from discovery.schema.selector import WorkloadSelector
from discovery.validation.fields import (
    check_address,
    check_duration,
    check_export_to,
    check_host,
    check_labels,
    check_percent,
    check_port,
    check_selector,
    error,
    is_label,
    warning,
)


@pytest.mark.parametrize("host", ["a", "a.example.com", "*.example.com", "*", "a_b.c", "fd00::1", "10.0.0.1", "a.b."])
def test_hosts_that_are(host: str) -> None:
    """Names, wildcards, addresses."""
    assert list(check_host(host, "x")) == []


@pytest.mark.parametrize("host", ["", "a b", "-a", "a..b", "a*", "a" * 256, "http://a"])
def test_hosts_that_are_not(host: str) -> None:
    """With what was wanted."""
    (problem,) = check_host(host, "x")
    assert "want a host name" in problem.text


def test_wildcards_only_where_they_make_sense() -> None:
    """A destination is one host."""
    assert len(list(check_host("*", "x", wildcard=False))) == 1
    assert len(list(check_host("*.a", "x", wildcard=False))) == 1


def test_numbers_have_ranges() -> None:
    """Ports, percentages, durations."""
    assert [bool(list(check_port(port, "x"))) for port in (0, 1, 65535, 65536)] == [True, False, False, True]
    percents = (None, 0, 0.00001, 0.0001, 100, 101)
    assert [bool(list(check_percent(value, "x"))) for value in percents] == [False, False, True, False, False, True]
    times = (None, timedelta(), timedelta(milliseconds=1), timedelta(milliseconds=10.5), timedelta(hours=1))
    assert [bool(list(check_duration(value, "x"))) for value in times] == [False, True, False, True, False]


def test_exports_are_namespaces_or_words_of_their_own() -> None:
    """`~` only where a kind has it."""
    assert list(check_export_to((".", "shop"), "x")) == []
    assert list(check_export_to(("~",), "x", none_allowed=True)) == []
    for values in (("~",), ("*", "shop"), ("shop", "shop"), ("a b",)):
        assert list(check_export_to(values, "x")), values


@pytest.mark.parametrize(
    ("labels", "right"),
    [
        ({"app": "web", "a.example/b_c.d": "", "v": "1.0-x_Y"}, True),
        ({"": "a"}, False),
        ({"a b": "a"}, False),
        ({"a": "b c"}, False),
        ({"a": "-b"}, False),
        ({"/a": "b"}, False),
        ({"x y/a": "b"}, False),
        ({"a" * 64: "b"}, False),
        ({"a": "b" * 64}, False),
    ],
)
def test_labels_are_such_as_kubernetes_takes(labels: dict[str, str], right: bool) -> None:
    """Others stand on no object."""
    assert bool(list(check_labels(labels, "x"))) is not right


@pytest.mark.parametrize(
    ("address", "right"), [("10.0.0.1", True), ("fd00::1", True), ("a", False), ("10.0.0.0/8", False)]
)
def test_addresses_are_of_ip(address: str, right: bool) -> None:
    """Of one machine."""
    assert bool(list(check_address(address, "x"))) is not right


def test_labels_are_not_patterns() -> None:
    """Nor empty."""
    assert list(check_selector(None, "x")) == list(check_selector(WorkloadSelector(labels={"a": "b"}), "x")) == []
    for labels in ({"a": "*"}, {"": "b"}):
        assert list(check_selector(WorkloadSelector(labels=labels), "x"))
    assert is_label("a-1")
    assert not is_label("a.b")


def test_severity_says_whether_the_object_is_used() -> None:
    """An error keeps it out, a warning does not."""
    assert (error("x", "t").severity, warning("x", "t").severity) == (Severity.ERROR, Severity.WARNING)
