from __future__ import annotations

from discovery.translate.listeners.spec import UnknownHosts
from discovery.translate.listeners.unknown_hosts import unknown_hosts_configuration


def test_every_request_goes_to_one_cluster() -> None:
    """Whatever host it names, and for as long as it takes."""
    built = unknown_hosts_configuration(UnknownHosts(name="n", cluster="c"))
    (host,) = built["virtual_hosts"]
    (route,) = host["routes"]
    assert (host["domains"], route["route"]["cluster"], route["route"]["timeout"]) == (["*"], "c", {})
