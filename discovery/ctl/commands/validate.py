"""``pilotctl validate``: is a file valid on its own?"""

from __future__ import annotations

from pathlib import Path

import click

from discovery.ctl.findings import findings_in, objects_in, read_files
from discovery.schema.findings import has_errors

__all__ = ["validate"]


@click.command("validate")
@click.option(
    "-f",
    "--filename",
    "paths",
    multiple=True,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="File or directory; may be given more than once.",
)
def validate(paths: tuple[Path, ...]) -> None:
    """Whether every object of a file is valid. Exit status 1 if one is not."""
    files = read_files(paths)
    findings = findings_in(files)
    for finding in findings:
        click.echo(f"{str(finding.severity).capitalize()}: {finding}", err=True)
    if has_errors(findings):
        raise click.exceptions.Exit(1)
    for path in paths:
        click.echo(f"{path}: valid, {sum(1 for _ in objects_in(read_files([path])))} objects")
