"""Database servers of the tests' own: started in a temporary folder, gone with the tests."""

from __future__ import annotations

import os
import pwd
import secrets
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.waiting import wait_until

START_SECONDS = 60
STOP_SECONDS = 30
READY = ("ready to accept connections", "ready for connections")
"""What the servers log when they can be spoken to."""
SERVER_PORTS = range(15_000, 32_768)
POSTGRESQL_FOLDERS = "/usr/lib/postgresql/*/bin"


@dataclass
class EngineServer:
    """Hold a server, the URL of its administrator without a database, and what stops it."""

    url: str
    user: str
    death: signal.Signals
    command: Sequence[object]
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it can be spoken to; should we die first, the kernel ends it."""
        log_file = self.folder / "log"
        words = as_user(self.user, f"--pdeathsig={self.death.name.removeprefix('SIG')}")
        with log_file.open("w") as log:
            self.process = subprocess.Popen(
                [*words, *map(str, self.command)],
                cwd=self.folder,
                env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        _wait_for(self.process, log_file)

    def stop(self) -> None:
        """End it as its service does: whoever is connected is cut off."""
        if self.process is None:
            return
        fast = signal.SIGINT if self.user == "postgres" else signal.SIGTERM
        self.process.send_signal(fast)
        try:
            self.process.wait(STOP_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL server and yield the URL of its administrator, without a database."""
    with postgresql_server() as server:
        yield server.url


@contextmanager
def mariadb(*options: str) -> Iterator[str]:
    """Run a MariaDB server and yield the URL of its administrator, without a database."""
    with mariadb_server(*options) as server:
        yield server.url


@contextmanager
def postgresql_server() -> Iterator[EngineServer]:
    """Run a PostgreSQL server that can be started again."""
    newest = max(Path("/").glob(POSTGRESQL_FOLDERS[1:]), key=lambda path: float(path.parts[-2]))
    with owned_folder("postgres") as folder:
        data = folder / "data"
        make = [newest / "initdb", "-D", data, "-U", "tests", "-A", "trust", "-E", "UTF8"]
        done(["postgres", *make, "--locale=C.UTF-8", "--no-sync"], folder)
        port = free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": folder,
            "fsync": "off",
            "full_page_writes": "off",
            "synchronous_commit": "off",
            "max_connections": 300,
            "max_wal_size": "4GB",
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [newest / "postgres", "-D", data, "-p", port, *words]
        url = f"postgresql://tests@127.0.0.1:{port}/"
        with _running(EngineServer(url, "postgres", signal.SIGQUIT, command, folder)) as server:
            yield server


@contextmanager
def mariadb_server(*options: str) -> Iterator[EngineServer]:
    """Run a MariaDB server that can be started again."""
    with owned_folder("mysql") as folder:
        data = folder / "data"
        # In a shared folder for temporary files, two of them take each other's.
        make = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", f"--tmpdir={folder}"]
        make.append("--skip-test-db")
        done(["mysql", *make, "--auth-root-authentication-method=normal"], folder)
        port = free_port()
        settings = {
            "datadir": data,
            "tmpdir": folder,
            "socket": folder / "socket",
            "pid-file": folder / "pid",
            "bind-address": "127.0.0.1",
            "port": port,
            "max-connections": 300,
            "innodb-flush-log-at-trx-commit": 0,
            "innodb-flush-method": "nosync",
            "innodb-doublewrite": 0,
            "innodb-buffer-pool-size": "256M",
            "innodb-log-file-size": "256M",
        }
        words = [f"--{name}={value}" for name, value in settings.items()]
        command = ["mariadbd", "--no-defaults", "--skip-log-bin", *words, *options]
        url = f"mysql://root@127.0.0.1:{port}/"
        with _running(EngineServer(url, "mysql", signal.SIGKILL, command, folder)) as server:
            yield server


@contextmanager
def owned_folder(user: str) -> Iterator[Path]:
    """Yield a new folder that the user of a server may write to."""
    with tempfile.TemporaryDirectory(prefix="promobridge-tests-") as name:
        if os.geteuid() == 0:
            owner = pwd.getpwnam(user)
            os.chown(name, owner.pw_uid, owner.pw_gid)
        yield Path(name)


def as_user(user: str, *options: str) -> list[str]:
    """Return the words that let a command run as a user, where we are root: servers refuse it."""
    if os.geteuid() == 0:
        options = (f"--reuid={user}", f"--regid={user}", "--clear-groups", *options)
    return ["setpriv", *options]


def done(words: Sequence[object], folder: Path) -> None:
    """Run a command that must succeed, by the user who is its first word."""
    user, *command = map(str, words)
    done = subprocess.run(
        [*as_user(user), *command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def _running(server: EngineServer) -> Iterator[EngineServer]:
    """Run a server until the block ends."""
    try:
        server.start()
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """Return a port that nobody listens on, on either address that servers of tests listen on.

    It is below those that the kernel gives to clients: one of them could have it by the time that
    the server asks for it.
    """
    while True:
        port = SERVER_PORTS[secrets.randbelow(len(SERVER_PORTS))]
        if all(_is_free(host, port) for host in ("127.0.0.1", "127.0.0.2")):
            return port


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as taken:
        try:
            taken.bind((host, port))
        except OSError:
            return False
    return True


def _wait_for(process: subprocess.Popen[bytes], log_file: Path) -> None:
    def is_ready() -> bool:
        assert process.poll() is None, log_file.read_text()
        return any(words in log_file.read_text() for words in READY)

    wait_until(is_ready, START_SECONDS, why=log_file.read_text)
