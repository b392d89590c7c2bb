"""A PHP client with cURL, as integrations have it, against a real server over the sample batch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from app.exchange import saved_answers
from calls import php
from tests.credentials import CREDENTIALS
from tests.serving import Server, served

SAMPLE = resources.files("app") / "sample" / "listPromoBatches.json"
CODES = ["XO-UKFXB9618V7Q", "XO-ATBGNR62JHVE", "XO-DPOCABN0LX8K", "XO-PAFEQTS34ULN"]
CLIENT = """
[$url, $query, $fields, $style] = json_decode(stream_get_contents(STDIN), true);
$curl = curl_init($url . ($query ? '?' . http_build_query($query) : ''));
curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
if ($style === 'multipart') { curl_setopt($curl, CURLOPT_POSTFIELDS, $fields); }
if ($style === 'urlencoded') { curl_setopt($curl, CURLOPT_POSTFIELDS, http_build_query($fields)); }
echo curl_exec($curl);
"""
STYLES = {
    "GET": lambda arguments: (CREDENTIALS | arguments, {}, "get"),
    "urlencoded": lambda arguments: ({}, CREDENTIALS | arguments, "urlencoded"),
    "multipart": lambda arguments: ({}, CREDENTIALS | arguments, "multipart"),
    "half and half": lambda arguments: (CREDENTIALS, arguments, "multipart"),
}


@pytest.fixture(scope="module")
def php_curl() -> str:
    """Return the php program, which must know cURL; CI may not do without."""
    program = shutil.which("php")
    if program and "curl" in subprocess.check_output([program, "-m"], text=True).split():
        return program
    assert "CI" not in os.environ, "php with its curl extension is missing"
    pytest.skip("php with its curl extension is not installed")


@pytest.fixture
def server(folder: Path, web_server: str) -> Iterator[Server]:
    """Serve the sample batch."""
    with resources.as_file(SAMPLE) as file:
        saved_answers.store_files([str(file)])
    with served(folder, web_server=web_server) as running:
        yield running


def test_every_style_of_php_curl_gets_the_documented_answers(server: Server, php_curl: str) -> None:
    sample = json.loads(SAMPLE.read_text())
    expected = b'{"success":true,"batches":' + php.encode(sample["batches"]) + b',"call":"listPromo'
    in_batch = {coupon["code"]: coupon for coupon in sample["batches"][0]["coupons"]}

    for style in STYLES:

        def ask(call: str, style: str = style, **arguments: str) -> bytes:
            query, fields, kind = STYLES[style]({"call": call} | arguments)
            asked = json.dumps([server.endpoint, query, fields, kind])
            return subprocess.run(
                [php_curl, "-r", CLIENT], input=asked.encode(), capture_output=True, check=True
            ).stdout

        assert ask("listPromoBatches").startswith(expected), style
        for code in CODES:
            assert list(details(ask("getPromoDetailsByCode", code=code)).items()) == list(
                as_details(in_batch[code]).items()
            ), style
        lines = json.loads(ask("listPromoCodes", include_batch="1"))["coupons"]
        assert [list(line) for line in lines] == [LINE] * 4, style
        assert [line["code"] for line in lines] == CODES[::-1], style
        assert {line["value"] for line in lines} == {"1.000"}, style


LINE = ["id", "code", "status", "coupon_type", "type", "value", "num_usage", "notes"]


def details(body: bytes) -> dict[str, Any]:
    """Return the coupon of an answer."""
    coupon: dict[str, Any] = json.loads(body)["coupon"]
    return coupon


def as_details(coupon: dict[str, Any]) -> dict[str, Any]:
    """Return a coupon of a batch in the documented shape of getPromoDetailsByCode."""
    unset = {name: False for name, value in coupon.items() if value == []}
    names = {"id": str(coupon["id"]), "value": f"{coupon['value']:.2f}"}
    return coupon | unset | names | {"lastname": "", "firstname": ""}
