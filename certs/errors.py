"""What can be wrong with keys, certificates and identities.

CertsError (a ValueError)
|- SpiffeError       an identity is not `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`
|- PemError          a text is not the PEM that was wanted
|- KeyMaterialError  a private or public key is unreadable, too weak, or not the one of its certificate
|- CsrError          a certificate signing request is malformed or not signed by its own key
|- VerifyError       a certificate does not lead to a trusted root, or may not be used for this
|- CaError           signing material cannot sign: incomplete, mismatched, expired, not a CA
`- RenewalError      a certificate's remaining life leaves nothing to wait for
"""

from __future__ import annotations

import msgspec

__all__ = [
    "CaError",
    "CertsError",
    "CsrError",
    "Finding",
    "KeyMaterialError",
    "PemError",
    "RenewalError",
    "SpiffeError",
    "VerifyError",
]


class Finding(msgspec.Struct, frozen=True):
    """Something wrong that stops nothing else: one unusable certificate among good ones."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class CertsError(ValueError):
    """What is wrong, where, and what to do about it. Never holds key material.

    Args:
        where: the file, field or peer the value came from.
        what: what is wrong and what was wanted.
        hint: what to do, if that is known.
    """

    def __init__(self, where: str, what: str, *, hint: str = "") -> None:
        self.where = where
        self.what = what
        self.hint = hint
        super().__init__(where, what, hint)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}"
        return f"{text}; {self.hint}" if self.hint else text


class SpiffeError(CertsError):
    """A text is no SPIFFE identity of a workload."""


class PemError(CertsError):
    """A text holds no such PEM block, or a broken one."""


class KeyMaterialError(CertsError):
    """A key cannot be read, is too weak, or belongs to something else."""


class CsrError(CertsError):
    """A certificate signing request must not be signed as it is."""


class VerifyError(CertsError):
    """A certificate does not verify."""


class CaError(CertsError):
    """Signing material cannot be used to sign."""


class RenewalError(CertsError):
    """There is no time to wait before the renewal: it is due, or overdue."""
