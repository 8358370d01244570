"""Keys of an issuer over real HTTPS: found, bounded, and never from somebody else."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from discovery.auth.jwks import JwksError, VerificationKey
from discovery.auth.jwks_client import JwksClient, JwksClientSettings
from discovery.auth.oidc_rule import OidcRule
from tests.kit.token_issuer import SigningKey, TokenIssuer, redirect, text

WELL_KNOWN = "/.well-known/openid-configuration"


async def fetched(
    issuer: TokenIssuer,
    tmp_path: Path,
    *,
    jwks_uri: str = "",
    name: str | None = None,
    trusted: bool = True,
    skip_verify: bool = False,
) -> tuple[VerificationKey, ...]:
    """What a client gets that trusts the issuer's certificate, or does not."""
    roots = tmp_path / "extra.pem"
    if trusted:
        roots.write_text(issuer.extra_roots, encoding="ascii")
    settings = JwksClientSettings(extra_roots=str(roots), timeout_s=5, max_bytes=4096, skip_verify=skip_verify)
    rule = OidcRule(issuer=name or issuer.url, audiences=frozenset({"a"}), jwks_uri=jwks_uri)
    return await JwksClient(settings).fetch(rule)


def ids(keys: tuple[VerificationKey, ...]) -> list[str]:
    return [key.key_id for key in keys]


async def test_keys_come_from_where_the_rule_says(tmp_path: Path) -> None:
    """The issuer's description is not asked for then."""
    async with TokenIssuer(SigningKey("a"), SigningKey("b")) as issuer:
        assert ids(await fetched(issuer, tmp_path, jwks_uri=f"{issuer.url}/keys")) == ["a", "b"]
        assert issuer.asked == {"/keys": 1}


@pytest.mark.parametrize("end", ["", "/"])
async def test_the_issuer_tells_where_its_keys_are(tmp_path: Path, end: str) -> None:
    """OpenID Connect Discovery, 4.1: a slash at the end of the issuer is not doubled; 4.3: the issuer is the same."""
    async with TokenIssuer(SigningKey("a")) as issuer:
        issuer.answers[WELL_KNOWN] = text(json.dumps({"issuer": issuer.url + end, "jwks_uri": f"{issuer.url}/keys"}))
        assert ids(await fetched(issuer, tmp_path, name=issuer.url + end)) == ["a"]
        assert issuer.asked == {WELL_KNOWN: 1, "/keys": 1}


async def test_a_server_that_nobody_vouches_for_is_not_believed(tmp_path: Path) -> None:
    """Neither a certificate of an unknown root, nor roots that cannot be read; but whoever says so gets it anyway."""
    async with TokenIssuer(SigningKey("a")) as issuer:
        with pytest.raises(JwksError, match="certificate verify failed"):
            await fetched(issuer, tmp_path, trusted=False)
        (tmp_path / "extra.pem").write_text("no certificate", encoding="ascii")
        with pytest.raises(JwksError, match="certificate verify failed"):
            await fetched(issuer, tmp_path, trusted=False)
        assert not issuer.asked
        assert ids(await fetched(issuer, tmp_path, trusted=False, skip_verify=True)) == ["a"]


async def test_a_server_of_another_name_is_not_believed(tmp_path: Path) -> None:
    """Its certificate is for 127.0.0.1 and localhost, not for 127.0.0.2."""
    async with TokenIssuer(SigningKey("a")) as issuer:
        with pytest.raises(JwksError):
            await fetched(issuer, tmp_path, jwks_uri=issuer.url.replace("127.0.0.1", "127.0.0.2") + "/keys")
        assert not issuer.asked


async def test_on_this_machine_plain_http_will_do(tmp_path: Path) -> None:
    """Nobody is in between."""
    async with TokenIssuer(SigningKey("a"), tls=False) as issuer:
        assert ids(await fetched(issuer, tmp_path)) == ["a"]


async def test_redirects_are_followed_within_the_scheme(tmp_path: Path) -> None:
    """Not to plain HTTP, where anybody could answer, not even on this machine; and not forever."""
    async with TokenIssuer(SigningKey("a")) as issuer, TokenIssuer(SigningKey("evil"), tls=False) as plain:
        issuer.answers["/moved"] = redirect("/keys")
        assert ids(await fetched(issuer, tmp_path, jwks_uri=f"{issuer.url}/moved")) == ["a"]
        for target in (f"{plain.url}/keys", "http://id.example.org/keys", "file:///etc/passwd", "https://u:p@x/"):
            issuer.answers["/moved"] = redirect(target)
            with pytest.raises(JwksError, match="redirected, but the target"):
                await fetched(issuer, tmp_path, jwks_uri=f"{issuer.url}/moved")
        issuer.answers["/moved"] = redirect("/moved")
        with pytest.raises(JwksError, match="more than 5 times"):
            await fetched(issuer, tmp_path, jwks_uri=f"{issuer.url}/moved")
        assert not plain.asked


@pytest.mark.parametrize(
    ("body", "status", "headers", "said"),
    [
        ("<html>sign in</html>", 200, {}, "not a JWK set"),
        ("{}", 200, {}, "not a JWK set"),
        ('{"keys": []}', 200, {}, "none of its 0 keys"),
        ("", 200, {}, "not a JWK set"),
        ('{"x":' + "[" * 2000, 200, {}, "not a JWK set"),
        ("gone", 404, {}, "status 404"),
        ("down", 503, {}, "status 503"),
        ("x" * 5000, 200, {}, "larger than 4096 bytes"),
        ("x", 200, {"Content_Encoding": "gzip"}, "compressed"),
    ],
)
async def test_garbage_is_no_keys(tmp_path: Path, body: str, status: int, headers: dict[str, str], said: str) -> None:
    """Each is told with the address that it came from."""
    async with TokenIssuer() as issuer:
        issuer.answers["/keys"] = text(body, status=status, **headers)
        with pytest.raises(JwksError, match=f"{issuer.url}/keys: .*{said}"):
            await fetched(issuer, tmp_path)


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ({"issuer": "https://another.example.org", "jwks_uri": "{url}/keys"}, "describes issuer"),
        ({"issuer": "{url}", "jwks_uri": "http://id.example.org/keys"}, "not https"),
        ({"issuer": "{url}", "jwks_uri": "http://127.0.0.1/keys"}, "as what names it"),
        ({"issuer": "{url}"}, "give jwks_uri"),
        ({}, "give jwks_uri"),
        ('{"x":' + "[" * 2000, "give jwks_uri"),
    ],
)
async def test_a_description_of_somebody_else_is_not_followed(
    tmp_path: Path, description: dict[str, str] | str, said: str
) -> None:
    """Nor one that leads out of TLS; the keys are not asked for."""
    async with TokenIssuer(SigningKey("a")) as issuer:
        told = description if isinstance(description, str) else json.dumps(description)
        issuer.answers[WELL_KNOWN] = text(told.replace("{url}", issuer.url))
        with pytest.raises(JwksError, match=said):
            await fetched(issuer, tmp_path)
        assert issuer.asked == {WELL_KNOWN: 1}


async def test_a_server_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    """However it keeps silent: within the answer, or not there at all."""
    async with TokenIssuer() as issuer:
        issuer.answers["/keys"] = issuer.silent
        settings = JwksClientSettings(skip_verify=True, timeout_s=0.2)
        rule = OidcRule(issuer="i", audiences=frozenset({"a"}), jwks_uri=f"{issuer.url}/keys")
        with pytest.raises(JwksError, match=r"no whole answer within 0\.2 s"):
            await JwksClient(settings).fetch(rule)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(JwksError, match=r"127\.0\.0\.1"):
        await JwksClient(settings).fetch(OidcRule(issuer=f"https://127.0.0.1:{port}", audiences=frozenset({"a"})))
