"""`pilotctl validate`."""

from __future__ import annotations

from pathlib import Path

from tests.kit.ctl import pilotctl

GOOD = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n"


def test_a_valid_file_says_so(tmp_path: Path) -> None:
    """Exit status 0."""
    path = tmp_path / "a.yaml"
    path.write_text(GOOD, encoding="utf-8")
    done = pilotctl("validate", "-f", str(path))
    assert (done.exit_code, done.output) == (0, f"{path}: valid, 1 objects\n")


def test_an_invalid_file_is_exit_status_1(tmp_path: Path) -> None:
    """What is wrong goes to standard error, and nothing is called valid."""
    path = tmp_path / "a.yaml"
    path.write_text(GOOD + "---\n{apiVersion: v1, kind: Service, metadata: {}}\n", encoding="utf-8")
    done = pilotctl("validate", "-f", str(path))
    assert done.exit_code == 1
    assert "a.yaml:3: Service: metadata.name" in done.stderr
    assert done.stdout == ""


def test_a_missing_file_is_a_usage_error() -> None:
    """Exit status 2."""
    assert pilotctl("validate", "-f", "nothing.yaml").exit_code == 2


GATEWAYS = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: web, namespace: shop}
spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [a.example.com]}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, namespace: shop}
spec: {gatewayClassName: istio, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec: {parentRefs: [{name: web}], rules: [{backendRefs: [{name: web, port: %s}]}]}
"""


def test_two_kinds_of_gateway_and_their_routes(tmp_path: Path) -> None:
    """Gateways of one name are not the same object; what has no effect yet is told, and is not invalid."""
    path = tmp_path / "a.yaml"
    path.write_text(GATEWAYS % 80, encoding="utf-8")
    done = pilotctl("validate", "-f", str(path))
    assert (done.exit_code, done.stdout) == (0, f"{path}: valid, 3 objects\n")
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == ["Gateway", "HTTPRoute", "KubernetesGateway"]
    path.write_text(GATEWAYS % "http", encoding="utf-8")
    done = pilotctl("validate", "-f", str(path))
    assert done.exit_code == 1
    assert "a.yaml:12: HTTPRoute shop/web: spec.rules[0].backendRefs[0].port: want a whole number" in done.stderr


TYPO = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec: {hosts: [web], http: [{route: [{destination: {host: web}}], timeuot: 5s}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: other, namespace: shop, annotations: {internal.istio.io/parents: x}}
spect: {}
spec: {hosts: [other], http: [{route: [{destination: {host: other}}]}]}
"""


def test_what_the_webhook_would_refuse_is_not_valid(tmp_path: Path) -> None:
    """Each once: a field that nobody reads would only be a warning when it is loaded, or nothing."""
    path = tmp_path / "a.yaml"
    path.write_text(TYPO, encoding="utf-8")
    done = pilotctl("validate", "-f", str(path))
    assert done.exit_code == 1
    assert [line.partition(": VirtualService shop/")[2] for line in done.stderr.splitlines()] == [
        "web: spec.http[0].timeuot: unknown field (did you mean timeout?)",
        "other: spect: unknown field (settings belong under spec)",
        "other: metadata.annotations['internal.istio.io/parents']: is for the control plane's own use (remove it)",
    ]


def test_manifests_come_from_a_pipe() -> None:
    """As kubectl writes them; they can be read once only."""
    done = pilotctl("validate", "-f", "-", text=GOOD)
    assert (done.exit_code, done.output) == (0, "-: valid, 1 objects\n")
    assert "-:2: VirtualService shop/web" in pilotctl("validate", "-f", "-", text=TYPO).stderr
