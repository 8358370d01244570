"""Which namespaces and objects of a cluster are this control plane's business. Pure.

Spec: https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig (``discoverySelectors``)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from discovery.schema.label_selector import fits
from discovery.schema.mesh_config import LabelSelector

__all__ = ["DEFAULT_REVISION", "NamespaceEdit", "Namespaces", "is_of_revision"]

DEFAULT_REVISION: Final = "default"
_REVISION_LABEL: Final = "istio.io/rev"


def is_of_revision(labels: Mapping[str, str], revision: str) -> bool:
    """Whether a configuration object is for the control plane of a revision; without a label it is for all."""
    wanted = labels.get(_REVISION_LABEL, "")
    return not wanted or wanted == (revision or DEFAULT_REVISION)


class NamespaceEdit(NamedTuple):
    """Namespaces that are selected now and were not before, and the other way round."""

    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()


class Namespaces:
    """The namespaces that there are, and which of them the mesh configuration selects. One task owns it."""

    def __init__(self, selectors: Sequence[LabelSelector] = ()) -> None:
        self._selectors = tuple(selectors)
        self._labels: dict[str, Mapping[str, str]] = {}
        self._selected: set[str] = set()

    def accepts(self, namespace: str) -> bool:
        """Whether objects of the namespace count. Without selectors those of any do, known or not."""
        return not self._selectors or not namespace or namespace in self._selected

    def select_by(self, selectors: Sequence[LabelSelector]) -> NamespaceEdit:
        """The mesh configuration says which namespaces count."""
        if tuple(selectors) == self._selectors:
            return NamespaceEdit()
        self._selectors = tuple(selectors)
        return self._judge(self._labels)

    def put(self, name: str, labels: Mapping[str, str]) -> NamespaceEdit:
        """A namespace has these labels. Without selectors that changes nothing: its objects count in any case."""
        self._labels[name] = labels
        edit = self._judge((name,))
        return edit if self._selectors else NamespaceEdit()

    def remove(self, name: str) -> NamespaceEdit:
        """A namespace is gone."""
        self._labels.pop(name, None)
        edit = self._judge((name,))
        return edit if self._selectors else NamespaceEdit()

    def _judge(self, names: Iterable[str]) -> NamespaceEdit:
        now = {name for name in names if name in self._labels and self._fits(self._labels[name])}
        before = {name for name in names if name in self._selected}
        self._selected = (self._selected - before) | now
        return NamespaceEdit(frozenset(now - before), frozenset(before - now))

    def _fits(self, labels: Mapping[str, str]) -> bool:
        return not self._selectors or any(fits(selector, labels) for selector in self._selectors)
