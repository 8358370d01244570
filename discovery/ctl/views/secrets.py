"""Certificates that a proxy holds, as a table. Keys are never shown."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

from cryptography import x509

from certs.describe import uris_of
from certs.errors import CertsError
from certs.pem import load_certificates
from discovery.ctl.dump import Dump
from discovery.ctl.table import render_table

__all__ = ["SecretRow", "secret_rows", "secrets_table"]

_HEADER: Final = ("RESOURCE NAME", "TYPE", "STATUS", "VALID CERT", "SERIAL NUMBER", "NOT AFTER", "NOT BEFORE")
_SPIFFE: Final = "envoy.tls.cert_validator.spiffe"
_CHAIN: Final = "Cert Chain"
_CA: Final = "CA"
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


class SecretRow(NamedTuple):
    """One certificate, or a secret that has none."""

    name: str
    kind: str = ""
    status: str = ""
    valid: str = "false"
    serial: str = ""
    not_after: str = ""
    not_before: str = ""
    trust_domain: str = ""


def secret_rows(dump: Dump, *, now: datetime) -> list[SecretRow]:
    """The leaf of each chain and the first root of each bundle; ``now`` decides whether they are valid."""
    return [row for status, secret in dump.secrets() for row in _rows(secret, status, now)]


def secrets_table(rows: list[SecretRow], *, prefix: str = "") -> str:
    """A column for trust domains only where bundles are told apart by them."""
    with_domains = any(row.trust_domain for row in rows if row.kind == _CA)
    header = (*_HEADER, "TRUST DOMAIN") if with_domains else _HEADER
    cells = [(prefix + row.name, *row[1:]) for row in rows]
    return render_table(header, [row if with_domains else row[:-1] for row in cells])


def _rows(secret: dict[str, Any], status: str, now: datetime) -> Iterator[SecretRow]:
    blank = SecretRow(secret["name"], status=status)
    sources = list(_sources(secret))
    if not sources:
        yield blank
    for kind, source, domain in sources:
        yield _certificate(blank._replace(kind=kind, trust_domain=domain), source, now)


def _sources(secret: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Kind, data source and trust domain."""
    if "tlsCertificate" in secret:
        yield _CHAIN, secret["tlsCertificate"].get("certificateChain", {}), ""
    context = secret.get("validationContext", {})
    validator = context.get("customValidatorConfig", {})
    if validator.get("name") == _SPIFFE:
        for domain in validator.get("typedConfig", {}).get("trustDomains", ()):
            yield _CA, domain.get("trustBundle", {}), domain.get("name", "")
    elif "trustedCa" in context:
        yield _CA, context["trustedCa"], ""


def _certificate(row: SecretRow, source: dict[str, Any], now: datetime) -> SecretRow:
    try:
        pem = base64.b64decode(source.get("inlineBytes", "")) or source.get("inlineString", "").encode()
        first = load_certificates(pem, where=row.name)[0]
    except (CertsError, binascii.Error, IndexError):
        return row
    valid = first.not_valid_before_utc <= now <= first.not_valid_after_utc
    return row._replace(
        trust_domain=row.trust_domain or (_trust_domain(first) if row.kind == _CHAIN else ""),
        valid=str(valid).lower(),
        serial=f"{first.serial_number:032x}",
        not_after=first.not_valid_after_utc.strftime(_TIME),
        not_before=first.not_valid_before_utc.strftime(_TIME),
    )


def _trust_domain(leaf: x509.Certificate) -> str:
    uris = uris_of(leaf)
    return uris[0].removeprefix("spiffe://").partition("/")[0] if uris else ""
