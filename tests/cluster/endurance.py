"""Two hosts over three nodes that are killed, frozen and emptied while clients redeem."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pymysql.constants import ER
from pymysql.err import OperationalError

from app import db
from app.config import Settings
from models.access import accesses
from models.checks import recount
from models.store import schema
from tests.cluster.nodes import DATABASE, JOIN_SECONDS, Cluster, Node
from tests.cluster.traffic import Account, Codes, Traffic
from tests.credentials import PAIR
from tests.serving import Server, served
from tests.waiting import wait_until

HOSTS = 2
DOWN_SECONDS = 8
"""How long the others go on alone: longer than they need to notice."""
SINGLES = 30
"""Codes for one use for each second."""
AWAY_SECONDS = 15
"""How long a node is frozen or cut off: longer than the cluster waits for it."""
KILL, EMPTY = "kill -9", "kill -9 and its data lost"
FREEZE, CUT_OFF = "kill -STOP, -CONT", "cut off from the others, its clients not"
PLAN = (KILL, CUT_OFF, FREEZE, EMPTY, KILL)
"""What befalls one node after the other, again from the start when there is more to come."""
CONFLICTS = ("wsrep_local_cert_failures", "wsrep_local_bf_aborts")

NOT_YET = (1047, ER.LOCK_WAIT_TIMEOUT)
"""What a node answers that has left its cluster, as a starved one does, or is still catching up."""


@dataclass
class Report:
    """Hold what a run has shown."""

    account: Account
    events: list[str] = field(default_factory=list)
    conflicts: int = 0
    wrong_counts: list[str] = field(default_factory=list)
    nodes_equal: bool = True

    @property
    def passed(self) -> bool:
        """Tell whether all proofs hold."""
        account = self.account
        harm = account.lost + account.doubled + account.said_busy + len(account.odd)
        return not harm and not self.wrong_counts and self.nodes_equal


@contextmanager
def two_hosts(cluster: Cluster, folder: Path) -> Iterator[list[Server]]:
    """Serve the cluster's store from two hosts that begin with different nodes."""
    with ExitStack() as stack:
        servers = []
        for host in range(HOSTS):
            own = folder / f"host{host}"
            own.mkdir()
            server = served(
                own,
                # Should we die first, the kernel ends it.
                wrapped=("setpriv", "--pdeathsig=TERM"),
                PROMOBRIDGE_DATABASE_URL=cluster.url(host),
                PROMOBRIDGE_JOB_WORKERS="0",
            )
            servers.append(stack.enter_context(server))
        yield servers


@contextmanager
def bound(cluster: Cluster, first: int = 0) -> Iterator[None]:
    """Bind the models to the store, which knows PAIR then; the node `first` is asked first."""
    engine = db.bind(Settings(database_url=cluster.url(first)))
    with engine.connection_context():
        schema.require_current()
        if not accesses.listed():
            accesses.add("tests", PAIR)
        yield
    engine.close_all()


def run(
    cluster: Cluster,
    folder: Path,
    seconds: float,
    events: Sequence[str],
    tell: Callable[[str], object] = lambda line: None,
) -> Report:
    """Let clients redeem for so long while the events befall the nodes; return what came of it."""
    report = Report(Account())
    with bound(cluster):
        with two_hosts(cluster, folder) as servers:
            traffic = Traffic(
                [server.address for server in servers], Codes.made(int(seconds * SINGLES))
            )
            with traffic.flowing():
                began = time.monotonic()
                for at, event in enumerate(events):
                    _until(began + seconds * (at + 1) / (len(events) + 1))
                    node = cluster.nodes[at % len(cluster.nodes)]
                    report.conflicts += _conflicts([node])
                    before = len(traffic.answered)
                    took = _befall(cluster, node, event)
                    answered = len(traffic.answered) - before
                    line = f"node {node.number}: {event}; whole after {took:.1f} s"
                    report.events.append(f"{line}, in which {answered} were answered")
                    tell(report.events[-1])
                _until(began + seconds)
            report.conflicts += _conflicts(cluster.nodes)
        # The hosts have ended, so nobody writes any more.
        report.account = traffic.account()
        report.wrong_counts = [str(each) for each in recount.differences()]
        report.nodes_equal = len(set(map(_checksums, cluster.nodes))) == 1
    return report


def _befall(cluster: Cluster, node: Node, event: str) -> float:
    """Do it to the node; return the seconds until it was a whole part of the cluster again."""
    began = time.monotonic()
    if event == FREEZE:
        node.send(signal.SIGSTOP)
        try:
            _until(began + AWAY_SECONDS)
        finally:
            node.send(signal.SIGCONT)
    elif event == CUT_OFF:
        node.isolate(True)
        _until(began + AWAY_SECONDS)
        node.isolate(False)
    else:
        node.kill()
        _until(began + DOWN_SECONDS)
        if event == EMPTY:
            node.empty()
        cluster.bring_back(node)
    node.wait()
    return time.monotonic() - began


def _conflicts(nodes: Sequence[Node]) -> int:
    return sum(int(node.status(name) or 0) for node in nodes for name in CONFLICTS)


def _checksums(node: Node) -> tuple[object, ...]:
    return wait_until(lambda: _checksums_by_now(node), JOIN_SECONDS)


def _checksums_by_now(node: Node) -> tuple[object, ...]:
    """Return the checksums of all that was ever written; none where the node is not so far."""
    try:
        with node.connected(DATABASE) as cursor:
            cursor.execute("SET wsrep_sync_wait = 1")
            cursor.execute("SELECT COUNT(*) FROM redemption")  # which waits for what is under way
            cursor.execute("SHOW TABLES")
            tables = ", ".join(f"`{name}`" for (name,) in cursor.fetchall())
            cursor.execute(f"CHECKSUM TABLE {tables}")
            return tuple(cursor.fetchall())
    except OperationalError as problem:
        if problem.args[0] not in NOT_YET:
            raise
        return ()


def _until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
