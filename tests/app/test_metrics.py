"""The metrics of all processes of a server: summed in a folder, wherever one starts or ends."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import metrics, metrics_folder
from models.campaigns import campaigns, jobs
from models.campaigns.campaign_making import Plan
from models.promotions.campaign_counts import Owner
from models.store.base import database
from tests.credentials import QUERY
from tests.granian_server import granian
from tests.metric_texts import samples, scraped, value
from tests.serving import ROOT, Server, environment, request_bytes, served
from tests.waiting import wait_until

CALL = {"call": "getHostBillversion", "result": "ok"}


def pids(server: Server) -> list[int]:
    return [int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)", server.log())]


def shared_folder(server: Server) -> Path:
    """Return the folder that the first worker's metrics are in."""
    (file,) = Path(metrics_folder.IN_MEMORY).glob(
        f"promobridge-metrics-*/counter_{pids(server)[0]}.db"
    )
    return file.parent


def counted(server: Server) -> float:
    return value(scraped(server), "call_seconds_count", **CALL)


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    """Serve with two workers, and see that their folder goes with them."""
    with served(folder) as running:
        wait_until(lambda: value(scraped(running), "processes") == 2)
        shared = shared_folder(running)
        yield running
        running.stop()
        assert not shared.exists()


def test_all_workers_are_summed_up_also_those_that_have_ended(server: Server) -> None:
    shared = shared_folder(server)
    assert shared.stat().st_mode & 0o777 == 0o700
    for number in range(20):
        assert server.get(f"{QUERY}&call=getHostBillversion").value["success"]
        assert counted(server) == number + 1  # at once, and whichever worker is asked
    answers = value(scraped(server), "http_answers_total", status="200")
    assert answers >= 40
    assert value(scraped(server), "http_answers_total", status="200") == answers + 1
    server.process.send_signal(1)
    wait_until(lambda: server.log().count("Worker exiting") == 2)
    assert counted(server) == 20
    assert server.get(f"{QUERY}&call=getHostBillversion").value["success"]
    assert counted(server) == 21
    wait_until(lambda: value(scraped(server), "processes") == 2)
    gauges = {int(path.stem.rpartition("_")[2]) for path in shared.glob("gauge_livesum_*.db")}
    assert gauges == {server.process.pid, *pids(server)[-2:]}


def test_a_folder_that_is_cleaned_away_ends_no_worker(server: Server) -> None:
    shared = shared_folder(server)
    shutil.rmtree(shared)
    assert server.get(f"{QUERY}&call=getHostBillversion").value["success"]
    assert server.send(request_bytes("GET", "/metrics")).status == 200
    assert shared.stat().st_mode & 0o777 == 0o700
    assert len(pids(server)) == 2
    # Those that run write on where nobody reads; their successors are seen again.
    server.process.send_signal(1)
    wait_until(lambda: server.log().count("Worker exiting") == 2)
    assert server.get(f"{QUERY}&call=getHostBillversion").value["success"]
    assert counted(server) == 1
    assert "Traceback" not in server.log()


def test_what_the_server_refuses_is_counted_by_status(folder: Path) -> None:
    with served(folder, "--workers", "1") as server:
        assert server.get("", path="/nowhere").status == 404
        database.execute_sql("drop table access")
        assert server.get(f"{QUERY}&call=getHostBillversion").status == 503
        assert value(scraped(server), "http_answers_total", status="503") == 1
        assert value(scraped(server), "http_answers_total", status="404") == 1


def test_codes_that_a_job_worker_makes_are_counted_too(folder: Path) -> None:
    jobs.add(campaigns.add(Owner(), "big", "Big"), 120, Plan(points=1))
    with served(folder, "--workers", "1", PROMOBRIDGE_JOB_WORKERS="1") as server:
        wait_until(lambda: value(scraped(server), "job_codes_made_total") == 120)
        assert value(scraped(server), "processes") == 1


def test_a_process_that_ended_unseen_is_in_no_gauge(tmp_path: Path) -> None:
    """As with servers that tell nobody when a worker has ended."""
    script = """if True:
        import os
        from app import metrics
        child = os.fork()
        metrics.HITS.inc(2)
        metrics.CACHE_BYTES.set(1000)
        if not child:
            metrics.ANSWERS.labels("200").inc()
            os._exit(0)
        os.waitpid(child, 0)
        print(metrics.exposition()[0].decode())
        """
    given = environment(tmp_path, **{metrics_folder.VARIABLE: str(tmp_path / "shared")})
    ran = subprocess.run(
        [sys.executable, "-c", script], env=given, capture_output=True, text=True, check=True
    )
    found = samples(ran.stdout)
    assert value(found, "processes") == 1
    assert value(found, "fragment_cache_bytes") == 1000
    # What the ended one has counted stays counted.
    assert value(found, "fragment_cache_hits_total") == 4
    assert value(found, "http_answers_total", status="200") == 1


def test_granian_is_summed_up_without_workers_that_were_killed(folder: Path) -> None:
    options = ("--workers", "2", "--respawn-failed-workers")
    with granian(folder, *options, **{metrics_folder.VARIABLE: str(folder / "m")}) as server:

        def processes() -> float:
            answer = server.send(request_bytes("GET", "/metrics", "X-Forwarded-For: 127.0.0.1"))
            return value(samples(answer.body.decode()), "processes")

        wait_until(lambda: processes() == 2, why=server.log)  # each is seen when it is asked first
        killed = int(re.findall(r"Spawning worker-\d with PID: (\d+)", server.log())[0])
        os.kill(killed, signal.SIGKILL)
        gauges = folder / "m" / f"gauge_livesum_{killed}.db"
        wait_until(lambda: processes() and not gauges.exists(), why=server.log)
        assert gauges.with_name(f"counter_{killed}.db").exists()
        wait_until(lambda: processes() == 2, why=server.log)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
def test_a_folder_of_somebody_else_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(tmp_path, 65534, -1)
    monkeypatch.setattr(metrics, "FOLDER", str(tmp_path))
    with pytest.raises(PermissionError):
        metrics.exposition()


MAKE = """if True:
    import os
    from app import metrics_folder
    {change}
    metrics_folder.make()
    first = os.environ.get(metrics_folder.VARIABLE, "")
    metrics_folder.make()
    assert os.environ.get(metrics_folder.VARIABLE, "") == first
    if not os.fork():
        raise SystemExit
    os.wait()
    assert not first or os.listdir(first) == []
    print(first)
    """


@pytest.mark.parametrize(
    ("change", "parent"),
    [
        ("", metrics_folder.IN_MEMORY),
        ("metrics_folder.IN_MEMORY = '/nowhere'", "TMPDIR"),
        ("metrics_folder.ROOM = 1 << 60", ""),
    ],
)
def test_a_server_makes_a_folder_of_its_own_where_there_is_room(
    tmp_path: Path, change: str, parent: str
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    given = {metrics_folder.VARIABLE: str(kept), "TMPDIR": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", MAKE.format(change=change)],
        env=environment(tmp_path, **given),
        capture_output=True,
        text=True,
        check=True,
    )
    made = Path(ran.stdout.strip() or "/")
    assert str(made.parent) == given.get(parent, parent or "/")
    assert ran.stderr.count("no room for the metrics") == 2 * (not parent)
    assert made != kept
    assert kept.is_dir()
    assert not parent or not made.exists()  # it went when the server ended


@pytest.mark.parametrize(
    "words",
    [["--help"], ["batch", "list"], ["usage", "list"], ["worker", "--once"], ["serve", "--help"]],
)
def test_commands_that_do_not_serve_start_without_the_library(
    folder: Path, words: list[str]
) -> None:
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "app.cli", *words],
        cwd=ROOT,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "import time" in ran.stderr
    assert "prometheus_client" not in ran.stderr
