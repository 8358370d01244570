"""Variables of the proxy in the webhook's path: a control plane that serves several clusters tells them apart by it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["parse_path_env"]

_SHORT: Final = {"cluster": "ISTIO_META_CLUSTER_ID", "net": "ISTIO_META_NETWORK"}
_MARK: Final = ":ENV:"
_SLASH: Final = "--slash--"


def parse_path_env(path: str) -> dict[str, str]:
    """The variables in ``/inject/cluster/remote/net/n2`` or ``/inject/:ENV:cluster=remote:ENV:net=n2``.

    ``--slash--`` in a value stands for a slash; a last name without a value is ignored.
    """
    rest = path.removeprefix("/").partition("/")[2].rstrip("/")
    if rest.startswith(_MARK):
        return _named(_assignments(rest.split(_MARK)))
    parts = rest.split("/") if rest else []
    return _named((name, value.replace(_SLASH, "/")) for name, value in zip(parts[::2], parts[1::2], strict=False))


def _assignments(parts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for part in parts:
        name, sign, value = part.partition("=")
        if name and sign:
            yield name, value


def _named(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {_SHORT.get(name, name.upper()): value for name, value in pairs if name}
