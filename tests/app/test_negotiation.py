"""Packed answers and answers that a client has already, by real clients from a real server."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse

import pytest

from models.promotions import batches, coupons, generation
from models.promotions.terms import Terms
from tests.concurrency.clients import bound_store
from tests.credentials import QUERY
from tests.programs import program
from tests.serving import Server, served

LISTS = ["listPromoBatches", "listPromoCodes&include_batch=1"]
CODE = "EDITED"
SERVER_TIME = re.compile(rb'"server_time":[0-9]+')
CLIENT = """
[, $url] = $argv;
$curl = curl_init($url);
curl_setopt_array($curl, [CURLOPT_RETURNTRANSFER => true, CURLOPT_ENCODING => '']);
echo curl_exec($curl);
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server over three batches and a code that stands alone."""
    folder = tmp_path_factory.mktemp("store")
    with bound_store(folder):
        fill()
        with served(folder) as running:
            yield running


def fill() -> None:
    for number in range(3):
        terms = Terms.of(value=number + 1, notes="Zażółć")
        generation.fill(batches.add(f"Batch {number}", terms, requested=40), lambda _: None)
    coupons.add(CODE, Terms.of().stored())


def target(call: str) -> str:
    return f"/api.php?{QUERY}&call={call}"


def ask(
    server: Server, call: str, method: str = "GET", **headers: str
) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection(*server.address, timeout=30)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, target(call), headers=named)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def timeless(body: bytes) -> bytes:
    return SERVER_TIME.sub(b"", body)


@pytest.mark.parametrize("call", LISTS)
def test_a_packed_list_holds_the_bytes_of_the_plain_one(server: Server, call: str) -> None:
    plain, text = ask(server, call)
    for _ in range(2):  # made, then kept
        answer, packed = ask(server, call, Accept_Encoding="br;q=1.0, gzip;q=0.5")
        assert answer.headers["Content-Encoding"] == "gzip"
        assert timeless(gzip.decompress(packed)) == timeless(text)
        assert len(packed) < len(text) / 2
    assert plain.headers["Content-Encoding"] is None
    assert plain.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("asked", ["", "identity", "gzip;q=0", "deflate, br", "*;q=0", "gzip;q=x"])
def test_a_client_that_does_not_ask_for_gzip_gets_none(server: Server, asked: str) -> None:
    answer, text = ask(server, LISTS[0], Accept_Encoding=asked)
    assert answer.headers["Content-Encoding"] is None
    assert json.loads(text)["success"]


def test_curl_and_php_unpack_it(server: Server) -> None:
    url = f"http://{server.address[0]}:{server.address[1]}{target(LISTS[0])}"
    _, text = ask(server, LISTS[0])
    commands = [
        [program("curl"), "-s", "--compressed", url],
        [program("php"), "-r", CLIENT, url],
    ]
    for command in commands:
        body = subprocess.run(command, capture_output=True, timeout=60, check=True).stdout
        assert timeless(body) == timeless(text)


@pytest.mark.parametrize("call", LISTS)
def test_a_list_that_has_not_changed_is_not_sent_again(server: Server, call: str) -> None:
    first, text = ask(server, call)
    tag = first.headers["ETag"]
    assert tag.startswith('W/"')
    for held in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        again, nothing = ask(server, call, If_None_Match=held)
        assert (again.status, nothing, again.headers["ETag"]) == (304, b"", tag)
    for held in ('"other"', tag[:-2] + '"', "W/"):
        assert ask(server, call, If_None_Match=held)[0].status == 200
    assert ask(server, call, "POST", If_None_Match=tag)[0].status == 200
    packed, _ = ask(server, call, If_None_Match=tag, Accept_Encoding="gzip")
    assert packed.status == 304
    used = "redeemPromoCode&code=" + json.loads(text).get("coupons", [{}])[0].get("code", CODE)
    if call == LISTS[0]:
        used = "editPromoBatch&id=1&name=Renamed"
    assert json.loads(ask(server, used)[1])["success"]
    changed, after = ask(server, call, If_None_Match=tag)
    assert (changed.status, changed.headers["ETag"] != tag) == (200, True)
    assert timeless(after) != timeless(text)


def test_an_error_has_no_tag(server: Server) -> None:
    answer, text = ask(server, "listPromoBatches&page=-1", If_None_Match="*")
    assert (answer.status, answer.headers["ETag"]) == (200, None)
    assert not json.loads(text)["success"]
