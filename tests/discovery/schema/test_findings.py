from __future__ import annotations

from discovery.schema.findings import Finding, Severity, has_errors
from discovery.schema.meta import Origin


def test_a_finding_reads_as_one_line() -> None:
    """Where, which object, which field, what is wrong, what to do."""
    finding = Finding(
        "VirtualService shop/reviews", "spec.http", "want a list", "begin with -", origin=Origin("", "a.yaml", 7)
    )
    assert str(finding) == "a.yaml:7: VirtualService shop/reviews: spec.http: want a list (begin with -)"


def test_warnings_are_no_errors() -> None:
    """An object with warnings only is used."""
    warning = Finding("", "", "odd", severity=Severity.WARNING)
    assert not has_errors([warning])
    assert has_errors([warning, Finding("", "", "bad")])
