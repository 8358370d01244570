from __future__ import annotations

from pathlib import Path

import pytest

from agent.envoy.hot_restart import HotRestart, judge_versions, plan_hot_restart


def test_agents_of_one_host_are_told_apart() -> None:
    """By the directory that they work in; a restarted one finds its own."""
    plans = [plan_hot_restart("./etc", directory=Path(place), drain_s=45) for place in ("/a", "/b", "/a")]
    assert plans[0].base_id != plans[1].base_id
    assert plans[0] == plans[2]
    assert 0 < plans[0].base_id * 10 < 1 << 32


def test_the_command_line() -> None:
    """Nobody but the user of the proxy may ask for its sockets; the old one has its whole drain."""
    options = plan_hot_restart("./etc", directory=Path("/a"), drain_s=45)
    args = dict(zip(options.args(3)[::2], options.args(3)[1::2], strict=True))
    assert args == {
        "--base-id": str(options.base_id),
        "--restart-epoch": "3",
        "--parent-shutdown-time-s": "50",
        "--socket-path": "./etc/hot-restart",
        "--socket-mode": "600",
    }


@pytest.mark.parametrize(("running", "new", "fits"), [("11.104", "11.104", True), ("11.104", "11.105", False)])
def test_other_protocols_are_refused(running: str, new: str, *, fits: bool) -> None:
    """Envoy itself would find out only when it is too late."""
    assert (judge_versions(running, new) == "") == fits


def test_traces_are_removed(tmp_path: Path) -> None:
    """Sockets of Envoys that were killed, and nothing else."""
    for name in ("hot-restart_parent_0", "hot-restart_child_1", "envoy-rev.json"):
        (tmp_path / name).touch()
    HotRestart(base_id=1, socket_path=str(tmp_path / "hot-restart"), parent_shutdown_s=1).remove_traces()
    assert [path.name for path in tmp_path.iterdir()] == ["envoy-rev.json"]
