"""What selection makes of each connected proxy, watched for change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from discovery.engine import Database, Node, Query
from discovery.mesh.proxy import ProxyKey, ProxyView

if TYPE_CHECKING:
    from discovery.xds.session import Session

__all__ = ["Views"]


class Views:
    """Maps the nodes of views to the sessions that were made by them."""

    def __init__(self, db: Database, view: Query[ProxyKey, ProxyView]) -> None:
        self._db = db
        self._view = view
        self._sessions: dict[Node, dict[Session, None]] = {}

    def join(self, session: Session, key: ProxyKey) -> tuple[Node, ProxyView]:
        """The view of a key; the session is among those affected when it changes.

        Raises:
            Exception: what the query raised; the session has not joined then.
        """
        node = self._view.node(self._db, key)
        view: ProxyView = self._db.read(node)
        sessions = self._sessions.get(node)
        if sessions is None:
            sessions = self._sessions[node] = {}
            self._db.observe(node)
        sessions[session] = None
        return node, view

    def leave(self, session: Session, node: Node) -> None:
        """Take ``join`` back."""
        sessions = self._sessions[node]
        del sessions[session]
        if not sessions:
            del self._sessions[node]
            self._db.unobserve(node)

    def affected(self, touched: Iterable[Node]) -> Iterator[tuple[Session, ProxyView]]:
        """Sessions whose view may be another now, with the view; those whose view cannot be computed keep theirs."""
        for node in touched:
            sessions = self._sessions.get(node)
            if not sessions:
                continue
            try:
                view: ProxyView = self._db.read(node)
            except Exception:  # noqa: BLE001, S112 - the boundary of one proxy: its last good view stays (see `failing`)
                continue
            for session in tuple(sessions):
                yield session, view

    def sessions_of(self, node: Node) -> tuple[Session, ...]:
        """The sessions whose view a node is."""
        return tuple(self._sessions.get(node, ()))

    def failing(self) -> dict[ProxyKey, str]:
        """Proxies whose view cannot be computed at present, with the error."""
        return {node.key: str(node.error) for node in self._sessions if node.error is not None}
