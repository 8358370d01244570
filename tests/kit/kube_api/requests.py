"""Every call that reached the double, so that a test can prove which permissions a program really uses."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import Final

import msgspec

__all__ = ["LoggedRequest", "RequestLog"]

_KEPT: Final = 100_000
"""The oldest are forgotten beyond; a benchmark makes more."""


class LoggedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One call. `verb`, `group` and `resource` (with `/subresource`) as RBAC rules name them; the answer's `status`."""

    user: str
    verb: str
    group: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    path: str
    status: int
    user_agent: str = ""


class RequestLog:
    """The calls, oldest first."""

    def __init__(self) -> None:
        self._calls: deque[LoggedRequest] = deque(maxlen=_KEPT)

    def __iter__(self) -> Iterator[LoggedRequest]:
        return iter(tuple(self._calls))

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, call: LoggedRequest) -> None:
        """Remember a call."""
        self._calls.append(call)

    def clear(self) -> None:
        """Forget all."""
        self._calls.clear()

    def by(self, user: str) -> list[LoggedRequest]:
        """The calls of one user, such as `system:serviceaccount:istio-system:istiod`."""
        return [call for call in self._calls if call.user == user]

    def used(self, user: str) -> Counter[tuple[str, str, str]]:
        """How often the user did (verb, group, resource); paths that are no resource count as (verb, "", path)."""
        return Counter((call.verb, call.group, call.resource or call.path) for call in self.by(user))
