"""Secrets encoded by hand are what the generated classes decode."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sds.resources import KeyCertificate, KeyProvider, Roots, encode_response, encode_secret
from discovery.wire import type_urls
from discovery.wire.envoy import DiscoveryResponse, Secret

PAIR = KeyCertificate(chain=b"chain", key=b"key")


@given(name=st.text(max_size=20), chain=st.binary(max_size=300), key=st.binary(max_size=300))
def test_key_and_certificate(name: str, chain: bytes, key: bytes) -> None:
    """Name, chain and key arrive inline, and nothing else is set."""
    secret = Secret.FromString(encode_secret(name, KeyCertificate(chain=chain, key=key)))
    assert secret == Secret(
        name=name,
        tls_certificate={"certificate_chain": {"inline_bytes": chain}, "private_key": {"inline_bytes": key}},
    )


@pytest.mark.parametrize("crl", ["", "/var/run/crl.pem"])
def test_roots(crl: str) -> None:
    """Roots become a validation context, with the revocation list as a file if there is one."""
    secret = Secret.FromString(encode_secret("ROOTCA", Roots(pem=b"pem"), crl=crl))
    assert secret.validation_context.trusted_ca.inline_bytes == b"pem"
    assert secret.validation_context.crl.filename == crl
    assert secret.validation_context.HasField("crl") == bool(crl)


@pytest.mark.parametrize("name", ["cryptomb", "qat"])
def test_key_provider_takes_the_place_of_the_key(name: str) -> None:
    """With a provider the key travels in the provider's configuration, and not beside it."""
    provider = KeyProvider(name=name, poll_delay_s=0.002, fallback=True)
    secret = Secret.FromString(encode_secret("default", PAIR, provider=provider))
    built = secret.tls_certificate.private_key_provider
    assert not secret.tls_certificate.HasField("private_key")
    assert (built.provider_name, built.fallback) == (name, True)
    assert built.typed_config.type_url.lower().endswith(f"{name}.v3alpha.{name}privatekeymethodconfig")
    assert built.typed_config.value == b"\x0a\x05\x12\x03key" + b"\x12\x04\x10\x80\x89\x7a"


def test_unknown_provider_is_an_error() -> None:
    """A provider nobody knows is refused, not passed on."""
    with pytest.raises(KeyError):
        encode_secret("default", PAIR, provider=KeyProvider(name="other", poll_delay_s=1))


def test_response() -> None:
    """A response carries version, nonce, type and each secret as Any."""
    data = encode_response([encode_secret("a", PAIR), encode_secret("b", PAIR)], version="v/1", nonce="n")
    response = DiscoveryResponse.FromString(data)
    assert (response.version_info, response.nonce, response.type_url) == ("v/1", "n", type_urls.SECRET)
    assert [Secret.FromString(any_.value).name for any_ in response.resources] == ["a", "b"]
    assert {any_.type_url for any_ in response.resources} == {type_urls.SECRET}


def test_key_is_not_printed() -> None:
    """The text form of a pair, which may reach a log, has no key in it."""
    assert "key" not in repr(KeyCertificate(chain=b"", key=b"key"))
