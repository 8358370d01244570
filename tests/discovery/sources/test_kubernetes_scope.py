"""Which namespaces and objects count."""

from __future__ import annotations

import pytest

from discovery.schema.mesh_config import LabelSelector
from discovery.sources.kubernetes_scope import NamespaceEdit, Namespaces, is_of_revision

ON = LabelSelector(match_labels={"mesh": "on"})
NOTHING = NamespaceEdit()


def edit(added: str = "", removed: str = "") -> NamespaceEdit:
    return NamespaceEdit(frozenset(added.split()), frozenset(removed.split()))


def test_without_selectors_everything_counts() -> None:
    """Also objects of a namespace that we have not heard of yet; so there is nothing to edit."""
    namespaces = Namespaces()
    assert namespaces.put("a", {}) == NOTHING
    assert namespaces.accepts("a")
    assert namespaces.accepts("unknown")
    assert namespaces.remove("a") == NOTHING


def test_with_selectors_labels_decide() -> None:
    """Coming, changing and going."""
    namespaces = Namespaces([ON])
    assert namespaces.put("a", {}) == NOTHING
    assert not namespaces.accepts("a")
    assert namespaces.put("a", {"mesh": "on"}) == edit(added="a")
    assert namespaces.accepts("a")
    assert namespaces.put("a", {"mesh": "on", "x": "y"}) == NOTHING
    assert namespaces.put("a", {}) == edit(removed="a")
    namespaces.put("a", {"mesh": "on"})
    assert namespaces.remove("a") == edit(removed="a")
    assert not namespaces.accepts("a")


def test_selectors_are_alternatives() -> None:
    """A namespace counts if any of them fits."""
    namespaces = Namespaces([ON, LabelSelector(match_labels={"env": "prod"})])
    assert namespaces.put("a", {"env": "prod"}) == edit(added="a")


def test_changed_selectors_edit_what_is_there() -> None:
    """From all to some, to others, and back to all."""
    namespaces = Namespaces()
    namespaces.put("on", {"mesh": "on"})
    namespaces.put("off", {"mesh": "off"})
    assert namespaces.select_by([ON]) == edit(removed="off")
    assert namespaces.select_by([ON]) == NOTHING
    assert namespaces.select_by([LabelSelector(match_labels={"mesh": "off"})]) == edit(added="off", removed="on")
    assert namespaces.select_by([]) == edit(added="on")


def test_cluster_scoped_objects_always_count() -> None:
    """They are in no namespace."""
    assert Namespaces([ON]).accepts("")


@pytest.mark.parametrize(
    ("label", "revision", "ours"),
    [
        (None, "", True),
        (None, "canary", True),
        ("", "canary", True),
        ("canary", "canary", True),
        ("stable", "canary", False),
        ("default", "", True),
        ("default", "default", True),
        ("canary", "", False),
    ],
)
def test_revisions(label: str | None, revision: str, *, ours: bool) -> None:
    """An object without a label is for all; a control plane without a revision is the default one."""
    assert is_of_revision({} if label is None else {"istio.io/rev": label}, revision) is ours
