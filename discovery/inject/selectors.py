"""Kubernetes label selectors, as the injector's configuration has them."""

from __future__ import annotations

from collections.abc import Mapping

from discovery.schema.mesh_config import LabelSelector, LabelSelectorOperator, LabelSelectorRequirement

__all__ = ["selects"]


def selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether the labels fit. An empty selector fits nothing here: it would mean every pod of the cluster."""
    if not selector.match_labels and not selector.match_expressions:
        return False
    exact = all(labels.get(key) == value for key, value in selector.match_labels.items())
    return exact and all(_meets(requirement, labels) for requirement in selector.match_expressions)


def _meets(requirement: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    there = requirement.key in labels
    match requirement.operator:
        case LabelSelectorOperator.EXISTS:
            return there
        case LabelSelectorOperator.DOES_NOT_EXIST:
            return not there
        case LabelSelectorOperator.IN:
            return there and labels[requirement.key] in requirement.values
        case LabelSelectorOperator.NOT_IN:
            return not there or labels[requirement.key] not in requirement.values
