"""Forms that are made to be read in two ways: we read them as PHP does, or refuse them."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from calls.php.arrays import MAX_ARGUMENTS
from tests.credentials import PAIR

TYPE = "multipart/form-data; boundary=xyz"
END = "--xyz--\r\n"


def field(name: str, value: str, more: str = "") -> str:
    return f"--xyz\r\nContent-Disposition: form-data; name={name}{more}\r\n\r\n{value}\r\n"


VERSION = field("call", "getHostBillversion")
PROOF = field("api_id", PAIR.api_id) + field("api_key", PAIR.api_key)


@pytest.fixture
def called(client: FlaskClient) -> Any:
    def send(body: str) -> Any:
        return client.post("/api.php", data=body.encode(), content_type=TYPE).json

    return send


@pytest.mark.parametrize(
    "parts",
    [
        field("'call'", "getHostBillversion"),
        field('"x"; name="call"', "getHostBillversion"),
        field("call", "getHostBillversion", "; filename*=UTF-8''a"),
        field("call", "deletePromoCode") + VERSION,
        VERSION + field("call", "deletePromoCode", "; filename=a"),
        "--xyz \r\n\r\n--xyz" + VERSION[5:],
        VERSION.replace("\r", ""),
        VERSION + "--xyz \r\nContent-Disposition: x; name=call\r\n\r\nx\r\n",
        VERSION + "--xyz\r\nX: form-data; name=call\r\n\r\nx\r\n",
    ],
)
def test_an_odd_form_calls_what_it_would_call_in_php(called: Any, parts: str) -> None:
    assert called(PROOF + parts + END)["call"] == "getHostBillversion"
    assert called(PROOF + parts + END)["success"]


@pytest.mark.parametrize(
    "body",
    [
        PROOF + VERSION,
        PROOF + VERSION + END.replace("--\r", "\r"),
        PROOF + "--xyz\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + END,
        PROOF + field("x", "1") * MAX_ARGUMENTS + END,
        PROOF + field("x", "1", "; filename=x") * MAX_ARGUMENTS + END,
        PROOF + "--xyz\r\n" * MAX_ARGUMENTS * 10 + END,
        PROOF + field("x" * 256, "1") + END,
        "--xyz\r\n" + "X: y\r\n" * 100_000 + END,
        "--xyz\r\n" * 140_000,
        "\r\n" * 500_000,
    ],
)
def test_what_php_would_drop_in_silence_is_refused(called: Any, body: str) -> None:
    assert called(body)["error"] == ["Wrong parameter"]
