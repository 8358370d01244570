"""Redirects and direct responses."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.schema.virtual_service import DerivePort, HTTPBody, HTTPDirectResponse, HTTPRedirect
from discovery.translate.routes.redirect import UNSERVABLE, direct_response, redirect

MOVED = {"response_code": "MOVED_PERMANENTLY"}
FROM_REQUEST = DerivePort.FROM_REQUEST_PORT


@pytest.mark.parametrize(
    ("asked", "built"),
    [
        (HTTPRedirect(uri="/x", authority="a"), MOVED | {"path_redirect": "/x", "host_redirect": "a"}),
        (HTTPRedirect(prefix_rewrite="/x"), MOVED | {"prefix_rewrite": "/x"}),
        (HTTPRedirect(redirect_code=307), {"response_code": "TEMPORARY_REDIRECT"}),
        (HTTPRedirect(scheme="https", port=443), MOVED | {"scheme_redirect": "https"}),
        (HTTPRedirect(scheme="https", port=80), MOVED | {"scheme_redirect": "https", "port_redirect": 80}),
        (HTTPRedirect(port=80), MOVED),
        (HTTPRedirect(port=8443), MOVED | {"port_redirect": 8443}),
        (HTTPRedirect(derive_port=FROM_REQUEST), MOVED | {"port_redirect": 8080}),
        (HTTPRedirect(derive_port=DerivePort.FROM_PROTOCOL_DEFAULT), MOVED),
    ],
)
def test_redirect(asked: HTTPRedirect, built: dict[str, Any]) -> None:
    """Each part has its field; the default port of the scheme is not written out."""
    assert redirect(asked, port=8080) == {"redirect": built}


def test_the_default_port_follows_the_listener() -> None:
    """Without a scheme the port is compared with that of what requests came in over."""
    assert redirect(HTTPRedirect(port=443), port=80, tls=True) == {"redirect": MOVED}
    assert redirect(HTTPRedirect(port=80), port=80, tls=True) == {"redirect": MOVED | {"port_redirect": 80}}


@pytest.mark.parametrize(
    ("asked", "built"),
    [
        (HTTPDirectResponse(status=204), {"status": 204}),
        (HTTPDirectResponse(status=200, body=HTTPBody(string="x")), {"status": 200, "body": {"inline_string": "x"}}),
        (HTTPDirectResponse(status=200, body=HTTPBody(bytes=b"x")), {"status": 200, "body": {"inline_bytes": b"x"}}),
    ],
)
def test_direct_response(asked: HTTPDirectResponse, built: dict[str, Any]) -> None:
    """Status and body, as text or bytes."""
    assert direct_response(asked) == {"direct_response": built}


def test_what_envoy_would_refuse_fails_openly() -> None:
    """A code out of range is answered with 500, not by whatever route comes next, and does not break the others."""
    assert redirect(HTTPRedirect(redirect_code=305), port=80) == UNSERVABLE
    assert direct_response(HTTPDirectResponse(status=0)) == UNSERVABLE
