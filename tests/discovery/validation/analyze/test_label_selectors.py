from __future__ import annotations

import pytest

from discovery.schema.proto_json import read_leniently
from discovery.validation.analyze.kubernetes import LabelSelector
from discovery.validation.analyze.label_selectors import can_match_both, matches


def _expression(key: str, operator: str, *values: str) -> LabelSelector:
    document = {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}
    return read_leniently(LabelSelector, document)


LABEL = read_leniently(LabelSelector, {"matchLabels": {"a": "b"}})
ALL = LabelSelector()


@pytest.mark.parametrize(
    ("selector", "labels", "wanted"),
    [
        (ALL, {}, True),
        (LABEL, {"a": "b", "c": "d"}, True),
        (LABEL, {"a": "c"}, False),
        (_expression("a", "In", "b", "c"), {"a": "c"}, True),
        (_expression("a", "NotIn", "b"), {}, True),
        (_expression("a", "NotIn", "b"), {"a": "b"}, False),
        (_expression("a", "Exists"), {"a": ""}, True),
        (_expression("a", "DoesNotExist"), {"a": ""}, False),
        (_expression("a", "Like", "b"), {"a": "b"}, False),
    ],
)
def test_labels_match(selector: LabelSelector, labels: dict[str, str], wanted: bool) -> None:
    """As in Kubernetes; an operator that does not exist matches nothing."""
    assert matches(selector, labels) is wanted


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        (ALL, ALL, True),
        (LABEL, ALL, True),
        (LABEL, _expression("a", "In", "c"), False),
        (LABEL, _expression("a", "NotIn", "b"), False),
        (LABEL, _expression("a", "DoesNotExist"), False),
        (_expression("a", "Exists"), _expression("a", "NotIn", "b"), True),
        (LABEL, _expression("x", "In", "y"), True),
    ],
)
def test_two_selectors_meet_or_not(one: LabelSelector, other: LabelSelector, wanted: bool) -> None:
    """Whether any labels match both, in either order."""
    assert can_match_both(one, other) is wanted
    assert can_match_both(other, one) is wanted
