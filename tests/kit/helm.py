"""The real Helm engine over the charts of this repository."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import helm_python as helm
import yaml

__all__ = ["CHARTS", "Manifest", "chart_path", "matches", "of_kind", "one", "render"]

CHARTS: Final = ("base", "discovery", "gateway")
_ROOT: Final = Path(__file__).resolve().parents[2] / "charts"

Manifest = dict[str, Any]


def chart_path(name: str) -> Path:
    """Where a chart of ours is."""
    return _ROOT / name


def render(
    name: str, values: Mapping[str, Any] | None = None, *, release: str = "", namespace: str = "istio-system"
) -> tuple[Manifest, ...]:
    """All objects of a chart, as ``helm template`` gives them, tests included.

    Raises:
        helm_python.HelmError: the values do not fit the schema, or a template fails.
    """
    with helm.Chart.load(str(chart_path(name))) as chart:
        files = chart.render(dict(values or {}), name=release or name, namespace=namespace)
    texts = (text for path, text in sorted(files.items()) if path.endswith(".yaml"))
    return tuple(document for text in texts for document in yaml.safe_load_all(text) if document)


def of_kind(manifests: tuple[Manifest, ...], kind: str) -> list[Manifest]:
    """The objects of a kind."""
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def one(manifests: tuple[Manifest, ...], kind: str, name: str | None = None) -> Manifest:
    """The only object of that kind (and name)."""
    (found,) = [m for m in manifests if m["kind"] == kind and name in (None, m["metadata"]["name"])]
    return found


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a Kubernetes label selector takes these labels (meta/v1 LabelSelector; terms are ANDed)."""
    exact = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return exact and all(_holds(term, labels) for term in selector.get("matchExpressions", ()))


def _holds(term: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = term["key"], term.get("values", ())
    match term["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    raise ValueError(f"no such operator: {term['operator']}")
