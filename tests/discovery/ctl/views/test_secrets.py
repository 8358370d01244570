"""Certificates as a table; never keys."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

from discovery.ctl.dump import Dump
from discovery.ctl.views.secrets import secret_rows, secrets_table
from tests.kit.mesh_ca import MeshCa

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def dump(*secrets: dict[str, Any]) -> Dump:
    kind = "type.googleapis.com/envoy.admin.v3.SecretsConfigDump"
    entries = [{"name": secret["name"], "secret": secret} for secret in secrets]
    return Dump({"configs": [{"@type": kind, "dynamicActiveSecrets": entries}]})


def source(pem: bytes) -> dict[str, str]:
    return {"inlineBytes": base64.b64encode(pem).decode()}


def test_validity_is_judged_at_the_given_time() -> None:
    """A root before, in and after its life."""
    pem = MeshCa(NOW).root_pem
    secret = {"name": "ROOTCA", "validationContext": {"trustedCa": source(pem)}}
    (row,) = secret_rows(dump(secret), now=NOW)
    ends = datetime.fromisoformat(row.not_after)
    assert (row.kind, row.status, row.valid) == ("CA", "ACTIVE", "true")
    assert len(row.serial) >= 32
    assert secret_rows(dump(secret), now=ends + timedelta(seconds=1))[0].valid == "false"


def test_what_is_no_certificate_is_shown_as_invalid() -> None:
    """A broken secret is what one looks for."""
    chain = {"name": "default", "tlsCertificate": {"certificateChain": source(b"nonsense"), "privateKey": source(b"k")}}
    (row,) = secret_rows(dump(chain), now=NOW)
    assert (row.name, row.kind, row.valid, row.serial) == ("default", "Cert Chain", "false", "")


def test_a_secret_that_has_not_come_yet_has_a_row() -> None:
    """It is warming."""
    kind = "type.googleapis.com/envoy.admin.v3.SecretsConfigDump"
    warming = Dump({"configs": [{"@type": kind, "dynamicWarmingSecrets": [{"name": "x", "secret": {"name": "x"}}]}]})
    (row,) = secret_rows(warming, now=NOW)
    assert (row.status, row.kind) == ("WARMING", "")


def test_trust_domains_have_a_column_only_where_they_matter() -> None:
    """With bundles of several domains."""
    pem = MeshCa(NOW).root_pem
    plain = {"name": "ROOTCA", "validationContext": {"trustedCa": source(pem)}}
    domains = [{"name": name, "trustBundle": source(pem)} for name in ("east", "west")]
    validator = {"name": "envoy.tls.cert_validator.spiffe", "typedConfig": {"trustDomains": domains}}
    many = {"name": "ROOTCA", "validationContext": {"customValidatorConfig": validator}}
    assert "TRUST DOMAIN" not in secrets_table(secret_rows(dump(plain), now=NOW))
    shown = secrets_table(secret_rows(dump(many), now=NOW))
    assert "TRUST DOMAIN" in shown
    assert "west" in shown
