"""Every answer carries the security headers once, whoever makes it."""

from __future__ import annotations

import pytest
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


def test_what_is_too_large_has_them_too(app: object, tmp_path: Path, web_server: str) -> None:
    large = request_bytes("POST", "/api.php", "Content-Length: 99999")
    settings = {"PROMOBRIDGE_BODY_LIMIT_BYTES": "1024"}
    with served(tmp_path, web_server=web_server, **settings) as server:
        with socket.create_connection(server.address, 30) as connection:
            connection.sendall(large + b"a" * 99_999)
            head = b"".join(iter(lambda: connection.recv(65536), b"")).split(b"\r\n\r\n")[0].lower()
        assert head.startswith(b"http/1.1 413")
        for name, value in SECURITY:
            assert head.count(f"{name}: {value}".lower().encode()) == 1
