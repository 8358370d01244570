"""Answers that Envoy gives itself: redirects and fixed responses.

Spec: https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPRedirect
"""

from __future__ import annotations

from typing import Any, Final

from discovery.schema.virtual_service import DerivePort, HTTPDirectResponse, HTTPRedirect

__all__ = ["UNSERVABLE", "direct_response", "redirect"]

_CODES: Final = {
    0: "MOVED_PERMANENTLY",
    301: "MOVED_PERMANENTLY",
    302: "FOUND",
    303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# A route that says nothing Envoy could do: failing openly is better than letting the next route take the requests.
UNSERVABLE: Final[dict[str, Any]] = {"direct_response": {"status": 500}}


def redirect(asked: HTTPRedirect, *, port: int, tls: bool = False) -> dict[str, Any]:
    """The action fields of a route that redirects.

    Args:
        asked: what the user wrote.
        port: of the listener that requests come in at.
        tls: whether that listener terminates TLS, for what the default port is.
    """
    code = _CODES.get(asked.redirect_code)
    if code is None:
        return UNSERVABLE
    built: dict[str, Any] = {"response_code": code}
    if asked.authority:
        built["host_redirect"] = asked.authority
    if asked.prefix_rewrite:
        built["prefix_rewrite"] = asked.prefix_rewrite
    elif asked.uri:
        built["path_redirect"] = asked.uri
    if asked.scheme:
        built["scheme_redirect"] = asked.scheme
    to_port = port if asked.derive_port is DerivePort.FROM_REQUEST_PORT else asked.port or 0
    if to_port and to_port != _DEFAULT_PORTS.get(asked.scheme or ("https" if tls else "http")):
        built["port_redirect"] = to_port
    return {"redirect": built}


def direct_response(asked: HTTPDirectResponse) -> dict[str, Any]:
    """The action fields of a route that answers by itself."""
    if not 200 <= asked.status < 600:
        return UNSERVABLE
    built: dict[str, Any] = {"status": asked.status}
    if asked.body is not None:
        if asked.body.bytes is not None:
            built["body"] = {"inline_bytes": asked.body.bytes}
        else:
            built["body"] = {"inline_string": asked.body.string or ""}
    return {"direct_response": built}
