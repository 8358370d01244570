"""Whom the control plane trusts and what it shows of itself: authority, authenticators, the secure port's certificate.

Part of the composition: it reads files and wires the pieces of ``certs``, ``auth`` and ``ca``; it decides nothing.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry

from certs import pem
from certs.bundle import TrustBundle, TrustBundles, load_bundle
from certs.ca import LeafRequest, new_serial, sign_leaf
from certs.keys import dump_key, generate_key
from discovery.auth.chain import Authenticator, AuthenticatorChain
from discovery.auth.dev_issuer import DevIssuer
from discovery.auth.issuer_keys import IssuerKeys, KeyMetrics
from discovery.auth.jwks import load_jwks
from discovery.auth.jwks_client import JwksClient, JwksClientSettings
from discovery.auth.jwt import FixedKeys, JwtAuthenticator, JwtRule
from discovery.auth.xfcc import XfccAuthenticator
from discovery.ca.roots import CaRoots, CaSettings
from discovery.front.service import ServingCertificate
from discovery.kube.timing import Timing
from discovery.runtime.clock import Clock
from discovery.runtime.logs import get_logger
from discovery.settings import Settings

__all__ = ["SERVING_TTL", "Trust", "ca_settings", "issuer_keys"]

log = get_logger("default")

SERVING_TTL: Final = timedelta(hours=24)


def ca_settings(settings: Settings, trust_domain: str) -> CaSettings:
    """Where the authority is looked for among files, and what a root of ours is like."""
    return CaSettings(
        plugged_in=Path(settings.root_ca_dir) if settings.root_ca_dir else None,
        self_signed=Path(settings.ca_dir) if settings.ca_dir else None,
        trust_domain=trust_domain,
        lifetime=settings.self_signed_ttl,
        renew_percent=settings.writing.root_grace_percent,
    )


def issuer_keys(settings: Settings, *, timing: Timing, registry: CollectorRegistry) -> IssuerKeys | None:
    """The service that fetches the keys of the provider in JWT_RULE; None where there is none, or it gives its keys."""
    tokens, metrics = settings.tokens, KeyMetrics(registry)  # always there: 0 is a figure too
    if tokens.oidc is None or tokens.oidc.keys:
        return None
    if tokens.skip_verify:
        log.warning(
            "JWKS_RESOLVER_INSECURE_SKIP_VERIFY is on: who answers in the issuer's place can be anybody in the mesh",
            issuer=tokens.oidc.issuer,
        )
    client = JwksClient(JwksClientSettings(extra_roots=tokens.extra_roots, skip_verify=tokens.skip_verify))
    return IssuerKeys(tokens.oidc, client, refresh=tokens.refresh, timing=timing, metrics=metrics)


class Trust:
    """Holds the authority and answers who may be trusted with what."""

    def __init__(
        self,
        settings: Settings,
        *,
        trust_domain: str,
        clock: Clock,
        roots: CaRoots | None = None,
        reviewer: Authenticator | None = None,
        issuer: IssuerKeys | None = None,
    ) -> None:
        """Open the authority, unless it is given, and read the key files.

        Args:
            roots: an authority that is kept elsewhere, such as in a Secret.
            reviewer: who is asked about tokens last.
            issuer: keys of the provider in JWT_RULE, unless it gives them itself.

        Raises:
            CaError: there is an authority that cannot be used.
            JwksError: the token keys cannot be read.
            OSError: a directory or file cannot be read or written.
        """
        self._settings = settings
        self._trust_domain = trust_domain
        self._clock = clock
        self._reviewer = reviewer
        self._issuer = issuer
        self.roots = roots or CaRoots.open(ca_settings(settings, trust_domain), now=clock.now())
        self._client_roots = self._read_client_roots()
        self.gatekeeper = AuthenticatorChain(self._authenticators())

    def _read_client_roots(self) -> TrustBundle:
        if not self._settings.ca_cert_file:
            return TrustBundle()
        path = Path(self._settings.ca_cert_file)
        bundle, _ = load_bundle(path.read_bytes(), where=str(path))
        return bundle

    def bundles(self) -> TrustBundles:
        """The roots that client certificates of each trust domain are verified with."""
        return TrustBundles({self._trust_domain: self.roots.current.roots + self._client_roots})

    def _authenticators(self) -> list[Authenticator]:
        found: list[Authenticator] = [XfccAuthenticator(self.bundles, self._clock)]
        audiences = frozenset(self._settings.token_audiences)
        if self._settings.token_keys_file:
            path = Path(self._settings.token_keys_file)
            rule = JwtRule(
                issuer=self._settings.token_issuer,
                audiences=audiences,
                keys=FixedKeys(load_jwks(path.read_bytes(), where=str(path))),
            )
            found.append(JwtAuthenticator(rule, trust_domain=self._trust_domain, clock=self._clock))
        if self._settings.dev_token_dir:
            issuer = DevIssuer.open(Path(self._settings.dev_token_dir))
            rule = issuer.rule(audiences=audiences)
            found.append(JwtAuthenticator(rule, trust_domain=self._trust_domain, clock=self._clock))
        oidc = self._settings.tokens.oidc
        if oidc is not None:
            source = self._issuer if self._issuer is not None else FixedKeys(oidc.keys)
            rule = JwtRule(issuer=oidc.issuer, audiences=oidc.audiences, keys=source)
            found.append(JwtAuthenticator(rule, trust_domain=self._trust_domain, clock=self._clock))
        if self._reviewer is not None:
            found.append(self._reviewer)
        return found

    def serving_certificate(self) -> ServingCertificate:
        """What the secure port presents: the user's files, else a certificate of our own authority.

        Raises:
            CaError: the authority cannot sign.
            OSError: a file cannot be read.
        """
        roots_pem = self.bundles().all_roots().to_pem().decode()
        if self._settings.tls_cert_file:
            return ServingCertificate(
                chain_pem=Path(self._settings.tls_cert_file).read_text(encoding="ascii"),
                key_pem=Path(self._settings.tls_key_file).read_text(encoding="ascii"),
                roots_pem=roots_pem,
            )
        ca = self.roots.current
        key = generate_key()
        request = LeafRequest(
            public_key=key.public_key(),
            dns_names=self._dns_names(),
            ip_addresses=("127.0.0.1", "::1"),
            lifetime=SERVING_TTL,
        )
        leaf = sign_leaf(ca, request, now=self._clock.now(), serial=new_serial())
        chain = pem.dump_certificates((leaf, *ca.intermediates))
        return ServingCertificate(chain.decode(), dump_key(key).decode(), roots_pem)

    def serving_roots_pem(self) -> str:
        """The roots that lead to the serving certificate: what an API server must have to call our webhooks."""
        if self._settings.tls_cert_file:
            return self._client_roots.to_pem().decode() if self._client_roots.roots else ""
        return self.roots.current.roots.to_pem().decode()

    def _dns_names(self) -> tuple[str, ...]:
        namespace, revision = self._settings.namespace, self._settings.revision
        names = [f"{name}.{namespace}.svc" for name in ("istiod", "istiod-remote", "istio-pilot")]
        if revision and revision != "default":
            names.append(f"istiod-{revision}.{namespace}.svc")
        return tuple(dict.fromkeys((*self._settings.custom_hosts, *names, "localhost")))
