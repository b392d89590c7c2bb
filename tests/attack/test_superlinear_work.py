"""What a stranger sends is read in time that grows as it does: twice the bytes, twice the work."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, request
from marshmallow import Schema, ValidationError
from marshmallow.fields import Field

import calls
from app import logs, proxy
from app.rest import csv_responses, requests
from app.rest.envelope import Failure
from app.rest.parsing import StrictParser, read_query
from calls import WrongParameters, php
from models.access import accesses, secrets
from models.promotions import code_spelling

REPEATED = 10_000
TIMES = 3
"""Twice the bytes must take less than this times as long: 2 is linear, 4 is quadratic."""
NOISE = 0.002
"""Seconds of processor time that a measurement may be off: a quadratic one is off by far more."""
UNITS = [
    *(
        '"',
        '\\"',
        "\\",
        "'",
        "\\'",
        '""',
        '"\\',
        "%",
        "%4",
        "%41",
        "%zz",
        "+",
        "&",
        "&a",
        "=",
        "a=",
    ),
    *("[", "]", "[]", "{", "}", "[[", '{"":', '"",', "],[", "a[", "1", "0", "1.", "9e9", "-", " "),
    *("\t", "\0", "\x7f", "\n", "\r\n", "\r\n\r\n", ";", ",", ":", "/", "//", "/..", "?", "@", "*"),
    *("a", "A-", "é", "\u0344", "\ufdfa", "\u0301\u0323", "\u00df", "😀", "a;q=0.1,", 'W/"a",'),
    *(
        "--xyz",
        "\n--xyz",
        "\r\n--xyz\r\n",
        "boundary",
        "boundary=",
        'name="',
        ";name=a",
        "filename=",
    ),
    *("api_key", "sk_live_", "api_key=", "0123456789abcdef", "a.b", "1,2", "x\n y", "\n:"),
]
Work = Callable[[str], object]


def query(text: str) -> None:
    php.arguments(text.encode(), "", b"")


def form(text: str) -> None:
    php.arguments(b"", "application/x-www-form-urlencoded", b"a[b]=" + text.encode())


def json_body(start: str, end: str = "") -> Work:
    return lambda text: php.arguments(b"", "application/json", f"{start}{text}{end}".encode())


def multipart(start: str, end: str = "\r\n--xyz--\r\n") -> Work:
    kind = "multipart/form-data; boundary=xyz"
    return lambda text: php.arguments(b"", kind, f"--xyz\r\n{start}{text}{end}".encode())


def content_type(start: str) -> Work:
    body = b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--xyz--\r\n'
    return lambda text: php.arguments(b"", start + text, body)


def long_boundary(text: str) -> None:
    kind = "multipart/form-data; boundary=" + text
    php.arguments(b"", kind, b"\r\n--" + text.encode() * 2)


@cache
def schemas() -> dict[str, Schema]:
    """Return the arguments of all calls, and the requests of the other API, by name."""
    caller: Any = SimpleNamespace(settings=SimpleNamespace(amount_places=2), places=2)
    found: dict[str, Schema] = {}
    for name, each in calls.registry().items():
        found[name] = arguments = each.params()
        arguments.caller = caller
    for name, value in vars(requests).items():
        if isinstance(value, type) and issubclass(value, requests.RequestSchema):
            found[name] = value()
    return found


@cache
def fields() -> list[Field[Any]]:
    """Return their fields, of each name and type one."""
    every = [item for schema in schemas().values() for item in schema.fields.items()]
    return list({(name, type(field)): field for name, field in every}.values())


def typed(text: str) -> None:
    for field in fields():
        for value in (text, {0: text}, [text]):
            with suppress(ValidationError):
                field.deserialize(value)


def arguments_of(call: str) -> Work:
    def work(text: str) -> None:
        schema = schemas()[call]
        names = [field.data_key or name for name, field in schema.fields.items()]
        with suppress(ValidationError, WrongParameters):
            schema.load(dict.fromkeys(names, text))

    return work


def wrong_parameters(text: str) -> None:
    php.encode(WrongParameters.of({text: [text]}).problems)


APP = Flask(__name__)
APP.config["SETTINGS"] = SimpleNamespace(body_limit_bytes=2**30)


def rest_json(start: str, end: str = "") -> Work:
    def work(text: str) -> None:
        body = f"{start}{text}{end}"
        with APP.test_request_context(data=body, content_type="application/json"):
            StrictParser().load_json(request, Schema())

    return work


def rest_query(text: str) -> None:
    with APP.test_request_context(environ_overrides={"QUERY_STRING": text.encode().decode("l1")}):
        read_query()


def headers(text: str) -> None:
    """Read the headers that we look into, of the 8 KB that servers let through."""
    line = text.replace("\r", "").replace("\n", "").encode().decode("latin-1")[: len(text) // 8]
    names = ("Accept", "Accept-Encoding", "If-None-Match", "Content-Type")
    with APP.test_request_context(headers=dict.fromkeys(names, line)):
        csv_responses.is_preferred()
        request.accept_encodings.quality("gzip")
        request.if_none_match.contains_weak("a")
        request.mimetype  # noqa: B018  # it is read when it is asked for


def forwarded(text: str) -> None:
    environ: Any = {"HTTP_X_FORWARDED_FOR": text}
    answer: Any = proxy.ForwardedFor(lambda environ, start: [], 2)
    answer(environ, None)
    accesses.admits("10.0.0.0/8", environ["REMOTE_ADDR"])


def credentials(text: str) -> None:
    accesses.PAIR_PATTERN.fullmatch(text)
    secrets.SECRET.fullmatch(text)


WORKS: dict[str, Work] = {
    "a query": query,
    "a form": form,
    "JSON": json_body(""),
    "JSON of an open string": json_body('"', "," * 1001),
    "JSON of a string": json_body('{"a":"', '"}'),
    "JSON of an open string behind 1,001 members": json_body("{" + '"a":1,' * 1001 + '"'),
    "JSON of a list": json_body('{"a":[', "]}"),
    "JSON of a number": json_body('{"a":1', "}"),
    "a multipart body": multipart(""),
    "a multipart body without its end": multipart("", ""),
    "a multipart header": multipart("X: "),
    "multipart parameters": multipart("Content-Disposition: form-data; "),
    "a multipart name": multipart('Content-Disposition: form-data; name="'),
    "a multipart value": multipart('Content-Disposition: form-data; name="a"\r\n\r\n'),
    "a multipart file": multipart('Content-Disposition: x; name="a"; filename="a"\r\n\r\n'),
    "a content type": content_type(""),
    "a multipart type": content_type("multipart/form-data; "),
    "a multipart boundary": content_type("multipart/form-data; boundary="),
    "a long boundary": long_boundary,
    "JSON for /v1": rest_json(""),
    "JSON of an open string for /v1": rest_json('"', "," * 20_000),
    "JSON of a string for /v1": rest_json('{"a":"', '"}'),
    "JSON of a list for /v1": rest_json('{"a":[', "]}"),
    "a query for /v1": rest_query,
    "headers": headers,
    "X-Forwarded-For": forwarded,
    "any field": typed,
    "the arguments of addPromoBatch": arguments_of("addPromoBatch"),
    "the arguments of editPromoCode": arguments_of("editPromoCode"),
    "wrong parameters": wrong_parameters,
    "an answer": php.encode,
    "a code": lambda text: code_spelling.candidates(text[: requests.CODE_TYPED]),
    "credentials": credentials,
    "a line of a log": logs.masked,
}


def seconds(work: Work, text: str) -> float:
    began = time.thread_time()
    with suppress(php.InvalidRequest, Failure):
        work(text)
    return time.thread_time() - began


@pytest.mark.parametrize("what", WORKS)
def test_twice_the_bytes_are_twice_the_work(what: str) -> None:
    work = WORKS[what]
    for unit in UNITS:
        once = twice = float("inf")
        for _ in range(20):  # of a busy machine; what is not linear fails in each
            once = min(once, seconds(work, unit * REPEATED))
            twice = min(twice, seconds(work, unit * (2 * REPEATED)))
            if twice < TIMES * once + NOISE:
                break
        assert twice < TIMES * once + NOISE, (unit, once, twice)
