"""`pilotctl x dev-token`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from discovery.auth.caller import Credentials, Listener
from discovery.auth.dev_issuer import DevIssuer
from discovery.auth.jwt import JwtAuthenticator
from tests.kit.ctl import pilotctl
from tests.kit.fake_clock import FakeClock


async def test_the_control_plane_takes_the_token(tmp_path: Path) -> None:
    """The holder is the service account, from now on."""
    issuer = tmp_path / "issuer"
    done = pilotctl("x", "dev-token", str(issuer), "shop", "web")
    assert done.exit_code == 0, done.output
    rule = DevIssuer.open(issuer).rule()
    authenticator = JwtAuthenticator(rule, trust_domain="cluster.local", clock=FakeClock(datetime.now(UTC)))
    metadata = [("authorization", f"Bearer {done.output.strip()}")]
    caller = await authenticator.authenticate(Credentials.read(Listener.PLAINTEXT, "127.0.0.1", metadata))
    assert caller is not None
    assert [str(identity) for identity in caller.identities] == ["spiffe://cluster.local/ns/shop/sa/web"]


def test_written_to_a_file_it_is_private(tmp_path: Path) -> None:
    """And not printed."""
    target = tmp_path / "token"
    done = pilotctl("x", "dev-token", str(tmp_path / "issuer"), "shop", "web", "-w", str(target))
    assert (done.exit_code, done.output) == (0, "")
    assert target.stat().st_mode & 0o077 == 0


def test_what_cannot_be_issued_is_said(tmp_path: Path) -> None:
    """A directory that others may read, a duration that is none."""
    (tmp_path / "open").mkdir(mode=0o755)
    assert "chmod 700" in pilotctl("x", "dev-token", str(tmp_path / "open"), "shop", "web").output
    wrong = pilotctl("x", "dev-token", str(tmp_path / "i"), "shop", "web", "--duration", "long")
    assert wrong.exit_code == 1
    assert "'long' is no duration" in wrong.output
