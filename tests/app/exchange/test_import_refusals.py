"""promobridge import refuses what is no saved answer, names the place, and stores nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.exchange.saved_answers import store_files
from models.store.errors import Invalid
from tests.saved import ONE, answer, batch, coupon, details, line, save, stored

MISSING = object()
HUGE = "a number too large for a float"
DEEP: Any = None
for _ in range(65):
    DEEP = [DEEP]
FIRST_LINE = line(coupon(1))
KEPT = "64 levels at most with numbers in the range of floats"
AMOUNT = "must be a JSON number with 12 digits and 3 decimals at most"
INT_TEXT = "must be an integer in a JSON string"


def without(known: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in known.items() if key != name}


FILE_FAULTS: list[tuple[Any, str]] = [
    (b"", "holds no answer"),
    ([], "holds no answer"),
    (b"{\n  nonsense", "line 2 column 3: is not JSON"),
    (b'{"success":true,', "line 1 column 17: is not JSON"),
    (b'{"success":true,"coupons":[]}]', "line 1 column 30: is not JSON"),
    (b'{"success":true,"coupons":["\xff"]}', "byte 28: is not UTF-8"),
    (b'{"success":true,"coupons":[NaN]}', "holds a number that is out of range"),
    (b"9" * 5000, "holds a number that is out of range"),
    (b"[" * 100_000, "is nested too deeply"),
    ("text", "must be a JSON object"),
    (None, "must be a JSON object"),
    ([ONE, [ONE]], "answer 2: must be a JSON object"),
    ({}, "success: must be true"),
    ({"success": "true", "coupons": []}, "success: must be true"),
    ({"success": False, "error": ["Wrong"]}, "is the answer of a call that failed"),
    ({"success": True, "code": "X"}, "must hold one of batches, coupon, coupons"),
    (ONE | {"batches": []}, "must hold one of batches, coupon, coupons"),
    (answer("coupons", {}), "coupons: must be a list"),
    (answer("batches", None), "batches: must be a list"),
    (answer("coupon", []), "coupon: must be an object"),
    (answer("coupons", [[]]), "coupons[0]: must be an object"),
    (answer("batches", [7]), "batches[0]: must be an object"),
    ([ONE, answer("coupons", [None])], "answer 2: coupons[0]: must be an object"),
    (answer("coupon", coupon(70)), f"coupon.id: {INT_TEXT}"),
    (answer("coupon", details(coupon(1), batch_id="-1")), "coupon.batch_id: must be 0 or more"),
    (answer("coupon", without(ONE["coupon"], "lastname")), "coupon.lastname: is missing"),
    (
        answer("coupons", [FIRST_LINE, FIRST_LINE | {"value": "1.00"}]),
        "coupons[1].value: must be a number with 3 to 4 decimals in a JSON string",
    ),
]
BATCH_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"id": "7"}, "id: must be a JSON integer"),
    ({"id": 0}, "id: must be 1 or more"),
    ({"id": 2**63}, "id: must be a JSON integer"),
    ({"name": None}, "name: must not be null"),
    ({"name": "n" * 256}, "name: must be a JSON string of 255 characters at most"),
    ({"status": "Live"}, "status: must be Active or Archived"),
    ({"complexity": 2}, f"complexity: {INT_TEXT}"),
    ({"value": "1.0"}, "value: must be a number with 2 to 4 decimals in a JSON string"),
    ({"created_at": "2023-02-30 00:00:00"}, "created_at: must be a time like 2030-12-31 23:59:59"),
    ({"coupons_count": "1"}, "coupons_count: must be a JSON integer"),
    ({"coupons": {}}, "coupons: must be a list"),
    ({"coupons": MISSING}, "coupons: is missing"),
    ({"notes": MISSING}, "notes: is missing"),
    ({"coupon_config": "x"}, f"coupon_config: must be an object of {KEPT}"),
    ({"coupon_config": {"a": DEEP}}, f"coupon_config: must be an object of {KEPT}"),
    ({"odd": DEEP}, f"odd: must be a JSON value of {KEPT}"),
    ({"odd": HUGE}, f"odd: must be a JSON value of {KEPT}"),
    ({"k\n" * 99: DEEP}, "k?" * 29 + f"k…: must be a JSON value of {KEPT}"),
]
COUPON_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"id": "70"}, "id: must be a JSON integer"),
    ({"id": -70}, "id: must be 1 or more"),
    ({"batch_id": "8"}, "batch_id: must be the id of the batch around it"),
    ({"active": True}, 'active: must be "1" or "0"'),
    ({"num_usage": "-1"}, "num_usage: must be 0 or more"),
    ({"code": ""}, "code: must not be empty"),
    ({"code": "c" * 33}, "code: must be a JSON string of 32 characters at most"),
    ({"code": "\0"}, "code: must be a JSON string of 32 characters at most"),
    ({"code": ["c"]}, "code: must be a JSON string of 32 characters at most"),
    ({"value": "10.00"}, f"value: {AMOUNT}"),
    ({"value": 1.0625}, f"value: {AMOUNT}"),
    ({"products": ["7", 8]}, "products: must be an object of strings, [] or false"),
    ({"expires": "31.12.2030"}, "expires: must be a date like 2030-12-31 or 0000-00-00"),
    ({"expires": "2023-02-29"}, "expires: must be a date like 2030-12-31 or 0000-00-00"),
    ({"upgrades": HUGE}, f"upgrades: must be a JSON value of {KEPT}"),
    ({"num_usage": "x"}, f"num_usage: {INT_TEXT}"),
    ({"num_usage": "007"}, f"num_usage: {INT_TEXT}"),
    ({"num_usage": MISSING}, "num_usage: is missing"),
    ({"forms": MISSING}, "forms: is missing"),
]


def changed(known: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    together = known | changes
    return {key: value for key, value in together.items() if value is not MISSING}


def assert_refused(content: Any, reason: str, folder: Path) -> None:
    """Import a good file and one with this content: the second is refused, nothing is stored."""
    good = save(folder / "good.json", ONE)
    path = folder / "page2.json"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(json.dumps(content).replace(json.dumps(HUGE), "1e999"))
    with pytest.raises(Invalid) as refused:
        store_files([good, str(path)])
    assert refused.value.sentence == f"{path}: {reason}"
    assert stored() == [[], [], []]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(("content", "reason"), FILE_FAULTS, ids=range(len(FILE_FAULTS)))
def test_a_file_that_is_no_such_answer_is_refused(
    content: Any, reason: str, tmp_path: Path
) -> None:
    assert_refused(content, reason, tmp_path)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(("changes", "reason"), BATCH_FAULTS, ids=range(len(BATCH_FAULTS)))
def test_a_batch_that_is_none_is_refused(
    changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    wrong = changed(batch(7, [coupon(70, 7)]), changes)
    assert_refused(answer("batches", [batch(6, []), wrong]), f"batches[1].{reason}", tmp_path)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(("changes", "reason"), COUPON_FAULTS, ids=range(len(COUPON_FAULTS)))
def test_a_coupon_that_is_none_is_refused(
    changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    """The one before has the same terms: what is known of it must not hide the fault."""
    inside = [coupon(69, 7), changed(coupon(70, 7), changes)]
    body = answer("batches", [batch(7, [], coupons_count=2) | {"coupons": inside}])
    assert_refused(body, f"batches[0].coupons[1].{reason}", tmp_path)


@pytest.mark.usefixtures("store")
def test_a_member_at_the_end_of_one_coupon_is_missed_in_the_next(tmp_path: Path) -> None:
    short = without(coupon(69, 7), "num_usage")
    inside = [short | {"num_usage": "0"}, short | {"id": 70, "code": "SPRING70"}]
    body = answer("batches", [batch(7, [], coupons_count=2) | {"coupons": inside}])
    assert_refused(body, "batches[0].coupons[1].num_usage: is missing", tmp_path)


@pytest.mark.usefixtures("store")
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(Invalid, match=r": cannot be read \(.*\)$"):
            store_files([str(path)])


@pytest.mark.usefixtures("store")
def test_a_clash_names_the_place_and_stores_nothing(tmp_path: Path) -> None:
    files = [
        save(tmp_path / "a.json", answer("coupons", [line(coupon(9)), line(coupon(1))])),
        save(tmp_path / "b.json", ONE, answer("batches", [batch(7, [coupon(9, 7, code="OTHER")])])),
    ]
    with pytest.raises(Exception, match="another code under the id 9") as clash:
        store_files(files)
    place = f"{tmp_path}/a.json: coupons[0]"
    assert str(clash.value) == f"{place}: the store has another code under the id 9"
    assert stored() == [[], [], []]
