"""Label selectors of Kubernetes: whether labels match one, and whether any labels could match two at once."""

from __future__ import annotations

from collections.abc import Mapping

from discovery.validation.analyze.kubernetes import LabelRequirement, LabelSelector

__all__ = ["can_match_both", "matches"]


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether labels meet all requirements; an empty selector matches everything."""
    return all(_meets(requirement, labels.get(requirement.key)) for requirement in _requirements(selector))


def can_match_both(one: LabelSelector, other: LabelSelector) -> bool:
    """Whether there are labels that match both. Requirements are about one key each, so keys can be tried apart."""
    requirements = (*_requirements(one), *_requirements(other))
    for key in {requirement.key for requirement in requirements}:
        mine = [requirement for requirement in requirements if requirement.key == key]
        # Absent, any value that is named, and one that nobody names.
        candidates: list[str | None] = [None, *(value for r in mine for value in r.values), "\0"]
        if not any(all(_meets(requirement, value) for requirement in mine) for value in candidates):
            return False
    return True


def _requirements(selector: LabelSelector) -> tuple[LabelRequirement, ...]:
    labels = selector.match_labels.items()
    equal = (LabelRequirement(key=key, operator="In", values=(value,)) for key, value in labels)
    return (*equal, *selector.match_expressions)


def _meets(requirement: LabelRequirement, value: str | None) -> bool:
    match requirement.operator:
        case "In":
            return value in requirement.values
        case "NotIn":
            return value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case _:
            return False
