"""The systemd units: systemd takes them, they are hardened, and a restart loses no request."""

from __future__ import annotations

import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import Settings, variable
from tests.credentials import QUERY
from tests.loader import Load
from tests.programs import program
from tests.serving import (
    ROOT,
    START_SECONDS,
    STOP_SECONDS,
    Server,
    environment,
    wait_for_workers,
)
from tests.waiting import wait_until

WORKERS = 2
UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())
COMMAND = "/opt/promobridge/bin/promobridge"
EXPOSURE_MOST = 2.0
TARGET = f"/api.php?{QUERY}&call=getHostBillversion"


@pytest.fixture
def units(tmp_path: Path) -> list[str]:
    """Return copies of the units whose command is there on every machine."""
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace(COMMAND, "/bin/true"))
    return [str(tmp_path / unit.name) for unit in UNITS]


def test_systemd_takes_them(units: list[str]) -> None:
    done = subprocess.run(
        [program("systemd-analyze"), "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_systemd_finds_little_exposed(units: list[str]) -> None:
    for unit in units:
        if unit.endswith(".service"):
            done = subprocess.run(
                [program("systemd-analyze"), "security", "--offline=true", "--no-pager", unit],
                capture_output=True,
                text=True,
                check=True,
            )
            found = re.search(r"exposure level for .*: ([0-9.]+)", done.stdout)
            assert found is not None
            assert float(found[1]) <= EXPOSURE_MOST, done.stdout


def test_settings_and_commands_in_them_exist() -> None:
    from click import Context

    from app.cli import main

    text = "\n".join(unit.read_text() for unit in UNITS)
    known = {variable(name) for name in Settings.__dataclass_fields__}
    assert set(re.findall(r"PROMOBRIDGE_[A-Z_]+", text)) <= known
    commands = set(re.findall(rf"{COMMAND} (\w+)", text))
    assert commands == {"serve", "worker", "webhook", "db"}
    assert commands <= set(main.list_commands(Context(main)))


class Service:
    """Be systemd: hold the socket, and start the service on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.address = self.socket.getsockname()
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notified.bind(str(folder / "notify"))
        self.process: subprocess.Popen[str] | None = None

    def log(self) -> str:
        """Return everything that was said so far."""
        return (self.folder / "server.log").read_text()

    def start(self) -> None:
        """Start the service as sd_listen_fds(3) says, and wait until it says that it is ready."""
        # The shell becomes the server, so that LISTEN_PID names it.
        become = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&0 </dev/null'
        command = [sys.executable, "-m", "app.cli", "serve", "--workers", str(WORKERS)]
        with (self.folder / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", become, "sh", *command],
                cwd=self.folder,
                env=environment(self.folder) | {"NOTIFY_SOCKET": str(self.folder / "notify")},
                stdin=self.socket,
                stdout=log,
                stderr=log,
                start_new_session=True,
                text=True,
            )
        server = Server(self.process, "", "", self.folder / "server.log")
        readable, _, _ = select.select([self.notified], [], [], START_SECONDS)
        assert readable, self.log()
        assert b"READY=1" in self.notified.recv(4096)
        wait_for_workers(server, WORKERS)

    def stop(self) -> None:
        """Stop the service, not the socket."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(STOP_SECONDS) == 0


@pytest.fixture
def service(folder: Path) -> Iterator[Service]:
    """Return the service, which knows PAIR; its processes end with the test."""
    made = Service(folder)
    yield made
    if made.process and made.process.poll() is None:
        made.process.kill()
        made.process.wait()
    made.socket.close()
    made.notified.close()


@pytest.mark.parametrize("keep", [True, False])
def test_a_restart_on_a_socket_of_systemd_loses_no_request(service: Service, keep: bool) -> None:
    host, port = service.address
    serving = f"Serving http://{host}:{port}/admin/api.php\n"
    service.start()
    with Load(service.address, TARGET, keep=keep) as load:
        load.answered(20)
        # It is said by a thread, behind the first answer.
        wait_until(lambda: service.log().count(serving) == 1)
        service.stop()
        service.start()
        load.answered(20)
        wait_until(lambda: service.log().count(serving) == 2)
    service.stop()
    assert load.failures == {}
