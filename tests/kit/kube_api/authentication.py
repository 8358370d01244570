"""From a request's credentials to a user: bearer token, client certificate, or nobody."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from tests.kit.kube_api.callers import ADMIN, ANONYMOUS, User, certificate_user
from tests.kit.kube_api.errors import unauthorized
from tests.kit.kube_api.tokens import InvalidTokenError, Tokens

__all__ = ["Authenticator"]


class Authenticator:
    """Knows the administrator's token, tokens that tests add, service accounts' tokens and client certificates."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self.admin_token = secrets.token_urlsafe(24)
        self._static: dict[str, User] = {self.admin_token: ADMIN}

    def add_token(self, token: str, user: User) -> None:
        """Let a token of the test's own choice stand for a user."""
        self._static[token] = user

    def authenticate(self, headers: Mapping[str, str], certificate: Mapping[str, Any] | None) -> User:
        """The caller.

        Raises:
            StatusError: 401, the token is no good.
        """
        kind, _, token = headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer" and token:
            return self.of_token(token.strip())
        subject = [pair for part in (certificate or {}).get("subject", ()) for pair in part]
        names = [value for name, value in subject if name == "commonName"]
        if names:
            return certificate_user(names[-1], tuple(value for name, value in subject if name == "organizationName"))
        return ANONYMOUS

    def of_token(self, token: str) -> User:
        """The bearer of a token for the API server.

        Raises:
            StatusError: 401.
        """
        if token in self._static:
            return self._static[token]
        try:
            return self._tokens.judge(token)[0]
        except InvalidTokenError as error:
            raise unauthorized() from error

    def review(self, token: str, audiences: Sequence[str]) -> Mapping[str, Any]:
        """The status of a TokenReview."""
        if token in self._static:
            return {"authenticated": True, "user": self._static[token].to_json(), "audiences": list(audiences)}
        try:
            user, matched = self._tokens.judge(token, audiences)
        except InvalidTokenError as error:
            return {"user": {}, "error": f"[invalid bearer token, {error}]"}
        return {"authenticated": True, "user": user.to_json(), "audiences": matched}
