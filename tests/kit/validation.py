"""Asking the validators of an object given as plain data."""

from __future__ import annotations

from typing import Any

from discovery.schema.decode import decode
from discovery.schema.findings import Severity
from discovery.schema.kinds import KINDS
from discovery.schema.meta import Kind
from discovery.validation.objects import validate

__all__ = ["errors", "warnings"]


def _paths(kind: str, spec: dict[str, Any], severity: Severity) -> list[str]:
    api_version = KINDS[Kind(kind)].api_version
    decoded = decode({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, "spec": spec})
    findings = [*decoded.findings, *(finding for obj in decoded.objects for finding in validate(obj))]
    return [finding.path.removeprefix("spec.") for finding in findings if finding.severity is severity]


def errors(kind: str, spec: dict[str, Any]) -> list[str]:
    """Where the object is wrong, below ``spec``."""
    return _paths(kind, spec, Severity.ERROR)


def warnings(kind: str, spec: dict[str, Any]) -> list[str]:
    """Where it may not do what was meant."""
    return _paths(kind, spec, Severity.WARNING)
