"""Settings of injection; part of ``Settings``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from discovery.inject.native_sidecar import NativeSidecars
from discovery.settings_reader import SettingsReader

__all__ = ["ADMISSION_VARIABLES", "AdmissionSettings", "read_admission_settings"]

ADMISSION_VARIABLES: Final[tuple[tuple[str, str, str], ...]] = (
    ("INJECT_ENABLED", "true", "Whether pods are injected; false: validation only."),
    ("ENABLE_NATIVE_SIDECARS", "auto", "Proxies as native sidecars: true, false, or auto by the nodes' kubelets."),
    ("PLATFORM", "", "openshift: users and groups of proxies come from the namespace's ranges."),
    ("COMPLIANCE_POLICY", "", "Handed on to injected agents: fips-140-2, fips-140-3 or pqc."),
)
_POLICIES: Final = ("", "fips-140-2", "fips-140-3", "pqc")


class AdmissionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """See ``ADMISSION_VARIABLES``; ``environ`` is what the template function ``env`` sees."""

    inject: bool = True
    native: NativeSidecars = NativeSidecars.AUTO
    openshift: bool = False
    compliance_policy: str = ""
    environ: Mapping[str, str] = {}


def read_admission_settings(read: SettingsReader, environ: Mapping[str, str]) -> AdmissionSettings:
    """Read all of them; what is wrong is among the reader's findings."""
    return AdmissionSettings(
        inject=read.switch("INJECT_ENABLED"),
        native=_native(read),
        openshift=read.variable("PLATFORM").lower() == "openshift",
        compliance_policy=_policy(read),
        environ=environ,
    )


def _native(read: SettingsReader) -> NativeSidecars:
    text = read.variable("ENABLE_NATIVE_SIDECARS").lower()
    if text not in list(NativeSidecars):
        read.findings.append(f"ENABLE_NATIVE_SIDECARS={text!r}: want true, false or auto")
        return NativeSidecars.AUTO
    return NativeSidecars(text)


def _policy(read: SettingsReader) -> str:
    text = read.variable("COMPLIANCE_POLICY")
    if text not in _POLICIES:
        read.findings.append(f"COMPLIANCE_POLICY={text!r}: want one of {', '.join(_POLICIES[1:])}, or nothing")
    return text
