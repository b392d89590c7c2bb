"""promobridge db: upgrades, refusals of another schema, and the check of all counts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, date
from pathlib import Path

import pytest
from peewee import Table
from playhouse.migrations import Runner

from app import config, db
from app.cli import db as db_command
from models.access import daily_calls
from models.promotions import batch_life, coupons
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import redemptions
from models.redemptions.redemption import USED, Redemption
from models.redemptions.use_rules import Use
from models.store import clock, idempotency, schema
from models.store.base import database
from models.store.counters import Tally
from models.store.engine import Engine
from models.store.idempotency import KeptReply
from tests import stores
from tests.app.conftest import Run

NAMES = sorted(path.stem for path in schema.MIGRATIONS.glob("0*.py"))
COUNTED_BY_BLOCK = "0005_batch_blocks"
"""The last migration of a version that counted batches by block."""

OLD_BATCH = dict.fromkeys(
    ["requested", "made", "coupons_count", "coupons_used", "carried_count", "carried_used"], 0
) | {
    **{"id": 0, "name": "", "prefix": "", "complexity": 2, "length": 12, "live": True},
    **{"realm": 0, "notes": "", "terms_id": 0, "revision": 1},
}
"""The columns of a batch in its first versions."""


@pytest.fixture
def bare(settings: config.Settings) -> Iterator[Engine]:
    """Return a store without tables."""
    with stores.session(settings.database_url) as store:
        store.prepare()
        yield store


@pytest.fixture
def old(bare: Engine) -> Engine:
    """Return the store as the first migration alone makes it."""
    Runner(bare, directory=str(schema.MIGRATIONS)).up(NAMES[0])
    return bare


class TestSchema:
    @pytest.fixture
    def settings(self, tmp_path: Path) -> config.Settings:
        """Name a store without tables."""
        return config.Settings(database_url=stores.bare_url(tmp_path))

    def test_an_older_schema_is_refused_until_it_is_upgraded(self, run: Run, old: Engine) -> None:
        for command in (("batch", "list"), ("db", "check"), ("serve", "--bind", "127.0.0.1:0")):
            refused = run(*command)
            assert (refused.exit_code, refused.stdout) == (1, "")
            assert refused.stderr == (
                "Error: The database schema is older than this version (missing: "
                f"{', '.join(NAMES[1:])}): run `promobridge db upgrade`.\n"
            )
        done = run("db", "upgrade")
        assert (done.exit_code, done.stderr) == (0, "")
        assert done.stdout.splitlines() == [f"applied {name}" for name in NAMES[1:]]
        again = run("db", "upgrade")
        assert (again.exit_code, again.stdout) == (0, "The schema is current.\n")
        assert run("batch", "list").exit_code == run("db", "check").exit_code == 0

    def test_an_upgrade_keeps_what_is_stored(
        self, run: Run, old: Engine, settings: config.Settings
    ) -> None:
        with db.bind(settings).connection_context():
            Coupon.insert(code="KEPT", terms=Terms.of()).execute()
            Tally.update(n=1).where(Tally.name << ("coupons", "single_coupons")).execute()
        assert run("db", "upgrade").exit_code == 0
        assert run("db", "check").stdout == "All counts are right.\n"

    def test_a_store_of_the_previous_version_is_upgraded_and_answers(
        self, run: Run, bare: Engine, settings: config.Settings
    ) -> None:
        Runner(bare, directory=str(schema.MIGRATIONS)).up(COUNTED_BY_BLOCK)
        with db.bind(settings).connection_context():
            terms, made = Terms.of().id, [1, 2, 3]
            for batch_id in made:
                Table("batch", [*OLD_BATCH]).bind(database.obj).insert(
                    OLD_BATCH | {"id": batch_id, "name": f"Kept {batch_id}", "terms_id": terms}
                ).execute()
            Tally.update(n=3).where(Tally.name == "batches").execute()
            database.execute_sql("INSERT INTO batch_block (first_id, n) VALUES (0, 3)")
        after = NAMES[NAMES.index(COUNTED_BY_BLOCK) + 1 :]
        refused = run("batch", "list")
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert f"(missing: {', '.join(after)})" in refused.stderr
        assert run("db", "upgrade").stdout.splitlines() == [f"applied {name}" for name in after]
        assert run("db", "check").stdout == "All counts are right.\n"
        listed = json.loads(run("call", "listPromoBatches").stdout)
        assert [int(batch["id"]) for batch in listed["batches"]] == made[::-1]
        with db.bind(settings).connection_context():
            assert "batch_block" not in database.get_tables()

    def test_replies_that_an_earlier_version_kept_are_given_again(
        self, run: Run, bare: Engine, settings: config.Settings
    ) -> None:
        before = NAMES[: NAMES.index("0008_quotas")]
        Runner(bare, directory=str(schema.MIGRATIONS)).up(before[-1])
        with db.bind(settings).connection_context():
            row = {"scope": "a", "key": hashlib.sha256(b"k").hexdigest(), "arguments": "d"}
            KeptReply.insert(**row, body=b"old", refusal="", made_at=clock.now()).execute()
        assert run("db", "upgrade").exit_code == 0
        with db.bind(settings).connection_context():
            kept = idempotency.once("a", "k", "d", lambda: idempotency.Reply(b"new"))
            assert (kept.body, kept.replayed) == (b"old", True)
        assert run("db", "check").stdout == "All counts are right.\n"

    def test_uses_of_an_earlier_version_count_each(
        self, run: Run, bare: Engine, settings: config.Settings
    ) -> None:
        before = NAMES[: NAMES.index("0009_services")]
        Runner(bare, directory=str(schema.MIGRATIONS)).up(before[-1])
        numbers = "coupon_id batch_id client_id invoice_id order_id realm campaign_id points"
        row = dict.fromkeys(numbers.split(), 0) | {"coupon_id": 1, "redeemed_at": 1}
        row |= {"code": "OLD", "state": USED, "api_id": "", "user_id": ""}
        with db.bind(settings).connection_context():
            for _ in range(2):
                Table("redemption", [*row]).bind(database.obj).insert(row).execute()
        assert run("db", "upgrade").exit_code == 0
        with db.bind(settings).connection_context():
            assert [each.account_id for each in Redemption.select()] == [0, 0]
            coupon = coupons.add("OLD", Terms.of(cycle="recurring"))
            assert coupon.id == 1
            Coupon.update(num_usage=2).execute()
            use = Use(date(2026, 1, 1), 2, account_id=7)
            for _ in range(2):
                redemptions.redeem(coupons.by_id(1), use)
            assert coupons.by_id(1).num_usage == 3
        assert run("db", "check").stdout == "All counts are right.\n"

    def test_of_codes_alike_the_older_is_found_by_any_spelling(
        self, run: Run, bare: Engine, settings: config.Settings
    ) -> None:
        before = NAMES[NAMES.index("0011_code_forms") - 1]
        Runner(bare, directory=str(schema.MIGRATIONS)).up(before)
        codes = ("ALUM15", "alum15", "Alum15", "OTHER", " other", "STRASSE", "straße")
        with db.bind(settings).connection_context():
            for code in codes:
                Coupon.insert(code=code, terms=Terms.of()).execute()
            Coupon.insert(code="aLUM15", live=None, terms=Terms.of()).execute()
            Tally.update(n=8).where(Tally.name << ("coupons", "single_coupons")).execute()
        done = run("db", "upgrade")
        assert done.exit_code == 0
        assert [line.partition(" is found by")[0] for line in done.stderr.splitlines()] == [
            "Warning: the code 'alum15' (coupon 2)",
            "Warning: the code 'Alum15' (coupon 3)",
            "Warning: the code ' other' (coupon 5)",
            "Warning: the code 'straße' (coupon 7)",
        ]
        assert "any other is 'ALUM15'" in done.stderr
        with db.bind(settings).connection_context():
            for code in codes:
                assert coupons.by_code(code).code == code
            assert coupons.by_code("aLum15").code == "ALUM15"
            assert coupons.by_code("aLUM15").code == "ALUM15"  # the live one first
        assert run("db", "check").stdout == "All counts are right.\n"

    def test_forms_are_filled_on_after_a_kill(
        self, run: Run, bare: Engine, settings: config.Settings
    ) -> None:
        step = NAMES.index("0011_code_forms")
        Runner(bare, directory=str(schema.MIGRATIONS)).up(NAMES[step - 1])
        many = 12_000
        with db.bind(settings).connection_context():
            terms = Terms.of()
            rows = [{"code": f"CODE-{number}", "terms": terms} for number in range(many)]
            for at in range(0, many, 500):
                Coupon.insert_many(rows[at : at + 500]).execute()
            Tally.update(n=many).where(Tally.name << ("coupons", "single_coupons")).execute()
            engine = database.obj
            run_sql = engine.execute_sql
            updates = []

            def killed(sql: str, *rest: object) -> object:
                if sql.startswith("UPDATE"):
                    updates.append(sql)
                    if len(updates) > 60:  # in the middle of the second slice
                        raise KeyboardInterrupt
                return run_sql(sql, *rest)

            engine.execute_sql = killed
            with pytest.raises(KeyboardInterrupt):
                schema.upgrade()
            del engine.execute_sql
            assert Coupon.select().where(Coupon.form.is_null(False)).count() == 5000
        assert "older than this version" in run("batch", "list").stderr
        done = run("db", "upgrade")
        assert (done.exit_code, done.stderr) == (0, "")
        with db.bind(settings).connection_context():
            assert Coupon.select().where(Coupon.form.is_null()).count() == 0
        assert run("db", "check").stdout == "All counts are right.\n"

    def test_orders_that_were_counted_twice_stay_and_are_found(
        self, run: Run, bare: Engine, settings: config.Settings
    ) -> None:
        before = NAMES[: NAMES.index("0010_orders")]
        Runner(bare, directory=str(schema.MIGRATIONS)).up(before[-1])
        with db.bind(settings).connection_context():
            use = {"coupon_id": 1, "batch_id": 0, "code": "KEPT", "order_id": 9}
            for number in range(2):
                Redemption.create(**use, redeemed_at=number)
        assert run("db", "upgrade").exit_code == 0
        with db.bind(settings).connection_context():
            now = coupons.add("KEPT", Terms.of(value=10))
            assert now.id == 1
            Coupon.update(num_usage=2).execute()
            found, new = redemptions.redeem(now, Use(clock.today(UTC), 2, order_id=9))
            assert (found.redeemed_at, new) == (0, False)
        assert run("db", "check").stdout == "All counts are right.\n"

    def test_calls_logged_before_there_were_routes_were_answered_here(
        self, run: Run, bare: Engine, settings: config.Settings
    ) -> None:
        step = NAMES.index("0015_usage_routes")
        steps = Runner(bare, directory=str(schema.MIGRATIONS))
        steps.up(NAMES[step - 1])
        row = {"at": 7, "call": "listPromoCodes", "success": True, "api_id": "shop"}
        row |= {"message": "", "address": ""}
        with db.bind(settings).connection_context():
            Table("api_usage", [*row]).bind(database.obj).insert(row).execute()
        steps.up(NAMES[step])
        with db.bind(settings).connection_context():
            history = schema.history(database.obj)
            history.delete().where(history.name == NAMES[step]).execute()
        steps.up(NAMES[step])  # again, as where the step was broken off
        for _ in range(2):
            assert run("db", "upgrade").exit_code == 0
            with db.bind(settings).connection_context():
                assert daily_calls.summary(0, 10) == [("shop", "listPromoCodes", "local", 1, 0, 7)]
                indexes = [tuple(index.columns) for index in database.get_indexes("api_usage")]
                assert ("at", "id") in indexes
                assert not any("route" in columns for columns in indexes)
                history.delete().where(history.name == "0022_logs_by_moment").execute()
        assert run("db", "upgrade").exit_code == 0
        assert run("db", "check").stdout == "tally api_usage: kept 0, counted 1\n"

    def test_a_step_that_was_broken_off_is_done_again(
        self, run: Run, settings: config.Settings
    ) -> None:
        run("db", "upgrade")
        with db.bind(settings).connection_context():
            history = schema.history(database.obj)
            history.delete().where(history.name == NAMES[-1]).execute()
        assert run("db", "upgrade").stdout == f"applied {NAMES[-1]}\n"
        assert run("db", "check").stdout == "All counts are right.\n"

    def test_upgrade_as_json(self, run: Run) -> None:
        assert json.loads(run("db", "upgrade", "--json").stdout) == {"migrations": NAMES}
        assert json.loads(run("db", "upgrade", "--json").stdout) == {"migrations": []}

    def test_a_newer_schema_is_refused(self, run: Run, settings: config.Settings) -> None:
        assert run("db", "upgrade").exit_code == 0
        with stores.session(settings.database_url) as store:
            history = Runner(store, directory=str(schema.MIGRATIONS)).History
            history.create(name="9999_from_the_future")
        for command in (("batch", "list"), ("db", "check"), ("serve", "--bind", "127.0.0.1:0")):
            refused = run(*command)
            assert (refused.exit_code, refused.stdout) == (1, "")
            assert refused.stderr == (
                "Error: The database schema is newer than this version (unknown: "
                "9999_from_the_future): install a newer promobridge.\n"
            )


def test_check_names_each_difference_in_a_line(run: Run, store: config.Settings) -> None:
    batch_life.make("Spring", Terms.of(), 2)
    coupons.add("TWO\nLINES", Terms.of(max_usage=1))
    assert run("db", "check").stdout == "All counts are right.\n"
    Batch.update(coupons_used=7).execute()
    Coupon.update(num_usage=1).where(Coupon.batch_id == 0).execute()
    found = run("db", "check")
    assert (found.exit_code, found.stderr) == (1, "")
    assert found.stdout.splitlines() == [
        "batch 1 coupons_used: kept 7, counted 0",
        r"coupon 3 'TWO\nLINES' num_usage: kept 1, counted 0",
        r"coupon 3 'TWO\nLINES' active: kept yes, counted no",
    ]


def test_check_as_json(run: Run, store: config.Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    batch_life.make("Spring", Terms.of(), 1)
    nothing = run("db", "check", "--json")
    assert nothing.exit_code == 0
    assert json.loads(nothing.stdout) == {"differences_count": 0, "differences": []}
    Batch.update(made=5, coupons_count=5).execute()
    found = run("db", "check", "--json")
    assert found.exit_code == 1
    differences = [
        {"what": f"batch 1 {name}", "kept": 5, "counted": 1} for name in ("coupons_count", "made")
    ]
    assert json.loads(found.stdout) == {"differences_count": 2, "differences": differences}
    monkeypatch.setattr(db_command, "NAMED", 1)
    found = run("db", "check", "--json")
    assert json.loads(found.stdout) == {"differences_count": 2, "differences": differences[:1]}
