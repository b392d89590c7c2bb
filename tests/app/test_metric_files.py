"""The metrics of all processes of a server: summed in a folder, wherever one starts or ends."""

from __future__ import annotations

import os
import re
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from app import metric_files
from models.campaigns import campaigns, jobs
from models.campaigns.campaign_making import Plan
from models.promotions.campaign_counts import Owner
from models.store.base import database
from tests.credentials import QUERY
from tests.metric_texts import scraped, value
from tests.serving import served
from tests.waiting import wait_until


@pytest.fixture
def folder(folder: Path) -> Iterator[Path]:
    """Return the folder of the store, which knows PAIR, with a place for temporary files."""
    (folder / "tmp").mkdir()
    yield folder
    assert list((folder / "tmp").glob("promobridge-*")) == []  # every server cleans up


def test_all_workers_are_summed_up_also_those_that_have_ended(folder: Path) -> None:
    with served(folder, TMPDIR=str(folder / "tmp")) as server:
        (shared,) = (folder / "tmp").glob("promobridge-metrics-*")
        assert shared.stat().st_mode & 0o777 == 0o700
        wanted = {"call": "getHostBillversion", "result": "ok"}

        def answered() -> float:
            return value(scraped(server), "call_seconds_count", **wanted)

        for _ in range(20):
            assert server.get(f"{QUERY}&call=getHostBillversion").value["success"]
        wait_until(lambda: answered() == 20)  # a worker sums up about once a second
        assert value(scraped(server), "http_answers_total", status="200") >= 20
        wait_until(lambda: value(scraped(server), "processes") == 2)
        server.process.send_signal(1)
        wait_until(lambda: server.log().count("Worker exiting") == 2)
        assert server.get(f"{QUERY}&call=getHostBillversion").value["success"]
        wait_until(lambda: answered() == 21)
        wait_until(lambda: value(scraped(server), "processes") == 2)
        # What the first two counted is in one place with all that end after them.
        pids = re.findall(r"Booting worker with pid: (\d+)", server.log())[-2:]
        owners = {path.stem.rpartition("_")[2] for path in shared.iterdir()}
        assert owners == {"ended", *pids}


def test_a_folder_that_is_cleaned_away_ends_no_worker(folder: Path) -> None:
    with served(folder, "--workers", "1", TMPDIR=str(folder / "tmp")) as server:
        (shared,) = (folder / "tmp").glob("promobridge-metrics-*")
        shutil.rmtree(shared)
        assert server.get(f"{QUERY}&call=getHostBillversion").value["success"]
        count = {"call": "getHostBillversion", "result": "ok"}
        assert value(scraped(server), "call_seconds_count", **count) == 1
        assert server.log().count("Booting worker") == 1
        assert server.log().count("No room for the metrics of this process") == 1


@pytest.fixture
def no_room() -> Iterator[None]:
    """Let no file of this process grow, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_without_room_each_process_shows_its_own(
    no_room: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv(metric_files.VARIABLE, "another server's")
    metric_files.make()
    assert metric_files.VARIABLE not in os.environ
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv(metric_files.VARIABLE, str(tmp_path))
    assert metric_files.join() == ""
    assert list(tmp_path.iterdir()) == []
    metric_files.forget(1)
    monkeypatch.setenv(metric_files.VARIABLE, str(tmp_path / "cleaned away"))
    metric_files.forget(1)
    assert metric_files.join() == ""


def test_metrics_are_read_while_a_process_makes_room_for_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv(metric_files.VARIABLE, "")
    metric_files.make()
    make_room = os.posix_fallocate
    read = []

    def read_first(file: int, begin: int, size: int) -> None:
        collector = MultiProcessCollector(CollectorRegistry(), os.environ[metric_files.VARIABLE])
        read.append(list(collector.collect()))
        make_room(file, begin, size)

    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", read_first)
        folder = metric_files.join()
    assert read == [[], [], []]
    owners = sorted(path.stem.rpartition("_")[2] for path in Path(folder).iterdir())
    assert owners == [str(os.getpid())] * 3 + ["ended"] * 2
    metric_files.remove()
    assert list(tmp_path.iterdir()) == []


def test_what_the_server_refuses_is_counted_by_status(folder: Path) -> None:
    with served(folder, "--workers", "1", TMPDIR=str(folder / "tmp")) as server:
        assert server.get("", path="/nowhere").status == 404
        database.execute_sql("drop table access")
        assert server.get(f"{QUERY}&call=getHostBillversion").status == 503
        wait_until(lambda: value(scraped(server), "http_answers_total", status="503") == 1)
        assert value(scraped(server), "http_answers_total", status="404") == 1


def test_codes_that_a_job_worker_makes_are_counted_too(folder: Path) -> None:
    jobs.add(campaigns.add(Owner(), "big", "Big"), 120, Plan(points=1))
    with served(folder, "--workers", "1", TMPDIR=str(folder / "tmp")) as server:
        wait_until(lambda: value(scraped(server), "job_codes_made_total") == 120)
        assert value(scraped(server), "processes") == 1
