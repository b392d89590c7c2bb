"""Every file that promobridge makes is for its owner only, whatever the umask."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.exchange import private_files
from models.store.errors import Invalid
from tests import stores
from tests.app.conftest import Run
from tests.serving import served


@pytest.fixture(autouse=True)
def _no_umask() -> Iterator[None]:
    """Let every file be open to everyone that does not take care of itself."""
    usual = os.umask(0)
    yield
    os.umask(usual)


def modes(folder: Path) -> dict[str, int]:
    """Return the modes of what promobridge made there; the log is the test's own."""
    made = (path for path in folder.rglob("*") if path.is_file() and path.name != "server.log")
    return {path.name: path.stat().st_mode & 0o777 for path in made}


def test_all_that_the_commands_and_the_server_leave(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (
        ("db", "upgrade"),
        ("batch", "generate", "--name", "Spring", "--size", "3", "--value", "5"),
        ("batch", "export", "1", "--output", "spring.csv"),
    ):
        assert run(*words).exit_code == 0
    with served(tmp_path, "--json", command=("demo", "--workers", "1")) as server:
        assert server.get("call=getAPIMethods").status == 200
        served_files = modes(tmp_path)
    names = {"spring.csv", "promobridge-demo.json"}
    if stores.SQLITE:
        names |= {"store.db", "store.db-wal", "store.db-shm"}
    assert set(served_files) == names
    assert set(served_files.values()) == {0o600}, served_files
    assert set(modes(tmp_path).values()) == {0o600}


def test_a_file_that_was_open_to_others_is_replaced_by_one_that_is_not(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_text("old")
    assert modes(tmp_path) == {"old": 0o666}
    with private_files.replacing(path) as name:
        name.write_bytes(b"new")
        assert set(modes(tmp_path).values()) == {0o600, 0o666}
        assert path.read_text() == "old"
    assert modes(tmp_path) == {"old": 0o600}
    assert path.read_text() == "new"


def test_making_a_file_keeps_one_that_is_there(tmp_path: Path) -> None:
    private_files.create(tmp_path / "new")
    assert modes(tmp_path) == {"new": 0o600}
    (tmp_path / "new").write_text("kept")
    private_files.create(tmp_path / "new")
    assert (tmp_path / "new").read_text() == "kept"


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="is not a file"), private_files.replacing(tmp_path):
        raise AssertionError


def test_a_file_that_is_there_is_not_opened(tmp_path: Path) -> None:
    """Closing it would end SQLite's locks: another process then deletes the write-ahead log."""
    path = tmp_path / "store.db"

    def elsewhere(statement: str) -> str:
        opened = f"sqlite3.connect({str(path)!r})"
        words = f"import sqlite3; print({opened}.execute({statement!r}).fetchall())"
        run = subprocess.run([sys.executable, "-c", words], capture_output=True, check=True)
        return run.stdout.decode().strip()

    private_files.create(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as ours:
        ours.execute("PRAGMA journal_mode=wal")
        ours.execute("CREATE TABLE code (id INTEGER)")
        private_files.create(path)
        assert elsewhere("SELECT COUNT(*) FROM code") == "[(0,)]"
        ours.execute("INSERT INTO code VALUES (1)")
        assert elsewhere("SELECT COUNT(*) FROM code") == "[(1,)]"
