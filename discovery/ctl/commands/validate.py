"""``pilotctl validate``: is a file valid on its own?"""

from __future__ import annotations

from pathlib import Path

import click

from discovery.ctl.findings import findings_in, objects_in, read_files, refusals_in
from discovery.schema.findings import Finding, has_errors

__all__ = ["validate"]


@click.command("validate")
@click.option(
    "-f",
    "--filename",
    "paths",
    multiple=True,
    required=True,
    type=click.Path(exists=True, allow_dash=True, path_type=Path),
    help="File, directory, or - for the input; may be given more than once.",
)
def validate(paths: tuple[Path, ...]) -> None:
    """Whether every object of a file is valid, as the webhook would say. Exit status 1 if one is not."""
    by_path = {path: read_files([path]) for path in paths}
    files = [file for found in by_path.values() for file in found]
    refusals = list(refusals_in(files))
    refused = {_place(finding) for finding in refusals}
    findings = [*refusals, *(finding for finding in findings_in(files) if _place(finding) not in refused)]
    for finding in sorted(findings, key=lambda finding: (finding.origin.path, finding.origin.line)):
        click.echo(f"{str(finding.severity).capitalize()}: {finding}", err=True)
    if has_errors(findings):
        raise click.exceptions.Exit(1)
    for path, found in by_path.items():
        click.echo(f"{path}: valid, {sum(1 for _ in objects_in(found))} objects")


def _place(finding: Finding) -> tuple[str, int, str, str]:
    return finding.origin.path, finding.origin.line, finding.path, finding.problem
