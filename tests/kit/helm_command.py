"""`helm` as it is typed in the documentation, by the real engine as a library.

Options that it does not know end it, so that no page can use one that was never tried.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

import helm_python as helm

__all__ = ["main"]

_COMMANDS: Final = {"install": 2, "upgrade": 2, "template": 2, "rollback": 1, "uninstall": 1, "history": 1}
"""And how many words each takes."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="helm", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, words in _COMMANDS.items():
        command = commands.add_parser(name, allow_abbrev=False)
        command.add_argument("release")
        command.add_argument("-n", "--namespace", default="default")
        if words == 2:
            command.add_argument("chart")
            command.add_argument("--set", action="append", default=[], dest="settings")
        if name == "install":
            command.add_argument("--create-namespace", action="store_true")
        if name == "template":
            command.add_argument("-s", "--show-only", required=True)
    return parser


def main(words: list[str] | None = None) -> None:
    """Carry a command out.

    Raises:
        helm_python.HelmError: Helm or the API server refuses it.
        SystemExit: it is not one that this knows.
    """
    given = _parser().parse_args(words)
    settings = ",".join(getattr(given, "settings", ()))
    values = helm.parse_set_string(settings) if settings else {}
    if given.command == "template":
        with helm.Chart.load(given.chart) as chart:
            files = chart.render(values, name=given.release, namespace=given.namespace)
        (text,) = (text for path, text in files.items() if path.partition("/")[2] == given.show_only)
        print(text)  # noqa: T201 - a command prints
        return
    kubeconfig = os.environ["KUBECONFIG"]  # noqa: TID251 - a command has it from there
    with helm.Config(kubeconfig_path=Path(kubeconfig), namespace=given.namespace) as releases:
        match given.command:
            case "install":
                releases.install(
                    given.chart,
                    given.release,
                    values,
                    namespace=given.namespace,
                    create_namespace=given.create_namespace,
                )
            case "upgrade":
                releases.upgrade(given.chart, given.release, values, namespace=given.namespace)
            case "rollback":
                releases.rollback(given.release)
            case "uninstall":
                releases.uninstall(given.release)
            case "history":
                print(*releases.history(given.release), sep="\n")  # noqa: T201 - a command prints
