"""What a cluster's programs prove themselves with: serving certificate, service account key, static bearer tokens."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certs import pem
from certs.ca import LeafRequest, create_root, new_serial, sign_leaf
from certs.keys import KeyKind, dump_key, generate_key
from tests.kit.kube_api.handle import kubeconfig_text

__all__ = ["CONTROLLER_MANAGER", "PROXY", "SCHEDULER", "Credentials", "make_credentials"]

CONTROLLER_MANAGER: Final = "system:kube-controller-manager"
SCHEDULER: Final = "system:kube-scheduler"
PROXY: Final = "system:kube-proxy"
_DAY: Final = timedelta(days=1)
_NAMES: Final = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """Files and secrets of one cluster, all in its directory.

    Attributes:
        tokens: bearer tokens by what the server takes their bearer for.
        admin_token: of a member of `system:masters`.
    """

    directory: Path
    ca_pem: bytes
    admin_token: str
    tokens: dict[str, str]

    def file(self, name: str) -> Path:
        """One of `ca.pem`, `ca.key`, `serving.pem`, `serving.key`, `accounts.key`, `accounts.pub`, `tokens.csv`."""
        return self.directory / name

    def kubeconfig(self, name: str, url: str, token: str) -> Path:
        """A kubeconfig for the bearer of a token, by that file name."""
        path = self.file(name)
        path.write_text(kubeconfig_text(url, self.ca_pem, token), encoding="utf-8")
        path.chmod(0o600)
        return path


def make_credentials(
    directory: Path, *, now: datetime, addresses: tuple[str, ...], nodes: tuple[str, ...] = ()
) -> Credentials:
    """Write everything that the programs are started with.

    Args:
        addresses: where the API server is called, beside its names.
        nodes: names of the nodes whose kubelets will call it.
    """
    ca = create_root(generate_key(KeyKind.P256), trust_domain="kubernetes", now=now, serial=new_serial())
    serving = generate_key(KeyKind.P256)
    request = LeafRequest(public_key=serving.public_key(), dns_names=_NAMES, ip_addresses=addresses, lifetime=_DAY)
    accounts = generate_key(
        KeyKind.RSA
    )  # what kube-apiserver signs with by default, so tokens look as they do elsewhere
    public = accounts.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    users = {"admin": "system:masters", CONTROLLER_MANAGER: "", PROXY: "", SCHEDULER: ""}
    users |= {f"system:node:{node}": "system:nodes" for node in nodes}
    tokens = {user: secrets.token_urlsafe(24) for user in users}
    lines = [f'{token},{user},{user},"{users[user]}"\n' for user, token in tokens.items()]
    files = {
        "ca.pem": ca.certificate_pem(),
        "ca.key": ca.key_pem(),
        "serving.pem": pem.dump_certificate(sign_leaf(ca, request, now=now, serial=new_serial())),
        "serving.key": dump_key(serving),
        "accounts.key": dump_key(accounts),
        "accounts.pub": public,
        "tokens.csv": "".join(lines).encode(),
    }
    for name, content in files.items():
        path = directory / name
        path.touch(mode=0o600)
        path.write_bytes(content)
    return Credentials(directory=directory, ca_pem=files["ca.pem"], admin_token=tokens["admin"], tokens=tokens)
