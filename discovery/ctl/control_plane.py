"""The control plane as ``pilotctl`` sees it: JSON over HTTP at its debug endpoints."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec

from discovery.ctl.errors import CtlError
from discovery.runtime.http_client import HttpClientError, TcpTarget, fetch

__all__ = ["DEFAULT_ADDRESS", "ControlPlane"]

DEFAULT_ADDRESS: Final = "http://127.0.0.1:15014"
_TIMEOUT_S: Final = 60.0


class ControlPlane:
    """Asks one control plane. ``token``: a bearer token, where it is not on this machine."""

    def __init__(self, address: str, *, token: str = "") -> None:
        """Raises: CtlError: the address is not of the form ``http://host:port``."""
        wrong = CtlError(f"--discovery-address {address!r}: want http://host:port (forward a port to a remote one)")
        parts = urlsplit(address if "://" in address else f"http://{address}")
        try:
            port = parts.port or 80
        except ValueError:
            raise wrong from None
        if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/") or parts.query:
            raise wrong
        self._target = TcpTarget(parts.hostname, port)
        self._token = token

    def __str__(self) -> str:
        return f"http://{self._target}"

    def ask(self, path: str, **query: str) -> Any:
        """The JSON behind a path below ``/debug/``.

        Raises:
            CtlError: no answer, or one that says why not.
        """
        body = self.text(f"/debug/{path}", query)
        try:
            return msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            raise CtlError(f"{self} gave no JSON for {path}: {error}; is it a control plane?") from error

    def text(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """What is behind a path.

        Raises:
            CtlError: no answer, or one that says why not.
        """
        headers = (("authorization", f"Bearer {self._token}"),) if self._token else ()
        target = f"{path}?{urlencode(query)}" if query else path
        try:
            answer = asyncio.run(fetch(self._target, target, headers=headers, timeout_s=_TIMEOUT_S))
        except (HttpClientError, ValueError) as error:
            raise CtlError(f"{error}; is the control plane running there? (--discovery-address)") from error
        if answer.status != 200:
            reason = answer.body.decode(errors="replace").strip() or "no reason given"
            raise CtlError(f"{self}{path}: {answer.status}: {reason}")
        return answer.body
