"""The secrets of this workload, wired as the settings say: which CA, which files, which kind of key."""

from __future__ import annotations

from pathlib import Path

import msgspec

from agent.launch import Paths
from agent.metrics import Registry
from agent.sds.ca_client import CaClient
from agent.sds.files import find_workload_files
from agent.sds.metrics import SecretMetrics
from agent.sds.secrets import SecretOptions, Secrets
from agent.sds.server import SdsServer, SdsServerOptions
from agent.sds.workload import IssueOptions
from agent.settings import Settings
from agent.upstreams import CRL_FILE, ca_upstream
from agent.x509.client import X509
from agent.x509.messages import MakeKey
from certs.files import FileMode
from certs.spiffe import Spiffe
from discovery.runtime.clock import Clock

__all__ = ["Identity", "build_identity"]


class Identity(msgspec.Struct, frozen=True):
    """Two services: the owner of the secrets, and the server that Envoy asks."""

    secrets: Secrets
    server: SdsServer


def build_identity(
    settings: Settings, paths: Paths, *, foreign_sds: bool, x509: X509, clock: Clock, registry: Registry
) -> Identity:
    """The secrets and their server; beside a foreign SDS server ours serves files only, on a socket of its own.

    Raises:
        UpstreamError: it is not clear whom to trust as the CA.
    """
    env = settings.env
    metrics = SecretMetrics(registry)
    files = find_workload_files(Path())
    asks_ca = not (foreign_sds or env.file_mounted_certs or (files is not None and files.provided))
    signer = None
    if asks_ca and env.ca_provider == "Citadel":
        upstream = ca_upstream(settings, exists=lambda path: Path(path).exists())
        signer_name = settings.node_environ.get("ISTIO_META_CERT_SIGNER", "")
        signer = CaClient(upstream, signer=signer_name, x509=x509, clock=clock, metrics=metrics)
    options = SecretOptions(
        issue=_issue_options(settings) if signer else None,
        files=files,
        output_dir=Path(env.output_certs) if env.output_certs else None,
        output_mode=FileMode.PUBLIC if env.kubernetes_host else FileMode.PRIVATE,
        file_debounce_s=env.file_debounce_s,
    )
    secrets = Secrets(options, signer=signer, x509=x509, clock=clock, metrics=metrics)
    socket = Path(paths.sds_files_socket if foreign_sds else paths.sds_socket)
    server = SdsServer(SdsServerOptions(socket=socket, crl=CRL_FILE if env.ca_crl else ""), secrets, clock=clock)
    return Identity(secrets, server)


def _issue_options(settings: Settings) -> IssueOptions:
    env = settings.env
    kind = "RSA"
    if env.ecc_algorithm == "ECDSA":
        kind = "P384" if env.ecc_curve == "P384" else "P256"
    identity = Spiffe(
        trust_domain=env.trust_domain,
        namespace=env.pod_namespace or "default",
        service_account=env.service_account or "default",
    )
    return IssueOptions(
        key=MakeKey(
            identity=str(identity),
            kind=kind,
            rsa_bits=env.rsa_key_size,
            key_format="pkcs8" if env.pkcs8_key else "traditional",
        ),
        ttl_s=int(env.secret_ttl_s),
        grace_ratio=env.secret_grace_ratio,
        jitter=env.secret_grace_jitter,
    )
