"""Whether the workload's Envoy can take traffic: ordered checks with names, the first objection wins.

Configuration and start are latched: once Envoy has been configured and live, a control plane that goes away does not
make a working pod unready. Without an Envoy nothing is ready, and one that was started anew has to be configured anew.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

from agent.envoy.admin import AdminError

__all__ = [
    "Check",
    "EnvoyConfigured",
    "EnvoyLive",
    "Gate",
    "StatsSource",
    "first_objection",
    "judge_config",
    "judge_server",
]

_CONFIG_PATTERN: Final = r"^(cluster_manager\.cds|listener_manager\.lds)\.(update_success|update_rejected)$"
_SERVER_PATTERN: Final = r"^(server\.state|listener_manager\.workers_started)"
_CONFIG_TIMEOUT_S: Final = 1.0
_SERVER_TIMEOUT_S: Final = 3.0
_STATES: Final = ("LIVE", "DRAINING", "PRE_INITIALIZING", "INITIALIZING")


class StatsSource(Protocol):
    """Where Envoy's statistics come from."""

    async def stats(self, pattern: str, *, timeout_s: float) -> dict[str, int]:
        """Numbers by name. Raises: AdminError."""


class Check(Protocol):
    """One condition of readiness."""

    @property
    def name(self) -> str:
        """What it is called in logs and answers."""

    async def objection(self) -> str:
        """Why not ready, empty when nothing is in the way."""


def judge_config(stats: Mapping[str, int]) -> str:
    """What keeps Envoy from being configured; empty when clusters and listeners have been accepted once."""
    cds, cds_rejected = _pair(stats, "cluster_manager.cds")
    lds, lds_rejected = _pair(stats, "listener_manager.lds")
    counts = (
        f"cds updates: {cds} successful, {cds_rejected} rejected; "
        f"lds updates: {lds} successful, {lds_rejected} rejected"
    )
    if cds and lds:
        return ""
    if cds_rejected or lds_rejected:
        return f"config received from XDS server, but was rejected: {counts}"
    if not cds and not lds:
        return f"config not received from XDS server (is Istiod running?): {counts}"
    return f"config not fully received from XDS server: {counts}"


def _pair(stats: Mapping[str, int], prefix: str) -> tuple[int, int]:
    return stats.get(f"{prefix}.update_success", 0), stats.get(f"{prefix}.update_rejected", 0)


def judge_server(stats: Mapping[str, int]) -> str:
    """What keeps Envoy from serving; empty when it is live and its workers run."""
    state, workers = stats.get("server.state"), stats.get("listener_manager.workers_started")
    if state is None:
        return f"failed to get readiness stats: server.state is not yet updated: {dict(stats)}"
    if workers is None:
        return f"failed to get readiness stats: listener_manager.workers_started is not yet updated: {dict(stats)}"
    if state != 0:
        name = _STATES[state] if state < len(_STATES) else str(state)
        return f"server is not live, current state is: {name}"
    return "" if workers == 1 else "workers have not yet started"


class _Latched(ABC):
    """A check that asks no more once it has passed, until another Envoy has taken the place of the one that passed."""

    def __init__(self, life: Callable[[], int | None], *, on_pass: Callable[[], None] = lambda: None) -> None:
        self._life = life
        self._passed_in: int | None = None
        self._on_pass = on_pass

    async def objection(self) -> str:
        """Why not, empty from the first pass on."""
        life = self._life()
        if life is None:
            return "Envoy is not running"
        if self._passed_in == life:
            return ""
        try:
            found = await self._ask()
        except AdminError as error:
            return f"failed to get readiness stats: {error}"
        if not found:
            if self._passed_in is None:
                self._on_pass()
            self._passed_in = life
        return found

    @abstractmethod
    async def _ask(self) -> str:
        """Why not. Raises: AdminError."""


class EnvoyConfigured(_Latched):
    """Envoy has accepted clusters and listeners."""

    name = "envoy config"

    def __init__(self, source: StatsSource, *, life: Callable[[], int | None] = lambda: 1) -> None:
        super().__init__(life)
        self._source = source

    async def _ask(self) -> str:
        return judge_config(await self._source.stats(_CONFIG_PATTERN, timeout_s=_CONFIG_TIMEOUT_S))


class EnvoyLive(_Latched):
    """Envoy is live and its workers run."""

    name = "envoy server"

    def __init__(
        self,
        source: StatsSource,
        *,
        life: Callable[[], int | None] = lambda: 1,
        on_pass: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(life, on_pass=on_pass)
        self._source = source

    async def _ask(self) -> str:
        return judge_server(await self._source.stats(_SERVER_PATTERN, timeout_s=_SERVER_TIMEOUT_S))


class Gate:
    """A check that somebody else opens and closes, by saying what is in the way."""

    def __init__(self, name: str, objection: Callable[[], str]) -> None:
        self._name = name
        self._objection = objection

    @property
    def name(self) -> str:
        """What it is called in logs and answers."""
        return self._name

    async def objection(self) -> str:
        """Why not, empty when open."""
        return self._objection()


async def first_objection(checks: Sequence[Check]) -> tuple[str, str] | None:
    """Name and reason of the first check that objects, in order; None when ready."""
    for check in checks:
        asked: Awaitable[str] = check.objection()
        reason = await asked
        if reason:
            return check.name, reason
    return None
