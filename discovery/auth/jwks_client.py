"""Fetches what a token issuer publishes: its description and its keys, within bounds of time, size and trust.

Spec: https://openid.net/specs/openid-connect-discovery-1_0.html, sections 4.1 and 4.3
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

import msgspec

from discovery.auth.jwks import JwksError, VerificationKey, load_jwks
from discovery.auth.oidc_rule import OidcRule, url_fault
from discovery.runtime.logs import get_logger

if TYPE_CHECKING:
    import aiohttp

__all__ = ["JwksClient", "JwksClientSettings"]

log = get_logger("default")

_WELL_KNOWN: Final = "/.well-known/openid-configuration"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS: Final = 5


class JwksClientSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How issuers are asked.

    Attributes:
        extra_roots: PEM file of roots that are trusted besides the system's; need not exist, read at each fetch.
        skip_verify: believe any server (JWKS_RESOLVER_INSECURE_SKIP_VERIFY).
        timeout_s: for one document, from the first look-up to the last byte, redirects included.
        max_bytes: of one document.
    """

    extra_roots: str = ""
    skip_verify: bool = False
    timeout_s: float = 10.0
    max_bytes: int = 1 << 20


class _Description(msgspec.Struct, frozen=True):
    issuer: str
    jwks_uri: str


class JwksClient:
    """Asks issuers, each time anew: once in many minutes is not worth a connection that stays open."""

    def __init__(self, settings: JwksClientSettings) -> None:
        self._settings = settings

    async def fetch(self, rule: OidcRule) -> tuple[VerificationKey, ...]:
        """The keys of an issuer as they are now.

        Raises:
            JwksError: they cannot be had, or what came is not keys; says from where, and why.
        """
        url = rule.jwks_uri or await self._look_up(rule.issuer)
        return load_jwks(await self._get(url), where=url)

    async def _look_up(self, issuer: str) -> str:
        """Where the issuer says that its keys are."""
        where = issuer.rstrip("/") + _WELL_KNOWN
        data = await self._get(where)
        try:
            told = msgspec.json.decode(data, type=_Description)
        except (msgspec.DecodeError, RecursionError) as error:
            raise JwksError(f"{where}: no description of an OpenID provider: {error}; give jwks_uri") from error
        if told.issuer != issuer:  # section 4.3: else one tenant of a host could pass for another
            raise JwksError(f"{where}: it describes issuer {told.issuer!r}, want {issuer!r}, exactly as tokens have it")
        fault = url_fault(told.jwks_uri) or _other_scheme(where, told.jwks_uri)
        if fault:
            raise JwksError(f"{where}: jwks_uri {fault}")
        return told.jwks_uri

    async def _get(self, url: str) -> bytes:
        import aiohttp

        try:
            async with asyncio.timeout(self._settings.timeout_s):
                tls = await asyncio.to_thread(self._tls)
                connector = aiohttp.TCPConnector(ssl=tls, force_close=True)
                async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
                    return await self._follow(session, url)
        except TimeoutError:
            raise JwksError(f"{url}: no whole answer within {self._settings.timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error, JwksError):
                raise
            raise JwksError(f"{url}: {str(error) or type(error).__name__}") from error

    async def _follow(self, session: aiohttp.ClientSession, url: str) -> bytes:
        at = url
        for _ in range(_MAX_REDIRECTS + 1):
            async with session.get(at, allow_redirects=False, headers={"Accept-Encoding": "identity"}) as answer:
                if answer.status not in _REDIRECTS:
                    return await self._body(at, answer)
                target = urljoin(at, answer.headers.get("Location", ""))
            fault = url_fault(target) or _other_scheme(at, target)
            if fault:
                raise JwksError(f"{at}: redirected, but the target {fault}")
            at = target
        raise JwksError(f"{url}: redirected more than {_MAX_REDIRECTS} times")

    async def _body(self, url: str, answer: aiohttp.ClientResponse) -> bytes:
        if answer.status != 200:
            raise JwksError(f"{url}: answered with status {answer.status}, want 200")
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise JwksError(f"{url}: answered in a compressed form that was not asked for")
        body = bytearray()
        async for chunk in answer.content.iter_any():
            body += chunk
            if len(body) > self._settings.max_bytes:
                raise JwksError(f"{url}: the answer is larger than {self._settings.max_bytes} bytes")
        return bytes(body)

    def _tls(self) -> ssl.SSLContext:
        """Roots of the system and the further ones, as their file is now."""
        context = ssl.create_default_context()
        if self._settings.skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        if self._settings.extra_roots:
            try:
                context.load_verify_locations(cafile=self._settings.extra_roots)
            except FileNotFoundError:
                pass  # it is optional
            except (OSError, ssl.SSLError) as error:
                # An issuer of a public authority needs none of them; another's fetch will say that it is not trusted.
                log.error(
                    "further roots for token issuers not read", file=self._settings.extra_roots, reason=str(error)
                )
        return context


def _other_scheme(here: str, there: str) -> str:
    wanted = urlsplit(here).scheme
    return "" if urlsplit(there).scheme == wanted else f"{there!r} is not {wanted}, as what names it is"
