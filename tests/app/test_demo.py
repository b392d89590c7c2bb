"""promobridge demo: the printed lines are really run, and a second demo reuses the first."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from app import db
from app.cli import demo, demo_data
from app.config import Settings
from models.access import accesses
from models.promotions import coupons
from models.promotions.terms import Terms
from tests import stores
from tests.programs import program
from tests.serving import Server, environment, served

SAMPLE_CODES = {"XO-UKFXB9618V7Q", "XO-ATBGNR62JHVE", "XO-DPOCABN0LX8K", "XO-PAFEQTS34ULN"}
DEMO = ("demo", "--workers", "1")
TIMEOUT = 60


def pasted(server: Server) -> list[str]:
    """Return the three lines that demo prints after its two remarks, and learn the address."""
    assert server.process.stdout is not None
    lines = [server.first_line, *(server.process.stdout.readline() for _ in range(4))]
    assert [line.startswith("# ") for line in lines] == [True, True, False, False, False]
    server.endpoint = lines[2].split("'")[1].split("?")[0]
    return [line.rstrip("\n") for line in lines[2:]]


def run_line(line: str, folder: Path) -> str:
    """Run a line as it stands, in a shell; python3 is the interpreter of the tests."""
    (folder / "python3").symlink_to(sys.executable)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", line],
        env={"PATH": path},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Return what a demo prints to be pasted, by the program of each line."""
    with served(tmp_path_factory.mktemp("demo"), command=DEMO) as server:
        yield {line.split()[0]: line for line in pasted(server)}


@pytest.mark.parametrize("name", ["curl", "php", "python3"])
def test_a_printed_line_works_when_pasted(lines: dict[str, str], tmp_path: Path, name: str) -> None:
    program(name)
    assert set(lines) == {"curl", "php", "python3"}
    answer = json.loads(run_line(lines[name], tmp_path))
    assert answer["success"] is True
    (batch,) = answer["batches"]
    assert (batch["id"], batch["name"]) == (2, "XOXO")
    assert {coupon["code"] for coupon in batch["coupons"]} == SAMPLE_CODES


def test_a_new_store_has_uses_and_refused_tries_to_look_at(tmp_path: Path) -> None:
    with served(tmp_path, "--json", command=DEMO) as server:
        made = json.loads(server.first_line)
        query = f"api_id={made['api_id']}&api_key={made['api_key']}"
        uses = server.get(f"{query}&call=listPromoUsage&code={demo_data.CODE}").value["usage"]
        assert [use["order_id"] for use in uses] == ["503", "502", "501"]
        log = server.get(f"{query}&call=listAPIUsage&method=redeemPromoCode").value["usage"]
        assert {"new_clients_only", "code_used_up"} <= {each["message"] for each in log}


def test_the_printed_link_logs_in_once(tmp_path: Path) -> None:
    with served(tmp_path, command=DEMO) as server:
        pasted(server)
        assert server.process.stdout is not None
        line = server.process.stdout.readline()
        link = re.search(r"http://127\.0\.0\.1:\d+/ui/invite/[0-9a-f]{64}$", line.strip())
        assert link
        assert "Log in" in visited(tmp_path, link[0])
        token = re.search(r'name="csrf_token".*? value="([^"]+)"', visited(tmp_path, link[0]))
        assert token
        visited(tmp_path, "--data-urlencode", f"csrf_token={token[1]}", link[0])
        assert "<h1>API</h1>" in visited(tmp_path, link[0].partition("invite")[0] + "api")
        assert "This invitation was used" in visited(tmp_path, link[0])
        assert link[0].rpartition("/")[2] not in server.log()


def visited(folder: Path, *arguments: str) -> str:
    """Return a page as curl gets it, with the cookies of the folder."""
    jar = str(folder / "cookies")
    return subprocess.run(
        [program("curl"), "-sS", "-b", jar, "-c", jar, *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=True,
    ).stdout


def test_a_second_demo_reuses_store_batch_and_access_and_says_so(tmp_path: Path) -> None:
    with served(tmp_path, command=DEMO) as server:
        assert server.first_line.startswith("# Stored a sample batch; made the access demo")
        first = [line.split("?")[1] for line in pasted(server)]
        query = first[0].rstrip("'")
        answer = server.get(query)
    with served(tmp_path, command=DEMO) as server:
        assert server.first_line.startswith("# Reusing what is in the store; reusing the access")
        assert [line.split("?")[1] for line in pasted(server)] == first
        again = server.get(query)
    assert again.value["batches"] == answer.value["batches"]
    bound = db.bind(Settings(database_url=stores.url(tmp_path)))
    with bound.connection_context():
        assert [access.name for access in accesses.listed()] == ["demo"]
    bound.close_all()


def test_with_json_standard_output_is_one_value(tmp_path: Path) -> None:
    values = []
    for _ in range(2):
        with served(tmp_path, "--json", command=DEMO) as server:
            made = json.loads(server.first_line)
            query = f"api_id={made['api_id']}&api_key={made['api_key']}&call=getAPIMethods"
            assert server.get(query).value["success"]
            assert server.stop() == (0, "")
            assert made["api_key"] not in server.log()
        values.append(made)
    named = {"url", "api_id", "api_key", "reused", "pages", "login"}
    assert [set(made) for made in values] == [named] * 2
    assert [made["reused"] for made in values] == [False, True]
    assert values[0]["api_key"] == values[1]["api_key"]


def test_the_pair_is_kept_beside_the_store_for_its_owner_only(tmp_path: Path) -> None:
    with served(tmp_path, "--json", command=DEMO) as server:
        made = json.loads(server.first_line)
    kept = tmp_path / "promobridge-demo.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert json.loads(kept.read_text()) == {key: made[key] for key in ("api_id", "api_key")}
    for path in tmp_path.iterdir():
        assert path == kept or made["api_key"].encode() not in path.read_bytes(), path


@pytest.mark.parametrize("damaged", ["", "[]", "{}", '{"api_id":"x","api_key":"y"}'])
def test_a_pair_that_opens_nothing_is_replaced(
    store: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: str
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = tmp_path / "promobridge-demo.json"
    kept.write_text(damaged)
    made = demo.prepare(store)
    assert not made.access_reused
    assert json.loads(kept.read_text()) == asdict(made.pair)
    assert accesses.authenticated(made.pair.api_id, made.pair.api_key)
    assert demo.prepare(store) == (made.pair, made.pair_file, True, True)


def test_a_store_in_use_gets_no_sample(store: Settings, tmp_path: Path) -> None:
    coupons.add("OURS", Terms.of())
    with served(tmp_path, "--json", command=DEMO) as server:
        made = json.loads(server.first_line)
        query = f"api_id={made['api_id']}&api_key={made['api_key']}"
        assert server.get(f"{query}&call=listPromoBatches").value["batches"] == []
        assert server.get(f"{query}&call=getPromoDetailsByCode&code=OURS").value["success"]


def test_a_taken_port_leaves_no_store_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refused = subprocess.run(
            [sys.executable, "-m", "app.cli", "demo", "--bind", address],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    assert refused.returncode == 1
    assert refused.stderr == f"Error: Cannot listen on {address}: Address already in use\n"
    assert list(tmp_path.iterdir()) == []
