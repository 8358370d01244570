"""Valid and invalid custom resources: what is accepted, and what is not."""

from __future__ import annotations

import pytest

from discovery.schema.decode import decode
from discovery.schema.findings import has_errors
from discovery.schema.yaml_text import parse_yaml
from discovery.validation.objects import validate
from tests.kit.conformance import Case, cases


@pytest.mark.parametrize("case", cases("validation"))
def test_validation(case: Case) -> None:
    """An invalid resource has an error among its findings, a valid one has none."""
    document = parse_yaml(case.text(case["input"]))
    document.pop("_err", None)
    decoded = decode(document)
    findings = [*decoded.findings, *(finding for obj in decoded.objects for finding in validate(obj))]
    assert has_errors(findings) is not case["valid"], "\n".join(map(str, findings))
