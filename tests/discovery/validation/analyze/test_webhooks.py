from __future__ import annotations

import pytest

from tests.kit.analysis import found

SERVICE = "---\n{apiVersion: v1, kind: Service, metadata: {name: istiod, namespace: istio-system}}\n"


def _config(kind: str, name: str, *hooks: str) -> str:
    group = "admissionregistration.k8s.io/v1"
    return f"---\n{{apiVersion: {group}, kind: {kind}, metadata: {{name: {name}}}, webhooks: [{', '.join(hooks)}]}}\n"


def _hook(selector: str, name: str = "a", service: str = "istiod") -> str:
    client = f"{{service: {{name: {service}, namespace: istio-system}}}}"
    return f"{{name: {name}.sidecar-injector.istio.io, clientConfig: {client}, namespaceSelector: {{{selector}}}}}"


ON, OFF = (
    "matchLabels: {istio-injection: enabled}",
    "matchExpressions: [{key: istio-injection, operator: DoesNotExist}]",
)


@pytest.mark.parametrize(
    ("url", "code"),
    [("https://a.b:15017/x", ""), ("null", "IST0163"), ("'https://[x'", "IST0163"), ("https://1.2.3.4/x", "IST0164")],
)
def test_control_planes_elsewhere_have_names(url: str, code: str) -> None:
    """In webhooks of ours, which have a URL."""
    name, kind = "externalcontrolplane.ExternalControlPlaneAnalyzer", "ValidatingWebhookConfiguration"
    hook = f"{{name: v, clientConfig: {{url: {url}}}}}"
    assert found(name, _config(kind, "istio-validator-x", hook)) == (
        [f"{code} {kind} istio-validator-x"] if code else []
    )
    assert found(name, _config(kind, "other", hook)) == []


def test_injectors_answer_and_do_not_overlap() -> None:
    """Each has its Service, and no pod has two of them."""
    name, kind = "webhook.Analyzer", "MutatingWebhookConfiguration"
    apart = _config(kind, "h", _hook(ON), _hook(OFF, "b"))
    assert found(name, SERVICE + apart) == []
    assert found(name, apart) == [f"IST0139 {kind} h"]
    twice = _config(kind, "h", _hook(ON)) + _config(kind, "i", _hook(ON))
    assert found(name, SERVICE + twice) == [f"IST0139 {kind} h", f"IST0139 {kind} i"]
