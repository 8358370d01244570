from __future__ import annotations

import base64

import pytest

from tests.kit.analysis import found

POD = (
    "{apiVersion: v1, kind: Pod, metadata: {name: p, labels: {istio: gw}}, "
    "spec: {containers: [{name: istio-proxy, ports: [{name: web, containerPort: 8080}]}]}}"
)
SERVICE = "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {istio: gw}, ports: [PORT]}}"


def _gateway(name: str = "g", port: int = 80, hosts: str = "[a.b]", selector: str = "istio: gw", more: str = "") -> str:
    server = f"{{port: {{number: {port}, name: x, protocol: HTTP}}, hosts: {hosts}{more}}}"
    head = f"---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: {name}}}\n"
    return f"{head}spec: {{selector: {{{selector}}}, servers: [{server}]}}\n"


@pytest.mark.parametrize(
    ("port", "code"),
    [
        ("{port: 80}", ""),
        ("{port: 443, targetPort: 80}", ""),
        ("{port: 80, targetPort: 8080}", "IST0162"),
        ("{port: 80, targetPort: web}", "IST0162"),
        ("{port: 81}", "IST0162"),
    ],
)
def test_a_service_leads_to_the_port(port: str, code: str) -> None:
    """It is the port of the pod that counts."""
    text = f"{POD}\n---\n{SERVICE.replace('PORT', port)}\n{_gateway()}"
    assert found("gateway.IngressGatewayPortAnalyzer", text) == ([f"{code} Gateway shop/g"] if code else [])


def test_a_port_by_name_and_no_pods() -> None:
    """Names are those of the pod's containers; without pods nothing is served."""
    name = "gateway.IngressGatewayPortAnalyzer"
    text = f"{POD}\n---\n{SERVICE.replace('PORT', '{port: 80, targetPort: web}')}\n"
    assert found(name, text + _gateway(port=8080)) == []
    assert found(name, text + _gateway(selector="istio: typo")) == ["IST0101 Gateway shop/g"]


@pytest.mark.parametrize(
    ("other", "conflict"),
    [
        (_gateway("h"), True),
        (_gateway("h", selector="istio: gw, zone: a"), True),
        (_gateway("h", selector="istio: other"), False),
        (_gateway("h", port=81), False),
        (_gateway("h", hosts="['*.b']"), False),
        (_gateway("h", more=", bind: 127.0.0.1"), False),
    ],
)
def test_a_host_of_a_port_is_served_once(other: str, conflict: bool) -> None:
    """On pods that both select."""
    wanted = ["IST0145 Gateway shop/g", "IST0145 Gateway shop/h"] if conflict else []
    assert found("gateway.ConflictingGatewayAnalyzer", _gateway() + other) == wanted


def test_certificates_are_not_shared() -> None:
    """By secret or by file, on pods that the other selects too."""
    name = "gateway.CertificateAnalyzer"
    by_secret, by_file = ", tls: {credentialName: c}", ", tls: {serverCertificate: /c, privateKey: /k}"
    for tls in (by_secret, by_file):
        assert found(name, _gateway(more=tls) + _gateway("h", more=tls)) == [
            "IST0138 Gateway shop/g",
            "IST0138 Gateway shop/h",
        ]
    narrow = _gateway("h", more=by_secret, selector="istio: gw, a: b")
    assert found(name, _gateway(more=by_secret) + narrow) == ["IST0138 Gateway shop/g"]
    assert found(name, _gateway(more=by_secret) + _gateway("h", more=by_file)) == []


def test_secrets_are_beside_the_pods() -> None:
    """And hold a certificate and a key in PEM."""
    name = "gateway.SecretAnalyzer"
    gateway = POD + "\n" + _gateway(more=", tls: {credentialName: c}")
    secret = "---\n{apiVersion: v1, kind: Secret, metadata: {name: c}, FIELDS}\n"
    certificate, key = (
        base64.b64encode(f"-----BEGIN {what}-----".encode()).decode() for what in ("CERTIFICATE", "PRIVATE KEY")
    )
    good = f"data: {{tls.crt: {certificate}, tls.key: {key}}}"
    assert found(name, gateway) == ["IST0101 Gateway shop/g"]
    assert found(name, gateway + secret.replace("FIELDS", good)) == []
    assert found(name, gateway + secret.replace("FIELDS", "data: {tls.crt: '?'}")) == ["IST0161 Gateway shop/g"]
    written = "stringData: {cert: '-----BEGIN CERTIFICATE-----', key: '-----BEGIN EC PRIVATE KEY-----'}"
    assert found(name, gateway + secret.replace("FIELDS", written)) == []
    assert found(name, _gateway(more=", tls: {credentialName: c}")) == []
