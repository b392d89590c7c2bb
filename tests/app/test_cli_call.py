"""promobridge call: the exact body of the endpoint, and an exit status for scripts."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from app.cli import main
from app.config import Settings, variable
from app.legacy.dispatcher import OPERATOR
from models.access import accesses
from tests.credentials import PAIR
from tests.serving import environment

ACCESS = "--api-id", PAIR.api_id, "--api-key", PAIR.api_key
NEW = ("addPromoCode", "code=SPRING", "coupon_type=cart", "type=percent", "value=10")
TIMEOUT = 60


@pytest.fixture(autouse=True)
def named_store(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name the store of the test in the environment, as an operator does."""
    monkeypatch.setenv(variable("database_url"), settings.database_url)


def run(*words: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(main, ["call", *words], input=typed)


def test_it_does_not_wait_for_rest_to_load(store: Settings, tmp_path: Path) -> None:
    command = (
        "import sys; from app.cli import main; "
        "main(['call', 'getHostBillversion'], standalone_mode=False); "
        "assert 'flask' in sys.modules; assert 'flask_smorest' not in sys.modules"
    )
    run = [sys.executable, "-c", command]
    subprocess.run(run, env=environment(tmp_path), timeout=TIMEOUT, check=True)


def test_the_body_is_the_endpoints_to_the_byte(client: FlaskClient) -> None:
    query = "call=listPromoCodes&page=0&perpage=5"
    over_http = client.get(f"/api.php?{query}", environ_overrides={OPERATOR: True}).data
    done = run("listPromoCodes", "page=0", "perpage=5")
    assert (done.exit_code, done.stderr) == (0, "")
    body = done.stdout_bytes
    moment = str(json.loads(body)["server_time"]).encode()
    assert body.replace(moment, b"") == over_http.replace(
        str(json.loads(over_http)["server_time"]).encode(), b""
    )


@pytest.mark.parametrize("post", [(), ("--post",)])
def test_brackets_and_repeated_names_arrive(store: Settings, post: tuple[str, ...]) -> None:
    cycles = "cycles[]=Monthly", "cycles[]=Annually"
    made = run(*NEW, "notes=a&b=c d+e%20f", *cycles, *post)
    assert (made.exit_code, json.loads(made.stdout)["code"]) == (0, "SPRING")
    coupon = json.loads(run("getPromoDetailsByCode", "code=SPRING").stdout)["coupon"]
    assert coupon["cycles"] == {"Monthly": "Monthly", "Annually": "Annually"}
    assert coupon["notes"] == "a&b=c d+e%20f"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nothing",), "Called method is not supported"),
        (("getPromoDetailsByCode",), "Wrong parameter: code"),
        (("getPromoDetailsByCode", "code=\udcff"), "Wrong parameter: code"),
        (("getPromoDetailsByCode", "code=NONE"), "The promotion code does not exist"),
        (("getAPIMethods", "--api-id", "none", "--api-key", "none"), "Wrong API ID or API Key"),
    ],
)
def test_a_refused_call_prints_the_envelope_and_ends_with_1(
    store: Settings, words: tuple[str, ...], message: str
) -> None:
    done = run(*words)
    assert (done.exit_code, done.stderr) == (1, "")
    assert json.loads(done.stdout)["error"][0].startswith(message)


def test_it_acts_as_an_access_when_told_so(store: Settings) -> None:
    accesses.add("tests", PAIR)
    accesses.allow(PAIR.api_id, None)
    accesses.deny(PAIR.api_id, ["addPromoCode"], ["addPromoCode", "getAPIMethods"])
    assert json.loads(run("getAPIMethods", *ACCESS).stdout)["methods"] == ["getAPIMethods"]
    assert run(*NEW, *ACCESS).exit_code == 1
    assert run(*NEW).exit_code == 0
    typed = run("getAPIMethods", *ACCESS[:3], "-", typed=f"{PAIR.api_key}\n")
    assert typed.exit_code == 0


@pytest.mark.parametrize(
    "words", [(), ("getAPIMethods", "page"), ("getAPIMethods", "--api-id", "x")]
)
def test_wrong_usage_ends_with_2(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Usage: main call" in done.stderr


def test_a_newline_follows_on_a_terminal_only(store: Settings, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0) as terminal:
        subprocess.run(
            [sys.executable, "-m", "app.cli", "call", "getHostBillversion"],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=theirs,
            timeout=TIMEOUT,
            check=True,
        )
        seen = terminal.read(4096)
        os.close(theirs)
    assert seen.endswith(b"}\r\n")
    assert run("getHostBillversion").stdout_bytes.endswith(b"}")
