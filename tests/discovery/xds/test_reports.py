"""Reports of what clients hold are shared: equal ones are one object."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from discovery.wire.envoy import DeltaDiscoveryRequest
from discovery.wire.protowire import bytes_field, string_field
from discovery.xds.reports import Report, Reports
from discovery.xds.request import parse_delta

entries = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("12")), max_size=4)


def test_equal_reports_are_one_object() -> None:
    """Whatever the order in which clients tell them; they are read once."""
    reports = Reports()
    first = reports.of(frozenset({b"a", b"b"}), lambda: {"a": "1", "b": "1"})
    assert reports.of(frozenset({b"b", b"a"}), dict) is first


def test_a_report_equals_what_has_the_same_versions() -> None:
    """Also after it was found equal to something: then what is served may have changed."""
    report, same = Report({"a": "1"}), {"a": "1"}
    assert report.equals(same)
    assert report.equals(same)
    assert not report.equals({"a": "2"})
    assert not report.equals({"a": "1", "b": "1"})
    assert report.equals({"a": "1"})


def test_few_reports_are_kept() -> None:
    """The one not seen for longest is let go, and in quiet times all are."""
    reports = Reports()
    for number in range(100):
        reports.of(frozenset({b"%d" % number}), lambda: {"a": "1"})
        reports.of(frozenset({b"0"}), lambda: {"a": "1"})
    kept = len(reports)
    assert kept < 20
    again = Report({})
    assert reports.of(frozenset({b"0"}), lambda: again.versions).versions == {"a": "1"}
    reports.trim()
    assert len(reports) == 0


@given(st.lists(entries, max_size=6))
def test_a_shared_report_is_what_the_message_says(messages: list[list[tuple[str, str]]]) -> None:
    """Also of clients that tell a name twice, where the last version counts."""
    reports = Reports()
    for told in messages:
        raw = b"".join(bytes_field(5, string_field(1, name) + string_field(2, version)) for name, version in told)
        request, _ = parse_delta(raw, reports)
        versions = request.known.versions if request.known else {}
        assert versions == dict(DeltaDiscoveryRequest.FromString(raw).initial_resource_versions)
