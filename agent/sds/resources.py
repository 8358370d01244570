"""Secrets as Envoy reads them: ``Secret`` resources and SDS responses, encoded by hand.

Four nested messages do not justify the generated classes, which would add a third to the agent's memory. Field numbers
are those of ``envoy/extensions/transport_sockets/tls/v3/{secret,common}.proto``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from discovery.wire import type_urls
from discovery.wire.protowire import bytes_field, string_field, uint_field

__all__ = [
    "KeyCertificate",
    "KeyProvider",
    "Roots",
    "SecretValue",
    "encode_response",
    "encode_secret",
]


class KeyCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """A key and its certificate chain as PEM. It prints without the key."""

    chain: bytes
    key: bytes

    def __repr__(self) -> str:
        return f"KeyCertificate({len(self.chain)} bytes of chain)"


class Roots(msgspec.Struct, frozen=True, kw_only=True):
    """Trusted roots as PEM."""

    pem: bytes


SecretValue = KeyCertificate | Roots


class KeyProvider(msgspec.Struct, frozen=True, kw_only=True):
    """A hardware or vector-instruction provider that signs in place of Envoy's own code.

    Attributes:
        name: ``cryptomb`` or ``qat``.
        poll_delay_s: how long it may collect operations.
        fallback: whether Envoy signs by itself where the processor lacks the instructions.
    """

    name: str
    poll_delay_s: float
    fallback: bool = False


_PROVIDER_CONFIGS: Final = {
    "cryptomb": "envoy.extensions.private_key_providers.cryptomb.v3alpha.CryptoMbPrivateKeyMethodConfig",
    "qat": "envoy.extensions.private_key_providers.qat.v3alpha.QatPrivateKeyMethodConfig",
}


def _inline(data: bytes) -> bytes:
    return bytes_field(2, data)  # DataSource.inline_bytes


def _any(type_name: str, value: bytes) -> bytes:
    return string_field(1, type_name) + bytes_field(2, value)


def _duration(seconds: float) -> bytes:
    whole, nanos = divmod(round(seconds * 1e9), 1_000_000_000)
    return uint_field(1, whole) + uint_field(2, nanos)


def _provider(provider: KeyProvider, key: bytes) -> bytes:
    config = bytes_field(1, _inline(key)) + bytes_field(2, _duration(provider.poll_delay_s))
    return (
        string_field(1, provider.name)
        + bytes_field(3, _any(type_urls.PREFIX + _PROVIDER_CONFIGS[provider.name], config))
        + uint_field(4, int(provider.fallback))
    )


def encode_secret(name: str, value: SecretValue, *, provider: KeyProvider | None = None, crl: str = "") -> bytes:
    """The bytes of ``envoy.extensions.transport_sockets.tls.v3.Secret``.

    Args:
        name: as Envoy asked for it.
        value: decides which kind of secret it is.
        provider: who signs with the key, if not Envoy itself.
        crl: path of a revocation list that goes with roots.

    Raises:
        KeyError: the provider's name is unknown.
    """
    if isinstance(value, Roots):
        context = bytes_field(1, _inline(value.pem))
        if crl:
            context += bytes_field(7, string_field(1, crl))  # DataSource.filename
        return string_field(1, name) + bytes_field(4, context)
    certificate = bytes_field(1, _inline(value.chain))
    if provider is None:
        certificate += bytes_field(2, _inline(value.key))
    else:
        certificate += bytes_field(6, _provider(provider, value.key))
    return string_field(1, name) + bytes_field(2, certificate)


def encode_response(secrets: Iterable[bytes], *, version: str, nonce: str) -> bytes:
    """The bytes of a ``DiscoveryResponse`` with these encoded secrets."""
    return (
        string_field(1, version)
        + b"".join(bytes_field(2, _any(type_urls.SECRET, secret)) for secret in secrets)
        + string_field(4, type_urls.SECRET)
        + string_field(5, nonce)
    )
