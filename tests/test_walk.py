"""How many of our files a stranger enters who follows one warm call through the application."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from urllib.parse import urlencode

import pytest
from flask import Flask

from models.promotions import batches, coupons, generation
from models.promotions.terms import Terms
from tests.credentials import CREDENTIALS

ROOT = Path(__file__).parents[1]
OURS = tuple(f"{ROOT / package}/" for package in ("app", "calls", "models"))
CODE = "WALKED"


def entered(app: Flask, **arguments: str) -> set[str]:
    """Return the files of ours that a call runs functions of, up to the last byte of its answer."""
    files: set[str] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(OURS):
            files.add(name.removeprefix(f"{ROOT}/"))

    client = app.test_client()
    query = urlencode(CREDENTIALS | arguments)
    for turn in ("cold", "warm"):
        sys.setprofile(note if turn == "warm" else None)
        try:
            answer = client.get("/admin/api.php", query_string=query)
            body = answer.get_data()
            answer.close()
        finally:
            sys.setprofile(None)
        assert body.startswith(b'{"success":true')
    return files


@pytest.mark.parametrize(
    ("most", "arguments"),
    [
        (20, {"call": "listPromoBatches"}),
        (26, {"call": "redeemPromoCode", "code": CODE, "amount": "9.99", "client_id": "7"}),
    ],
)
def test_a_call_enters_few_files(app: Flask, most: int, arguments: dict[str, str]) -> None:
    batch = batches.add("Spring", Terms.of(value=10), requested=4)
    generation.fill(batch, lambda count: None)
    coupons.add(CODE, Terms.of(value=10))
    files = entered(app, **arguments)
    assert "calls/list_promo_batches.py" in files or "calls/redeem_promo_code.py" in files
    assert len(files) <= most, sorted(files)
