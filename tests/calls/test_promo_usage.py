"""listPromoUsage."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.config import Settings
from models.access import accesses
from models.redemptions.redemption import RELEASED, USED, Redemption
from tests.calls.conftest import Ask
from tests.credentials import CREDENTIALS, PAIR

NOON = 1_700_049_600
"""2023-11-15 12:00:00 UTC."""
HOUR = 3600

pytestmark = pytest.mark.usefixtures("still_time", "store")


@pytest.fixture
def ids() -> list[str]:
    """Write down a use every six hours from noon, and return their ids, newest first."""
    for number in range(8):
        Redemption.create(
            coupon_id=number,
            batch_id=number % 2,
            code=f"C{number % 3}",
            client_id=number % 4,
            invoice_id=number % 5,
            state=RELEASED if number == 3 else USED,
            redeemed_at=NOON + number * 6 * HOUR,
            released_at=NOON + 100 * HOUR if number == 3 else None,
        )
    return [str(row.id) for row in Redemption.select().order_by(Redemption.id.desc())]


def found(answer: dict[str, Any]) -> list[str]:
    return [row["id"] for row in answer["usage"]]


def test_the_log_has_everything_newest_first(ask: Ask, ids: list[str]) -> None:
    answer = ask("listPromoUsage")
    assert found(answer) == ids
    assert answer["sorter"] == {
        "perpage": 25,
        "totalpages": 1,
        "sorterrecords": "8",
        "sorterpage": 1,
    }
    assert answer["usage"][4] == {
        "id": ids[4],
        "coupon_id": "3",
        "code": "C0",
        "batch_id": "1",
        "client_id": "3",
        "invoice_id": "3",
        "order_id": "0",
        "amount": "",
        "setup_amount": "",
        "discount": "",
        "setup_discount": "",
        "state": "released",
        "api_id": "",
        "redeemed_at": "2023-11-16 06:00:00",
        "released_at": "2023-11-19 16:00:00",
    }


def test_an_empty_log_is_an_empty_list(ask: Ask) -> None:
    assert ask("listPromoUsage") == {
        "usage": [],
        "sorter": {"perpage": 25, "totalpages": 0, "sorterrecords": "0", "sorterpage": 1},
    }


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ({"code": "C1"}, [7, 4, 1]),
        ({"code": "c1 "}, []),
        ({"code": ""}, [7, 6, 5, 4, 3, 2, 1, 0]),
        ({"batch_id": "1"}, [7, 5, 3, 1]),
        ({"batch_id": "0"}, [6, 4, 2, 0]),
        ({"client_id": "2"}, [6, 2]),
        ({"invoice_id": "4"}, [4]),
        ({"batch_id": "1", "client_id": "3"}, [7, 3]),
        ({"batch_id": "9"}, []),
        ({"date_from": "2023-11-16"}, [7, 6, 5, 4, 3, 2]),
        ({"date_to": "2023-11-15"}, [1, 0]),
        ({"date_from": "2023-11-16", "date_to": "2023-11-16"}, [5, 4, 3, 2]),
        ({"date_from": "0000-00-00", "date_to": ""}, [7, 6, 5, 4, 3, 2, 1, 0]),
        ({"date_from": "0001-01-01", "date_to": "9999-12-31"}, [7, 6, 5, 4, 3, 2, 1, 0]),
        ({"date_to": "2023-11-15", "code": "C1"}, [1]),
    ],
)
def test_filters_narrow_the_log(
    ask: Ask, ids: list[str], filters: dict[str, str], numbers: list[int]
) -> None:
    answer = ask("listPromoUsage", **filters)
    assert found(answer) == [ids[7 - number] for number in numbers]
    assert answer["sorter"]["sorterrecords"] == str(len(numbers))


@pytest.mark.parametrize(
    ("zone", "first_day", "shown"),
    [
        ("UTC", 2, "2023-11-15 12:00:00"),
        ("Asia/Tokyo", 1, "2023-11-15 21:00:00"),
        ("Pacific/Honolulu", 4, "2023-11-15 02:00:00"),
    ],
)
def test_days_and_times_are_those_of_the_installation(
    store: Settings, ids: list[str], zone: str, first_day: int, shown: str
) -> None:
    accesses.add("tests", PAIR)
    app = create_app(replace(store, timezone=zone))
    client: FlaskClient = app.test_client()
    query = CREDENTIALS | {"call": "listPromoUsage"}
    for edge in ("date_to", "date_from"):
        asked = client.get("/admin/api.php", query_string=query | {edge: "2023-11-15"}).get_json()
        expected = ids[8 - first_day :] if edge == "date_to" else ids
        assert found(asked) == expected
        assert asked["usage"][-1]["redeemed_at"] == shown
    for edge in ("0001-01-01", "9999-12-31"):
        asked = client.get("/admin/api.php", query_string=query | {"date_from": edge}).get_json()
        assert found(asked) == (ids if edge < "1" else [])
    app.config["USAGE_LOG"].close()


def test_pages_are_those_of_every_list(ask: Ask, ids: list[str]) -> None:
    pages = [ask("listPromoUsage", page=str(page), perpage="3") for page in range(4)]
    assert [found(page) for page in pages] == [ids[:3], ids[3:6], ids[6:], []]
    assert [page["sorter"]["sorterpage"] for page in pages] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("arguments", "errors"),
    [
        ({"page": "-1"}, ["Wrong parameter: page"]),
        ({"perpage": "0"}, ["Wrong parameter: perpage (must be 1 or more)"]),
        ({"batch_id": "x"}, ["Wrong parameter: batch_id (must be a whole number)"]),
        ({"client_id[]": "1"}, ["Wrong parameter: client_id (must be one plain value)"]),
        (
            {"date_from": "2023-02-29", "date_to": "soon"},
            [
                "Wrong parameter: date_from (must be a date like 2030-12-31)",
                "Wrong parameter: date_to (must be a date like 2030-12-31)",
            ],
        ),
        (
            {"date_from": "2023-11-16", "date_to": "2023-11-15"},
            ["Wrong parameter: date_to (must not be before date_from)"],
        ),
    ],
)
def test_a_wrong_argument_is_named(ask: Ask, arguments: dict[str, str], errors: list[str]) -> None:
    assert ask("listPromoUsage", **arguments) == {"error": errors}
