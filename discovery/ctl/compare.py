"""Two dumps of one proxy side by side: what the control plane serves, and what Envoy runs."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from discovery.ctl.dump import Dump
from discovery.schema.yaml_writing import render_yaml

__all__ = ["Difference", "compare"]

_SECTIONS: Final[tuple[tuple[str, Callable[..., Iterable[dict[str, Any]]]], ...]] = (
    ("Clusters", Dump.clusters),
    ("Listeners", Dump.listeners),
    ("Routes", Dump.routes),
)


class Difference(NamedTuple):
    """How one section differs: a unified diff, empty where it does not."""

    section: str
    diff: str


def compare(first: Dump, second: Dump, *, names: tuple[str, str] = ("control plane", "Envoy")) -> list[Difference]:
    """Clusters, listeners and routes, as far as they came over xDS: nobody serves what is in the bootstrap.

    The order of resources means nothing, hence it is no difference.
    """
    found = []
    for section, read in _SECTIONS:
        texts = [_text(read(dump, static=False)) for dump in (first, second)]
        lines = difflib.unified_diff(texts[0], texts[1], names[0], names[1], lineterm="")
        found.append(Difference(section, "\n".join(lines)))
    return found


def _text(resources: Iterable[dict[str, Any]]) -> list[str]:
    ordered = sorted(resources, key=lambda resource: str(resource.get("name", "")))
    return render_yaml(ordered, sort_keys=True).splitlines()
