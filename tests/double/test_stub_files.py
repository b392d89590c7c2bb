"""What files of stubs hold, in all the shapes that collections and recordings come in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.config import BadSetting
from app.double.stub_files import load
from app.double.stubs import Stub
from app.panel.recording import SUFFIX

ENDPOINT = "http://panel.example/admin/api.php"


def read(folder: Path, *items: Any) -> tuple[dict[str, Stub], list[str]]:
    """Return the stubs of a collection by their calls, and the warnings without the path."""
    path = folder / "panel.json"
    path.write_text(json.dumps({"info": {}, "item": items}))
    stubs, warnings = load([path])
    assert len({stub.call for stub in stubs}) == len(stubs)
    return {stub.call: stub for stub in stubs}, [each.partition(": ")[2] for each in warnings]


def item(call: str, form: list[Any], sample: str = "{}") -> dict[str, Any]:
    """Return an item that has its call in the query and its arguments in a form."""
    url = {"raw": ENDPOINT, "query": [{"key": "call", "value": call}]}
    body = {"mode": "formdata", "formdata": form}
    return {"name": call, "request": {"url": url, "body": body}, "response": [{"body": sample}]}


@pytest.mark.parametrize(
    "request_",
    [
        f"{ENDPOINT}?api_id=1&call=getClients&page=0",
        {"url": f"{ENDPOINT}?call=getClients#top"},
        {"url": {"raw": f"{ENDPOINT}?call=getClients"}},
        {
            "url": {
                "raw": f"{ENDPOINT}?call=other",
                "query": [{"key": "call", "value": "getClients"}],
            }
        },
        {"url": ENDPOINT, "body": {"urlencoded": [{"key": "call", "value": "getClients"}]}},
        {"url": ENDPOINT, "body": {"formdata": [{"key": "call", "value": "getClients"}]}},
    ],
)
def test_the_call_is_found_wherever_a_request_names_it(tmp_path: Path, request_: Any) -> None:
    stubs, warnings = read(tmp_path, {"name": "List of all clients", "request": request_})
    assert ([*stubs], warnings) == (["getClients"], [])


def test_the_name_of_an_item_is_the_call_where_its_request_names_none(tmp_path: Path) -> None:
    variable = {"url": f"{ENDPOINT}?call={{{{call}}}}"}
    stubs, warnings = read(tmp_path, {"name": "getA", "request": variable}, {"name": "getB"})
    assert ([*stubs], warnings) == (["getA", "getB"], [])


@pytest.mark.parametrize("nameless", [None, 5, [], {}, {"name": None}, {"name": ["getA"]}, "getA"])
def test_an_item_that_names_no_call_is_left_out(tmp_path: Path, nameless: Any) -> None:
    stubs, warnings = read(tmp_path, nameless, {"name": "getB"})
    assert ([*stubs], warnings) == (["getB"], ["item 1 names no call and is left out"])


@pytest.mark.parametrize(
    ("argument", "required"),
    [
        ({"key": "id", "required": True}, ["id"]),
        ({"key": "id", "required": "1"}, ["id"]),
        ({"key": "id", "required": False}, []),
        ({"key": "id", "required": "0"}, []),
        ({"key": "ids[]", "required": True}, ["ids"]),
        ({"key": "filter[name]", "required": True}, ["filter"]),
        ({"key": "api_key", "required": True}, []),
        ({"required": True}, []),
        ({"key": None, "required": True}, []),
        ({"key": ["id"], "required": [True]}, []),
        ("id", []),
    ],
)
def test_which_arguments_are_needed(tmp_path: Path, argument: Any, required: list[str]) -> None:
    stubs, _ = read(tmp_path, item("getA", [argument, argument]))
    assert stubs["getA"].required == required


@pytest.mark.parametrize("sample", ['{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', "<b>", "{"])
def test_a_sample_that_is_no_json_is_sent_as_it_is(tmp_path: Path, sample: str) -> None:
    stubs, warnings = read(tmp_path, item("getA", [], sample))
    assert stubs["getA"].answers == [sample.encode()]
    assert warnings == ["the answer of getA is no JSON; it is sent as it is"]


def test_a_sample_that_goes_too_deep_is_sent_as_it_is(tmp_path: Path) -> None:
    deep = '{"a":' * 900 + "1" + "}" * 900
    stubs, warnings = read(tmp_path, item("getA", [], deep))
    assert stubs["getA"].answers == [deep.encode()]
    assert warnings == ["the answer of getA is no JSON; it is sent as it is"]


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"getA": {"a": NaN}}', "", "\xff", '{"a": ' * 900]
)
def test_a_file_that_is_no_json_gets_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "answers.json"
    path.write_text(text, "latin-1")
    with pytest.raises(BadSetting, match=r"answers\.json is no JSON, or goes too deep$"):
        load([path])


def test_samples_go_before_recordings_of_other_arguments(tmp_path: Path) -> None:
    """The order in which files are given changes nothing."""
    recorded, sampled = tmp_path / "recorded", tmp_path / "answers.json"
    recorded.mkdir()
    for number in range(2):
        kept = {"call": "getA", "arguments": {"id": str(number)}, "answer": {"n": number}}
        (recorded / f"{number}{SUFFIX}").write_text(json.dumps(kept))
    (recorded / f"x{SUFFIX}").write_text('{"call": "", "arguments": {}, "answer": {}}')
    sampled.write_text('{"getA": {"sample": 1}}')
    for paths in ([recorded, sampled], [sampled, recorded]):
        stubs, warnings = load(paths)
        assert [stub.answers for stub in stubs if not stub.exact] == [[{"sample": 1}], [{"n": 0}]]
        assert [stub.match for stub in stubs if stub.exact] == [{"id": "0"}, {"id": "1"}]
        assert warnings == [f"{recorded}/x{SUFFIX} is no recorded answer and is left out"]
