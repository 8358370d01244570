"""The incremental query database: inputs in, memoised queries out, and after a change only what must run again.

Queries are pure functions of other cells. The engine records what each one read while it ran; after a commit it re-runs
exactly those whose inputs changed, and where a re-run gives an equal value, propagation stops there. A leaf package.

The law (held by a property test): after any history of changes, every query equals its value in a fresh database with
the same inputs.
"""

from discovery.engine.cells import Input, Query, query
from discovery.engine.database import Commit, Database, Stats
from discovery.engine.errors import CommitWhileRunningError, CycleError, EngineError
from discovery.engine.node import Node

__all__ = [
    "Commit",
    "CommitWhileRunningError",
    "CycleError",
    "Database",
    "EngineError",
    "Input",
    "Node",
    "Query",
    "Stats",
    "query",
]
