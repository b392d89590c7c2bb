"""Imports go one way: app -> calls -> models, and through models from floor to floor.

calls and models never meet Flask, no two modules import each other, and a call is all that the
folder of calls holds beside its packages.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {
    "models": {"app", "calls", "flask", "werkzeug", "marshmallow", "gunicorn", "click"},
    "calls": {"app", "flask", "gunicorn", "click"},
    "app": {"tests"},
}
FLOORS = (
    {"store"},
    {"webhooks"},
    {"promotions"},
    {"redemptions"},
    {"campaigns"},
    {"access", "imports", "people"},
    {"panel"},
    {"checks", "transfer"},
)
"""The packages of models from the ground up: each imports from itself and from floors below."""


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted name of everything that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(*packages: str) -> dict[str, Path]:
    """Return the files of the packages by the names of their modules."""
    files = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    assert files
    return {module_name(path): path for path in files if "migrations" not in path.parts}


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_a_package_imports_only_what_is_below_it(package: str) -> None:
    wrong = {
        module: found
        for module, path in sources(package).items()
        if (found := {name.split(".")[0] for name in imports(path)} & FORBIDDEN[package])
    }
    assert wrong == {}


def test_the_floors_of_models_are_all_of_its_packages() -> None:
    folders = {path.parent.name for path in (ROOT / "models").glob("*/__init__.py")}
    assert folders == set().union(*FLOORS)


@pytest.mark.parametrize("number", range(len(FLOORS)))
def test_a_floor_of_models_imports_only_those_below(number: int) -> None:
    above = set().union(*FLOORS[number:])
    wrong = {
        (module, name)
        for package in FLOORS[number]
        for module, path in sources(f"models/{package}").items()
        for name in imports(path)
        if name.startswith("models.") and name.split(".")[1] in above - {package}
    }
    assert wrong == set()


def test_no_import_goes_round_in_a_circle() -> None:
    known = sources("app", "calls", "models")
    graph = {
        module: {name for name in _modules(path, known) if name != module}
        for module, path in known.items()
    }
    assert len(list(TopologicalSorter(graph).static_order())) == len(known)


def test_the_folder_of_calls_holds_calls_alone() -> None:
    for path in (ROOT / "calls").glob("*.py"):
        assert path.name == "__init__.py" or "\n@call(" in path.read_text(), path


def _modules(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Yield the modules of ours that a file imports; a package only where it is asked itself."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from names & known.keys() or {node.module}
