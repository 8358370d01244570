"""Whether labels fit a Kubernetes label selector.

Spec: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

from __future__ import annotations

from collections.abc import Mapping

from discovery.schema.mesh_config import LabelSelector, LabelSelectorOperator, LabelSelectorRequirement

__all__ = ["fits"]


def fits(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether all that the selector requires holds; an empty one requires nothing."""
    exact = all(labels.get(key) == value for key, value in selector.match_labels.items())
    return exact and all(_meets(requirement, labels) for requirement in selector.match_expressions)


def _meets(requirement: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case LabelSelectorOperator.IN:
            return value is not None and value in requirement.values
        case LabelSelectorOperator.NOT_IN:  # an object without the label fits too
            return value is None or value not in requirement.values
        case LabelSelectorOperator.EXISTS:
            return value is not None
        case LabelSelectorOperator.DOES_NOT_EXIST:
            return value is None
