"""The signing material as a Secret of the cluster holds it: the one that we make, or an operator's own. Pure.

`istio-ca-secret` is ours: a self-signed root and its key, kept so that restarts and replicas sign alike. `cacerts` is
an operator's, in either of the layouts that its files may have; with USE_CACERTS_FOR_SELF_SIGNED_CA ours is kept there
too, marked by the key `istio-generated`.

Spec: https://istio.io/latest/docs/tasks/security/cert-management/plugin-ca-cert/
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from certs.ca import SigningCa
from certs.errors import CaError
from certs.plugged_in import CaTexts, load_signing_ca

__all__ = [
    "CA_SECRET",
    "CA_SECRET_TYPE",
    "GENERATED",
    "PLUGGED_IN_SECRET",
    "CaSecret",
    "decode_ca_secret",
    "encode_ca_secret",
]

CA_SECRET: Final = "istio-ca-secret"  # noqa: S105 - names, not secrets
CA_SECRET_TYPE: Final = "istio.io/ca-root"  # noqa: S105
PLUGGED_IN_SECRET: Final = "cacerts"  # noqa: S105
GENERATED: Final = "istio-generated"
_CERTIFICATE, _KEY, _CHAIN, _ROOTS, _CRL = "ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem", "ca-crl.pem"


class CaSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A Secret that holds a CA. It prints without it.

    Attributes:
        ours: we made it, so we renew it.
        version: its `resourceVersion`.
        type: of the Secret, which nobody can change: one that was restored from a backup may be `Opaque`.
    """

    name: str
    ca: SigningCa
    ours: bool
    version: str
    type: str = CA_SECRET_TYPE


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    resource_version: str = ""


class _Secret(msgspec.Struct, frozen=True):
    metadata: _Meta = _Meta()
    data: Mapping[str, str] | None = None
    type: str = CA_SECRET_TYPE


def decode_ca_secret(body: bytes, *, at: datetime) -> CaSecret:
    """The CA that a Secret holds.

    Raises:
        CaError: it holds none, or one that cannot be used now.
    """
    try:
        secret = msgspec.json.decode(body, type=_Secret)
        data = {key: base64.b64decode(value, validate=True) for key, value in (secret.data or {}).items()}
    except (msgspec.DecodeError, binascii.Error) as error:
        raise CaError("CA Secret", f"is not as Secrets are: {error}") from error
    name = secret.metadata.name
    where = f"Secret {name}"
    tls = "tls.key" in data and _KEY not in data
    certificate, key, roots = ("tls.crt", "tls.key", "ca.crt") if tls else (_CERTIFICATE, _KEY, _ROOTS)
    ours = GENERATED in data or name == CA_SECRET
    missing = [item for item in (certificate, key, *(() if ours else (roots,))) if not data.get(item)]
    if missing:
        hint = "delete it to have a new one made" if ours else "add what is missing, or delete it to use a CA of ours"
        raise CaError(where, f"holds a part of a CA, {', '.join(missing)} missing", hint=hint)
    texts = CaTexts(
        certificate=data[certificate],
        key=data[key],
        chain=b"" if tls else data.get(_CHAIN, b""),
        roots=data.get(roots) or data[certificate],  # early releases of Istio left it empty
        crl=data.get(_CRL, b""),
        where=where,
    )
    ca, version = load_signing_ca(texts, at=at), secret.metadata.resource_version
    return CaSecret(name=name, ca=ca, ours=ours, version=version, type=secret.type)


def encode_ca_secret(
    ca: SigningCa, *, namespace: str, name: str, version: str = "", secret_type: str = CA_SECRET_TYPE
) -> bytes:
    """The Secret that keeps a CA of ours; its version, if it has one, is the condition of the write."""
    metadata = {"namespace": namespace, "name": name, "labels": {"app": "istiod"}}
    if version:
        metadata["resourceVersion"] = version
    data = {_CERTIFICATE: ca.certificate_pem(), _KEY: ca.key_pem(), _ROOTS: ca.roots.to_pem()}
    if name == PLUGGED_IN_SECRET:
        data |= {_CHAIN: ca.certificate_pem(), GENERATED: b""}
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": secret_type,
        "metadata": metadata,
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    }
    return msgspec.json.encode(body)
