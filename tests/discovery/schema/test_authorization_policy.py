from __future__ import annotations

from discovery.schema.authorization_policy import AuthorizationAction, AuthorizationPolicy
from discovery.schema.meta import Kind
from tests.kit.manifests import decoded, istio


def test_rules_have_callers_operations_and_conditions() -> None:
    """``from`` is a word of Python, but not of the API."""
    spec = istio(
        Kind.AUTHORIZATION_POLICY,
        """
        action: DENY
        rules:
        - from: [{source: {principals: [a], notIpBlocks: [10.0.0.0/8]}}]
          to: [{operation: {methods: [GET], notPaths: [/x]}}]
          when: [{key: source.ip, values: [1.2.3.4]}]
        """,
    ).spec
    assert isinstance(spec, AuthorizationPolicy)
    assert spec.action is AuthorizationAction.DENY
    (rule,) = spec.rules
    assert rule.from_[0].source is not None
    assert rule.to[0].operation is not None
    assert rule.from_[0].source.not_ip_blocks == ("10.0.0.0/8",)
    assert rule.to[0].operation.not_paths == ("/x",)
    assert rule.when[0].values == ("1.2.3.4",)


def test_without_spec_it_allows_nothing() -> None:
    """An empty policy is ALLOW without rules, which is to deny."""
    (obj,) = decoded("{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: none}}").objects
    assert obj.spec == AuthorizationPolicy(action=AuthorizationAction.ALLOW, rules=())


def test_a_list_has_its_bound() -> None:
    """More than sixteen service accounts are refused as by the CRD."""
    accounts = ", ".join(f"a{i}" for i in range(17))
    spec = f"{{rules: [{{from: [{{source: {{serviceAccounts: [{accounts}]}}}}]}}]}}"
    text = f"{{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {{name: x}}, spec: {spec}}}"
    (finding,) = decoded(text).findings
    assert (finding.path, finding.problem) == (
        "spec.rules[0].from[0].source.serviceAccounts",
        "want a list of at most 16 entries, got a list",
    )
