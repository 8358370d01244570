"""Rules of AuthorizationPolicy as a whole."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.schema.findings import has_errors
from discovery.schema.meta import Kind
from discovery.validation.objects import validate
from tests.kit.manifests import istio
from tests.kit.validation import errors, warnings


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({}, []),
        ({"rules": [{}]}, []),
        ({"action": "DENY"}, ["rules"]),
        ({"action": "AUDIT"}, []),
        ({"action": "CUSTOM", "rules": [{}]}, ["provider.name"]),
        ({"action": "CUSTOM", "provider": {"name": "a"}}, ["rules"]),
        ({"action": "CUSTOM", "provider": {"name": "a"}, "rules": [{"to": [{"operation": {"paths": ["/a"]}}]}]}, []),
        (
            {"action": "CUSTOM", "provider": {"name": "a"}, "rules": [{"from": [{"source": {"namespaces": ["a"]}}]}]},
            ["rules[0].from[0].source"],
        ),
        (
            {
                "action": "CUSTOM",
                "provider": {"name": "a"},
                "rules": [{"when": [{"key": "source.principal", "values": ["a"]}]}],
            },
            ["rules[0].when[0].key"],
        ),
        ({"provider": {"name": "a"}, "rules": [{}]}, ["provider"]),
        ({"selector": {"matchLabels": {"a": "b"}}, "targetRefs": [{"kind": "Service", "name": "a"}]}, ["spec"]),
    ],
)
def test_action_provider_and_rules_fit_together(spec: dict[str, Any], where: list[str]) -> None:
    """What an action needs is there, and nothing that it cannot use."""
    assert errors("AuthorizationPolicy", spec) == where


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"action": "DENY", "rules": [{"to": [{"operation": {"methods": ["GET"]}}]}]}, ["rules[0]"]),
        ({"action": "DENY", "rules": [{"to": [{"operation": {"methods": ["GET"], "ports": ["80"]}}]}]}, []),
        ({"rules": [{"to": [{"operation": {"methods": ["GET"]}}]}]}, []),
    ],
)
def test_a_denial_by_http_alone_is_wider_than_it_looks(spec: dict[str, Any], where: list[str]) -> None:
    """On a TCP port nothing is left of such a rule but the denial."""
    assert errors("AuthorizationPolicy", spec) == []
    assert warnings("AuthorizationPolicy", spec) == where


@pytest.mark.parametrize(
    ("spec", "value", "wrong"),
    [
        ("{action: DENY, rules: [{}]}", "true", False),
        ("{action: ALLOW}", "False", False),
        ("{action: ALLOW}", "maybe", True),
        ("{action: AUDIT}", "true", True),
    ],
)
def test_dry_run_is_a_boolean_for_two_actions(spec: str, value: str, wrong: bool) -> None:
    """A typo in the annotation would enforce what was meant as a trial."""
    obj = istio(Kind.AUTHORIZATION_POLICY, spec, annotations={"istio.io/dry-run": value})
    assert has_errors(validate(obj)) is wrong
