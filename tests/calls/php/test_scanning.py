"""Every value of a few names is found, in a body of any size, as PHP would find one of them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from typing import Any

import pytest

from calls.php import InvalidRequest, LongBody, arguments, values_of, whole_arguments

NAMES = ("call", "api_id", "api_key")
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=B"
DISPOSITION = 'Content-Disposition: form-data; name="%s"'


def part(name: str, value: str, more: str = "") -> str:
    return f"--B\r\n{DISPOSITION % name}{more}\r\n\r\n{value}\r\n"


def values(query: str, content_type: str, body: bytes, most: int = 1000) -> Mapping[str, Any]:
    """Return what is found, the same in a file as in bytes; names without a value left out."""
    found = values_of(NAMES, query.encode(), content_type, body, most)
    with tempfile.TemporaryFile() as file:
        file.write(body)
        file.flush()
        long = LongBody(file.fileno())
        assert values_of(NAMES, query.encode(), content_type, long, most) == found
    return {name: each for name, each in found.values.items() if each}


@pytest.mark.parametrize(
    ("query", "content_type", "body", "expected"),
    [
        ("call=a&api.id=1&api%20key=2", "", "", {"call": ["a"], "api_id": ["1"], "api_key": ["2"]}),
        ("call=a&call=a&++call=b", "", "", {"call": ["a", "b"]}),
        ("call[]=a&call=b", "", "", {"call": ["", "b"]}),
        ("xcall=a&call2=b&Call=c", "", "", {}),
        ("call%00x=a", "", "", {"call": ["a"]}),
        ("call=a", FORM, "&&c%61ll=b&x", {"call": ["a", "b"]}),
        ("call=a", "text/plain", "call=b", {"call": ["a"]}),
        ("", "application/json", '{"call": "a", "x": {"call": "b"}}', {"call": ["a"]}),
        ("call=a", "application/json", '{"call": ["a"]}', {"call": ["a", ""]}),
        ("", MULTIPART, part("call", "a") + "--B--", {"call": ["a"]}),
        ("", MULTIPART, f"x\r\n{part('call', 'a')}{part('call', 'b')}--B--", {"call": ["a", "b"]}),
        ("", MULTIPART, f"{part('x', 'call=a')}{part('call', 'b')}--B--", {"call": ["b"]}),
        ("", MULTIPART, f"{part('call', ' b ')}--B--", {"call": [" b "]}),
        ("", MULTIPART, part("call", "a", '; filename="f"') + "--B--", {}),
        ("", MULTIPART, part("x", "--B x\r\n" + DISPOSITION % "call") + "--B--", {}),
        ("", MULTIPART, "--B--\r\nan epilogue: call\r\n", {}),
    ],
)  # fmt: skip
def test_values_are_found(
    query: str, content_type: str, body: str, expected: dict[str, list[str]]
) -> None:
    assert values(query, content_type, body.encode()) == expected


@pytest.mark.parametrize("size", [10, 4090, 4096, 5000, 1_048_570, 3_000_000])
def test_what_follows_a_long_value_is_found(size: int) -> None:
    long = "x" * size
    assert values("", FORM, f"a={long}&call=b&c={long}".encode()) == {"call": ["b"]}
    body = part("file", long, '; filename="f"') + part("call", "b") + part("c", long) + "--B--"
    assert values("", MULTIPART, body.encode()) == {"call": ["b"]}


@pytest.mark.parametrize("content_type", [FORM, MULTIPART])
def test_a_cut_body_is_read_as_far_as_it_is_whole(content_type: str) -> None:
    text = part("call", "getClients") + part("api_id", "abcd") + part("file", "xyz") + "--B--"
    body = text.encode() if content_type == MULTIPART else b"call=getClients&api_id=abcd&file=xyz"
    whole = values("", content_type, body)
    for length in range(len(body)):
        begun = whole_arguments(content_type, body[:length])
        found = values("", content_type, begun)
        assert all(whole[name] == each for name, each in found.items())
    assert found == whole


def test_a_long_json_body_may_not_name_them() -> None:
    long = "x" * 1_100_000
    assert values("call=a", "application/json", f'{{"x": "{long}"}}'.encode()) == {"call": ["a"]}
    for name in ('"call" :', '"c\\u0061ll":', '"api_key":'):
        with pytest.raises(InvalidRequest):
            values("", "application/json", f'{{"x": "{long}", {name} "a"}}'.encode())


def test_more_than_asked_for_are_told() -> None:
    assert values_of(NAMES, b"a=1&b=2", "", b"", 2).is_all
    found = values_of(NAMES, b"a=1&b=2&call=3", "", b"", 2)
    assert (found.values["call"], found.is_all) == ([], False)


@pytest.mark.parametrize(
    ("content_type", "nothing"), [(FORM, b"&"), (MULTIPART, b"--B\n"), (MULTIPART, b"--B--\n")]
)
def test_nothing_between_marks_is_counted_too(content_type: str, nothing: bytes) -> None:
    end = b"call=a" if content_type == FORM else part("call", "a").encode() + b"--B--"
    few = values_of(NAMES, b"", content_type, nothing * 500 + end, 1000)
    assert (few.values["call"], few.is_all) == (["a"], True)
    many = values_of(NAMES, b"", content_type, nothing * 1001 + end, 1000)
    assert (many.values["call"], many.is_all) == ([], False)


def test_a_name_that_is_too_long_is_refused() -> None:
    for query, body in (("x" * 256 + "=1", b""), ("", b"x" * 256 + b"=1")):
        with pytest.raises(InvalidRequest):
            values(query, FORM, body)


def test_the_value_that_php_takes_is_among_them() -> None:
    for body in (b"call=a&call=b", b"call[x]=a&call=b", b"call=a&call[x]=b", b"%20call=a"):
        (taken,) = [arguments(b"", FORM, body)["call"]]
        found = values("", FORM, body)["call"]
        assert (taken if isinstance(taken, str) else "") in found
