"""Cluster IPs as rules of the kernel, and names of the cluster."""

from __future__ import annotations

import dns.message
import dns.rcode
import pytest

from tests.kube.kubelet.services import ServiceView, answer, render_rules, resolve


def view() -> ServiceView:
    """A service of two ports and two endpoints, one of which is not ready; and one without a cluster IP."""
    made = ServiceView()
    ports = [{"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}]
    for name, ip in (("web", "10.96.0.5"), ("db", "None")):
        metadata = {"namespace": "shop", "name": name}
        made.services["shop", name] = {"metadata": metadata, "spec": {"clusterIP": ip, "ports": ports}}
        endpoints = [
            {"addresses": ["10.0.0.2"], "conditions": {"ready": True}, "hostname": "db-0"},
            {"addresses": ["10.0.0.3"], "conditions": {}},
            {"addresses": ["10.0.0.4"], "conditions": {"ready": False}},
        ]
        made.slices["shop", f"{name}-1"] = {
            "metadata": {"namespace": "shop", "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": [{"name": "http", "port": 8080}],
        }
    return made


def test_rules() -> None:
    """One per port that leads anywhere, to ready endpoints by chance; none for a service without an address."""
    rules = [line.strip() for line in render_rules(view()).splitlines() if "daddr" in line]
    targets = "{ 0 : 10.0.0.2 . 8080, 1 : 10.0.0.3 . 8080 }"
    assert rules == [f"ip daddr 10.96.0.5 tcp dport 80 dnat ip to numgen random mod 2 map {targets}"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web.shop.svc.cluster.local.", ("10.96.0.5",)),
        ("WEB.shop.svc.cluster.local.", ("10.96.0.5",)),
        ("db.shop.svc.cluster.local.", ("10.0.0.2", "10.0.0.3")),
        ("db-0.db.shop.svc.cluster.local.", ("10.0.0.2",)),
        ("db-9.db.shop.svc.cluster.local.", None),
        ("web.other.svc.cluster.local.", None),
        ("web.shop.", None),
        ("example.com.", None),
    ],
)
def test_names(name: str, expected: tuple[str, ...] | None) -> None:
    """A service has its address, one without has its endpoints', which may have names; there is nothing else."""
    assert resolve(view(), name) == expected


def test_answers() -> None:
    """A name without addresses of the kind asked for is there all the same."""
    for name, kind, rcode, count in (
        ("web.shop.svc.cluster.local.", "A", dns.rcode.NOERROR, 1),
        ("web.shop.svc.cluster.local.", "AAAA", dns.rcode.NOERROR, 0),
        ("example.com.", "A", dns.rcode.NXDOMAIN, 0),
    ):
        response = answer(view(), dns.message.make_query(name, kind))
        assert (response.rcode(), len(response.answer)) == (rcode, count)
