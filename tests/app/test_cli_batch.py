"""promobridge batch and promobridge coupon."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from app import config
from models.promotions import batches, coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from tests.app.conftest import Run

SPRING = ("batch", "generate", "--name", "Spring", "--value", "10")


@pytest.fixture
def read(run: Run) -> Callable[..., Any]:
    """Return a function that runs one command with --json and returns the value."""

    def read(*arguments: str) -> Any:
        result = run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return read


def test_generates_a_batch_with_every_field(
    read: Callable[..., Any], store: config.Settings
) -> None:
    made = read(
        *("batch", "generate", "--name", "Spring", "--prefix", "SP-", "--size", "20"),
        *("--complexity", "4", "--length", "14", "--coupon-type", "invoice_cart"),
        *("--type", "fixed", "--value", "1234.50", "--cycle", "recurring", "--applyto", "both"),
        *("--clients", "existing", "--client-id", "7", "--notes", "for friends"),
        *("--products", "1,2", "--products", "3", "--categories", "42", "--domains", ".com, org"),
        *("--addons", "5", "--forms", "6,", "--cycles", "Monthly,Annually"),
        *("--increase-in-days", "30", "--expires", "2030-12-31", "--max-usage", "5"),
        *("--max-client-usage", "2", "--min-cart-amount", "10", "--prompt-cart-amount", "9.99"),
    )
    terms = made.pop("terms")
    assert terms | {"upgrades": "all", "options": "0", "lastname": "", "firstname": ""} == terms
    assert {name: terms[name] for name in terms if name not in ("upgrades", "options")} == {
        "coupon_type": "invoice_cart",
        "type": "fixed",
        "value": "1234.50",
        "applyto": "both",
        "cycle": "recurring",
        "cycles": ["Monthly", "Annually"],
        "products": ["1", "2", "3"],
        "categories": ["42"],
        "addons": ["5"],
        "domains": [".com", "org"],
        "forms": ["6"],
        "expires": "2030-12-31",
        "max_usage": 5,
        "clients": "existing",
        "client_id": 7,
        "notes": "for friends",
        "max_client_usage": 2,
        "increase_in_days": 30,
        "min_cart_amount": "10.00",
        "prompt_cart_amount": "9.99",
        "lastname": "",
        "firstname": "",
    }
    assert made["created_at"] <= made["updated_at"]
    assert made == {
        "id": 1,
        "name": "Spring",
        "status": "Active",
        "prefix": "SP-",
        "complexity": 4,
        "length": 14,
        "requested": 20,
        "made": 20,
        "complete": True,
        "coupons_count": 20,
        "coupons_used": 0,
        "notes": "for friends",
        "created_at": made["created_at"],
        "updated_at": made["updated_at"],
    }
    codes = [row.code for row in Coupon.select().order_by(Coupon.id)]
    assert len(set(codes)) == 20
    assert all(code[:3] == "SP-" and code[3:].isupper() and len(code) == 17 for code in codes)


def test_defaults(read: Callable[..., Any]) -> None:
    made = read(*SPRING, "--size", "2")
    terms = made["terms"]
    assert (made["prefix"], made["complexity"], made["length"]) == ("", 2, 12)
    assert (terms["type"], terms["coupon_type"], terms["cycle"]) == ("percent", "cart", "once")
    assert (terms["applyto"], terms["clients"], terms["max_usage"]) == ("price", "all", 0)


def test_readable_codes_are_of_no_other_complexity(read: Callable[..., Any], run: Run) -> None:
    assert read(*SPRING, "--size", "2", "--readable")["complexity"] == 0
    both = run(*SPRING, "--size", "2", "--readable", "--complexity", "2")
    assert both.exit_code == 2
    assert "--complexity cannot be given with readable" in both.stderr


def test_a_limit_of_zero_is_no_limit(read: Callable[..., Any]) -> None:
    terms = read(*SPRING, "--size", "1", "--max-usage", "0", "--max-client-usage", "0")["terms"]
    assert (terms["max_usage"], terms["max_client_usage"]) == (0, 0)


def test_names_every_problem_once(run: Run, store: config.Settings) -> None:
    result = run(
        *("batch", "generate", "--size", "x", "--value", "101", "--cycles", "Monthly,Fortnightly"),
        *("--max-usage", "-2", "--expires", "2030-02-31", "--domains", "a b", "--complexity", "6"),
    )
    assert result.exit_code == 2
    assert result.stdout == ""
    problems = result.stderr.split("Error: ")[1].splitlines()
    assert [line.split(" must ")[0] for line in problems] == [
        "--name is required",
        "--size",
        "--complexity",
        "--value",
        "--domains",
        "--cycles",
        "--expires",
        "--max-usage",
    ]
    assert batches.page(0, 1)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--size", "1000", "--length", "5"), "use --length 6 or more, or --dense"),
        (("--size", "1001", "--length", "3", "--complexity", "5", "--dense"), "Only 1,000 more"),
        (("--size", "5", "--prefix", "P" * 21), "33 characters, 32 is the most"),
        (("--size", "0"), "--size must be 1 or more"),
        (("--size", "1", "--prefix", "\udcff"), "--prefix holds characters that are not text"),
        (("--resume", "1"), "--name cannot be given with --resume"),
    ],
)
def test_refuses_before_anything_is_written(
    run: Run, store: config.Settings, arguments: tuple[str, ...], sentence: str
) -> None:
    result = run(*SPRING, *arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert batches.page(0, 1)[0] == Terms.select().count() == 0


def test_dense_fills_the_space(read: Callable[..., Any], run: Run) -> None:
    arguments = (*SPRING, "--length", "2", "--complexity", "5", "--dense")
    assert read(*arguments, "--size", "100")["coupons_count"] == 100
    assert "Only 0 more codes" in run(*arguments, "--size", "1").stderr


def test_prints_for_people(run: Run) -> None:
    result = run(*SPRING, "--size", "3", "--notes", "mind", "--categories", "4,2")
    assert result.exit_code == 0
    lines = dict(line.split(None, 1) for line in result.stdout.splitlines() if " " in line.strip())
    assert lines["coupons_count"] == "3"
    assert lines["complete"] == "yes"
    assert lines["categories"] == "4, 2"
    assert lines["notes"] == lines["terms.notes"] == "mind"


def test_lists_newest_first_with_the_unfinished(
    run: Run, read: Callable[..., Any], store: config.Settings
) -> None:
    for name in ("a", "b", "c"):
        read("batch", "generate", "--name", name, "--size", "2", "--value", "5")
    batches.add("cut short", Terms.of(), requested=9)
    page = read("batch", "list", "--limit", "3")
    assert [row["name"] for row in page["batches"]] == ["cut short", "c", "b"]
    assert (page["total"], page["page"], page["limit"]) == (4, 0, 3)
    assert [row["complete"] for row in page["batches"]] == [False, True, True]
    last = read("batch", "list", "--limit", "3", "--page", "1")
    assert [row["name"] for row in last["batches"]] == ["a"]
    assert read("batch", "list", "--page", "9")["batches"] == []
    text = run("batch", "list").stdout
    assert "incomplete: 0 of 9 made" in text.splitlines()[1]
    assert "incomplete" not in "".join(text.splitlines()[2:])


def test_an_empty_list_says_so(run: Run) -> None:
    assert run("batch", "list").stdout == "There is no batch here.\n"


def test_shows_a_batch(read: Callable[..., Any], run: Run) -> None:
    made = read(*SPRING, "--size", "2")
    assert read("batch", "show", "1") == made
    missing = run("batch", "show", "2")
    assert (missing.exit_code, missing.stderr) == (1, "Error: There is no batch 2\n")


def test_shows_a_coupon(read: Callable[..., Any], run: Run, store: config.Settings) -> None:
    made = read(*SPRING, "--size", "1")
    code = Coupon.get().code
    assert read("coupon", "show", code) == {
        "id": 1,
        "code": code,
        "status": "Active",
        "active": True,
        "batch_id": 1,
        "batch_name": "Spring",
        "environment": "LIVE",
        "campaign": None,
        "partner": None,
        "points": None,
        "num_usage": 0,
        "imported_usage": 0,
        "terms": made["terms"],
        "uses": [],
    }
    assert f"code                {code}\n" in run("coupon", "show", code).stdout


def test_shows_the_live_coupon_else_the_newest_archived_one(
    read: Callable[..., Any], store: config.Settings
) -> None:
    terms = Terms.of()
    for live in (False, True, False):
        coupons.add("TWICE", terms, live=live)
    found = read("coupon", "show", "TWICE")
    assert (found["id"], found["status"], found["batch_id"]) == (2, "Active", None)
    Coupon.delete_by_id(2)
    found = read("coupon", "show", "TWICE")
    assert (found["id"], found["status"]) == (3, "Archived")


@pytest.mark.parametrize("code", ["NONE", "\udcff", "'; --"])
def test_a_code_that_is_not_there(run: Run, code: str) -> None:
    result = run("coupon", "show", code)
    assert result.exit_code == 1
    assert result.stderr == "Error: The promotion code does not exist\n"


@pytest.mark.parametrize("command", ["batch generate", "batch list", "batch show", "coupon show"])
def test_help_has_examples(run: Run, command: str) -> None:
    result = run(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"promobridge {command} " in result.stdout.split("Example")[1]
