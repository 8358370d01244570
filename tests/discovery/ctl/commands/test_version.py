"""`pilotctl version`."""

from __future__ import annotations

from tests.kit.ctl import pilotctl, serving_debug
from tests.kit.debug_world import DebugWorld


def test_both_versions() -> None:
    """This program's, and the control plane's."""
    with serving_debug(DebugWorld()) as address:
        done = pilotctl("version", "--discovery-address", address)
    assert done.stdout.count("pilot-mesh") == 2


def test_without_a_control_plane_its_own() -> None:
    """Exit status 0: the question was answered as far as it can be."""
    done = pilotctl("version", "--discovery-address", "127.0.0.1:1")
    assert done.exit_code == 0
    assert done.stdout.startswith("client: pilot-mesh ")
    assert "control plane: " in done.stderr
