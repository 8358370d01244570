"""Tests mirror the tree: each module has its test file, each test function says what must hold, modules stay small."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("agent", "certs", "discovery")
MAX_LINES = 400

# Without behaviour of their own; what they declare is used, and thereby tested, everywhere.
DECLARATIONS_ONLY = {
    "discovery/controllers/workload_entries_metrics.py",
    "discovery/controllers/workload_entries_writer.py",
    "discovery/inject/gotemplate/nodes.py",
    "discovery/inject/names.py",
    "discovery/mesh/proxy.py",
    "discovery/registry/registrant.py",
    "discovery/translate/clusters/key.py",
    "discovery/translate/tables.py",
}


def modules() -> list[Path]:
    found = [
        path.relative_to(ROOT)
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.name not in ("__init__.py", "__main__.py") and not path.stem.endswith("_pb2")
    ]
    assert len(found) > 100
    return found


def test_each_module_has_its_test_file() -> None:
    """`discovery/xds/watch.py` has `tests/discovery/xds/test_watch.py`."""
    missing = [
        str(module)
        for module in modules()
        if str(module) not in DECLARATIONS_ONLY
        and not (ROOT / "tests" / module.parent / f"test_{module.stem}.py").exists()
    ]
    assert missing == []


def test_exceptions_are_modules() -> None:
    """A module that was renamed does not stay excused."""
    assert {name for name in DECLARATIONS_ONLY if not (ROOT / name).exists()} == set()


TEST_FILES = sorted((ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_test_says_what_must_hold(path: Path) -> None:
    """Every test function has a docstring, and no module is without a test."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    mute = [node.name for node in functions if not ast.get_docstring(node)]
    assert mute == []
    states = any(isinstance(node, ast.Assign) and "TestCase" in ast.unparse(node) for node in tree.body)
    assert functions or states, "no test in here"


def test_modules_stay_small() -> None:
    """Up to 400 lines, unless the top of the file says why it is one idea."""
    large = []
    for module in modules():
        text = (ROOT / module).read_text(encoding="utf-8")
        lines = text.count("\n")
        if lines > MAX_LINES and "one module because" not in text[:2000]:
            large.append(f"{module}: {lines}")
    assert large == []


def test_public_names_are_sorted() -> None:
    """`__all__` is sorted as ruff sorts it, and names things that exist."""
    wrong = []
    for module in modules():
        tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
        defined = {
            target.id
            for node in tree.body
            for target in (node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)])
            if isinstance(target, ast.Name)
        }
        defined |= {
            node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        }
        defined |= {
            alias.asname or alias.name
            for node in tree.body
            if isinstance(node, ast.ImportFrom | ast.Import)
            for alias in node.names
        }
        for node in tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                wrong += [f"{module}: {name}" for name in ast.literal_eval(node.value) if name not in defined]
    assert wrong == []


def test_no_test_sleeps() -> None:
    """A test waits for events; a sleep is either too short or too long."""
    sleeping = []
    for path in TEST_FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.sleep", "asyncio.sleep"):
                argument = ast.unparse(node.args[0]) if node.args else ""
                if argument != "0":
                    sleeping.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert sleeping == []
