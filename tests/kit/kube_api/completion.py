"""What the server makes of an object, and its judgement: defaults for all kinds, schemas for custom ones."""

from __future__ import annotations

from tests.kit.kube_api.defaults import defaulted
from tests.kit.kube_api.errors import invalid
from tests.kit.kube_api.kinds import Kind
from tests.kit.kube_api.objects import Json, meta
from tests.kit.kube_api.structural import filled, judged, pruned

__all__ = ["check_schema", "completed"]


def completed(kind: Kind, item: Json) -> Json:
    """The object with defaults, and without what its schema does not know."""
    if not kind.custom:
        return defaulted(kind.kind, item)
    done: Json = filled(pruned(item, kind.schema or {}), kind.schema or {})
    return done


def check_schema(kind: Kind, item: Json) -> None:
    """Return if a custom object is what its schema wants; built-in kinds are judged by their own rules.

    Raises:
        StatusError: 422, with all that is wrong.
    """
    causes = judged(item, kind.schema or {}) if kind.custom else []
    if causes:
        raise invalid(kind.kind, kind.group, meta(item).get("name", ""), causes)
