"""Service account tokens: issued by TokenRequest, judged by TokenReview and by the server itself.

Spec: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from discovery.auth.jwks import encode_base64url
from tests.kit.kube_api.callers import User, service_account_user
from tests.kit.kube_api.clock import time_text
from tests.kit.kube_api.errors import invalid, not_found
from tests.kit.kube_api.identity import new_uid
from tests.kit.kube_api.kinds import ResourceId
from tests.kit.kube_api.objects import Json, meta
from tests.kit.kube_api.state import SERVICE_ACCOUNTS, State

__all__ = ["ISSUER", "InvalidTokenError", "Tokens"]

ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
"""Also the audience of tokens for the API server itself."""
_KEY_ID: Final = "kube-api-double"
_SHORTEST_S: Final = 600
_POD_NAME: Final = "authentication.kubernetes.io/pod-name"
_POD_UID: Final = "authentication.kubernetes.io/pod-uid"
_NODE_NAME: Final = "authentication.kubernetes.io/node-name"
_NODE_UID: Final = "authentication.kubernetes.io/node-uid"
_CREDENTIAL: Final = "authentication.kubernetes.io/credential-id"
_BINDABLE: Final = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}


class InvalidTokenError(ValueError):
    """The token is not one of ours, or is for somebody else, or its time or its pod is over."""


class Tokens:
    """Issues and judges with one ES256 key, by the server's clock and the objects that exist."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._key = ec.generate_private_key(ec.SECP256R1())

    def issue(self, namespace: str, account: str, request: Json) -> Json:
        """The TokenRequest with its status.

        Raises:
            StatusError: 404 or 422: the account or bound object is missing, or the time is too short.
        """
        spec = request.get("spec") or {}
        found = self._state.store.get(SERVICE_ACCOUNTS, (namespace, account))
        if found is None:
            raise not_found("serviceaccounts", "", account)
        audiences = spec.get("audiences") or [ISSUER]
        life_s = spec.get("expirationSeconds") or 3600
        if life_s < _SHORTEST_S:
            why = f"Invalid value: {life_s}: may not specify a duration less than 10 minutes"
            raise invalid(
                "TokenRequest", "authentication.k8s.io", "", [("spec.expirationSeconds", "FieldValueInvalid", why)]
            )
        now_s = int(self._state.clock.now().timestamp())
        private: Json = {"namespace": namespace, "serviceaccount": {"name": account, "uid": meta(found)["uid"]}}
        private |= self._binding(namespace, spec.get("boundObjectRef"))
        claims = {"iss": ISSUER, "sub": f"system:serviceaccount:{namespace}:{account}", "aud": audiences}
        claims |= {"iat": now_s, "nbf": now_s, "exp": now_s + life_s, "jti": new_uid(), "kubernetes.io": private}
        until = time_text(self._state.clock.now().fromtimestamp(now_s + life_s, tz=self._state.clock.now().tzinfo))
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": account, "namespace": namespace, "creationTimestamp": self._state.now_text()},
            "spec": {**spec, "audiences": audiences, "expirationSeconds": life_s},
            "status": {"token": self._sign(claims), "expirationTimestamp": until},
        }

    def judge(self, token: str, audiences: Sequence[str] = ()) -> tuple[User, list[str]]:
        """The bearer, and those of the audiences asked for (none: the server itself) that the token is for.

        Raises:
            InvalidTokenError: the token does not count.
        """
        claims = self._verified(token)
        matched = [audience for audience in (audiences or [ISSUER]) if audience in claims["aud"]]
        if not matched:
            raise InvalidTokenError(
                f"token audiences {claims['aud']} is invalid for the target audiences {list(audiences)}"
            )
        now_s = self._state.clock.now().timestamp()
        if now_s >= claims["exp"] or now_s < claims["nbf"] - 1:
            raise InvalidTokenError("service account token has expired" if now_s >= claims["exp"] else "not valid yet")
        private = claims["kubernetes.io"]
        namespace, account = private["namespace"], private["serviceaccount"]
        self._check_alive(SERVICE_ACCOUNTS, namespace, account)
        extra = {_CREDENTIAL: (f"JTI={claims['jti']}",)}
        if pod := private.get("pod"):
            self._check_alive(ResourceId("", "pods"), namespace, pod)
            extra |= {_POD_NAME: (pod["name"],), _POD_UID: (pod["uid"],)}
        if node := private.get("node"):
            extra |= {_NODE_NAME: (node["name"],)} | ({_NODE_UID: (node["uid"],)} if node.get("uid") else {})
        return service_account_user(namespace, account["name"], account["uid"], extra), matched

    def jwks(self) -> Json:
        """The public key, as `/openid/v1/jwks` shows it."""
        numbers = self._key.public_key().public_numbers()
        x, y = (encode_base64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        return {"keys": [{"use": "sig", "kty": "EC", "kid": _KEY_ID, "crv": "P-256", "alg": "ES256", "x": x, "y": y}]}

    def _binding(self, namespace: str, reference: Json | None) -> Json:
        if not reference:
            return {}
        kind = reference.get("kind", "")
        resource = ResourceId("", _BINDABLE.get(kind, ""))
        bound = self._state.store.get(resource, ("" if kind == "Node" else namespace, reference.get("name", "")))
        if bound is None:
            raise not_found(resource.plural, "", reference.get("name", ""))
        if reference.get("uid") and reference["uid"] != meta(bound)["uid"]:
            why = f"Invalid value: {reference['uid']}: does not match the uid of the object"
            raise invalid(
                "TokenRequest", "authentication.k8s.io", "", [("spec.boundObjectRef.uid", "FieldValueInvalid", why)]
            )
        binding: Json = {kind.lower(): {"name": meta(bound)["name"], "uid": meta(bound)["uid"]}}
        node_name = (bound.get("spec") or {}).get("nodeName", "") if kind == "Pod" else ""
        if node_name:
            node = self._state.store.get(ResourceId("", "nodes"), ("", node_name))
            binding["node"] = {"name": node_name} | ({"uid": meta(node)["uid"]} if node else {})
        return binding

    def _check_alive(self, resource: ResourceId, namespace: str, reference: Json) -> None:
        found = self._state.store.get(resource, (namespace, reference["name"]))
        if found is None or meta(found)["uid"] != reference["uid"]:
            raise InvalidTokenError(f"service account token has been invalidated: no such {resource.plural}")

    def _sign(self, claims: Json) -> str:
        header = {"alg": "ES256", "kid": _KEY_ID, "typ": "JWT"}
        signed = ".".join(encode_base64url(msgspec.json.encode(part)) for part in (header, claims))
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(SHA256())))
        return f"{signed}.{encode_base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def _verified(self, token: str) -> Json:
        try:
            signed, _, signature = token.rpartition(".")
            raw = _decoded(signature)
            der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
            self._key.public_key().verify(der, signed.encode(), ec.ECDSA(SHA256()))
            claims: dict[str, Any] = msgspec.json.decode(_decoded(signed.split(".")[1]), type=dict[str, Any])
        except (InvalidSignature, ValueError, IndexError, binascii.Error) as error:
            raise InvalidTokenError("invalid bearer token") from error
        return claims


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
