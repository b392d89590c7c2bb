"""A Galera cluster of the tests' own: its nodes killed, frozen and brought back one by one."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.engine_servers import STOP_SECONDS, as_user, done, free_port, owned_folder
from tests.waiting import wait_until

PROVIDERS = Path("/usr/lib/galera/libgalera_smm.so"), Path("/usr/lib64/galera/libgalera_smm.so")
NODES = 3
JOIN_SECONDS = 120
"""How long a node may take to start and to get what it missed."""
DATABASE = "promobridge"
RECOVERED = re.compile(r"Recovered position: (\S+)")
TAKEN = set[int]()
"""Ports that were given out: a node that is down must find its own free again."""


@dataclass
class Node:
    """Hold one node: its place on the disk, its ports, and its process while it runs."""

    number: int
    folder: Path
    provider: Path
    port: int = field(default_factory=lambda: _port())
    group_port: int = field(default_factory=lambda: _port())
    transfer_port: int = field(default_factory=lambda: _port())
    dump_port: int = field(default_factory=lambda: _port())
    process: subprocess.Popen[bytes] | None = None

    @property
    def log_file(self) -> Path:
        """Return where the node writes what it does, over all its lives."""
        return self.folder / "log"

    def install(self) -> None:
        """Make the system tables."""
        make = ["mariadb-install-db", "--no-defaults", f"--datadir={self.folder / 'data'}"]
        make.append(f"--tmpdir={self.folder}")  # two that share one take each other's files
        options = ["--skip-test-db", "--auth-root-authentication-method=normal"]
        done(["mysql", *make, *options], self.folder)

    def launch(self, peers: list[Node], first: bool = False) -> None:
        """Start the process: as the `first` of a new cluster, or to join the peers."""
        assert self.process is None
        group = ",".join(f"127.0.0.1:{peer.group_port}" for peer in peers)
        words = [*self._words(), f"--wsrep-cluster-address=gcomm://{'' if first else group}"]
        position = None if first else self._position()
        if position:  # what is here already need not be sent again
            words.append(f"--wsrep-start-position={position}")
        with self.log_file.open("a") as log:
            self.process = subprocess.Popen(
                # Should we die first, the kernel ends it.
                [*as_user("mysql", "--pdeathsig=KILL"), "mariadbd", *words],
                cwd=self.folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that the programs that send the data end with it
            )

    def wait(self, seconds: float = JOIN_SECONDS) -> None:
        """Return when the node takes statements as a part of the cluster."""

        def is_whole() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self._end_of_log()
            ready, state = self.status("wsrep_ready"), self.status("wsrep_local_state")
            return (ready, state) == ("ON", "4")

        wait_until(is_whole, seconds, why=self._end_of_log, pause=0.1)

    def status(self, name: str) -> str:
        """Return a status variable, "" while the node does not answer."""
        with suppress(Exception), self.connected() as cursor:  # it is not to be spoken to
            cursor.execute("SHOW GLOBAL STATUS LIKE %s", (name,))
            row = cursor.fetchone()
            return str(row[1]) if row else ""
        return ""

    @contextmanager
    def connected(self, database: str | None = None) -> Iterator[Any]:
        """Yield a cursor of the administrator."""
        import pymysql  # it comes with an extra

        place = {"host": "127.0.0.1", "port": self.port, "user": "root", "database": database}
        connection = pymysql.connect(**place, connect_timeout=2, read_timeout=30, autocommit=True)
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def send(self, number: int) -> None:
        """Send a signal to the process."""
        assert self.process is not None
        self.process.send_signal(number)

    def isolate(self, on: bool) -> None:
        """Part the node from the others, or end that; its clients still reach it."""
        with self.connected() as cursor:
            cursor.execute(f"SET GLOBAL wsrep_provider_options = 'gmcast.isolate={int(on)}'")

    def empty(self) -> None:
        """Lose all data, as with a disk, while the process is down."""
        shutil.rmtree(self.folder / "data")
        self.install()

    def kill(self) -> None:
        """End the process in the middle of whatever it does."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(STOP_SECONDS)
            self.process = None

    def _end_of_log(self) -> str:
        return self.log_file.read_text()[-8000:]

    def _position(self) -> str:
        """Return how far the data on the disk goes, as a node that was killed can tell."""
        words = [*self._words(), "--wsrep-cluster-address=gcomm://", "--wsrep-recover"]
        command = [*as_user("mysql"), "mariadbd", *words]
        said = subprocess.run(
            command, cwd=self.folder, env=_environment(), capture_output=True, timeout=JOIN_SECONDS
        )
        found = RECOVERED.search(said.stderr.decode(errors="replace"))
        return found[1] if found else ""

    def _words(self) -> list[str]:
        group = {
            "gmcast.listen_addr": f"tcp://127.0.0.1:{self.group_port}",
            "ist.recv_addr": f"127.0.0.1:{self.transfer_port}",
            "gcache.size": "64M",
            "gcache.recover": "yes",
        }
        settings = {
            "datadir": self.folder / "data",
            "tmpdir": self.folder,
            "socket": self.folder / "socket",
            "pid-file": self.folder / "pid",
            "bind-address": "127.0.0.1",
            "port": self.port,
            "max-connections": 300,
            "binlog-format": "ROW",
            "default-storage-engine": "InnoDB",
            "innodb-autoinc-lock-mode": 2,  # Galera asks for these three
            "innodb-flush-log-at-trx-commit": 2,  # the log outlives the process
            "innodb-flush-method": "nosync",
            "innodb-buffer-pool-size": "128M",
            "innodb-log-file-size": "48M",
            "wsrep-on": "ON",
            "wsrep-provider": self.provider,
            "wsrep-cluster-name": "promobridge-tests",
            "wsrep-node-name": f"node{self.number}",
            "wsrep-node-address": f"127.0.0.1:{self.group_port}",
            "wsrep-sst-method": "rsync",
            "wsrep-sst-receive-address": f"127.0.0.1:{self.dump_port}",
            "wsrep-slave-threads": 2,
            "wsrep-provider-options": ";".join(f"{name}={value}" for name, value in group.items()),
        }
        return ["--no-defaults", *(f"--{name}={value}" for name, value in settings.items())]


@dataclass
class Cluster:
    """Hold the nodes of one cluster."""

    nodes: list[Node]

    def start(self) -> None:
        """Begin a new cluster with the first node and let the others join one by one."""
        for node in self.nodes:
            node.install()
            node.launch(self.nodes, first=node is self.nodes[0])
            node.wait()
        with self.nodes[0].connected() as cursor:
            cursor.execute(f"CREATE DATABASE {DATABASE}")

    def url(self, first: int = 0) -> str:
        """Return the URL of the store, the node with the index `first` being asked first."""
        turned = self.nodes[first:] + self.nodes[:first]
        return f"mysql://root@{','.join(f'127.0.0.1:{node.port}' for node in turned)}/{DATABASE}"

    def bring_back(self, node: Node) -> None:
        """Start a node that was killed."""
        node.launch([each for each in self.nodes if each is not node])


def missing() -> str:
    """Return what this machine lacks for a cluster, "" when nothing."""
    path = _environment()["PATH"].split(":")
    programs = ("mariadbd", "mariadb-install-db", "rsync", "setpriv", "ss")
    lacking = [each for each in programs if not any(Path(at, each).exists() for at in path)]
    if _provider() is None:
        lacking.append("galera-4")
    if importlib.util.find_spec("pymysql") is None:
        lacking.append("PyMySQL")
    return ", ".join(lacking)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Run a cluster of three nodes in temporary folders until the block ends."""
    provider = _provider()
    assert provider is not None, missing()
    with ExitStack() as stack:
        folders = [stack.enter_context(owned_folder("mysql")) for _ in range(NODES)]
        nodes = [Node(number, folder, provider) for number, folder in enumerate(folders, 1)]
        for node in nodes:
            stack.callback(node.kill)
        made = Cluster(nodes)
        made.start()
        yield made


def _provider() -> Path | None:
    return next((path for path in PROVIDERS if path.exists()), None)


def _port() -> int:
    while (port := free_port()) in TAKEN:
        pass
    TAKEN.add(port)
    return port


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
