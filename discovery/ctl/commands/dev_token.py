"""``pilotctl x dev-token``: a token of the development issuer, for agents outside of any cluster."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from certs.errors import CertsError
from discovery.auth.dev_issuer import DEV_AUDIENCE, DevIssuer, DevIssuerError
from discovery.ctl.errors import CtlError
from discovery.wire.durations import DurationError, parse_duration

__all__ = ["dev_token"]


@click.command("dev-token")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.argument("namespace")
@click.argument("service_account")
@click.option("--duration", default="24h", show_default=True, help="How long it is valid.")
@click.option("--audience", default=DEV_AUDIENCE, show_default=True, help="Whom it is meant for.")
@click.option("-w", "--write", "target", type=click.Path(dir_okay=False, path_type=Path), help="Write it to a file.")
def dev_token(
    directory: Path, namespace: str, service_account: str, duration: str, audience: str, target: Path | None
) -> None:
    """A token that says its holder is a service account. DIRECTORY is that of `pilot-discovery --devTokenDir`.

    For development only: who can read the directory can be anybody in the mesh.
    """
    try:
        lifetime = timedelta(seconds=parse_duration(duration))
        issuer = DevIssuer.open(directory)
        now = datetime.now(UTC)
        token = issuer.issue(namespace, service_account, now=now, lifetime=lifetime, audience=audience)
        if target is not None:
            issuer.write_token(target, token)
    except (CertsError, DevIssuerError, DurationError, OSError) as error:
        raise CtlError(str(error)) from error
    if target is None:
        click.echo(token)
