"""Paths: what is too long has no route, and what has no route is hardly shown in a log."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import PATH_CHARACTERS
from app.config import Settings
from models.access import accesses
from models.access.accesses import Pair
from tests.credentials import QUERY
from tests.serving import request_bytes, served

KEYS = ("3fa9c1d07be48265aa10", "sk_live_0123456789abcdef0123456789abcdef", "shop-7-2019", "9")
NO_ROUTES = (
    "/{}", "/{}/x", "/admin/api.php/{}", "/api.php{}", "/v1/{}", "/healthz/{}", "/x%2F{}", "/%3F{}",
    "/admin/api.php%3Fapi_key={}",
)  # fmt: skip


@pytest.mark.parametrize(("path", "error"), [("/admin{}api.php", "success"), ("/v1/{}", "message")])
def test_a_long_path_is_not_found(client: FlaskClient, path: str, error: str) -> None:
    long = path.format("/" * (PATH_CHARACTERS + 1 - len(path.format(""))))
    answer = client.get(long)
    assert answer.status_code == 404
    assert error in answer.json
    assert len(answer.data) < 200


def test_a_path_as_long_as_may_be_is_served(client: FlaskClient) -> None:
    slashes = "/" * (PATH_CHARACTERS - len("/admin" + "api.php"))
    for more, status in (("", 200), ("/", 404)):
        path = f"/admin{slashes}{more}api.php"
        assert client.get(f"{path}?{QUERY}&call=getHostBillversion").status_code == status


def test_a_key_in_a_path_is_not_in_the_log(store: Settings, tmp_path: Path) -> None:
    for number, key in enumerate(KEYS):
        if len(key) > 3:
            accesses.add("tests", Pair(f"made-up-{number}", key))
    with served(tmp_path) as server:
        for path in NO_ROUTES:
            for key in KEYS:
                assert server.send(request_bytes("GET", path.format(key))).status == 404
        server.send(request_bytes("GET", "/" + "abcdefgh" * 100))
        server.stop()
    lines = [line for line in server.log().split("\n") if '"GET ' in line]
    assert len(lines) == len(NO_ROUTES) * len(KEYS) + 1
    shown = [line.split()[4] for line in lines]
    long = "/" + "abcdefgh" * 7 + "abcdefg…"
    # Two workers write it: in which order is theirs.
    assert set(shown) == {"…", "/admin…", "/admin/api.php…", "/healthz…", "/x…", long}


def test_a_path_with_a_route_is_in_the_log(app: Flask, tmp_path: Path) -> None:
    with served(tmp_path) as server:
        server.send(request_bytes("GET", "/admin//api.php?x=1"))
        server.send(request_bytes("GET", "/v1/campaigns/codes/stats?slug=x"))
        server.stop()
    for path in ("/admin//api.php", "/v1/campaigns/codes/stats"):
        assert f'"GET {path} HTTP/1.1"' in server.log()
