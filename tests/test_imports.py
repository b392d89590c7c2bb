"""Imports go one way: app -> calls -> models; calls and models never meet Flask."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {
    "models": {"app", "calls", "flask", "werkzeug", "marshmallow", "gunicorn", "click"},
    "calls": {"app", "flask", "gunicorn", "click"},
    "app": {"tests"},
}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_a_package_imports_only_what_is_below_it(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    wrong = {str(path): found for path in files if (found := imported(path) & FORBIDDEN[package])}
    assert wrong == {}
