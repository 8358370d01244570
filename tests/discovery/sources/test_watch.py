from __future__ import annotations

import asyncio
from pathlib import Path

from discovery.sources.watch import Watch, existing, identify


def test_identity_is_of_the_inode(tmp_path: Path) -> None:
    """A directory that was replaced is another one, though its name is the same."""
    target = tmp_path / "a"
    target.mkdir()
    first = identify(target)
    target.rename(tmp_path / "b")
    target.mkdir()
    assert first is not None
    assert identify(target) != first
    assert identify(tmp_path / "none") is None


def test_nearest_existing_directory(tmp_path: Path) -> None:
    """Where the coming of a directory will be heard of."""
    found = existing(tmp_path / "x" / "y")
    assert found is not None
    assert found.path == str(tmp_path)
    (tmp_path / "file").write_text("")
    found = existing(tmp_path / "file")
    assert found is not None
    assert found.path == str(tmp_path)


async def test_looks_first_and_after_changes_and_follows_replaced_directories(tmp_path: Path) -> None:
    """Every write is seen, also one in a directory that came after the watch was made."""
    looks: asyncio.Queue[frozenset[str]] = asyncio.Queue()

    async def look(paths: frozenset[str]) -> None:
        looks.put_nowait(paths)

    root = tmp_path / "conf"
    root.mkdir()
    watch = Watch(lambda: [d for d in (identify(tmp_path), identify(root)) if d], look, lambda path: True)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(watch.run())
        assert await looks.get() == frozenset()
        (root / "a").write_text("1")
        assert str(root / "a") in await looks.get()
        root.rename(tmp_path / "old")
        root.mkdir()
        while await looks.get():  # an empty hint: a new watch is in place
            pass
        (root / "b").write_text("2")
        while str(root / "b") not in await looks.get():
            pass
        task.cancel()


async def test_looks_at_everything_now_and_then(tmp_path: Path) -> None:
    """No event is needed: events can be lost."""
    looks: asyncio.Queue[frozenset[str]] = asyncio.Queue()

    async def look(paths: frozenset[str]) -> None:
        looks.put_nowait(paths)

    here = identify(tmp_path)
    watch = Watch(lambda: [here] if here else [], look, lambda path: True, audit_s=0.001)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(watch.run())
        for _ in range(3):
            assert await looks.get() == frozenset()
        task.cancel()
