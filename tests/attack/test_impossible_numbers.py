"""Numbers that no store should take: refused by name in every way in, on every engine alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from app import rest
from app.cli import main
from app.config import Settings, variable
from app.exchange import saved_answers
from app.rest import fields as rest_fields
from app.rest.requests import RequestSchema
from calls import php, registry
from calls.wire.use_arguments import Sum
from models.access import secrets
from models.campaigns import campaign_making, campaigns
from models.checks.recount import differences
from models.promotions import batch_life, batches, coupon_life, coupons
from models.promotions.batches import Batch
from models.promotions.campaign_counts import Owner
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import redemptions, releases
from models.redemptions.use_rules import Use
from models.store.errors import Invalid
from tests import saved
from tests.credentials import CREDENTIALS

LARGEST = 2**31 - 1
WHOLE = ["-1", str(2**31), str(2**32 + 1), str(2**63), str(2**64), "9" * 400]
WHOLE += ["1e3", "0x7", "\u0663", "1.0"]
AMOUNTS = ["-1", "1" + "0" * 12, "9" * 400, "1e5", "NaN", "Infinity", "0.0001", "\u0663"]
DAYS = ["10000-01-01", "0000-01-01", "-001-01-01", "2030-13-01", "2030-02-30", "253402300800"]
TODAY = date(2026, 1, 10)
Sent = Callable[..., Any]


def whole(store: Settings) -> None:
    """Hold that nothing was stored, and that all counts are right."""
    assert Coupon.select().count() == Batch.select().count() == 0
    assert list(differences()) == []


@pytest.fixture
def sent(client: FlaskClient) -> Sent:
    """Return a function that sends a call and returns its envelope."""

    def sent(call: str, /, **arguments: str) -> Any:
        answer = client.post("/admin/api.php", data=CREDENTIALS | {"call": call} | arguments)
        assert answer.status_code == 200, (call, arguments, answer.data)
        return answer.json

    return sent


def numbers_of_calls() -> Iterator[tuple[str, str, list[str]]]:
    """Yield every argument of every call that is a number or a day, with what it must refuse."""
    for name, call in registry().items():
        for field_name, field in call.params().fields.items():
            argument = field.data_key or field_name
            if isinstance(field, php.Whole):
                yield name, argument, WHOLE
            elif isinstance(field, php.Amount | Sum):
                yield name, argument, AMOUNTS
            elif isinstance(field, php.Day):
                yield name, argument, DAYS


def test_no_call_takes_a_number_that_no_column_holds(sent: Sent, store: Settings) -> None:
    tried = set()
    for call, argument, hostile in numbers_of_calls():
        tried.add(argument)
        for number in hostile:
            errors = sent(call, **{argument: number})["error"]
            named = {each.split(" (")[0] for each in errors}
            assert f"Wrong parameter: {argument}" in named, (call, argument, number, errors)
    assert tried >= {"page", "perpage", "size", "length", "complexity", "id", "client_id", "value"}
    assert tried >= {"max_usage", "usage_limit", "max_client_usage", "increase_in_days", "amount"}
    assert tried >= {"invoice_id", "order_id", "expires", "date_from", "batch_id"}
    whole(store)


def test_a_percentage_over_the_whole_is_refused(sent: Sent, store: Settings) -> None:
    terms = {"code": "A", "coupon_type": "cart", "type": "percent"}
    for value in ("100.001", "101", "999999999999.999"):
        errors = sent("addPromoCode", value=value, **terms)["error"]
        assert errors == ["Wrong parameter: value (must be 100 at most when type is percent)"]
    whole(store)


def test_the_largest_numbers_are_taken_and_answered(sent: Sent) -> None:
    terms = {"coupon_type": "cart", "type": "fixed", "value": "999999999999.999", "code": "BIG"}
    counts = ("usage_limit", "max_client_usage", "increase_in_days", "client_id")
    limits = {name: str(LARGEST) for name in counts}
    limits |= {"max_usage_limit": "1", "max_client_usage_limit": "1"}
    amounts = {"min_cart_amount": "0", "prompt_cart_amount": "999999999999.999"}
    assert sent("addPromoCode", **terms, **limits, **amounts, expires="9999-12-31")["success"]
    shown = sent("getPromoDetailsByCode", code="BIG")["coupon"]
    assert {shown[name] for name in ("max_usage", *counts[1:])} == {str(LARGEST)}
    who = {name: str(LARGEST) for name in ("client_id", "order_id")}
    done = sent("redeemPromoCode", code="BIG", amount="999999999999.99", **who)
    assert done["redemption"]["discount"] == "999999999999.99"
    assert sent("releasePromoCode", id=done["redemption"]["id"])["success"]
    assert list(differences()) == []


@pytest.mark.parametrize("number", ["2147483648", "9999999999", "0", "00000000000000000001"])
def test_a_code_of_digits_is_looked_for_as_an_id_without_an_error(sent: Sent, number: str) -> None:
    why = ["The promotion code does not exist"]
    assert sent("applyInvoiceCoupon", id="1", applycoupon=number)["error"] == why
    assert sent("getPromoDetailsByCode", code=number)["error"] == why


def test_the_last_page_that_can_be_asked_for_is_empty(sent: Sent) -> None:
    for call in ("listPromoBatches", "listPromoCodes", "listPromoUsage", "listAPIUsage"):
        answer = sent(call, page=str(LARGEST), perpage=str(LARGEST))
        assert answer["success"]
        assert answer["sorter"]["sorterpage"] == LARGEST + 1


@pytest.mark.parametrize("edge", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_the_calendar_are_days(sent: Sent, edge: str) -> None:
    batch = batch_life.make("Spring", Terms.of(max_usage=1), 1)
    campaigns_of(batch)
    assert sent("editPromoBatch", id=str(batch.id), expires=edge)["success"]
    assert sent("listPromoUsage", date_from=edge, date_to=edge)["success"]
    assert sent("listPromoBatches")["success"]
    assert list(differences()) == []


def campaigns_of(batch: Batch) -> str:
    """Put a batch into a campaign; return a secret that opens it."""
    campaign = campaigns.add(Owner(), "summer-promo", "Summer")
    campaign_making.join(campaign, batch.id, LARGEST, ZoneInfo("Pacific/Kiritimati"))
    return secrets.add(Owner())[1]


@pytest.mark.parametrize("edge", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_the_calendar_are_shown_to_a_partner(
    client: FlaskClient, sent: Sent, edge: str
) -> None:
    batch = batch_life.make("Spring", Terms.of(max_usage=1), 1)
    secret = campaigns_of(batch)
    assert sent("editPromoBatch", id=str(batch.id), expires=edge)["success"]
    for path in ("codes", "codes/batches", "codes/stats"):
        answer = client.get(
            f"/v1/campaigns/{path}?slug=summer-promo", headers={"X-API-Secret": secret}
        )
        assert answer.status_code == 200, answer.data


def schemas_of_requests(known: type[Any] = RequestSchema) -> Iterator[type[Any]]:
    for schema in known.__subclasses__():
        yield schema
        yield from schemas_of_requests(schema)


def test_no_request_takes_a_number_that_no_column_holds() -> None:
    assert rest  # its modules declare the schemas
    never: list[Any] = [-1, 0, 2**31, 2**63, 2**64, 10**400, 1e300, float("inf"), float("nan"), 1.5]
    never += ["1", True, None, [1], {}]
    moments = ["9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00", "1969-12-31T23:59:59Z"]
    moments += ["10000-01-01T00:00:00Z", "2030-01-01T00:00:00+99:99", 1, 2**63, 1e300]
    tried = set()
    for schema in schemas_of_requests():
        for field in schema().fields.values():
            hostile: list[Any] = []
            if isinstance(field, rest_fields.QueryInteger):
                hostile = ["-1", "0", str(2**31), str(2**63), "9" * 400, "1e3", "\u0663", ""]
            elif isinstance(field, rest_fields.StrictInteger):
                hostile = never
            elif isinstance(field, rest_fields.Timestamp):
                hostile = moments
            for value in hostile:
                tried.add(field.data_key)
                assert field.data_key in schema().validate({field.data_key: value}), (schema, value)
    assert tried == {
        *("batchSize", "pointsValue", "expiresAt", "startsAt", "endsAt", "page", "limit", "until"),
        *("cursor", "since"),
    }


def test_a_partner_far_beyond_the_end_of_a_list_finds_nothing(client: FlaskClient) -> None:
    campaigns.add(Owner(), "summer-promo", "Summer")
    _, secret = secrets.add(Owner())
    head = {"X-API-Secret": secret}
    order = {"slug": "summer-promo", "batchSize": 2, "pointsValue": LARGEST}
    made = client.post("/v1/campaigns/codes/generate", json=order, headers=head).json["data"]
    for query in ("batches?page=1000000000&limit=100", f"batches?until={LARGEST}&page=1000000000"):
        answer = client.get(f"/v1/campaigns/codes/{query}&slug=summer-promo", headers=head)
        assert (answer.status_code, answer.json["data"]["batches"]) == (200, [])
    query = "cursor=999999999.999999999999999999&slug=summer-promo"
    answer = client.get(f"/v1/campaigns/codes?{query}", headers=head)
    assert (answer.status_code, answer.json["data"]["nextCursor"]) == (200, None)
    for code in made["codes"]:
        body = {"userId": "u", "code": code}
        done = client.post("/v1/campaigns/summer-promo/redeem", json=body, headers=head)
    assert done.json["data"]["totalPoints"] == 2 * LARGEST  # points may be more
    assert list(differences()) == []


@pytest.fixture
def run(settings: Settings) -> Callable[..., Any]:
    """Return a function that runs one command over the store of the test."""
    runner = CliRunner(env={variable("database_url"): settings.database_url})
    return lambda *words: runner.invoke(main, [str(word) for word in words])


def numbers_of_commands(
    group: Any = main, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Parameter]]:
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                yield from numbers_of_commands(command, (*path, name))
                continue
            for parameter in command.params:
                if isinstance(parameter.type, click.types.IntParamType):
                    yield (*path, name), parameter


def test_no_command_takes_a_number_that_no_column_holds(
    run: Callable[..., Any], store: Settings
) -> None:
    tried = set()
    for words, parameter in numbers_of_commands():
        if parameter.name in ("beside", "workers"):  # numbers of processes
            continue
        tried.add((*words, parameter.name))
        for number in ("-1", str(2**31), str(2**63), "9" * 40):
            given = (f"{parameter.opts[0]}={number}",)
            if isinstance(parameter, click.Argument):
                before = ("slug",) if words == ("campaign", "join") else ()
                given = ("--", *before, number)
            done = run(*words, *given)
            assert done.exit_code == 2, (words, parameter.name, number, done.output)
    groups = {"audit", "batch", "coupon", "campaign", "panel", "redemption", "secret", "usage"}
    groups |= {"double", "webhook"}
    assert {words[0] for words in tried} == groups
    whole(store)


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
def test_no_campaign_ends_beyond_the_calendar(
    run: Callable[..., Any], store: Settings, time: str
) -> None:
    assert run("campaign", "add", "summer", "--name", "S", "--starts", time).exit_code == 2
    assert run("campaign", "list").exit_code == 0


def test_a_sheet_brings_no_such_number(
    run: Callable[..., Any], store: Settings, tmp_path: Path
) -> None:
    columns = ("max_usage", "max_client_usage", "client_id", "increase_in_days", "usage_limit")
    cells = [(column, number) for column in columns for number in WHOLE]
    cells += [(name, number) for name in ("value", "min_cart_amount") for number in AMOUNTS]
    cells += [("expires", day) for day in DAYS]
    path = tmp_path / "codes.csv"
    for column, number in cells:
        path.write_text(f"code,type,{column}\nA,fixed,{number}\n")
        options = () if column == "value" else ("--value", "1")
        done = json.loads(run("coupon", "import", path, *options, "--json").stdout)
        assert done["stored"] == 0
        assert [each.split(": ")[:2] for each in done["problems"]] == [["line 2", column]]
    whole(store)


BATCH_NUMBERS = {
    "id": [-1, 0, 2**31 - 1, 2**31, 2**63, 2**64, 1e3, "7"],
    "complexity": ["-1", "32768", str(2**31), str(2**64), "1e1"],
    "coupons_count": [-5, 2**31, 2**63, 2**64, 1.5, "1"],
    "coupons_used": ["-5", str(2**31), str(2**63 - 1), str(2**64), 1],
    "created_at": ["0001-01-01 00:00:00", "9999-12-31 23:59:59", "0000-01-01 00:00:00", 1],
    "updated_at": ["0001-01-01 23:59:59", "9999-12-31 00:00:01", "10000-01-01 00:00:00"],
    "value": ["1e3", "NaN", "1" + "0" * 12 + ".00"],
}
COUNTS = ["-5", str(2**31), str(2**63 - 1), str(2**64), "9" * 400, "1e3", 1]
COUPON_NUMBERS = {
    "id": [-1, 0, 2**31 - 1, 2**31, 2**63, 2**64, 1e3],
    "num_usage": COUNTS,
    "max_usage": COUNTS,
    "max_client_usage": COUNTS,
    "increase_in_days": COUNTS,
    "client_id": COUNTS,
    "value": [10**12, 1e300, 0.0001, "1"],
    "min_cart_amount": ["1" + "0" * 12 + ".00", "1e3"],
    "expires": DAYS,
}


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("within", ["batch", "coupon", "details", "line"])
def test_no_saved_answer_brings_a_number_that_no_column_holds(within: str, tmp_path: Path) -> None:
    good = saved.coupon(70, 7)

    def answer(changes: dict[str, Any]) -> tuple[str, Any]:
        if within == "batch":
            return "batches[0]", saved.answer("batches", [saved.batch(7, [good]) | changes])
        if within == "coupon":
            body = saved.batch(7, [good]) | {"coupons": [good | changes]}
            return "batches[0].coupons[0]", saved.answer("batches", [body])
        if within == "details":
            return "coupon", saved.answer("coupon", saved.details(good) | changes)
        return "coupons[0]", saved.answer("coupons", [saved.line(good) | changes])

    saved_answers.store_files([saved.save(tmp_path / "good.json", answer({})[1])], dry_run=True)
    columns = BATCH_NUMBERS if within == "batch" else COUPON_NUMBERS
    known = answer({})[1]
    shown = known["coupon"] if within == "details" else known.get("coupons", [good])[0]
    for name, hostile in columns.items():
        if within != "batch" and name not in shown:
            continue
        for number in hostile:
            if within in ("details", "line") and name == "id":
                number = str(number)
            if within != "coupon" and name == "value" and number == "1":
                continue
            place, body = answer({name: number})
            path = saved.save(tmp_path / "bad.json", body)
            with pytest.raises(Invalid) as refused:
                saved_answers.store_files([path])
            assert refused.value.sentence.startswith(f"{path}: {place}.{name}: "), (name, number)
    assert saved.stored() == [[], [], []]
    assert list(differences()) == []


@pytest.mark.usefixtures("store")
def test_no_configuration_of_a_batch_brings_one(tmp_path: Path) -> None:
    """It is answered as it came; the terms of the batch take nothing from it that cannot be."""
    config = {"increase_in_days": str(2**63 - 1), "client_id": "-5", "cycle": "once"}
    batch = saved.batch(7, [], coupon_config=config)
    saved_answers.store_files([saved.save(tmp_path / "a.json", saved.answer("batches", [batch]))])
    terms = Batch.get_by_id(7).terms
    assert (terms.increase_in_days, terms.client_id) == (0, 0)
    assert Batch.get_by_id(7).config == config


def test_sums_of_the_largest_counts_are_kept_and_go_on_counting(sent: Sent, tmp_path: Path) -> None:
    uses = {70: LARGEST, 71: LARGEST, 72: LARGEST - 1}
    inside = [
        saved.coupon(at, 7, code=f"SPRING{at:020}", num_usage=str(used))
        for at, used in uses.items()
    ]
    batch = saved.batch(7, inside, coupons_count=LARGEST, coupons_used=str(LARGEST))
    path = saved.save(tmp_path / "a.json", saved.answer("batches", [batch]))
    saved_answers.store_files([path])
    assert list(differences()) == []
    shown = sent("listPromoBatches")["batches"][0]
    assert (shown["coupons_count"], shown["coupons_used"]) == (LARGEST, str(LARGEST))
    assert sent("redeemPromoCode", code=inside[2]["code"], order_id="1")["success"]
    for full in (inside[2]["code"], inside[0]["code"]):
        why = ["The promotion code has been used as often as it may be"]
        assert sent("redeemPromoCode", code=full, order_id="2")["error"] == why
    assert sent("generatePromoCodes", id="7", size="2")["coupons_count"] == LARGEST + 2
    assert Batch.get_by_id(7).coupons_used == LARGEST + 1
    assert list(differences()) == []
    # One use more than there is room for, beside the one that was counted here.
    inside[2]["num_usage"] = str(LARGEST)
    path = saved.save(tmp_path / "b.json", saved.answer("batches", [batch]))
    with pytest.raises(Invalid, match=r"\.num_usage: with the uses that were counted here"):
        saved_answers.store_files([path])
    coupon_life.delete(70)
    assert list(differences()) == []


@pytest.mark.usefixtures("store")
def test_no_count_falls_below_nothing(tmp_path: Path) -> None:
    """Answers may count fewer coupons, and uses, than they list."""
    inside = [saved.coupon(at, 7, num_usage="5") for at in (70, 71, 72)]
    batch = saved.batch(7, inside, coupons_count=0, coupons_used="0")
    path = saved.save(tmp_path / "a.json", saved.answer("batches", [batch]))
    saved_answers.store_files([path])

    def counts() -> tuple[int, int]:
        assert list(differences()) == []
        stored = batches.by_id(7)
        return stored.coupons_count, stored.coupons_used

    assert counts() == (0, 0)
    use, _ = redemptions.redeem(coupons.by_id(70), Use(TODAY, 2, order_id=1))
    assert counts() == (0, 1)
    coupon_life.delete(71)
    assert counts() == (0, 0)
    releases.release(use.id, TODAY)
    assert min(counts()) >= 0
    moved = [saved.details(saved.coupon(at, 0, num_usage="5")) for at in (70, 72)]
    paths = [
        saved.save(tmp_path / f"{at}.json", saved.answer("coupon", each))
        for at, each in enumerate(moved)
    ]
    saved_answers.store_files(paths)
    assert min(counts()) >= 0


def test_after_the_largest_id_that_an_import_brings_there_is_room(
    sent: Sent, tmp_path: Path
) -> None:
    batch = saved.batch(2_000_000_000, [saved.coupon(2_000_000_000, 2_000_000_000)])
    saved_answers.store_files([saved.save(tmp_path / "a.json", saved.answer("batches", [batch]))])
    terms = {"coupon_type": "cart", "type": "percent", "value": "1"}
    made = sent("addPromoBatch", name="Next", size="3", **terms)
    assert made["batch_id"] == "2000000001"
    assert sent("getPromoBatchDetails", id="2000000001")["success"]
    assert list(differences()) == []
