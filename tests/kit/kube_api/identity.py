"""Names and uids: what an object must be called, and what the server calls it by itself."""

from __future__ import annotations

import re
import secrets
import uuid
from typing import Final

from tests.kit.kube_api.errors import bad_request, invalid
from tests.kit.kube_api.kinds import Kind
from tests.kit.kube_api.objects import Json, meta, with_meta

__all__ = ["check_name", "generated_name", "new_uid", "placed"]

_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
"""Without vowels, so that chance spells nothing; the real server's choice."""
_LONGEST_PREFIX: Final = 58
_SUBDOMAIN: Final = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_LABEL: Final = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
_BY_LABEL: Final = frozenset({"Namespace", "Service"})
_FREE: Final = frozenset({"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"})
"""Names such as `system:node`: any path segment."""
_RULE: Final = (
    "a lowercase RFC 1123 {kind} must consist of lower case alphanumeric characters, '-'{dot}, and must start and end "
    "with an alphanumeric character"
)


def new_uid() -> str:
    """A fresh uid."""
    return str(uuid.uuid4())


def generated_name(prefix: str) -> str:
    """A name that starts with the prefix of `generateName`."""
    return prefix[:_LONGEST_PREFIX] + "".join(secrets.choice(_ALPHABET) for _ in range(5))


def placed(kind: Kind, namespace: str, item: Json) -> Json:
    """The object in the namespace of its path.

    Raises:
        StatusError: 400, it names another namespace.
    """
    own = meta(item).get("namespace", "")
    if not kind.namespaced:
        return with_meta(item, namespace=None)
    if own and own != namespace:
        why = "the namespace of the provided object does not match the namespace sent on the request"
        raise bad_request(why)
    return with_meta(item, namespace=namespace)


def check_name(kind: Kind, item: Json) -> None:
    """Return if the object's name is one.

    Raises:
        StatusError: 422.
    """
    name = meta(item).get("name", "")
    if not name:
        why = "Required value: name or generateName is required"
        raise invalid(kind.kind, kind.group, "", [("metadata.name", "FieldValueRequired", why)])
    if kind.kind in _FREE:
        valid, rule = "/" not in name and "%" not in name and name not in (".", ".."), "may not contain '/' or '%'"
    elif kind.kind in _BY_LABEL:
        valid, rule = bool(_LABEL.match(name)) and len(name) <= 63, _RULE.format(kind="label", dot=" or '-'")
    else:
        valid, rule = bool(_SUBDOMAIN.match(name)) and len(name) <= 253, _RULE.format(kind="subdomain", dot=" or '.'")
    if not valid:
        why = f'Invalid value: "{name}": {rule}'
        raise invalid(kind.kind, kind.group, name, [("metadata.name", "FieldValueInvalid", why)])
