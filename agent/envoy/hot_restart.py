"""Another Envoy in place of the running one, without losing a connection: how it is told, and whether it may be tried.

Both run for a while. The new one is handed the listening sockets and takes over administration; once it serves, the old
one drains and ends. What could fail is tried before: from the moment that the new one starts, the old one has no
administration interface any more.

Spec: https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/operations/hot_restart
"""

from __future__ import annotations

import os.path
import zlib
from pathlib import Path
from typing import Final

import msgspec

__all__ = ["EPOCH_HEADER", "HotRestart", "judge_versions", "plan_hot_restart"]

# By this the relay tells the streams of the new one from those of the old one, which would go on reconnecting.
EPOCH_HEADER: Final = "x-envoy-epoch"

_AFTER_DRAIN_S: Final = 5
_SOCKET_MODE: Final = 0o600
_MAX_BASE_ID: Final = 1 << 24  # Envoy multiplies it by ten and wants 32 bits
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - where the kernel keeps it, not a file of ours


class HotRestart(msgspec.Struct, frozen=True, kw_only=True):
    """What Envoys of one agent share.

    Attributes:
        base_id: tells them from those of other agents on the host.
        socket_path: the start of the names of the Unix sockets that they talk over; nobody else may open them, for who
            does is handed the listening sockets.
        parent_shutdown_s: from the start of the drain to the end of the old one.
    """

    base_id: int
    socket_path: str
    parent_shutdown_s: int

    def args(self, epoch: int) -> tuple[str, ...]:
        """Of the command line. ``epoch`` counts from 0."""
        return (
            *("--base-id", str(self.base_id)),
            *("--restart-epoch", str(epoch)),
            *("--parent-shutdown-time-s", str(self.parent_shutdown_s)),
            *("--socket-path", self.socket_path),
            *("--socket-mode", f"{_SOCKET_MODE:o}"),
        )

    def remove_traces(self) -> None:
        """Remove what Envoys that were killed leave: the sockets and the shared memory."""
        directory, name = os.path.split(self.socket_path)
        for path in (*Path(directory).glob(f"{name}_*"), _SHARED_MEMORY / f"envoy_shared_memory_{self.base_id}0"):
            path.unlink(missing_ok=True)


def plan_hot_restart(config_path: str, *, directory: Path, drain_s: float) -> HotRestart:
    """The same for each start of an agent that works in the same directory."""
    place = os.path.normpath(directory / config_path)
    return HotRestart(
        base_id=1 + zlib.crc32(place.encode()) % _MAX_BASE_ID,
        socket_path=os.path.join(config_path, "hot-restart"),  # names of sockets have to be short
        parent_shutdown_s=int(drain_s) + _AFTER_DRAIN_S,
    )


def judge_versions(running: str, new: str) -> str:
    """Why sockets and statistics cannot be handed over from one release to the other; empty if they can."""
    if running == new:
        return ""
    return (
        f"the new binary hands over by protocol {new or 'unknown'}, the running one by {running or 'unknown'}; "
        "restart the agent instead, which drains connections"
    )
