"""Routes as a table."""

from __future__ import annotations

import pytest

from discovery.ctl.views.routes import describe_domains, routes_table


@pytest.mark.parametrize(
    ("domains", "text"),
    [
        (["*"], "*"),
        ([], ""),
        (["web.shop.svc.cluster.local", "web", "web.shop", "web:80", "10.0.0.1", "10.0.0.1:80"], "web, 10.0.0.1"),
        (["a", "b", "c", "d"], "a, b + 2 more..."),
        (["a:80", "b:80"], "a:80, b:80"),
    ],
)
def test_domains_are_told_once(domains: list[str], text: str) -> None:
    """The shortest spelling of each host, two at most."""
    assert describe_domains(domains) == text


def test_a_row_for_each_route() -> None:
    """A virtual host of VHDS goes by its own name; passthrough says nothing, a host without routes is a 404."""
    to = {"match": {"prefix": "/"}, "route": {"cluster": "outbound|80||web"}}
    through = {"match": {"prefix": "/"}, "route": {"cluster": "PassthroughCluster"}}
    hosts = [
        {"name": "80/web:80", "domains": ["web"], "routes": [to]},
        {"name": "allow_any", "domains": ["*"], "routes": [through]},
        {"name": "none", "domains": ["none"]},
    ]
    lines = [line.split() for line in routes_table([{"name": "80", "virtualHosts": hosts}]).splitlines()[1:]]
    assert lines == [["80", "web:80", "web", "/*"], ["80", "none", "none", "/*", "404"]]
