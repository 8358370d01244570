"""What the incremental query database costs by itself: cold, for a further scope, and after one change.

The queries have the fan-out of the real ones (per service, then per scope) and next to no work of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.inprocess import best_of, in_process
from benchmarks.rows import Row, row
from discovery.engine import Database, Input, query

__all__ = ["engine"]

_SERVICES = 1000
_SCENARIO = f"engine, {_SERVICES} services"

_index: Input[str, tuple[int, ...]] = Input("services", default=())
_service: Input[int, str] = Input("service", default="")
_endpoints: Input[int, tuple[str, ...]] = Input("endpoints", default=())


@query
def _cluster(db: Database, number: int) -> bytes:
    return _service(db, number).encode()


@query
def _assignment(db: Database, number: int) -> bytes:
    return "".join((_service(db, number), *_endpoints(db, number))).encode()


@query
def _configuration(db: Database, _scope: str) -> tuple[bytes, ...]:
    numbers = _index(db, "mesh")
    return tuple(_cluster(db, n) for n in numbers) + tuple(_assignment(db, n) for n in numbers)


def _filled() -> Database:
    db = Database()
    numbers = tuple(range(_SERVICES))
    db.commit([(_index, "mesh", numbers)])
    db.commit([(_service, n, f"svc-{n}") for n in numbers])
    db.commit([(_endpoints, n, (f"10.0.0.{n}",)) for n in numbers])
    return db


def _warm() -> Database:
    db = _filled()
    _configuration(db, "first")
    return db


def _after_change() -> Database:
    db = _warm()
    db.commit([(_endpoints, 7, ("10.9.9.9",))])
    return db


def _reading(db: Database, scope: str) -> Callable[[], object]:
    return lambda: _configuration(db, scope)


def _reading_one(db: Database) -> Callable[[], object]:
    return lambda: _assignment(db, 7)


@in_process
def engine() -> Sequence[Row]:
    """Time of the engine alone."""
    figures = {
        "engine_cold": best_of(5, lambda: _reading(_filled(), "first")),
        "engine_next_scope": best_of(5, lambda: _reading(_warm(), "second")),
        "engine_one_change": best_of(5, lambda: _reading(_after_change(), "first")),
        "engine_one_change_one_resource": best_of(5, lambda: _reading_one(_after_change())),
    }
    return [row(name, _SCENARIO, 1e3 * seconds, "ms") for name, seconds in figures.items()]
