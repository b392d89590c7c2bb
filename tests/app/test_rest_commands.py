"""The commands of the REST API: campaigns, secrets, and the worker that makes large batches."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli import main
from app.config import Settings
from models.access import secrets
from models.access.secrets import Secret
from models.campaigns import campaigns, jobs
from models.campaigns.campaign_making import Plan, codes_of
from models.promotions import batches, generation
from models.promotions.campaign_counts import Owner
from models.promotions.terms import Terms
from tests.serving import Server, environment, served
from tests.waiting import SECONDS, wait_until

SIZE = 4 * generation.CHUNK
"""Codes of a job that two workers do not end before each is killed after its first chunk."""


@pytest.fixture
def run(store: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return a function that runs a command over the store."""
    monkeypatch.setenv("PROMOBRIDGE_DATABASE_URL", store.database_url)

    def run(*arguments: str, text: str | None = None) -> Result:
        return CliRunner().invoke(main, arguments, input=text)

    return run


def made(result: Result) -> Any:
    """Return the JSON that a command printed."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


class TestSecret:
    def test_one_is_shown_once(self, run: Callable[..., Result]) -> None:
        shown = made(run("secret", "add", "--name", "shop", "--json"))
        assert re.fullmatch(r"sk_live_[0-9a-f]{32}", shown["secret"])
        listed = run("secret", "list", "--json").output + run("secret", "list").output
        assert shown["secret"] not in listed
        assert shown["ends_with"] in listed

    def test_one_for_the_test_environment(self, run: Callable[..., Result]) -> None:
        shown = made(run("secret", "add", "--test", "--json"))
        assert re.fullmatch(r"sk_test_[0-9a-f]{32}", shown["secret"])

    def test_an_existing_one_is_registered(self, run: Callable[..., Result]) -> None:
        text = "sk_live_" + "0123456789abcdef" * 2
        shown = made(run("secret", "add", "--secret", "-", "--json", text=f"{text}\n"))
        assert shown["secret"] == text
        assert secrets.by_text(text)
        assert run("secret", "add", "--secret", text).exit_code == 1
        assert run("secret", "add", "--test", "--secret", text).exit_code == 1

    @pytest.mark.parametrize(
        "text", ["sk_live_abc123DE", "sk_live_your-secret_here", "sk_live_" + "x" * 200]
    )
    def test_any_of_the_vendors_is_registered(self, run: Callable[..., Result], text: str) -> None:
        assert made(run("secret", "add", "--secret", text, "--json"))["secret"] == text
        assert secrets.by_text(text)

    @pytest.mark.parametrize(
        "text",
        ["sk_live_1234567", "sk_live_" + "x" * 201, "sk_live_12345678\u00e9", "sk_other_12345678"],
    )
    def test_what_is_no_secret_is_refused(self, run: Callable[..., Result], text: str) -> None:
        refused = run("secret", "add", "--secret", text)
        assert refused.exit_code == 1
        assert "8 to 200 letters, digits, _ and -" in refused.output
        assert secrets.by_text(text) is None

    def test_one_is_revoked_and_switched(self, run: Callable[..., Result]) -> None:
        made(run("secret", "add", "--json"))
        assert made(run("secret", "deactivate", "1", "--json"))["state"] == "inactive"
        assert made(run("secret", "activate", "1", "--json"))["state"] == "active"
        assert made(run("secret", "revoke", "1", "--json"))["state"] == "revoked"
        assert run("secret", "revoke", "2").exit_code == 1


class TestCampaign:
    def test_one_is_made_listed_and_edited(self, run: Callable[..., Result]) -> None:
        ends = "2030-01-01T00:00:00+01:00"
        one = made(run("campaign", "add", "summer", "--name", "S", "--ends", ends, "--json"))
        assert (one["slug"], one["ends"]) == ("summer", "2029-12-31T23:00:00Z")
        edited = run("campaign", "edit", "summer", "--status", "paused", "--ends", "none", "--json")
        changed = made(edited)
        assert (changed["id"], changed["status"], changed["ends"]) == (one["id"], "paused", None)
        assert made(run("campaign", "list", "--json")) == [changed]
        assert "summer" in run("campaign", "list").output

    @pytest.mark.parametrize(
        "arguments",
        [
            ("add", "codes", "--name", "S"),
            ("add", "summer", "--name", ""),
            ("edit", "winter", "--status", "paused"),
            ("join", "winter", "1", "--points", "5"),
        ],
    )
    def test_what_is_refused(self, run: Callable[..., Result], arguments: tuple[str, ...]) -> None:
        assert run("campaign", *arguments).exit_code == 1

    @pytest.mark.parametrize("time", ["soon", "2030-01-01", "2030-01-01T00:00:00"])
    def test_what_is_no_time(self, run: Callable[..., Result], time: str) -> None:
        assert run("campaign", "add", "summer", "--name", "S", "--ends", time).exit_code == 2

    def test_a_legacy_batch_joins(self, run: Callable[..., Result]) -> None:
        campaigns.add(Owner(), "summer", "S")
        batch = batches.add("Spring", Terms.of(max_usage=1), length=12, requested=2)
        generation.fill(batch, lambda count: None)
        joined = made(run("campaign", "join", "summer", str(batch.id), "--points", "5", "--json"))
        assert (joined["codes"], joined["points"]) == (2, 5)


class TestJobs:
    def test_one_is_listed_and_cancelled(self, run: Callable[..., Result]) -> None:
        campaign = campaigns.add(Owner(partner="shop"), "summer", "S")
        first, second = (jobs.add(campaign, size, Plan(5)) for size in (3, 12))
        listed = made(run("campaign", "jobs", "--json"))
        assert [job["id"] for job in listed] == [first.uuid, second.uuid]
        assert {job["partner"] for job in listed} == {"shop"}
        assert first.uuid in run("campaign", "jobs").output
        jobs.work(first)
        for _ in range(2):
            cancelled = made(run("campaign", "cancel", second.uuid, "--json"))
            assert (cancelled["status"], cancelled["created"]) == ("cancelled", 0)
        assert made(run("campaign", "jobs", "--json")) == []
        for job_id in (first.uuid, "x"):
            refused = run("campaign", "cancel", job_id)
            assert (refused.exit_code, refused.stdout) == (1, "")


class TestWorker:
    def test_it_does_what_there_is_to_do(self, run: Callable[..., Result], tmp_path: Path) -> None:
        campaign = campaigns.add(Owner(), "summer", "S")
        orders = [jobs.add(campaign, size, Plan(5)) for size in (3, 12)]
        subprocess.run(
            [sys.executable, "-m", "app.cli", "worker", "--once"],
            env=environment(tmp_path),
            check=True,
            timeout=SECONDS,
            stderr=subprocess.DEVNULL,
        )
        for job in orders:
            now = jobs.by_uuid(Owner(), job.uuid)
            assert (now.status, now.created) == (jobs.DONE, job.requested)

    def test_one_that_is_killed_loses_nothing(self, store: Settings, tmp_path: Path) -> None:
        campaign = campaigns.add(Owner(), "summer", "S")
        job = jobs.add(campaign, SIZE, Plan(5))
        command = [sys.executable, "-m", "app.cli", "worker", "--once"]
        killed_at = []
        for _ in range(2):
            before = job.created
            worker = subprocess.Popen(command, env=environment(tmp_path), stderr=subprocess.DEVNULL)
            wait_until(lambda before=before: job.created > before)
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            killed_at.append(job.created)
        assert killed_at[-1] < SIZE
        subprocess.run(
            command,
            env=environment(tmp_path),
            check=True,
            timeout=SECONDS,
            stderr=subprocess.DEVNULL,
        )
        job = jobs.by_uuid(Owner(), job.uuid)
        codes = list(codes_of(job.batch))
        assert len(codes) == len(set(codes)) == job.created == job.batch.total == SIZE


class TestServed:
    def ask(self, server: Server, secret: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Return status and body of an answer."""
        host, port = server.address
        request = urllib.request.Request(
            f"http://{host}:{port}/v1{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-API-Secret": secret, "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as problem:
            with problem:
                return problem.code, problem.read()

    def test_serve_runs_a_worker_and_ends_it(self, store: Settings, tmp_path: Path) -> None:
        campaigns.add(Owner(), "summer", "S")
        _, secret = secrets.add(Owner())
        with served(tmp_path, PROMOBRIDGE_JOB_WORKERS="1") as server:
            order = {"slug": "summer", "batchSize": 10_500, "pointsValue": 5}
            status, body = self.ask(server, secret, "/campaigns/codes/jobs", order)
            assert status == 202
            job = json.loads(body)["data"]
            assert (job["requested"], job["error"]) == (10_500, None)
            path = f"/campaigns/codes/jobs/{job['id']}"

            def done() -> bool:
                _, body = self.ask(server, secret, path)
                return json.loads(body)["data"]["status"] == "DONE"

            wait_until(done, why=server.log)
            status, body = self.ask(server, secret, f"{path}/codes")
            assert status == 200
            lines = body.decode().split()
            assert (lines[0], len(set(lines))) == ("code", 10_501)
            assert self.ask(server, secret, f"{path}/codes")[0] == 409
            worker = int(re.findall(r"\[(\d+)\] \[INFO\] Job ", server.log())[-1])
            os.kill(worker, 0)
            assert secret not in server.log()
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)
        assert Secret.select().count() == 1
