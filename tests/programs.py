"""Programs that a fresh machine may lack: a test is skipped there, but never in CI."""

from __future__ import annotations

import os
import shutil
import sysconfig

import pytest


def program(name: str) -> str:
    """Return the path of a program."""
    places = (os.environ.get("PATH", ""), "/usr/sbin", sysconfig.get_path("scripts"))
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        assert "CI" not in os.environ, f"CI must install {name}"
        pytest.skip(f"{name} is not installed")
    return found
