"""RBAC from the roles and bindings in the store; switched off, every authenticated caller may do everything.

Spec: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.kit.kube_api.callers import ANONYMOUS, MASTERS, User
from tests.kit.kube_api.errors import StatusError, forbidden
from tests.kit.kube_api.kinds import ResourceId
from tests.kit.kube_api.objects import Json, meta
from tests.kit.kube_api.routes import Route
from tests.kit.kube_api.state import State

__all__ = ["BOOTSTRAP", "Authorizer"]

_GROUP: Final = "rbac.authorization.k8s.io"
_PUBLIC: Final = ("/healthz", "/livez", "/readyz", "/version", "/version/", "/healthz/*", "/livez/*", "/readyz/*")
_DISCOVERY: Final = ("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*")


def _role(name: str, *rules: Json) -> Json:
    return {"apiVersion": f"{_GROUP}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": list(rules)}


def _binding(name: str, *groups: str) -> Json:
    subjects = [{"kind": "Group", "apiGroup": _GROUP, "name": group} for group in groups]
    role = {"apiGroup": _GROUP, "kind": "ClusterRole", "name": name}
    metadata = {"name": name}
    return {"apiVersion": f"{_GROUP}/v1", "kind": "ClusterRoleBinding", "metadata": metadata} | {
        "roleRef": role,
        "subjects": subjects,
    }


_ALL: Final = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
_REVIEWS: Final = ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]
BOOTSTRAP: Final[tuple[Json, ...]] = (
    _role("cluster-admin", _ALL, {"nonResourceURLs": ["*"], "verbs": ["*"]}),
    _role("system:public-info-viewer", {"nonResourceURLs": list(_PUBLIC), "verbs": ["get"]}),
    _role("system:discovery", {"nonResourceURLs": [*_PUBLIC, *_DISCOVERY], "verbs": ["get"]}),
    _role(
        "system:basic-user",
        {"apiGroups": ["authorization.k8s.io"], "resources": _REVIEWS, "verbs": ["create"]},
        {"apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"], "verbs": ["create"]},
    ),
    _role(
        "system:auth-delegator",
        {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
        {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
    ),
    _role(
        "system:service-account-issuer-discovery",
        {"nonResourceURLs": ["/.well-known/openid-configuration", "/openid/v1/jwks"], "verbs": ["get"]},
    ),
    _binding("cluster-admin", MASTERS),
    _binding("system:public-info-viewer", "system:authenticated", "system:unauthenticated"),
    _binding("system:discovery", "system:authenticated"),
    _binding("system:basic-user", "system:authenticated"),
    _binding("system:service-account-issuer-discovery", "system:serviceaccounts"),
)
"""What every server starts with, as far as clients meet it."""


class Authorizer:
    """Decides requests. `enforced` may be switched at any time."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.enforced = False

    def check(self, user: User, route: Route) -> None:
        """Return if the user may.

        Raises:
            StatusError: 403.
        """
        if self.allows(user, route):
            return
        if not route.version:
            text = f'forbidden: User "{user.name}" cannot {route.verb} path "{route.path}"'
            raise StatusError(403, "Forbidden", text, {})
        scope = f' in the namespace "{route.namespace}"' if route.namespace else " at the cluster scope"
        why = f'User "{user.name}" cannot {route.verb} resource "{route.resource}" in API group "{route.group}"{scope}'
        raise forbidden(route.plural, route.group, route.name, why)

    def allows(self, user: User, route: Route) -> bool:
        """Whether a rule grants it, or nothing is enforced and the user is known."""
        if MASTERS in user.groups or (not self.enforced and user.name != ANONYMOUS.name):
            return True
        return any(_grants(rule, route) for rule in self._rules(user, route.namespace))

    def rules_for(self, user: User, namespace: str) -> list[Json]:
        """All rules on resources that apply to the user in a namespace."""
        return [rule for rule in self._rules(user, namespace) if rule.get("resources")]

    def _rules(self, user: User, namespace: str) -> Iterator[Json]:
        for binding in self._all("clusterrolebindings"):
            if _binds(binding, user):
                yield from self._role_rules(binding["roleRef"], "")
        for binding in self._all("rolebindings") if namespace else ():
            if meta(binding)["namespace"] == namespace and _binds(binding, user):
                yield from self._role_rules(binding["roleRef"], namespace)

    def _all(self, plural: str) -> list[Json]:
        return list(self._state.store.all(ResourceId(_GROUP, plural)).values())

    def _role_rules(self, reference: Mapping[str, str], namespace: str) -> list[Json]:
        cluster = reference["kind"] == "ClusterRole"
        resource = ResourceId(_GROUP, "clusterroles" if cluster else "roles")
        role = self._state.store.get(resource, ("" if cluster else namespace, reference["name"]))
        rules: list[Json] = (role or {}).get("rules") or []
        return rules


def _binds(binding: Json, user: User) -> bool:
    return any(_is(subject, user, meta(binding).get("namespace", "")) for subject in binding.get("subjects") or ())


def _is(subject: Mapping[str, str], user: User, own_namespace: str) -> bool:
    name = subject.get("name", "")
    match subject.get("kind"):
        case "User":
            return name == user.name
        case "Group":
            return name in user.groups
        case _:
            namespace = subject.get("namespace") or own_namespace
            return user.name == f"system:serviceaccount:{namespace}:{name}"


def _grants(rule: Mapping[str, Any], route: Route) -> bool:
    if not _in(route.verb, rule.get("verbs")):
        return False
    if not route.version:
        paths: list[str] = rule.get("nonResourceURLs") or []
        return any(
            path in ("*", route.path) or (path.endswith("*") and route.path.startswith(path[:-1])) for path in paths
        )
    resources: list[str] = rule.get("resources") or []
    named = route.resource in resources or "*" in resources or f"*/{route.subresource}" in resources
    names: list[str] = rule.get("resourceNames") or []
    return named and _in(route.group, rule.get("apiGroups")) and (not names or route.name in names)


def _in(value: str, allowed: list[str] | None) -> bool:
    return "*" in (allowed or ()) or value in (allowed or ())
