"""The same seed and calls give the same answers; and nobody else gets seeded chance."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from app.double.chance import GivenSource
from models.store import clock
from tests.double.conftest import Answer, Started, started

ROOT = Path(__file__).parents[2]
OPTIONS = ("--clock", "2026-12-01T10:00:00Z", "--random-seed", "7")


def answers(double: Started) -> list[tuple[bytes, dict[str, str]]]:
    """Return the answers to calls that make codes, ids and UUIDs by chance, but for their date."""
    terms = {"coupon_type": "cart", "type": "percent", "value": "5", "idempotency_key": "k"}
    found = [
        double.called("addPromoBatch", name="Random", size="20", **terms),
        double.called("listPromoBatches"),
        double.called("redeemPromoCode", code="FIVE-OFF-TWICE", client_id="9", order_id="9"),
        double.called("listPromoUsage"),
        double.rest("POST", "/campaigns/codes/generate", GENERATE),
        double.rest("GET", "/campaigns/codes?slug=summer-promo"),
        double.called("listAPIUsage"),
        double.called("noSuchCall"),
    ]
    assert [each.status for each in found] == [200] * len(found), found
    return [(each.body, without_date(each)) for each in found]


def without_date(answer: Answer) -> dict[str, str]:
    """Return the headers of an answer but for the date, which is the server's."""
    return {name: text for name, text in answer.headers.items() if name != "Date"}


GENERATE: dict[str, Any] = {"slug": "summer-promo", "batchSize": 5, "pointsValue": 10}
CAMPAIGN = {"slug": "spring", "name": "Spring"}


def test_two_doubles_and_a_reset_one_answer_alike_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    with started(tmp_path / "one", *OPTIONS) as one:
        first = answers(one)
        one.control("PUT", "clock", {"frozen": 2_000_000_000})
        one.control("POST", "reset")
        assert answers(one) == first
        one.control("POST", "seed", {"requests": [{"path": "/v1/campaigns", "json": CAMPAIGN}]})
        one.control("DELETE", "seed")
        assert answers(one) == first
    with started(tmp_path / "other", *OPTIONS) as other:
        assert answers(other) == first
        other.control("PUT", "clock", {"advance": 1})
        assert answers(other) != first


def test_the_usage_log_shows_all_calls_before_it_at_once(double: Started) -> None:
    begun = double.call("listAPIUsage")["sorter"]["sorterrecords"]
    double.called("listPromoBatches", api_key="wrong")
    double.called("getHostBillversion")
    found = double.call("listAPIUsage")
    assert int(found["sorter"]["sorterrecords"]) == int(begun) + 3
    named = [(line["call"], line["success"]) for line in found["usage"][:3]]
    assert named == [
        ("getHostBillversion", "1"),
        ("listPromoBatches", "0"),
        ("listAPIUsage", "1"),
    ]


def test_how_often_somebody_looks_changes_no_code(tmp_path: Path) -> None:
    def made(looks: int) -> Any:
        with started(tmp_path, *OPTIONS) as double:
            for _ in range(looks):
                assert double.send("GET", "/healthz").headers["X-Request-Id"]
            return double.rest("POST", "/campaigns/codes/generate", GENERATE).json

    assert made(0) == made(3)


def test_without_a_seed_chance_is_the_operating_system_s(double: Started) -> None:
    first = answers(double)
    double.control("POST", "reset")
    assert answers(double) != first


def test_nothing_else_replaces_time_and_chance() -> None:
    used = re.compile(r"replace_source|GivenSource")
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("app", "calls", "models")
        for path in (ROOT / folder).rglob("*.py")
        if used.search(path.read_text())
    }
    assert found == {"app/double/chance.py", "app/double/state.py", "models/store/clock.py"}
    importing = {
        path.relative_to(ROOT).as_posix()
        for folder in ("app", "calls", "models")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"^\s*(from|import) app\.double", path.read_text(), re.MULTILINE)
        and "double" not in path.relative_to(ROOT).parts[1]
    }
    assert importing == {"app/cli/double.py"}


def test_an_ordinary_application_has_no_seed(app: Any) -> None:
    assert type(clock._source) is clock.Source


def test_chance_goes_back_to_where_it_was_marked() -> None:
    source = GivenSource(seed=3)
    source.random_bytes(4)
    source.mark("here")
    first = source.random_bytes(16), source.random_below(1000), source.chance()
    source.reset("here")
    assert (source.random_bytes(16), source.random_below(1000), source.chance()) == first
    assert 0 <= source.chance() < 1
