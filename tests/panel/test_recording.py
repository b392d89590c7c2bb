"""Answers of forwarded reads are kept without their values, and asked again of this store."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from werkzeug.test import EnvironBuilder, run_wsgi_app

from app import config
from app.cli import main
from app.panel import recording
from app.panel.recording import Take
from app.panel.shapes import LONGEST
from models.panel import differences, recordings
from models.panel.recordings import PanelRecording, Recording
from models.promotions.coupons import Coupon
from models.store import clock
from tests.panel.fronts import API, Front
from tests.serving import ROOT
from tests.waiting import wait_until

HOUR = 3600


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a private folder."""
    made = tmp_path / "answers"
    made.mkdir(0o700)
    return made


@pytest.fixture
def recorded(front: Front, folder: Path) -> Iterator[Front]:
    """Record what goes through."""
    begun = recordings.begin(str(folder), HOUR)
    recording.known.forget()
    yield front
    recordings.end(begun)
    recording.known.forget()


def kept(folder: Path) -> list[dict[str, Any]]:
    """Return the recorded answers."""
    return [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]


def ask(front: Front, call: str, **arguments: Any) -> Any:
    """Ask through the front, and end the response, as a server does."""
    with front.send(call, **arguments) as answer:
        return json.loads(answer.data)


def test_an_answer_is_kept_without_its_values(recorded: Front, folder: Path) -> None:
    theirs = ask(recorded, "getAccountDetails", id=1001)
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    text = file.read_text()
    assert "hunter2" not in text
    assert "getAccountDetails" not in file.name
    found = json.loads(text)
    assert list(found) == ["call", "arguments", "answer"]
    assert (found["call"], found["arguments"]) == ("getAccountDetails", {"id": "1001"})
    assert list(found["answer"]["details"]) == list(theirs["details"])
    assert found["answer"]["details"]["product_id"] == theirs["details"]["product_id"]
    assert recorded.panel.api_key not in text
    assert recorded.panel.api_id not in text


def test_the_same_text_is_the_same_in_all_answers(recorded: Front, folder: Path) -> None:
    ask(recorded, "listPromoCodes", page=0)
    listed = kept(folder)[0]["answer"]["coupons"][0]
    (code,) = recorded.panel.rows("coupon", "id = ?", int(listed["id"]))
    ask(recorded, "getPromoDetailsByCode", code=code["code"])
    (details,) = (each for each in kept(folder) if "coupon" in each["answer"])
    assert details["arguments"] == {"code": listed["code"]}
    assert details["answer"]["coupon"]["code"] == listed["code"] != code["code"]


def test_a_large_answer_is_kept_when_all_of_it_was_sent(recorded: Front, folder: Path) -> None:
    recorded.panel.execute("UPDATE client SET lastname = ?", "n" * 10_000)
    theirs = ask(recorded, "getClients")
    (found,) = kept(folder)
    names = {each["lastname"] for each in found["answer"]["clients"]}
    assert {len(each["lastname"]) for each in theirs["clients"]} == {10_000}
    assert {len(name) for name in names} == {LONGEST}


def test_an_answer_that_the_client_did_not_wait_for_is_not_kept(
    recorded: Front, folder: Path
) -> None:
    recorded.panel.execute("UPDATE client SET lastname = ?", "n" * 10_000)
    query = recorded.panel.credentials | {"call": "getClients"}
    with closing(EnvironBuilder(API, query_string=query)) as request:
        pieces, status, _ = run_wsgi_app(recorded.app, request.get_environ())
        assert status == "200 OK"
        next(iter(pieces))
        pieces.close()  # type: ignore[attr-defined]  # as servers do
    assert kept(folder) == []


def test_writes_files_and_pages_are_not_kept(recorded: Front, folder: Path) -> None:
    ask(recorded, "addInvoice", client_id=1)
    recorded.send("getBackup", megabytes=1).get_data()
    with recorded.panel.fault("html"):
        recorded.send("getClients").get_data()
    with recorded.panel.fault("status", status=500):
        recorded.send("getClients").get_data()
    assert kept(folder) == []
    ask(recorded, "getClients")
    assert len(kept(folder)) == 1


def test_what_the_shadow_compares_is_kept_and_what_is_answered_here_is_not(
    recorded: Front, folder: Path
) -> None:
    recorded.route("shadow", "listPromoCodes")
    ask(recorded, "listPromoCodes")
    assert len(kept(folder)) == 1
    wait_until(differences.comparisons)  # its thread has a connection of its own
    recorded.route("local", "listPromoCodes")
    ask(recorded, "listPromoCodes", page=1)
    assert len(kept(folder)) == 1


def test_the_first_answer_to_the_same_question_stays(recorded: Front, folder: Path) -> None:
    ask(recorded, "getClientDetails", id=1)
    before = kept(folder)
    recorded.panel.execute("UPDATE client SET firstname = 'Somebody else'")
    ask(recorded, "GETCLIENTDETAILS", id=1)
    ask(recorded, "getClientDetails", id=1)
    assert before[0] in kept(folder)
    ask(recorded, "getClientDetails", id=2)
    assert len({json.dumps(each["arguments"]) for each in kept(folder)}) == 2


def test_nothing_is_kept_once_it_has_ended_and_its_key_is_gone(
    recorded: Front, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(recorded, "getClients")
    assert len(kept(folder)) == 1
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + HOUR)
    recording.known.forget()
    ask(recorded, "getClients", page=1)
    assert len(kept(folder)) == 1
    assert PanelRecording.select().count() == 0  # though the command was killed


def test_ending_an_older_recording_leaves_a_newer_one(front: Front, folder: Path) -> None:
    first = recordings.begin(str(folder), HOUR)
    second = recordings.begin(str(folder), HOUR)
    recordings.end(first)
    assert recordings.current() == second
    recordings.end(second)


class TestBounds:
    @pytest.fixture
    def take(self, folder: Path) -> Callable[[str, int], Take]:
        begun = Recording(str(folder), bytes(32))
        return lambda call, number: Take(begun, call, {"id": str(number)})

    def test_files_of_a_call_and_of_all(
        self, take: Callable[[str, int], Take], folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recording, "FILES_OF_CALL", 3)
        monkeypatch.setattr(recording, "FILES", 5)
        for call in ("getClients", "getInvoices", "getOrders"):
            for number in range(9):
                take(call, number).keep(b"{}")
        counts = [sum(each["call"] == call for each in kept(folder)) for call in ("getClients",)]
        assert (counts, len(kept(folder))) == ([3], 5)

    def test_bytes_of_all_and_of_an_answer(
        self, take: Callable[[str, int], Take], folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recording, "FOLDER_BYTES", 1000)
        for number in range(9):
            take("getClients", number).keep(b'{"a": "%b"}' % (b"x" * 200))
        size = sum(file.stat().st_size for file in folder.iterdir())
        assert 1000 <= size < 1500
        monkeypatch.setattr(recording, "ANSWER_BYTES", 1000)
        take("getOrders", 1).keep(gzip.compress(b'{"a": "%b"}' % (b"x" * 2000)), "gzip")
        assert not [each for each in kept(folder) if each["call"] == "getOrders"]

    def test_packed_answers(self, take: Callable[[str, int], Take], folder: Path) -> None:
        take("getClients", 1).keep(gzip.compress(b'{"success": true}'), "gzip")
        take("getClients", 2).keep(gzip.compress(b'{"success": true}')[:-9], "gzip")
        take("getClients", 3).keep(b'{"success": true}', "br")
        assert [each["answer"] for each in kept(folder)] == [{"success": True}]

    @pytest.mark.parametrize("body", [b"[1]", b"", b"{", b"[" * 100_000, b"<html>", b"\xff"])
    def test_what_is_no_object_is_left_out(
        self, take: Callable[[str, int], Take], folder: Path, body: bytes
    ) -> None:
        take("getClients", 1).keep(body)
        assert kept(folder) == []

    def test_a_folder_that_others_may_enter_is_left_alone(
        self, recorded: Front, folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        folder.chmod(0o750)
        for number in range(3):
            ask(recorded, "getClientDetails", id=number)
            recording.known.forget()
        assert kept(folder) == []
        assert caplog.text.count("mode 700") == 1
        folder.chmod(0o700)
        ask(recorded, "getClientDetails", id=1)
        assert len(kept(folder)) == 1

    def test_elsewhere_the_folder_is_not_there(
        self, recorded: Front, folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        folder.rmdir()
        assert ask(recorded, "getClients")["success"]
        assert not folder.exists()
        assert caplog.text == ""

    def test_a_folder_that_goes_meanwhile_harms_nobody(
        self, recorded: Front, folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        ask(recorded, "getClients")
        folder.rename(folder.with_name("gone"))
        assert ask(recorded, "getClients", page=1)["success"]
        assert "could not be recorded" in caplog.text


class TestCommands:
    @pytest.fixture
    def environment(self, front: Front) -> dict[str, str]:
        settings = front.app.config["SETTINGS"]
        names = ("database_url", "panel_url", "panel_ca")
        return {config.variable(name): str(getattr(settings, name)) for name in names}

    def test_it_records_until_it_is_interrupted(
        self, front: Front, environment: dict[str, str], tmp_path: Path
    ) -> None:
        folder = tmp_path / "made"
        command = [sys.executable, "-m", "app.cli", "panel", "record", str(folder)]
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as running:
            try:
                wait_until(lambda: recordings.current() is not None)
                recording.known.forget()
                ask(front, "getClients")
            finally:
                running.send_signal(signal.SIGINT)
            out, _ = running.communicate(timeout=60)
        assert running.returncode == 0
        assert out.decode() == f"Answers in {folder}: 1\n"
        assert folder.stat().st_mode & 0o777 == 0o700
        assert recordings.current() is None
        assert PanelRecording.select().count() == 0
        recording.known.forget()

    def test_it_refuses_a_folder_of_others_and_a_service_without_a_panel(
        self, environment: dict[str, str], folder: Path
    ) -> None:
        folder.chmod(0o755)
        asked = ["panel", "record", str(folder)]
        found = CliRunner(env=environment).invoke(main, asked)
        assert found.exit_code == 1
        assert "chmod 700" in found.stderr
        environment |= {config.variable("panel_url"): ""}
        found = CliRunner(env=environment).invoke(main, asked)
        assert "PROMOBRIDGE_PANEL_URL" in found.stderr

    def test_what_was_read_over_is_answered_in_the_same_shapes(
        self, recorded: Front, folder: Path, environment: dict[str, str], tmp_path: Path
    ) -> None:
        code = recorded.panel.rows("coupon", "batch_id = 0")[0]["code"]
        recorded.take_over(code)
        ask(recorded, "getPromoDetailsByCode", code=code)
        ask(recorded, "getClients")
        runner = CliRunner(env=environment)
        same = runner.invoke(main, ["panel", "replay", str(folder), "--json"])
        assert json.loads(same.stdout) == {
            "answers": 2,
            "differences": [],
            "not_here": {"getClients": 1},
        }
        assert same.exit_code == 0
        Coupon.update(num_usage=77).where(Coupon.code == code).execute()
        other = runner.invoke(main, ["panel", "replay", str(folder), "--json"])
        assert other.exit_code == 1
        (difference,) = json.loads(other.stdout)["differences"]
        assert (difference["path"], difference["ours"]) == ("coupon.num_usage", '"77"')
        table = runner.invoke(main, ["panel", "replay", str(folder)])
        assert "coupon.num_usage" in table.stdout
        assert "Answers compared: 1, that differ: 1" in table.stdout

    def test_a_panel_that_was_walked_is_answered_in_the_same_shapes(
        self, recorded: Front, folder: Path, environment: dict[str, str]
    ) -> None:
        settings = recorded.app.config["SETTINGS"]
        environment |= {
            config.variable("panel_credentials_file"): settings.panel_credentials_file,
            config.variable("batches_per_page"): "5",
            config.variable("hostbill_version"): "2025.3.2",
        }
        runner = CliRunner(env=environment)
        assert runner.invoke(main, ["panel", "walk", "--rate", "1000"]).exit_code == 0
        for page in range(3):
            ask(recorded, "listPromoBatches", page=page)
            ask(recorded, "listPromoCodes", page=page, include_batch=page % 2)
        for row in recorded.panel.rows("coupon", "id % 20 = 1"):
            ask(recorded, "getPromoDetailsByCode", code=row["code"])
        ask(recorded, "getHostBillversion")
        found = runner.invoke(main, ["panel", "replay", str(folder), "--json"])
        assert json.loads(found.stdout) == {"answers": 22, "differences": [], "not_here": {}}

    @pytest.mark.parametrize(
        "text", ["", "[]", "{", '{"call": 1, "arguments": {}, "answer": {}}', "[" * 100_000]
    )
    def test_what_is_no_recording_is_said(
        self, environment: dict[str, str], folder: Path, text: str
    ) -> None:
        found = CliRunner(env=environment).invoke(main, ["panel", "replay", str(folder)])
        assert "There is no recording" in found.stderr
        (folder / "one.json").write_text(text)
        found = CliRunner(env=environment).invoke(main, ["panel", "replay", str(folder)])
        assert found.exit_code == 1
        assert "it is no recorded answer" in found.stdout
