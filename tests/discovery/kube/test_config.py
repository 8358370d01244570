"""Where the API server is, and who we are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from discovery.kube.config import KubeConfig, TokenFile, is_in_cluster, load_access
from discovery.kube.errors import AccessError
from tests.kit.certs import root_ca
from tests.kit.fake_clock import FakeClock

IN_CLUSTER = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """A service account's directory as a pod has it."""
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "ca.crt").write_bytes(root_ca().certificate_pem())
    return tmp_path


def kubeconfig(path: Path, *, cluster: dict[str, object], user: dict[str, object]) -> str:
    """A kubeconfig file with one context."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_bytes(msgspec.json.encode(document))
    return str(path)


async def test_in_a_pod_the_service_account_is_used(account: Path) -> None:
    """Address from the environment, token and roots from the mounted files."""
    access = await load_access(KubeConfig(environ=IN_CLUSTER, service_account_dir=str(account)), FakeClock())
    assert access.server == "https://10.0.0.1:443"
    assert await access.credentials.authorization() == "Bearer first"
    assert access.tls is not None
    assert access.tls.check_hostname


async def test_an_ipv6_address_is_bracketed(account: Path) -> None:
    """Else its last group would be a port."""
    environ = {**IN_CLUSTER, "KUBERNETES_SERVICE_HOST": "fd00::1"}
    access = await load_access(KubeConfig(environ=environ, service_account_dir=str(account)), FakeClock())
    assert access.server == "https://[fd00::1]:443"


async def test_a_rotated_token_is_read_within_a_minute_or_when_refused(tmp_path: Path) -> None:
    """The kubelet replaces the file; the old token stays good for a while, but not for ever."""
    clock, path = FakeClock(), tmp_path / "token"
    path.write_text("one")
    token = TokenFile(path, clock)
    assert await token.authorization() == "Bearer one"
    path.write_text("two")
    assert await token.authorization() == "Bearer one"
    clock.advance(60)
    assert await token.authorization() == "Bearer two"
    path.write_text("three")
    assert await token.authorization(renew=True) == "Bearer three"


async def test_a_token_that_vanishes_is_kept(tmp_path: Path) -> None:
    """A file that cannot be read for a moment must not end our work."""
    path = tmp_path / "token"
    path.write_text("one")
    token = TokenFile(path, FakeClock())
    await token.authorization()
    path.write_text("")
    assert await token.authorization(renew=True) == "Bearer one"
    path.unlink()
    assert await token.authorization(renew=True) == "Bearer one"


@pytest.mark.parametrize("missing", ["token", "ca.crt"])
async def test_files_that_are_missing_at_the_start_are_named(account: Path, missing: str) -> None:
    """The text says which file, and what may be wrong."""
    (account / missing).unlink()
    with pytest.raises(AccessError, match=f"{missing}.*mounted"):
        await load_access(KubeConfig(environ=IN_CLUSTER, service_account_dir=str(account)), FakeClock())


async def test_without_any_cluster_the_error_says_what_to_give() -> None:
    """Neither kubeconfig nor pod."""
    assert not is_in_cluster({})
    with pytest.raises(AccessError, match="give --kubeconfig"):
        await load_access(KubeConfig(), FakeClock())


async def test_a_kubeconfig_with_a_token(tmp_path: Path) -> None:
    """Server, roots and token of its current context."""
    root = tmp_path / "root.pem"
    root.write_bytes(root_ca().certificate_pem())
    cluster: dict[str, object] = {
        "server": "https://h:6443/",
        "certificate-authority": "root.pem",
        "tls-server-name": "api",
    }
    path = kubeconfig(tmp_path / "config", cluster=cluster, user={"token": "secret"})
    access = await load_access(KubeConfig(kubeconfig=path), FakeClock())
    assert (access.server, access.tls_server_name) == ("https://h:6443", "api")
    assert await access.credentials.authorization() == "Bearer secret"


async def test_a_token_file_of_a_kubeconfig_is_read_again_when_refused(tmp_path: Path) -> None:
    """Tokens in files rotate."""
    (tmp_path / "token").write_text("one")
    path = kubeconfig(tmp_path / "config", cluster={"server": "http://h"}, user={"tokenFile": "token"})
    access = await load_access(KubeConfig(kubeconfig=path), FakeClock())
    assert access.tls is None
    assert await access.credentials.authorization() == "Bearer one"
    (tmp_path / "token").write_text("two")
    assert await access.credentials.authorization(renew=True) == "Bearer two"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (None, "does not exist"),
        ("{}", "kubeconfig"),
        ("a: [", "kubeconfig"),
        ('{"current-context": "x"}', "kubeconfig"),
    ],
)
async def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path: Path, text: str | None, wanted: str) -> None:
    """Whatever is wrong with the file, the error is ours and says which file."""
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    with pytest.raises(AccessError, match=wanted) as caught:
        await load_access(KubeConfig(kubeconfig=str(path)), FakeClock())
    assert str(path) in str(caught.value)


def test_a_pod_does_not_pay_for_the_kubeconfig_reader() -> None:
    """The official client is imported only where a kubeconfig is given: 21 MB."""
    code = "import sys, discovery.kube.client; sys.exit('kubernetes' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
