"""What a client may ask about resource versions, and what is answered when it cannot be had.

Spec: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

import msgspec

from tests.kit.kube_api.errors import bad_request, expired, gone_continue, too_large_version
from tests.kit.kube_api.kinds import ResourceId
from tests.kit.kube_api.objects import Json, Key
from tests.kit.kube_api.selectors import Match
from tests.kit.kube_api.store import CompactedError, Store

__all__ = ["Page", "list_page", "parse_version"]

_TOO_OLD = "The resourceVersion for the provided list is too old."


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Part of a list. `remaining` is None where the server does not count (no limit, or a selector)."""

    items: list[Json]
    version: int
    next_token: str = ""
    remaining: int | None = None


class _Token(msgspec.Struct, frozen=True):
    """Where a list goes on: after this key, in the state of this version (0: whatever is the state then)."""

    version: int
    after: tuple[str, str]


def parse_version(text: str) -> int:
    """A resource version as a number; 0 for none.

    Raises:
        StatusError: 400, it is no number.
    """
    if not text:
        return 0
    if not text.isdigit():
        raise bad_request(f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax')
    return int(text)


def list_page(store: Store, resource: ResourceId, query: Mapping[str, str], match: Match) -> Page:
    """The part of the list that a query asks for, in the order of namespace and name.

    Raises:
        StatusError: 400, 410 or 504: the version or token is wrong, forgotten, or not reached yet.
    """
    limit = int(query.get("limit") or 0)
    token = query.get("continue", "")
    if token:
        return _continued(store, resource, _decode(token), limit, match)
    wanted = parse_version(query.get("resourceVersion", ""))
    if wanted > store.version:
        raise too_large_version(wanted, store.version)
    if query.get("resourceVersionMatch") == "Exact":
        objects, version = _state(store, resource, wanted), wanted
    else:
        objects, version = store.all(resource), store.version
    from_cache = query.get("resourceVersion") == "0"  # the real server's cache answers whole lists
    return _cut(objects, version, 0 if from_cache else limit, match, selective="Selector" in " ".join(query))


def _state(store: Store, resource: ResourceId, version: int) -> Mapping[Key, Json]:
    try:
        return store.at(resource, version)
    except CompactedError as error:
        raise expired(_TOO_OLD) from error


def _continued(store: Store, resource: ResourceId, token: _Token, limit: int, match: Match) -> Page:
    version = token.version or store.version
    try:
        objects = store.at(resource, version)
    except CompactedError as error:
        raise gone_continue(_encode(_Token(0, token.after))) from error
    rest = {key: item for key, item in objects.items() if key > token.after}
    return _cut(rest, version, limit, match, selective=False)


def _cut(objects: Mapping[Key, Json], version: int, limit: int, match: Match, *, selective: bool) -> Page:
    chosen = [(key, item) for key, item in sorted(objects.items(), key=lambda pair: pair[0]) if match(item)]
    items = [item for _, item in chosen]
    if not limit or len(items) <= limit:
        return Page(items=items, version=version)
    token = _encode(_Token(version, chosen[limit - 1][0]))
    remaining = None if selective else len(items) - limit
    return Page(items=items[:limit], version=version, next_token=token, remaining=remaining)


def _encode(token: _Token) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode().rstrip("=")


def _decode(text: str) -> _Token:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Token)
    except (binascii.Error, msgspec.DecodeError, ValueError) as error:
        raise bad_request("continue key is not valid") from error
