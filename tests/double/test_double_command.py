"""`promobridge double`: how it starts, what it refuses, and that it leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.double.conftest import Started, command, remains, started
from tests.serving import environment
from tests.waiting import wait_until

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs the command, which must end by itself."""

    def run(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        given = environment(tmp_path) | {"TMPDIR": str(tmp_path)}
        given.pop("PROMOBRIDGE_DATABASE_URL", None)
        return subprocess.run(
            command(*options),
            cwd=tmp_path,
            env=given | variables,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def test_it_prints_lines_to_paste_and_answers_both_apis(double: Started) -> None:
    said = (double.folder / "said").read_text()
    assert f"curl -sS '{double.url}/admin/api.php?api_id=double-api-id" in said
    assert all(word in said for word in ("PHPUnit", "pytest", "CI job", "sk_test_"))
    assert "up: 0001" not in said
    answer = double.called("listPromoBatches")
    assert answer.headers["X-Promobridge-Double"] == "1"
    assert [batch["name"] for batch in answer.json["batches"]] == ["XOXO"]
    campaigns = double.rest("GET", "/campaigns/codes?slug=summer-promo")
    assert campaigns.status == 200
    assert campaigns.headers["X-Promobridge-Double"] == "1"
    for path in ("/_double/ready", "/nothing", "/v1/campaigns/codes", "/healthz"):
        assert double.send("GET", path).headers["X-Promobridge-Double"] == "1"
    assert double.control("GET", "ready") == {"ready": True, "api_id": "double-api-id"}


def test_what_a_cart_does_not_say_is_counted_not_refused(double: Started) -> None:
    terms = {
        "coupon_type": "invoice_cart",
        "type": "percent",
        "value": "5",
        "products[]": "5",
        "clients": "all",
    }
    assert double.call("addPromoCode", code="HOSTING", **terms)["success"]
    used = double.call("applyInvoiceCoupon", id="9", applycoupon="HOSTING")
    assert used["success"], used


def test_it_takes_a_pair_and_a_clock_and_is_gone_without_a_trace(tmp_path: Path) -> None:
    options = ("--id", "shop-id", "--key", "shop-key", "--clock", "2026-12-31T23:59:00Z")
    with started(tmp_path, *options, "--empty") as double:
        assert len(remains(tmp_path)) == 1
        query = "api_id=shop-id&api_key=shop-key&call=listPromoBatches"
        answer = double.send("GET", f"/admin/api.php?{query}").json
        assert (answer["batches"], answer["server_time"]) == ([], 1_798_761_540)
        assert not double.call("listPromoBatches")["success"]
    assert remains(tmp_path) == []


def test_after_a_kill_of_all_of_it_the_next_start_cleans_up(tmp_path: Path) -> None:
    with started(tmp_path, "--empty") as double:
        os.killpg(double.process.pid, signal.SIGKILL)
        double.process.wait(10)
        left = remains(tmp_path)
        assert len(left) == 1
    with started(tmp_path, "--empty") as one:
        (tmp_path / "port").unlink()
        with started(tmp_path, "--empty") as other:  # which leaves alone what is in use
            assert len(remains(tmp_path)) == 2
            assert not {*left} & {*remains(tmp_path)}
            assert one.call("listPromoBatches")["success"]
            assert other.call("listPromoBatches")["success"]


def test_after_a_kill_of_its_parent_the_worker_cleans_up(tmp_path: Path) -> None:
    with started(tmp_path, "--empty") as double:
        double.process.send_signal(signal.SIGKILL)
        double.process.wait(10)
        wait_until(lambda: remains(tmp_path) == [])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--seed", "{none}"), "is no seed (calls or requests are needed)"),
        (("--seed", "{text}"), "is no seed"),
        (("--seed", "{refused}"), "Call 1 of the seed (addPromoCode) was refused: Wrong parameter"),
        (("--stubs", "{list}"), "holds no stubs: it must be a Postman collection, a folder"),
        (("--stubs", "{text}"), "is no JSON"),
        (("--stubs", "{folder}"), "holds no recording: make one with `promobridge panel record`"),
        (("--clock", "soon"), "'soon' is no time: 2026-12-31T10:00:00Z, or Unix seconds"),
        (("--bind", "here"), "An address to listen on is HOST:PORT, not here"),
        (("--bind", "127.0.0.1:99999"), "a port is 0 to 65535"),
        (("--control-from", "home"), "home is no network such as 172.16.0.0/12"),
        (("--key", "a b"), "The key must be 4 to"),
        (("--seed", "{none}", "--empty"), "--seed cannot be given with --empty"),
    ],
)
def test_what_is_of_no_use_gets_a_sentence(
    run: Run, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    texts = {
        "none": "{}",
        "text": "nothing of the kind",
        "refused": json.dumps({"calls": [{"call": "addPromoCode", "code": ""}]}),
        "list": "[1, 2]",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "folder").mkdir()
    names = {name: str(tmp_path / name) for name in (*texts, "folder")}
    done = run(*(option.format(**names) for option in options))
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert remains(tmp_path) == []


def test_a_job_is_done_at_once(double: Started) -> None:
    order = {"slug": "summer-promo", "batchSize": 12_000, "pointsValue": 5}
    job = double.rest("POST", "/campaigns/codes/jobs", order).json["data"]
    found = double.rest("GET", f"/campaigns/codes/jobs/{job['id']}").json["data"]
    assert (found["status"], found["created"]) == ("DONE", 12_000)


def test_it_refuses_a_database_url(run: Run) -> None:
    done = run(PROMOBRIDGE_DATABASE_URL="sqlite:///mine.db")
    assert done.returncode == 1
    assert "start it without PROMOBRIDGE_DATABASE_URL" in done.stderr


def test_an_address_that_is_taken_is_said(run: Run, double: Started) -> None:
    done = run("--bind", double.url.removeprefix("http://"))
    assert done.returncode == 1
    assert "Cannot listen on" in done.stderr
    assert "Address already in use" in done.stderr


def test_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    with started(tmp_path, "--empty") as double:
        double.process.send_signal(signal.SIGINT)
        wait_until(lambda: double.process.poll() is not None)
        assert double.process.returncode == 0
    assert remains(tmp_path) == []


def test_a_seed_of_calls_and_requests(tmp_path: Path) -> None:
    seed: dict[str, Any] = {
        "calls": [
            {
                "call": "addPromoCode",
                "code": "SPRING",
                "coupon_type": "cart",
                "type": "percent",
                "value": 10,
            }
        ],
        "requests": [
            {"path": "/v1/campaigns", "json": {"slug": "spring", "name": "Spring"}},
        ],
    }
    (tmp_path / "seed.json").write_text(json.dumps(seed))
    with started(tmp_path, "--seed", str(tmp_path / "seed.json")) as double:
        assert double.call("getPromoDetailsByCode", code="SPRING")["success"]
        assert double.rest("GET", "/campaigns/codes?slug=spring").status == 200
