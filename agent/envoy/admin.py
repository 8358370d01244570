"""Envoy's administration interface, as far as the agent uses it.

Spec: https://www.envoyproxy.io/docs/envoy/latest/operations/admin
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from agent.envoy.stats import parse_stats
from discovery.runtime.http import Response
from discovery.runtime.http_client import HttpClientError, TcpTarget, UnixTarget, fetch

__all__ = ["AdminError", "EnvoyAdmin"]


class AdminError(RuntimeError):
    """Envoy did not answer, or not with success."""


class EnvoyAdmin:
    """Questions and orders to one Envoy; every call is bounded by a deadline and raises ``AdminError``."""

    def __init__(self, target: TcpTarget | UnixTarget) -> None:
        self._target = target

    async def stats(self, pattern: str, *, timeout_s: float) -> dict[str, int]:
        """Numeric statistics that have been used, whose name matches the regular expression."""
        response = await self._ask("GET", f"/stats?usedonly&filter={quote(pattern, safe='')}", timeout_s=timeout_s)
        return parse_stats(response.body.decode("utf-8", "replace"))

    async def live_epoch(self, *, timeout_s: float) -> int | None:
        """The restart epoch of the Envoy that answers; None while it is not live."""
        body = (await self._ask("GET", "/server_info", timeout_s=timeout_s)).body
        try:
            info = msgspec.json.decode(body)
            return info["command_line_options"].get("restart_epoch", 0) if info["state"] == "LIVE" else None
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
            raise AdminError(f"Envoy admin: GET /server_info: {error}") from error

    async def drain_listeners(self, *, inbound_only: bool, skip_exit: bool, timeout_s: float) -> None:
        """Stop taking connections gracefully; without ``skip_exit`` Envoy ends after its drain time."""
        query = "&".join(
            name
            for name, wanted in (("inboundonly", inbound_only), ("graceful", True), ("skip_exit", skip_exit))
            if wanted
        )
        await self._ask("POST", f"/drain_listeners?{query}", timeout_s=timeout_s)

    async def close_listeners(self, *, inbound_only: bool, timeout_s: float) -> None:
        """Stop listening at once; connections that are open go on."""
        await self._ask("POST", f"/drain_listeners{'?inboundonly' if inbound_only else ''}", timeout_s=timeout_s)

    async def _ask(self, method: str, path: str, *, timeout_s: float) -> Response:
        try:
            response = await fetch(self._target, path, method=method, timeout_s=timeout_s)
        except HttpClientError as error:
            raise AdminError(f"Envoy admin: {error}") from error
        if response.status != 200:
            raise AdminError(f"Envoy admin: {method} {path} gave status {response.status}, want 200")
        return response
