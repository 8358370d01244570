"""Trust bundles: the roots that each trust domain is verified with.

Bundles are collected from files, mesh configuration and other clusters. One that is broken in part still counts with
what is good in it, for refusing all of it would cut off peers whose roots are fine; what was left out is a finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs import pem
from certs.errors import Finding, PemError
from certs.spiffe import parse_trust_domain

__all__ = ["TrustBundle", "TrustBundles", "load_bundle"]


class TrustBundle(msgspec.Struct, frozen=True):
    """Roots without repetition, in the order they were first met."""

    roots: tuple[x509.Certificate, ...] = ()

    def __add__(self, other: TrustBundle) -> TrustBundle:
        """Both, without repetition."""
        return TrustBundle(_distinct((*self.roots, *other.roots)))

    def __bool__(self) -> bool:
        return bool(self.roots)

    def to_pem(self) -> bytes:
        """PEM text as it goes into `root-cert.pem` or an SDS answer; every certificate ends in a newline."""
        return pem.dump_certificates(self.roots)


class TrustBundles(msgspec.Struct, frozen=True):
    """The bundle of each trust domain. A domain that is not in it is trusted with nothing."""

    by_domain: Mapping[str, TrustBundle] = {}

    def of(self, trust_domain: str) -> TrustBundle:
        """The roots of one domain; empty when it is unknown."""
        return self.by_domain.get(trust_domain, TrustBundle())

    def with_roots(self, trust_domain: str, bundle: TrustBundle) -> TrustBundles:
        """These, with `bundle` added to what the domain has.

        Raises:
            SpiffeError: the trust domain is none.
        """
        parse_trust_domain(trust_domain)
        return TrustBundles({**self.by_domain, trust_domain: self.of(trust_domain) + bundle})

    def all_roots(self) -> TrustBundle:
        """The union over all domains, in order of the domain's name: what a TLS handshake accepts at first."""
        return TrustBundle(
            _distinct(root for domain in sorted(self.by_domain) for root in self.by_domain[domain].roots)
        )


def load_bundle(data: bytes, *, where: str) -> tuple[TrustBundle, tuple[Finding, ...]]:
    """The usable certificates of a PEM text, and a finding for each part that is not.

    Raises:
        PemError: not one certificate is usable, so that trusting this bundle would mean trusting nobody.
    """
    blocks, findings = pem.scan(data, where=where)
    roots: list[x509.Certificate] = []
    skipped = [*findings]
    for number, block in enumerate(blocks, 1):
        place = f"{where}, readable PEM block {number}"
        if block.label != "CERTIFICATE":
            skipped.append(Finding(place, f"is a {block.label}, not a certificate"))
            continue
        try:
            roots.append(pem.parse_der(block.der, where=place))
        except PemError as error:
            skipped.append(Finding(error.where, error.what))
    if not roots:
        reason = f": {skipped[0]}" if skipped else ""
        raise PemError(where, f"no usable root certificate found{reason}")
    return TrustBundle(_distinct(roots)), tuple(skipped)


def _distinct(roots: Iterable[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    return tuple({root.public_bytes(Encoding.DER): root for root in roots}.values())
