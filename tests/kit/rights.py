"""What roles grant, as values that can be compared with calls."""

from __future__ import annotations

from typing import NamedTuple

from tests.kit.helm import Manifest, of_kind

__all__ = ["Right", "granted"]


class Right(NamedTuple):
    """What a rule of a role grants, or what a call needs."""

    verb: str
    group: str
    resource: str  # with a subresource behind a slash
    name: str = ""  # of the object; as a grant, empty: of any

    def covers(self, needed: Right) -> bool:
        """Whether this grant is enough for that call."""
        return self[:3] == needed[:3] and self.name in ("", needed.name)


def granted(manifests: tuple[Manifest, ...], *kinds: str) -> set[Right]:
    """What the roles among some objects grant; of both kinds unless one is named."""
    return {
        Right(verb, group, resource, name)
        for kind in kinds or ("ClusterRole", "Role")
        for role in of_kind(manifests, kind)
        for rule in role["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", ("",))
    }
