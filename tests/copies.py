"""Copies of a store by the command, and databases of all engines to copy to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from app.cli import main
from models.transfer.tables import Content, read
from tests import stores
from tests.engine_servers import POSTGRESQL_FOLDERS, mariadb, postgresql
from tests.programs import program

ENGINES = {"postgresql": postgresql, "mariadb": mariadb}
NewDatabase = Callable[[str], str]


@contextmanager
def new_databases(folder: Path) -> Iterator[NewDatabase]:
    """Yield a function that makes an empty database of an engine and returns its URL.

    It skips a test where the engine's server is not installed, but never in CI.
    """
    servers: dict[str, str] = {}
    count = 0
    with ExitStack() as stack:

        def make(engine: str) -> str:
            nonlocal count
            count += 1
            if engine == "sqlite":
                return f"sqlite:///{folder}/copy_{count}.db"
            if engine not in servers:
                _require(engine)
                servers[engine] = stack.enter_context(ENGINES[engine]())
            admin = stores.ADMINISTRATED[servers[engine].partition(":")[0]]
            with stores.session(servers[engine] + admin) as server:
                server.execute_sql(f"CREATE DATABASE copy_{count}")
            return f"{servers[engine]}copy_{count}"

        yield make


def copied(source: str, target: str, *options: str, **given: Any) -> Result:
    """Run `promobridge db copy` in this process."""
    return CliRunner().invoke(main, ["db", "copy", source, target, *options], **given)


def contents(url: str) -> dict[str, Content]:
    """Return what a store holds."""
    with stores.session(url) as store:
        return read(store)


def _require(engine: str) -> None:
    if engine == "mariadb":
        program("mariadb-install-db")
    elif not any(Path("/").glob(POSTGRESQL_FOLDERS[1:])):
        program("postgres")
