"""Every answer has a name, ours or the one that a trusted proxy gave the request."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app, request_ids
from app.config import Settings

OURS = re.compile(r"[0-9a-f]{12}-[0-9a-f]+")
HEADER = "X-Request-Id"


@pytest.mark.parametrize("path", ["/api.php", "/admin/api.php", "/v1/x", "/nowhere", "/healthz"])
def test_every_answer_has_a_name_of_its_own(client: FlaskClient, path: str) -> None:
    first, second = (client.get(path, headers={HEADER: "theirs"}) for _ in range(2))
    for answer in (first, second):
        (name,) = answer.headers.getlist(HEADER)
        assert OURS.fullmatch(name)
    assert first.headers[HEADER] != second.headers[HEADER]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("9f86d081-884c-4d65-9a2f-EAA0C55AD015", True),
        ("0af7651916cd43dd8448eb211c80319c", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("a" * 15, False),
        ("secret-of-the-shop", False),
        ("", False),
        ("a b", False),
        ('a"b', False),
        ("ż", False),
        ("sk_live_0123456789abcdef", False),
        ("69788796a5b4c3d2e1f0", False),
    ],
)
def test_a_trusted_proxy_may_name_a_request(store: Settings, sent: str, kept: bool) -> None:
    app = create_app(Settings(database_url=store.database_url, proxy_count=1))
    answer = app.test_client().get("/v1/x", headers={HEADER: sent.encode().decode("latin-1")})
    assert (answer.headers[HEADER] == sent) is kept
    assert kept or OURS.fullmatch(answer.headers[HEADER])


def test_the_name_is_known_while_the_request_runs_and_forgotten_after(app: Flask) -> None:
    @app.get("/seen")
    def seen() -> str:
        return request_ids.current()

    answer = app.test_client().get("/seen")
    assert answer.text == answer.headers[HEADER]
    request_ids.end()
    assert request_ids.current() == ""
