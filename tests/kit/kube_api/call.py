"""One request and one answer, without the web server."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tests.kit.kube_api.callers import User
from tests.kit.kube_api.objects import Json
from tests.kit.kube_api.routes import Route
from tests.kit.kube_api.state import WriteOptions
from tests.kit.kube_api.watching import Watch

__all__ = ["Call", "Reply", "options_of"]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request, authenticated. `content_type` is without parameters."""

    route: Route
    user: User
    query: Mapping[str, str]
    accept: str
    content_type: str
    user_agent: str
    body: bytes


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer: a JSON object, other data, or a watch to be streamed for `timeout_s` at most."""

    status: int = 200
    data: bytes = b""
    body: Json = msgspec.field(default_factory=dict)
    watch: Watch | None = None
    timeout_s: float = 0.0
    content_type: str = "application/json"


def options_of(call: Call, *, body: Mapping[str, object] | None = None) -> WriteOptions:
    """How the write is meant; without `fieldManager` the program's name is the manager's."""
    agent = call.user_agent.partition("/")[0] or "unknown"
    wished = (body or {}).get("dryRun") or call.query.get("dryRun")
    return WriteOptions(
        user=call.user,
        manager=call.query.get("fieldManager") or agent,
        dry_run=bool(wished),
        applies=call.content_type == "application/apply-patch+yaml",
        force=call.query.get("force", "").lower() in ("true", "1"),
        subresource=call.route.subresource,
        body=body or {},
    )
