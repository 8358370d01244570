"""Label selectors."""

from __future__ import annotations

import pytest

from discovery.schema.label_selector import fits
from discovery.schema.mesh_config import LabelSelector, LabelSelectorOperator, LabelSelectorRequirement

IN, NOT_IN = LabelSelectorOperator.IN, LabelSelectorOperator.NOT_IN
EXISTS, DOES_NOT_EXIST = LabelSelectorOperator.EXISTS, LabelSelectorOperator.DOES_NOT_EXIST


def require(operator: LabelSelectorOperator, *values: str) -> LabelSelector:
    """A selector with one requirement on the label `a`."""
    return LabelSelector(match_expressions=(LabelSelectorRequirement(key="a", operator=operator, values=values),))


@pytest.mark.parametrize(
    ("selector", "labels", "wanted"),
    [
        (LabelSelector(), {}, True),
        (LabelSelector(match_labels={"a": "1"}), {"a": "1", "b": "2"}, True),
        (LabelSelector(match_labels={"a": "1", "b": "2"}), {"a": "1"}, False),
        (require(IN, "1", "2"), {"a": "2"}, True),
        (require(IN, "1"), {}, False),
        (require(NOT_IN, "1"), {"a": "2"}, True),
        (require(NOT_IN, "1"), {"a": "1"}, False),
        (require(NOT_IN, "1"), {}, True),
        (require(EXISTS), {"a": ""}, True),
        (require(EXISTS), {"b": ""}, False),
        (require(DOES_NOT_EXIST), {}, True),
        (require(DOES_NOT_EXIST), {"a": ""}, False),
    ],
)
def test_selectors(selector: LabelSelector, labels: dict[str, str], *, wanted: bool) -> None:
    """As Kubernetes reads them; an empty one fits everything."""
    assert fits(selector, labels) is wanted
