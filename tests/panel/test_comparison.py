"""Two answers are compared field by field: what differs, where, and how often."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from app.panel import comparison
from app.panel.comparison import Difference, differences

COUPON = {"id": "65", "code": "XO-1", "value": "1.00", "products": {"5": "5"}}


def told(theirs: Any, ours: Any, **options: Any) -> list[tuple[str, str, str, int]]:
    return [
        (each.path, each.theirs, each.ours, each.count)
        for each in differences(theirs, ours, **options)
    ]


def test_answers_that_are_alike_have_no_differences() -> None:
    answer = {"success": True, "coupons": [COUPON], "server_time": 1}
    assert differences(answer, answer | {"server_time": 2}) == []


@pytest.mark.parametrize(
    ("theirs", "ours", "shown"),
    [
        ({"value": "1.00"}, {"value": 1}, ("value", '"1.00"', "1")),
        ({"value": 1}, {"value": 1.0}, ("value", "1", "1.0")),
        ({"active": True}, {"active": 1}, ("active", "true", "1")),
        ({"notes": None}, {}, ("notes", "null", "")),
        ({}, {"notes": ""}, ("notes", "", '""')),
        ({"products": []}, {"products": {}}, ("products", "[]", "{}")),
        ({"products": {"5": "5"}}, {"products": {"5": "6"}}, ("products[]", '"5"', '"6"')),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, (" (order)", '["a", "b"]', '["b", "a"]')),
        ([], {}, ("", "[]", "{}")),
        ({"info": ["a"]}, {"info": ["a", "b"]}, ("info[]", "", '"b"')),
    ],
)
def test_a_difference_is_told_with_its_path(
    theirs: Any, ours: Any, shown: tuple[str, str, str]
) -> None:
    assert told(theirs, ours) == [(*shown, 1)]


def test_rows_are_compared_by_their_ids_whatever_comes_before_them() -> None:
    rows = [{"id": "3", "n": 1}, {"id": "2", "n": 2}, {"id": "1", "n": 3}]
    changed = [{"id": "2", "n": 2}, {"id": "1", "n": 4}]
    assert told({"rows": rows}, {"rows": changed}) == [
        ("rows[]", '{"id": "3", "n": 1}', "", 1),
        ("rows[].n", "3", "4", 1),
    ]
    assert told({"rows": rows}, {"rows": rows[::-1]}) == [
        ("rows (order)", '["3", "2", "1"]', '["1", "2", "3"]', 1)
    ]


def test_an_id_of_another_type_is_one_difference_of_the_same_row() -> None:
    assert told([{"id": 65, "n": 1}], [{"id": "65", "n": 1}]) == [("[].id", "65", '"65"', 1)]


def test_a_path_is_told_once_with_how_often_it_differed() -> None:
    theirs = {"coupons": [COUPON | {"id": str(number)} for number in range(50)]}
    ours = {"coupons": [each | {"value": "2.00"} for each in theirs["coupons"]]}
    assert told(theirs, ours) == [("coupons[].value", '"1.00"', '"2.00"', 50)]


def test_nothing_below_an_ignored_path_is_looked_at() -> None:
    theirs, ours = {"sorter": {"perpage": 1}, "n": 1}, {"sorter": {"perpage": 2}, "n": 1}
    assert differences(theirs, ours, ("sorter",)) == []
    assert differences(theirs, ours, ("sorter.perpage",)) == []
    assert differences(theirs, ours, ("perpage",)) == [Difference("sorter.perpage", "1", "2")]


def test_paths_examples_and_depth_are_bounded() -> None:
    keys = {f"{number:x}" + "k" * 1000: "v" * 100_000 for number in range(1000)}
    found = differences(keys, {})
    assert len(found) == comparison.MOST_PATHS
    assert all(len(each.path) == comparison.KEY_LENGTH for each in found)
    assert all(len(each.theirs) == comparison.SHOWN_LENGTH for each in found)
    deep: Any = 1
    for _ in range(5000):
        deep = {"k": deep}
    (too_deep,) = differences(deep, deep)
    assert len(too_deep.path) <= comparison.LONGEST_PATH + 2


def steps(count: int) -> int:
    """Return how many lines of the module run for lists of this many rows that all differ."""
    theirs = [{"id": number, "n": 1, "list": [number]} for number in range(count)]
    ours = [{"id": number, "n": 2, "list": [-1]} for number in reversed(range(count))]
    lines = 0

    def count_lines(frame: Any, event: str, _: Any) -> Any:
        nonlocal lines
        if frame.f_code.co_filename != comparison.__file__:
            return None
        lines += event == "line"
        return count_lines

    sys.settrace(count_lines)
    try:
        differences(theirs, ours)
    finally:
        sys.settrace(None)
    return lines


def test_work_grows_with_the_answers_alone() -> None:
    assert steps(2000) <= 2.1 * steps(1000)
