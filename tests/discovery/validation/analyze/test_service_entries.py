from __future__ import annotations

import pytest

from tests.kit.analysis import found


def _entry(name: str, ports: str, more: str = "", namespace: str = "shop") -> str:
    meta = f"metadata: {{name: {name}, namespace: {namespace}}}"
    head = f"---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\n{meta}\n"
    return f"{head}spec: {{hosts: [a.b], ports: [{ports}]{more}}}\n"


TCP = "{number: 1, name: x, protocol: TCP}"
HTTP = "{number: 1, name: x, protocol: HTTP}"


@pytest.mark.parametrize(
    ("ports", "more", "count"),
    [(TCP, "", 1), (f"{TCP}, {{number: 2, name: y}}", "", 2), (TCP, ", addresses: [1.2.3.4]", 0), (HTTP, "", 0)],
)
def test_plain_ports_need_addresses(ports: str, more: str, count: int) -> None:
    """Each port that nothing else tells apart."""
    found_here = found("serviceentry.ProtocolAddressesAnalyzer", _entry("e", ports, more))
    assert found_here == ["IST0134 ServiceEntry shop/e"] * count


def test_agents_may_give_addresses() -> None:
    """When they capture DNS and allocate."""
    metadata = {"ISTIO_META_DNS_CAPTURE": "true", "ISTIO_META_DNS_AUTO_ALLOCATE": "true"}
    mesh = {"defaultConfig": {"proxyMetadata": metadata}}
    assert found("serviceentry.ProtocolAddressesAnalyzer", _entry("e", TCP), mesh=mesh) == []


@pytest.mark.parametrize(
    ("other", "conflict"),
    [
        (_entry("f", TCP), True),
        (_entry("f", HTTP), False),
        (_entry("f", TCP.replace("1", "2")), False),
        (_entry("f", TCP, ", exportTo: ['.']", "shop"), True),
        (_entry("f", TCP, ", exportTo: [far]", "other"), True),
    ],
)
def test_a_port_has_one_protocol(other: str, conflict: bool) -> None:
    """Where some namespace sees both."""
    name = "serviceentry.ConflictingServiceEntryProtocolAnalyzer"
    assert len(found(name, _entry("e", HTTP) + other)) == (2 if conflict else 0)
    apart = _entry("e", HTTP, ", exportTo: ['.']") + _entry("f", TCP, ", exportTo: ['.']", "other")
    assert found(name, apart) == []
