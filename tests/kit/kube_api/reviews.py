"""Resources that are questions: created, answered, never stored."""

from __future__ import annotations

from typing import Protocol

from tests.kit.kube_api.authentication import Authenticator
from tests.kit.kube_api.callers import User
from tests.kit.kube_api.objects import Json
from tests.kit.kube_api.routes import Route

__all__ = ["QUESTIONS", "Authority", "Reviews"]

QUESTIONS = frozenset(
    {"TokenReview", "SelfSubjectReview", "SubjectAccessReview", "SelfSubjectAccessReview", "LocalSubjectAccessReview"}
    | {"SelfSubjectRulesReview"}
)


class Authority(Protocol):
    """Decides who may do what."""

    def allows(self, user: User, route: Route) -> bool:
        """Whether a rule grants it."""

    def rules_for(self, user: User, namespace: str) -> list[Json]:
        """All rules that apply in a namespace."""


class Reviews:
    """Answers the questions."""

    def __init__(self, authenticator: Authenticator, authority: Authority) -> None:
        self._authenticator = authenticator
        self._authority = authority

    def answer(self, kind: str, question: Json, asker: User) -> Json:
        """The question with its status."""
        spec = question.get("spec") or {}
        match kind:
            case "TokenReview":
                status = dict(self._authenticator.review(spec.get("token", ""), spec.get("audiences") or []))
            case "SelfSubjectReview":
                status = {"userInfo": asker.to_json()}
            case "SelfSubjectRulesReview":
                rules = self._authority.rules_for(asker, spec.get("namespace", ""))
                status = {"resourceRules": rules, "nonResourceRules": [], "incomplete": False}
            case _:
                status = self._access(spec, asker if kind == "SelfSubjectAccessReview" else _subject(spec))
        return {**question, "metadata": question.get("metadata") or {"creationTimestamp": None}, "status": status}

    def _access(self, spec: Json, user: User) -> Json:
        allowed = self._authority.allows(user, _asked(spec))
        return {"allowed": True, "reason": "RBAC: allowed"} if allowed else {"allowed": False}


def _subject(spec: Json) -> User:
    return User(name=spec.get("user", ""), groups=tuple(spec.get("groups") or ()))


def _asked(spec: Json) -> Route:
    if about := spec.get("nonResourceAttributes"):
        return Route(verb=about.get("verb", ""), path=about.get("path", ""))
    about = spec.get("resourceAttributes") or {}
    return Route(
        verb=about.get("verb", ""),
        path="",
        group=about.get("group", ""),
        version=about.get("version") or "*",
        plural=about.get("resource", ""),
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        subresource=about.get("subresource", ""),
    )
