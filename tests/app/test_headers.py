"""Every answer carries the security headers once, whoever makes it."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import HEADERS
from tests.credentials import QUERY

ANSWERS = [
    ("GET", f"/api.php?{QUERY}&call=listPromoCodes", 200),
    ("HEAD", "/api.php", 200),
    ("OPTIONS", "/api.php", 200),
    ("GET", "/api.php", 200),
    ("GET", "/", 404),
    ("PUT", "/admin/api.php", 405),
    ("GET", "/v1/openapi.json", 200),
    ("GET", "/v1/campaigns/codes/stats", 401),
    ("GET", "/v1/none", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
def test_an_answer_has_each_once(client: FlaskClient, method: str, path: str, status: int) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == status
    for name, value in HEADERS:
        (found,) = answer.headers.getlist(name)
        own = name == "Cache-Control" and path.startswith("/v1/")
        assert found == ("no-store" if own else value)


def test_an_answer_that_says_otherwise_is_left_alone(app: Flask) -> None:
    policy = {"Content-Security-Policy": "default-src 'self'"}
    app.add_url_rule("/page", view_func=lambda: ("", policy))
    answer = app.test_client().get("/page")
    assert answer.headers["Content-Security-Policy"] == "default-src 'self'"
    assert answer.headers["X-Frame-Options"] == "DENY"
