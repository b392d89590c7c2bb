"""promobridge import: saved answers in, the same bytes out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import permutations
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from app import config, create_app
from app.cli import main
from app.saved_answers import store_files
from app.saved_records import Unreadable
from calls import php
from models import accesses, coupons, redemptions
from models.batches import Batch
from models.coupons import Coupon
from models.terms import Terms
from models.uses import Use
from tests.conftest import PAIR
from tests.recount import assert_counts_are_right
from tests.saved import answer, batch, coupon, details, line, save

ROOT = Path(__file__).parents[2]
MISSING = object()
HUGE = "a number too large for a float"
Body = Callable[..., bytes]

COUPONS = {
    "plain": {},
    "expired": {"expires": "2020-02-29", "active": "0"},
    "archived": {"status": "Archived"},
    "half": {"value": 12.5},
    "eighth": {"value": 11.125, "type": "fixed"},
    "limited": {"max_usage": "5", "num_usage": "3", "max_client_usage": "1"},
    "groups": {
        "cycles": {"Monthly": "Monthly", "Annually": "Annually"},
        "products": {"7": "7", "3": "3"},
        "categories": {"42": "42"},
        "addons": {"1": "1"},
        "domains": {".com": ".com"},
        "forms": {"9": "9"},
    },
    "bound": {"clients": "existing", "client_id": "12", "coupon_type": "invoice_cart"},
    "recurring": {"cycle": "recurring", "increase_in_days": "90", "applyto": "both"},
    "carts": {"min_cart_amount": "25.50", "prompt_cart_amount": "10.00"},
    "texts": {"notes": 'Zażółć "50%" </b>\n', "options": "4", "upgrades": {"2": "2"}},
}
UNKNOWN = [1.5, True, None, "%s/é", {"deep": [{"er": {}}]}, {}, [], {"0": "list-like"}, 1e25]


def with_unknown(known: dict[str, Any]) -> dict[str, Any]:
    """Return an object with unknown members at its head, in its middle and at its end."""
    names = list(known)
    mixed: dict[str, Any] = {"first": UNKNOWN[0], "terms": "%d"}
    for at, name in enumerate(names):
        mixed[name] = known[name]
        if at == len(names) // 2:
            mixed |= {"middle": UNKNOWN, "": 0, "live": "a name of ours"}
    return mixed | {"last": UNKNOWN[4], "extra": []}


def wire(value: Any) -> bytes:
    """Return the bytes that PHP prints, with objects as objects."""
    if isinstance(value, dict):
        members = (php.encode(key) + b":" + wire(member) for key, member in value.items())
        return b"{" + b",".join(members) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(wire, value)) + b"]"
    return php.encode(value)


@pytest.fixture
def body(client: FlaskClient) -> Body:
    """Return a function that returns the body of a call."""

    def called(name: str, **arguments: Any) -> bytes:
        query = {"api_id": PAIR.api_id, "api_key": PAIR.api_key, "call": name} | arguments
        return client.get("/admin/api.php", query_string=query).data

    return called


@pytest.fixture
def run(settings: config.Settings) -> Callable[..., Result]:
    """Return a function that runs the command over the store of the test."""
    runner = CliRunner(env={config.variable("database_url"): settings.database_url})
    return lambda *arguments, **options: runner.invoke(main, ("import", *arguments), **options)


def stored() -> list[Any]:
    """Return all that the store holds of batches and coupons."""
    tables = Batch, Coupon, Terms
    return [list(table.select().order_by(table.id).tuples()) for table in tables]


@pytest.mark.parametrize("name", COUPONS)
def test_a_coupon_comes_out_of_all_three_calls_as_it_went_in(
    name: str, body: Body, tmp_path: Path
) -> None:
    inside = coupon(70, 7, **COUPONS[name])
    batches = [batch(7, [inside], coupons_count=1)]
    one = details(inside, lastname="Nowak", firstname="Łucja")
    lines = [line(inside)]
    files = [
        save(tmp_path / "lines.json", answer("coupons", lines)),
        save(tmp_path / "details.json", answer("coupon", one)),
        save(tmp_path / "batches.json", answer("batches", batches)),
    ]
    store_files(files)
    assert b'{"success":true,"batches":' + wire(batches) + b"," in body("listPromoBatches")
    shown = body("getPromoDetailsByCode", code=inside["code"])
    assert b'{"success":true,"coupon":' + wire(one) + b"," in shown
    listed = body("listPromoCodes", include_batch="1")
    assert b'{"success":true,"coupons":' + wire(lines) + b"," in listed
    assert b'"coupons":[],' in body("listPromoCodes")
    again = store_files(files)
    assert (again.batches, again.coupons) == ({"unchanged": 1}, {"unchanged": 3})
    assert_counts_are_right()


def test_unknown_members_come_out_where_they_were(body: Body, tmp_path: Path) -> None:
    inside = [with_unknown(coupon(70, 7)), coupon(71, 7), with_unknown(coupon(72, 7, value=5))]
    inside += [{"new": 1} | coupon(73, 7), coupon(74, 7) | {"new": 1}]
    head = with_unknown(batch(7, inside))
    head["coupon_config"] = {"new": {"a": [1.25]}} | head["coupon_config"] | {"newer": None}
    one = with_unknown(details(coupon(70, 7)))
    lines = [with_unknown(line(each)) for each in (coupon(72, 7, value=5), coupon(70, 7))]
    lines.insert(1, line(coupon(71, 7)))
    lines = [line(coupon(74, 7)), line(coupon(73, 7)), *lines]
    store_files([save(tmp_path / "a.json", answer("batches", [head]))])
    store_files([save(tmp_path / "b.json", answer("coupon", one), answer("coupons", lines))])
    assert b'"batches":' + wire([head]) + b"," in body("listPromoBatches")
    assert b'"coupon":' + wire(one) + b"," in body("getPromoDetailsByCode", code="SPRING70")
    assert b'"coupons":' + wire(lines) + b"," in body("listPromoCodes", include_batch="1")


def test_a_member_that_is_known_no_more_is_gone(body: Body, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    store_files([save(path, answer("batches", [batch(7, [coupon(70, 7, new=1)], newer=2)]))])
    assert b'"new":1' in body("listPromoBatches")
    plain = [batch(7, [coupon(70, 7)])]
    store_files([save(path, answer("batches", plain))])
    assert b'"batches":' + wire(plain) + b"," in body("listPromoBatches")


@pytest.mark.parametrize(
    "config_",
    [
        [],
        {"cycle": "recurring"},
        {"cycle": 5, "client_id": [], "products": "7", "categories": [7], "cycles": [5]},
        {"products": ["7", "3"], "apply_products": "1", "cycles": ["Monthly"], "notes": "n"},
    ],
)
@pytest.mark.parametrize("filled", [False, True])
def test_a_configuration_comes_out_as_it_went_in(
    config_: Any, filled: bool, body: Body, tmp_path: Path
) -> None:
    batches = [batch(7, [coupon(70, 7)] if filled else [], coupon_config=config_)]
    store_files([save(tmp_path / "a.json", answer("batches", batches))])
    assert b'"batches":' + wire(batches) + b"," in body("listPromoBatches")
    assert Batch.get().config == config_


def test_a_usual_configuration_is_the_terms(body: Body, tmp_path: Path) -> None:
    chosen = {"products": ["7", "3"], "cycles": ["Monthly"]}
    usual = batch(7, [])["coupon_config"] | {"client_id": "12", "apply_products": "1"} | chosen
    batches = [batch(7, [], coupon_config=usual, value="12.50", type="fixed")]
    store_files([save(tmp_path / "a.json", answer("batches", batches))])
    assert b'"batches":' + wire(batches) + b"," in body("listPromoBatches")
    stored_ = Batch.get()
    assert stored_.config is None
    assert stored_.terms.client_id == 12
    assert stored_.terms.products == {"7": "7", "3": "3"}
    assert (str(stored_.terms.value), stored_.terms.type) == ("12.5", "fixed")


def test_a_batch_counts_what_its_answer_counts(body: Body, tmp_path: Path) -> None:
    inside = [coupon(70, 7, num_usage="2")]
    batches = [
        batch(8, [], coupons_count=5, coupons_used="9", created_at="0000-00-00 00:00:00"),
        batch(7, inside, coupons_count=40, coupons_used="31", status="Archived"),
    ]
    store_files([save(tmp_path / "a.json", answer("batches", batches))])
    assert b'"batches":' + wire(batches) + b"," in body("listPromoBatches")


def test_one_code_may_be_live_twice(body: Body, tmp_path: Path) -> None:
    lines = [line(coupon(number, code="SAME", value=number)) for number in (9, 3, 1)]
    lines[1]["status"] = "Archived"
    path = save(tmp_path / "a.json", answer("coupons", lines))
    store_files([path])
    assert b'"coupons":' + wire(lines) + b"," in body("listPromoCodes")
    assert b'"coupon":{"id":"9",' in body("getPromoDetailsByCode", code="SAME")
    assert store_files([path]).coupons == {"unchanged": 3}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_any_order_twice_changes_nothing_the_second_time(
    order: tuple[int, ...], body: Body, tmp_path: Path
) -> None:
    """One run stores batches first; several runs store in any order."""
    inside = [coupon(70, 7, value=11.125, num_usage="2"), coupon(71, 7, new=[])]
    one = details(coupon(70, 7, value=11.13, num_usage="2"), lastname="Nowak", new=1)
    other = line(coupon(70, 7, value=11.125, num_usage="2"), newer=2)
    files = [
        save(tmp_path / "a.json", answer("batches", [batch(7, inside, value="11.13")])),
        save(tmp_path / "b.json", answer("coupon", one)),
        save(tmp_path / "c.json", answer("coupons", [other])),
    ]
    for at in order:
        store_files([files[at]])
    before = stored()
    for at in order:
        done = store_files([files[at]])
        assert {*done.batches, *done.coupons} == {"unchanged"}
    assert stored() == before
    assert b'"batches":' + wire([batch(7, inside, value="11.13")]) in body("listPromoBatches")
    assert b'"coupon":' + wire(one) in body("getPromoDetailsByCode", code="SPRING70")
    assert wire(other) in body("listPromoCodes", include_batch="1")
    assert_counts_are_right()


def test_a_changed_file_is_answered_as_it_is_now(body: Body, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    store_files([save(path, answer("batches", [batch(7, [coupon(70, 7), coupon(71, 7)])]))])
    body("listPromoBatches")  # what is kept for this answer must not come again
    inside = [coupon(70, 7, notes="new", num_usage="4"), coupon(71, 7), coupon(72, 7)]
    batches = [batch(7, inside, name="Easter", updated_at="2024-01-01 00:00:00")]
    done = store_files([save(path, answer("batches", batches))])
    assert done.batches == {"changed": 1}
    assert done.coupons == {"changed": 1, "unchanged": 1, "new": 1}
    assert b'"batches":' + wire(batches) + b"," in body("listPromoBatches")


def test_uses_that_were_counted_here_survive(body: Body, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    old = answer("batches", [batch(7, [coupon(70, 7, num_usage="3")])])
    store_files([save(path, old)])
    redemptions.redeem(coupons.by_code("SPRING70"), Use(today=date(2024, 5, 1), places=2))
    store_files([str(path)])
    assert b'"coupons_used":"4"' in body("listPromoBatches")
    store_files([save(path, answer("batches", [batch(7, [coupon(70, 7, num_usage="8")])]))])
    assert b'"coupons_used":"9"' in body("listPromoBatches")
    assert_counts_are_right()


def test_times_are_those_of_the_installation(settings: config.Settings, tmp_path: Path) -> None:
    warsaw = ZoneInfo("Europe/Warsaw")
    path = save(tmp_path / "a.json", answer("batches", [batch(7, [])]))
    local = config.Settings(database_url=settings.database_url, timezone="Europe/Warsaw")
    app = create_app(local)
    with app.app_context():
        accesses.add("tests", PAIR)
        store_files([path], warsaw)
        assert Batch.get().created_at == datetime(2023, 3, 14, 2, 20, 34, tzinfo=UTC).timestamp()
        query = {"api_id": PAIR.api_id, "api_key": PAIR.api_key, "call": "listPromoBatches"}
        shown = app.test_client().get("/admin/api.php", query_string=query).data
        assert b'"created_at":"2023-03-14 03:20:34"' in shown
    app.config["USAGE_LOG"].close()


PAGES = [answer("coupons", [line(coupon(9)), line(coupon(3))]), answer("coupons", [])]
ONE = answer("coupon", details(coupon(1)))


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    "text",
    [
        json.dumps([*PAGES, ONE]),
        "\n".join(map(json.dumps, [*PAGES, ONE])) + "\n",
        "".join(map(json.dumps, [ONE, *PAGES])),
        json.dumps(PAGES) + "\r\n\t " + json.dumps(ONE, indent=2),
        "\ufeff" + json.dumps([ONE, *PAGES], ensure_ascii=False),
    ],
)
def test_many_pages_may_be_in_one_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "pages.json"
    path.write_text(text)
    assert store_files([str(path)]).coupons == {"new": 3}


def test_an_empty_page_is_an_answer(store: config.Settings, tmp_path: Path) -> None:
    done = store_files([save(tmp_path / "a.json", answer("batches", []))])
    assert (done.batches, done.coupons) == ({}, {})


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
        "coupons[1].value: must be a number with 3 decimals in a JSON string",
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
    ({"value": "1.000"}, "value: must be a number with 2 decimals in a JSON string"),
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
    with pytest.raises(Unreadable) as refused:
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
        with pytest.raises(Unreadable, match=r": cannot be read \(.*\)$"):
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


def test_the_command_sums_up(run: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    save(path, answer("batches", [batch(8, []), batch(7, [coupon(70, 7), coupon(71, 7)])]))
    tried = run("--dry-run", "--json", str(path))
    assert (tried.exit_code, tried.stderr) == (0, "")
    assert json.loads(tried.stdout) == {
        "read": 4,
        "new": 4,
        "changed": 0,
        "unchanged": 0,
        "files": 1,
        "batches": {"read": 2, "new": 2, "changed": 0, "unchanged": 0},
        "coupons": {"read": 2, "new": 2, "changed": 0, "unchanged": 0},
        "dry_run": True,
    }
    first = run(str(path))
    assert first.stdout.split("\n") == [
        "         read  new  changed  unchanged",
        "batches  2     2    0        0",
        "coupons  2     2    0        0",
        "",
    ]
    save(
        path,
        answer("batches", [batch(8, [], name="New"), batch(7, [coupon(70, 7), coupon(71, 7)])]),
    )
    again = json.loads(run("--json", str(path), str(path)).stdout)
    assert {name: again[name] for name in ("read", "new", "changed", "unchanged", "files")} == {
        "read": 8,
        "new": 0,
        "changed": 1,
        "unchanged": 7,
        "files": 2,
    }
    assert "Nothing was stored" in run("--dry-run", str(path)).stdout


def test_the_command_says_what_it_refuses(run: Callable[..., Result], tmp_path: Path) -> None:
    refused = run(save(tmp_path / "a.json", {"success": False}))
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == f"Error: {tmp_path}/a.json: is the answer of a call that failed\n"
    assert run().exit_code == 2
    help_ = run("--help").stdout
    assert "curl" in help_
    assert "-d call=listPromoBatches" in help_


def test_a_real_process_reads_pipes(settings: config.Settings, tmp_path: Path) -> None:
    """What can be read only once is: standard input, and a pipe that has a name."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    command = [sys.executable, "-m", "app.cli", "import", "--json", "-", str(fifo)]
    environ = os.environ | {config.variable("database_url"): settings.database_url}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(ONE))
        process.stdin.close()
        process.stdin = None
        fifo.write_text(json.dumps(answer("batches", [batch(7, [])])))
        out, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, errors) == (0, "")
    assert json.loads(out)["new"] == 2


@pytest.mark.usefixtures("store")
def test_a_full_page_takes_seconds(tmp_path: Path) -> None:
    batches = [
        batch(number, [coupon(number * 1000 + at, number) for at in range(100)])
        for number in range(100, 0, -1)
    ]
    path = save(tmp_path / "page.json", answer("batches", batches))
    started = time.monotonic()
    assert store_files([path]).coupons == {"new": 10_000}
    assert store_files([path]).coupons == {"unchanged": 10_000}
    assert time.monotonic() - started < 30
    assert_counts_are_right()
