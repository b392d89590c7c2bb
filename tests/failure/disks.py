"""Small disks of the tests' own: file systems in memory that can be full, grown, or only read."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import RawIOBase
from pathlib import Path

import pytest

from tests.waiting import wait_until

PIECE = bytes(4096)


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """Mount a small disk below the folder; skip the test where that is not allowed, save in CI."""
    place = folder / "disk"
    place.mkdir()
    with _mounted(place, "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=700", "tmpfs"):
        yield place


@contextmanager
def only_read(disk: Path) -> Iterator[Path]:
    """Mount a disk a second time, where it cannot be written."""
    place = disk.with_name(f"{disk.name}-only-read")
    place.mkdir()
    with _mounted(place, "--bind", str(disk)):
        _run("mount", "-o", "remount,ro,bind", str(place))
        yield place


def grow(disk: Path, mebibytes: int) -> None:
    """Give a disk another size."""
    _run("mount", "-o", f"remount,size={mebibytes}m", str(disk))


def fill(disk: Path) -> Path:
    """Use up all room of a disk; return the file that does, for deleting."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        # A server that uses the disk may give some room back meanwhile.
        wait_until(lambda: _is_full_with(file, disk))
    return filler


def _is_full_with(file: RawIOBase, disk: Path) -> bool:
    with suppress(OSError):
        while True:
            file.write(PIECE)
    return os.statvfs(disk).f_bfree == 0


@contextmanager
def _mounted(place: Path, *words: str) -> Iterator[None]:
    if os.geteuid() != 0:
        assert "CI" not in os.environ, "CI must be allowed to mount"
        pytest.skip("only root may mount a small disk")
    mounted = subprocess.run(["mount", *words, str(place)], capture_output=True, text=True)
    if mounted.returncode:
        assert "CI" not in os.environ, f"CI must be allowed to mount: {mounted.stderr}"
        pytest.skip(f"nothing can be mounted here: {mounted.stderr}")
    try:
        yield
    finally:
        _run("umount", "--lazy", str(place))


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
