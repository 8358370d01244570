"""The control plane over HTTP."""

from __future__ import annotations

import pytest

from discovery.ctl.control_plane import ControlPlane
from discovery.ctl.errors import CtlError
from tests.kit.ctl import serving_debug
from tests.kit.debug_world import DebugWorld


def test_answers_are_data() -> None:
    """With the query escaped."""
    world = DebugWorld()
    world.connect()
    name = "outbound|80||web.shop.svc.cluster.local"
    with serving_debug(world) as address:
        plane = ControlPlane(address)
        assert plane.ask("connections")["totalClients"] == 1
        assert plane.ask("resources", proxyID="web-1", type="cds", name=name)["resource"]["name"] == name
        assert plane.text("/version").startswith(b"pilot-mesh")


def test_refusals_are_told_in_its_words() -> None:
    """Status and reason."""
    with serving_debug(DebugWorld()) as address:
        with pytest.raises(CtlError, match="404: Proxy not connected"):
            ControlPlane(address).ask("config_dump", proxyID="nobody")
        with pytest.raises(CtlError, match="no JSON"):
            ControlPlane(address).ask("web/app.js")


def test_nobody_there_is_said_with_what_to_do() -> None:
    """The flag is named."""
    with pytest.raises(CtlError, match=r"127.0.0.1:1.*--discovery-address"):
        ControlPlane("127.0.0.1:1").ask("syncz")


@pytest.mark.parametrize("address", ["https://x:1", "http://", "http://x:port", "http://x:1/path", "ftp://x"])
def test_other_addresses_are_refused(address: str) -> None:
    """Before anything is asked."""
    with pytest.raises(CtlError, match="want http://host:port"):
        ControlPlane(address)


def test_scheme_and_port_may_be_left_out() -> None:
    """A host and port is enough."""
    assert str(ControlPlane("localhost:15014")) == "http://localhost:15014"
    assert str(ControlPlane("http://[::1]")) == "http://[::1]:80"
