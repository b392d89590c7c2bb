"""Every answer carries the security headers once, whoever makes it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.headers import SECURITY, SecurityHeaders
from tests.credentials import QUERY
from tests.serving import request_bytes, served

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
    for name, value in SECURITY:
        (found,) = answer.headers.getlist(name)
        own = name == "Cache-Control" and path.startswith("/v1/")
        assert found == ("no-store" if own else value)


def test_an_answer_that_says_otherwise_is_left_alone() -> None:
    def application(environ: object, start_response: object) -> list[bytes]:
        start_response("200 OK", [("content-security-policy", "default-src 'self'")])
        return [b""]

    sent: list[tuple[str, str]] = []
    SecurityHeaders(application)({}, lambda status, headers: sent.extend(headers))
    assert sent == [
        ("content-security-policy", "default-src 'self'"),
        *(header for header in SECURITY if header[0] != "Content-Security-Policy"),
    ]


def test_what_is_no_http_and_what_is_too_large_have_them_too(app: object, tmp_path: Path) -> None:
    large = request_bytes("POST", "/api.php", "Content-Length: 99999999")
    with served(tmp_path, PROMOBRIDGE_BODY_LIMIT_BYTES="1024") as server:
        for sent in (b"GET\r\n\r\n", large, request_bytes("GET", "/api.php", "X: " + "x" * 9000)):
            with socket.create_connection(server.address, 30) as connection:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                head = b"".join(iter(lambda: connection.recv(65536), b"")).split(b"\r\n\r\n")[0]
            assert head.startswith((b"HTTP/1.1 400", b"HTTP/1.1 413"))
            for name, value in SECURITY:
                assert head.count(f"{name}: {value}".encode()) == 1
