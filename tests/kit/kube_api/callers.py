"""Who is calling, and the groups that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from tests.kit.kube_api.objects import Json

__all__ = ["ADMIN", "ANONYMOUS", "MASTERS", "User", "certificate_user", "service_account_user"]

MASTERS: Final = "system:masters"
"""Members may do everything, whatever the roles say."""
_AUTHENTICATED: Final = "system:authenticated"


class User(msgspec.Struct, frozen=True, kw_only=True):
    """As authenticators give it and reviews tell it."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    def to_json(self) -> Json:
        """As `UserInfo` of authentication.k8s.io/v1."""
        info: Json = {"username": self.name, "groups": list(self.groups)}
        if self.uid:
            info["uid"] = self.uid
        if self.extra:
            info["extra"] = {key: list(values) for key, values in self.extra.items()}
        return info


ADMIN: Final = User(name="kubernetes-admin", groups=(MASTERS, _AUTHENTICATED))
ANONYMOUS: Final = User(name="system:anonymous", groups=("system:unauthenticated",))


def service_account_user(
    namespace: str, name: str, uid: str = "", extra: Mapping[str, tuple[str, ...]] = MappingProxyType({})
) -> User:
    """The user that a service account's token stands for."""
    return User(
        name=f"system:serviceaccount:{namespace}:{name}",
        groups=("system:serviceaccounts", f"system:serviceaccounts:{namespace}", _AUTHENTICATED),
        uid=uid,
        extra=extra,
    )


def certificate_user(common_name: str, organizations: tuple[str, ...]) -> User:
    """The user that a client certificate stands for."""
    return User(name=common_name, groups=(*organizations, _AUTHENTICATED))
