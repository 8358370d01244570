"""Metrics of several sources as one text."""

from __future__ import annotations

import pytest

from agent.status.merge import Format, Part, accepts_gzip, join_application, merge, read_format, rewrite_accept

TEXT, OM0, OM1 = Format.TEXT, Format.OPENMETRICS_0, Format.OPENMETRICS_1


@pytest.mark.parametrize(
    ("accept", "envoy", "application"),
    [
        ("text/plain;version=0.0.4;q=0.3", "text/plain;version=0.0.4", "text/plain;version=0.0.4"),
        ("*/*", "text/plain;version=0.0.4", "text/plain;version=0.0.4"),
        ("", "text/plain;version=0.0.4", "text/plain;version=0.0.4"),
        ("application/vnd.google.protobuf;q=1", "text/plain;version=0.0.4", "text/plain;version=0.0.4"),
        ("application/*", "text/plain;version=0.0.4", "application/openmetrics-text;version=0.0.1"),
        (
            "application/openmetrics-text;version=1.0.0,text/plain;q=0.5,*/*;q=0.1,text/plain",
            "text/plain;q=0.9,text/plain;version=0.0.4;q=0.8",
            "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;q=0.8,text/plain;version=0.0.4;q=0.7",
        ),
    ],
)
def test_only_texts_are_asked_for(accept: str, envoy: str, application: str) -> None:
    """Formats that cannot be concatenated are left out; the order of preference stays, repetitions go."""
    assert rewrite_accept(accept, openmetrics=False) == envoy
    assert rewrite_accept(accept, openmetrics=True) == application


@pytest.mark.parametrize(
    ("content_type", "found"),
    [
        ("", TEXT),
        ("text/plain; version=0.0.4", TEXT),
        ("application/openmetrics-text", OM0),
        ("Application/OpenMetrics-Text; version=0.0.1", OM0),
        ("application/openmetrics-text;charset=utf-8; version=1.0.0", OM1),
    ],
)
def test_formats(content_type: str, found: Format) -> None:
    """The application says what it answered in."""
    assert read_format(content_type) is found


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        ([], None),
        ([Part(b"a 1\n# EOF", OM1)], Part(b"a 1\n# EOF", OM1)),
        ([Part(b"a 1\n# EOF\n", OM1), Part(b"b 2\n# EOF\n", OM1)], Part(b"a 1\nb 2\n# EOF\n", OM1)),
        ([Part(b"a 1\n# EOF\n", OM1), Part(b"b 2", TEXT)], Part(b"a 1\nb 2\n", TEXT)),
        ([Part(b"# EOF\n", OM0), Part(b"b 2\n", OM1)], Part(b"b 2\n", TEXT)),
        ([Part(b"a 1", TEXT), Part(b"", TEXT)], Part(b"a 1\n", TEXT)),
    ],
)
def test_several_targets(parts: list[Part], joined: Part | None) -> None:
    """One end if all agree on OpenMetrics, none otherwise; lines stay lines."""
    assert join_application(parts) == joined


def test_whole() -> None:
    """Agent, Envoy, application, under the application's format."""
    assert merge(b"a 1", b"", None) == Part(b"a 1\n", TEXT)
    assert merge(b"a 1\n", b"e 2", Part(b"b 3\n# EOF\n", OM0)) == Part(b"a 1\ne 2\nb 3\n# EOF\n", OM0)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [("", False), ("gzip", True), ("br, GZIP;q=0.5", True), ("gzip;q=0", False), ("gzip;q=0.0", False), ("*", True)],
)
def test_gzip(header: str, wanted: bool) -> None:
    """Quality zero means no."""
    assert accepts_gzip(header) is wanted
