"""``pilotctl analyze``: what is wrong with a directory of configuration, before anybody serves it."""

from __future__ import annotations

from pathlib import Path

import click

from discovery.ctl.findings import findings_in, objects_in, read_files
from discovery.ctl.options import Format, format_option, print_data
from discovery.schema.findings import Finding, has_errors

__all__ = ["analyze", "finding_data"]


def finding_data(finding: Finding) -> dict[str, object]:
    """A finding as data."""
    return {
        "severity": str(finding.severity),
        "file": finding.origin.path,
        "line": finding.origin.line,
        "object": finding.object,
        "path": finding.path,
        "problem": finding.problem,
        "hint": finding.hint,
    }


@click.command("analyze")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH...")
@format_option
def analyze(paths: tuple[Path, ...], output: str) -> None:
    """What is wrong with files and directories of configuration; needs no control plane.

    Exit status 1 if something would not be served.
    """
    files = read_files(paths)
    findings = findings_in(files)
    if output != Format.TABLE:
        print_data([finding_data(finding) for finding in findings], output)
    else:
        for finding in findings:
            click.echo(f"{str(finding.severity).capitalize()}: {finding}")
        click.echo(f"{sum(1 for _ in objects_in(files))} objects in {len(files)} files, {len(findings)} findings")
    if has_errors(findings):
        raise click.exceptions.Exit(1)
