"""Settings of an OpenID Connect provider whose tokens count; part of ``Settings``."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec

from discovery.auth.oidc_rule import OidcRule, OidcRuleError, parse_oidc_rule
from discovery.settings_reader import SettingsReader

__all__ = ["TOKEN_VARIABLES", "TokenSettings", "read_token_settings"]

TOKEN_VARIABLES: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "JWT_RULE",
        "",
        'JSON {"issuer", "jwks_uri", "audiences"}: tokens of that OpenID Connect provider count too; without jwks_uri '
        "the issuer is asked for it; jwks instead: the keys themselves.",
    ),
    ("PILOT_JWT_PUB_KEY_REFRESH_INTERVAL", "20m", "How often its keys are fetched."),
    (
        "PILOT_JWKS_EXTRA_ROOTS",
        "/cacerts/extra.pem",
        "Roots that it is trusted by besides the system's; need not exist.",
    ),
    ("JWKS_RESOLVER_INSECURE_SKIP_VERIFY", "false", "Fetch its keys from whoever answers; never for production."),
)


class TokenSettings(msgspec.Struct, frozen=True, kw_only=True):
    """See ``TOKEN_VARIABLES``; ``oidc`` is None where no provider is given."""

    oidc: OidcRule | None = None
    refresh: timedelta = timedelta(minutes=20)
    extra_roots: str = ""
    skip_verify: bool = False


def read_token_settings(read: SettingsReader) -> TokenSettings:
    """Read all of them; what is wrong is among the reader's findings."""
    name = "PILOT_JWT_PUB_KEY_REFRESH_INTERVAL"
    found = len(read.findings)
    refresh = read.duration(read.variable(name), name)
    if len(read.findings) == found and refresh < timedelta(seconds=1):
        read.findings.append(f"{name}={read.variable(name)!r}: want 1s or more, for the issuer's sake")
    return TokenSettings(
        oidc=_rule(read),
        refresh=refresh,
        extra_roots=read.variable("PILOT_JWKS_EXTRA_ROOTS"),
        skip_verify=read.switch("JWKS_RESOLVER_INSECURE_SKIP_VERIFY"),
    )


def _rule(read: SettingsReader) -> OidcRule | None:
    text = read.variable("JWT_RULE")
    if not text:
        return None
    try:
        return parse_oidc_rule(text)
    except OidcRuleError as error:
        read.findings.append(f"JWT_RULE: {error}")
        return None
