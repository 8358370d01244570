"""What is wrong at present: with what users wrote, with what we make of it, with what proxies say to that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from discovery.debug.proxies import rfc3339
from discovery.schema.findings import Finding
from discovery.wire.type_urls import short_name
from discovery.xds.rejections import Rejection

__all__ = ["push_status"]

_NAMES_SHOWN = 8


def push_status(
    findings: Iterable[Finding], failures: Mapping[str, str], rejections: Iterable[Rejection]
) -> dict[str, Any]:
    """``/debug/push_status``: ``{kind of problem: {what: {proxy, message, ...}}}``, in istiod's shape.

    Args:
        findings: about configuration as it was read.
        failures: what cannot be rendered and is served as it last was, with the error.
        rejections: NACKs, newest first; of several to one type by one proxy the newest is shown.
    """
    rejected: dict[str, Any] = {}
    for rejection in rejections:
        rejected.setdefault(f"{short_name(rejection.what.type_url)} {rejection.connection}", _rejection(rejection))
    return {
        "configuration": _numbered((_title(finding), _finding(finding)) for finding in findings),
        "rendering": {what: {"proxy": "", "message": error} for what, error in failures.items()},
        "rejections": rejected,
    }


def _numbered(entries: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Entries by title; a title that is there already gets a number."""
    found: dict[str, Any] = {}
    for title, entry in entries:
        number, key = 1, title
        while key in found:
            number += 1
            key = f"{title} ({number})"
        found[key] = entry
    return found


def _title(finding: Finding) -> str:
    return " ".join(part for part in (finding.object, finding.path) if part) or str(finding.origin)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "proxy": "",
        "message": finding.problem,
        "hint": finding.hint,
        "severity": str(finding.severity),
        "object": finding.object,
        "path": finding.path,
        "file": finding.origin.path,
        "line": finding.origin.line,
    }


def _rejection(rejection: Rejection) -> dict[str, Any]:
    names = rejection.what.names
    more = len(names) - _NAMES_SHOWN
    return {
        "proxy": rejection.connection,
        "message": rejection.what.error,
        "type": rejection.what.type_url,
        "at": rfc3339(rejection.at),
        "resources": [*names[:_NAMES_SHOWN], *([f"and {more} more"] if more > 0 else [])],
    }
