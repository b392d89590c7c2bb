"""The import without files: terms, counts, uses and clashes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from models.campaigns import campaign_making, campaigns
from models.checks import recount
from models.imports.importing import CHUNK, Clash, Import
from models.imports.records import BatchRecord, CouponRecord, TermsRecord
from models.promotions import batches, coupon_life, coupons
from models.promotions.batches import Batch
from models.promotions.campaign_counts import Campaign, CampaignBatch, Owner
from models.promotions.coupons import Coupon
from models.promotions.terms import REPEAT, Terms, marked
from models.redemptions import batch_deletion, redemptions
from models.redemptions.use_rules import Refused, Use
from models.store import clock, counters
from models.store.base import change
from tests.recount import assert_counts_are_right

pytestmark = pytest.mark.usefixtures("store")
TODAY = date(2024, 5, 1)
CREATED = 1_678_764_034
PLAIN = {"coupon_type": "cart", "type": "percent", "value": Decimal(10), "notes": ""}


def terms_record(
    shape: str = "batch",
    decimals: dict[str, int] | None = None,
    extra: Sequence[Any] = (),
    **values: Any,
) -> TermsRecord:
    return TermsRecord(shape, PLAIN | values, decimals or {}, extra, whole=shape != "line")


def coupon(number: int, **changes: Any) -> CouponRecord:
    fields: dict[str, Any] = {
        "place": f"file: {number}",
        "id": number,
        "code": f"CODE{number}",
        "live": True,
        "num_usage": 0,
        "terms": terms_record(),
        "batch_id": 0,
        "active": True,
    }
    return CouponRecord(**fields | changes)


def line(number: int, **changes: Any) -> CouponRecord:
    """Return what a line knows: neither the batch nor whether the code is active."""
    return coupon(number, **{"batch_id": None, "active": None} | changes)


def batch(number: int, coupons_: Sequence[CouponRecord], **changes: Any) -> BatchRecord:
    fields: dict[str, Any] = {
        "place": f"file: batch {number}",
        "id": number,
        "name": "Spring",
        "live": True,
        "prefix": "CODE",
        "complexity": 5,
        "length": 1,
        "notes": "",
        "terms": (coupons_[0].terms if coupons_ else terms_record(),),
        "config": None,
        "coupons": coupons_,
        "coupons_count": len(coupons_),
        "coupons_used": sum(each.num_usage for each in coupons_),
        "created_at": CREATED,
        "updated_at": CREATED,
    }
    return BatchRecord(**fields | changes)


def taken(*steps: Callable[[Import], object]) -> Import:
    """Return an import after these steps, in one transaction."""
    with change():
        done = Import(TODAY)
        for step in steps:
            step(done)
        done.settle()
    assert_counts_are_right()
    return done


def put(*records: CouponRecord) -> Callable[[Import], object]:
    return lambda done: done.put_coupons(records)


def put_batch(
    number: int, coupons_: Sequence[CouponRecord] = (), **changes: Any
) -> Callable[[Import], object]:
    record = batch(number, coupons_, **changes)
    return lambda done: done.put_batch(record)


def outcomes(done: Import) -> tuple[dict[str, int], dict[str, int]]:
    """Return the counts of batches and of coupons that are not nothing."""
    return {**+done.batches}, {**+done.coupons}


def used(code: str, times: int = 1) -> None:
    """Use a code here."""
    for _ in range(times):
        redemptions.redeem(coupons.by_code(code), Use(today=TODAY, places=2))


def quoted(code: str) -> None:
    """Ask what a code would take off here."""
    redemptions.quote(coupons.by_code(code), Use(today=TODAY, places=2))


def test_a_batch_is_stored_with_its_ids_once() -> None:
    inside = [coupon(number, batch_id=7) for number in (70, 71, 75)]
    assert outcomes(taken(put_batch(7, inside))) == ({"new": 1}, {"new": 3})
    stored = Batch.get_by_id(7)
    assert (stored.requested, stored.made, stored.length) == (3, 3, 1)
    assert (stored.created_at, stored.updated_at) == (CREATED, CREATED)
    assert [row.id for row in Coupon.select().order_by(Coupon.id)] == [70, 71, 75]
    assert Terms.select().count() == 1
    revision = stored.revision
    assert outcomes(taken(put_batch(7, inside))) == ({"unchanged": 1}, {"unchanged": 3})
    assert Batch.get_by_id(7).revision == revision


def test_a_batch_without_coupons_is_complete() -> None:
    taken(put_batch(7, [], coupons_count=4, coupons_used=9, length=None))
    stored = Batch.get_by_id(7)
    assert stored.complete
    assert (stored.coupons_count, stored.coupons_used, stored.length) == (4, 9, 12)


def test_what_is_made_later_gets_ids_of_its_own() -> None:
    taken(put(coupon(500)), put_batch(40))
    assert coupons.add("LATER", Terms.of()).id == 501
    assert batches.add("Later", Terms.of()).id == 41


@pytest.mark.parametrize(
    ("changes", "columns"),
    [
        ({"name": "Easter"}, {"name": "Easter"}),
        ({"live": False}, {"live": False}),
        ({"notes": "n"}, {"notes": "n"}),
        ({"config": {"cycle": 1}}, {"config": {"cycle": 1}}),
        ({"updated_at": None}, {"updated_at": None}),
        ({"length": 3}, {"length": 3}),
        ({"coupons_used": 5}, {"coupons_used": 5, "carried_used": 5}),
        ({"coupons_count": 9}, {"coupons_count": 9, "carried_count": 8}),
    ],
)
def test_a_changed_batch_is_updated(changes: dict[str, Any], columns: dict[str, Any]) -> None:
    inside = [coupon(70, batch_id=7)]
    taken(put_batch(7, inside))
    before = Batch.get_by_id(7)
    done = taken(put_batch(7, inside, **changes))
    assert outcomes(done) == ({"changed": 1}, {"unchanged": 1})
    after = Batch.get_by_id(7)
    assert {name: getattr(after, name) for name in columns} == columns
    assert after.revision > before.revision


def test_json_that_python_finds_equal_is_a_change() -> None:
    taken(put_batch(7, config={"a": 1, "b": 2}))
    assert outcomes(taken(put_batch(7, config={"a": True, "b": 2})))[0] == {"changed": 1}
    assert outcomes(taken(put_batch(7, config={"b": 2, "a": True})))[0] == {"changed": 1}
    assert list(Batch.get_by_id(7).config.items()) == [("b", 2), ("a", True)]
    taken(put(coupon(1, terms=terms_record(upgrades=1))))
    assert outcomes(taken(put(coupon(1, terms=terms_record(upgrades=True)))))[1] == {"changed": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"live": False},
        {"active": False},
        {"terms": terms_record(value=Decimal(11))},
        {"terms": terms_record(extra=[["", "new", 1]])},
        {"num_usage": 3},
    ],
)
def test_a_changed_coupon_is_updated_and_raises_the_revision(changes: dict[str, Any]) -> None:
    inside = [coupon(70, batch_id=7), coupon(71, batch_id=7)]
    taken(put_batch(7, inside))
    revision = Batch.get_by_id(7).revision
    done = taken(put(coupon(70, batch_id=7, **changes)))
    assert outcomes(done) == ({}, {"changed": 1})
    assert Batch.get_by_id(7).revision == revision + 1
    assert outcomes(taken(put(coupon(70, batch_id=7, **changes)))) == ({}, {"unchanged": 1})
    assert Batch.get_by_id(7).revision == revision + 1


def test_a_coupon_that_changes_with_its_batch_raises_the_revision() -> None:
    """Also where none of the counts of the batch changes."""
    inside = [coupon(70, batch_id=7)]
    taken(put_batch(7, inside))
    revision = Batch.get_by_id(7).revision
    noted = [coupon(70, batch_id=7, active=False)]
    assert outcomes(taken(put_batch(7, noted))) == ({"unchanged": 1}, {"changed": 1})
    assert Batch.get_by_id(7).revision == revision + 1


def test_a_line_changes_only_what_it_knows() -> None:
    rich = terms_record("details", expires=date(2030, 1, 1), max_usage=9, lastname="Nowak")
    taken(put(coupon(1, batch_id=7, active=False, terms=rich)))
    thin = terms_record("line", {"value": 3}, value=Decimal("12.500"), notes="x")
    assert outcomes(taken(put(line(1, terms=thin)))) == ({}, {"changed": 1})
    after = Coupon.get_by_id(1)
    assert (after.batch_id, after.active) == (7, False)
    assert (after.terms.value, after.terms.notes) == (Decimal("12.5"), "x")
    assert (after.terms.expires, after.terms.max_usage) == (date(2030, 1, 1), 9)
    assert after.terms.lastname == "Nowak"


def test_a_line_alone_makes_a_coupon_that_is_half_known() -> None:
    """The usual terms that it has are a guess: the other installation knows its limits."""
    record = line(1, terms=terms_record("line", notes="n"))
    assert outcomes(taken(put(record)))[1] == {"new": 1}
    stored = Coupon.get_by_id(1)
    assert stored.terms_id == Terms.of(**half_known(value=Decimal(10), notes="n")).id
    assert (stored.batch_id, stored.active) == (coupons.ALONE, True)


def half_known(**values: Any) -> dict[str, Any]:
    """Return terms with the mark of a code of which a list alone was read."""
    return marked(Terms(**values).content(), half_known=True)


def test_what_is_half_known_is_used_only_after_its_details_came() -> None:
    thin = line(1, terms=terms_record("line"))
    taken(put(thin))
    for attempt in (used, quoted):
        with pytest.raises(Refused) as refused:
            attempt("CODE1")
        assert refused.value.key == "terms_unknown"
        assert "`promobridge panel walk`" in refused.value.sentence
    assert outcomes(taken(put(thin)))[1] == {"unchanged": 1}
    assert Coupon.get_by_id(1).num_usage == 0
    whole = coupon(1, terms=terms_record("details", max_usage=1))
    assert outcomes(taken(put(whole)))[1] == {"changed": 1}
    assert outcomes(taken(put(thin)))[1] == {"unchanged": 1}
    used("CODE1")
    assert Coupon.get_by_id(1).num_usage == 1


def test_a_batch_tells_the_terms_of_its_codes() -> None:
    taken(put(line(70, terms=terms_record("line"))))
    taken(put_batch(7, [coupon(70, batch_id=7)]))
    used("CODE70")


def test_a_repeat_that_is_half_known_stays_so_when_it_takes_the_code() -> None:
    records = [line(number, code="SAME", terms=terms_record("line")) for number in (1, 9)]
    taken(put(*records))
    taken(put(records[0], line(9, code="SAME", live=False, terms=terms_record("line"))))
    assert coupons.by_code("SAME").id == 1
    with pytest.raises(Refused, match="not known yet"):
        used("SAME")


def test_an_edit_leaves_a_code_half_known_but_for_the_word_of_an_operator() -> None:
    taken(put(line(1, terms=terms_record("line"))))
    coupon_life.edit(
        1, TODAY, terms=lambda held: Terms.of(**(held.content() | {"value": Decimal(5)}))
    )
    with pytest.raises(Refused, match="not known yet"):
        used("CODE1")
    coupon_life.edit(1, TODAY, terms=coupon_life.with_known_terms)
    used("CODE1")
    assert Coupon.get_by_id(1).terms.value == 5


@pytest.mark.parametrize(
    ("stored", "given", "places", "kept"),
    [
        ("11.125", "11.13", 2, "11.125"),
        ("11.125", "11.12", 2, "11.12"),
        ("11.125", "11.125", 3, "11.125"),
        ("11.1254", "11.125", 3, "11.1254"),
        ("11.125", "11.130", 2, "11.13"),
        ("11.1254", "11.125", 2, "11.1254"),
        ("-0.005", "-0.01", 2, "-0.005"),
        ("11", "11.00", 2, "11"),
    ],
)
def test_a_coarser_amount_leaves_the_finer_one(
    stored: str, given: str, places: int, kept: str
) -> None:
    taken(put(coupon(1, terms=terms_record(value=Decimal(stored)))))
    coarse = terms_record("details", {"value": places}, value=Decimal(given))
    done = taken(put(coupon(1, terms=coarse)))
    assert Coupon.get_by_id(1).terms.value == Decimal(kept)
    assert outcomes(done)[1] == ({"unchanged": 1} if kept == stored else {"changed": 1})


def test_extras_are_kept_for_each_shape_in_one_order() -> None:
    first = terms_record("batch", extra=[["", "a", 1]])
    second = terms_record("line", extra=[["id", "b", None]])
    taken(put(coupon(1, terms=second), coupon(2, terms=first)))
    taken(put(coupon(1, terms=first), coupon(2, terms=second)))
    assert {row.terms_id for row in Coupon.select()} == {Coupon.get_by_id(1).terms_id}
    assert Coupon.get_by_id(1).terms.extra == {"batch": [["", "a", 1]], "line": [["id", "b", None]]}
    taken(put(coupon(1, terms=terms_record("batch"))))
    assert Coupon.get_by_id(1).terms.extra == {"line": [["id", "b", None]]}


def test_the_terms_of_a_batch_are_those_of_its_answer() -> None:
    """What another answer says of the first coupon must not change its batch."""
    inside = [coupon(70, batch_id=7)]
    taken(put_batch(7, inside))
    taken(put(coupon(70, batch_id=7, terms=terms_record("details", lastname="Nowak"))))
    assert outcomes(taken(put_batch(7, inside))) == ({"unchanged": 1}, {"unchanged": 1})
    assert Batch.get_by_id(7).terms.lastname == ""
    assert Coupon.get_by_id(70).terms.lastname == "Nowak"


def test_later_offers_go_over_earlier_ones() -> None:
    inside = [coupon(70, batch_id=7, terms=terms_record(value=Decimal("11.125"), max_usage=2))]
    head = TermsRecord("head", {"type": "fixed", "value": Decimal("11.13")}, {"value": 2}, [])
    taken(put_batch(7, inside, terms=(inside[0].terms, head)))
    terms = Batch.get_by_id(7).terms
    assert (terms.type, terms.value, terms.max_usage) == ("fixed", Decimal("11.125"), 2)


def test_uses_counted_here_are_not_lost() -> None:
    inside = [coupon(70, batch_id=7, num_usage=3)]
    taken(put_batch(7, inside))
    used("CODE70", 2)
    assert outcomes(taken(put_batch(7, inside))) == ({"unchanged": 1}, {"unchanged": 1})
    assert Coupon.get_by_id(70).num_usage == 5
    more = [coupon(70, batch_id=7, num_usage=7)]
    assert outcomes(taken(put_batch(7, more))) == ({"changed": 1}, {"changed": 1})
    assert Coupon.get_by_id(70).num_usage == 9
    assert Batch.get_by_id(7).coupons_used == 9
    taken(put(line(70, num_usage=0)))
    assert Coupon.get_by_id(70).num_usage == 2
    assert Batch.get_by_id(7).coupons_used == 2


def test_uses_never_fall_below_nothing() -> None:
    taken(put(coupon(1, num_usage=3)))
    Coupon.update(num_usage=1).execute()
    with change():
        Import(TODAY).put_coupons([coupon(1, num_usage=0)])
    assert Coupon.get_by_id(1).num_usage == 0


def test_a_code_used_up_here_stays_inactive() -> None:
    record = coupon(1, num_usage=1, terms=terms_record(max_usage=3))
    taken(put(record))
    used("CODE1", 2)
    assert not Coupon.get_by_id(1).active
    assert outcomes(taken(put(record))) == ({}, {"unchanged": 1})
    taken(put(coupon(1, num_usage=1, terms=terms_record(max_usage=4))))
    assert Coupon.get_by_id(1).active


def test_a_code_used_up_by_both_is_inactive() -> None:
    taken(put(coupon(1, num_usage=1, terms=terms_record(max_usage=4))))
    used("CODE1", 2)
    taken(put(coupon(1, num_usage=2, terms=terms_record(max_usage=4))))
    assert not Coupon.get_by_id(1).active


def test_a_code_that_came_used_up_and_active_is_left_so() -> None:
    record = coupon(1, num_usage=4, terms=terms_record(max_usage=4))
    taken(put(coupon(1, num_usage=4, terms=terms_record(max_usage=4), active=False)))
    assert outcomes(taken(put(record))) == ({}, {"changed": 1})
    assert outcomes(taken(put(record))) == ({}, {"unchanged": 1})
    assert Coupon.get_by_id(1).active


def test_a_code_that_expired_here_stays_inactive() -> None:
    record = coupon(1, terms=terms_record(expires=date(2024, 4, 30)))
    taken(put(record))
    assert Coupon.get_by_id(1).active
    Coupon.update(active=False).execute()
    assert outcomes(taken(put(record))) == ({}, {"unchanged": 1})
    longer = coupon(1, terms=terms_record(expires=TODAY))
    assert outcomes(taken(put(longer))) == ({}, {"changed": 1})
    assert Coupon.get_by_id(1).active


@pytest.mark.parametrize("stop", [{"live": False}, {"active": False}])
def test_a_code_that_was_stopped_here_stays_so(stop: dict[str, bool]) -> None:
    taken(put(coupon(1)))
    coupon_life.edit(1, TODAY, **stop)  # type: ignore[arg-type]  # the keywords are all bools
    before = Coupon.select().dicts().get()
    assert outcomes(taken(put(coupon(1)))) == ({}, {"unchanged": 1})
    assert Coupon.select().dicts().get() == before


def test_tallies_follow_coupons_into_and_out_of_batches() -> None:
    taken(put(line(1), line(2), coupon(3, batch_id=99)))
    assert (counters.count(counters.COUPONS), counters.count(counters.SINGLE_COUPONS)) == (3, 2)
    taken(put_batch(7, [coupon(1, batch_id=7, num_usage=4)]))
    assert counters.count(counters.SINGLE_COUPONS) == 1
    taken(put_batch(8, [coupon(1, batch_id=8, num_usage=4)], name="Other"))
    assert [row.coupons_count for row in Batch.select().order_by(Batch.id)] == [0, 1]
    assert [row.coupons_used for row in Batch.select().order_by(Batch.id)] == [0, 4]
    taken(put(coupon(1)))
    assert counters.count(counters.SINGLE_COUPONS) == 2
    assert Batch.get_by_id(8).coupons_count == 0


def test_coupons_may_come_before_their_batch() -> None:
    early = coupon(70, batch_id=7, num_usage=2)
    taken(put(early))
    assert counters.count(counters.SINGLE_COUPONS) == 0
    late = coupon(71, batch_id=7, num_usage=1)
    taken(put_batch(7, [early, late], coupons_count=5, coupons_used=8))
    stored = Batch.get_by_id(7)
    assert (stored.coupons_count, stored.coupons_used) == (5, 8)
    assert (stored.carried_count, stored.carried_used) == (3, 5)


def test_a_coupon_listed_twice_is_stored_once() -> None:
    twice = [coupon(70, batch_id=7, num_usage=1), coupon(70, batch_id=7, num_usage=1)]
    done = taken(put_batch(7, twice, coupons_count=1, coupons_used=1))
    assert outcomes(done) == ({"new": 1}, {"new": 1, "unchanged": 1})
    stored = Batch.get_by_id(7)
    assert (stored.coupons_count, stored.coupons_used, stored.carried_count) == (1, 1, 0)


def test_long_lists_are_stored_whole() -> None:
    many = [coupon(number, batch_id=7) for number in range(1, 2 * CHUNK + 51)]
    done = taken(put_batch(7, many))
    assert outcomes(done)[1] == {"new": 2 * CHUNK + 50}
    assert outcomes(taken(put_batch(7, many)))[1] == {"unchanged": 2 * CHUNK + 50}


def test_progress_tells_of_every_record() -> None:
    seen: list[int] = []
    many = [coupon(number, batch_id=7) for number in range(1, CHUNK + 11)]
    with change():
        Import(TODAY, seen.append).put_batch(batch(7, many))
    assert seen == [CHUNK, 10, 1]


def test_an_id_that_has_another_code_is_a_clash() -> None:
    made = coupons.add("MADEHERE", Terms.of())
    with pytest.raises(Clash) as clash:
        taken(put(coupon(made.id + 1), coupon(made.id)))
    assert clash.value.sentence == (
        "file: 1: the store has another code under the id 1; it was made here: "
        "`promobridge panel renumber` gives it another"
    )
    assert Coupon.select().count() == 1


def test_a_live_code_under_another_id_is_a_clash() -> None:
    made = coupons.add("CODE9", Terms.of())
    with pytest.raises(Clash) as clash:
        taken(put_batch(7, [coupon(9, batch_id=7)]))
    assert clash.value.sentence == (
        f"file: 9: the store has this code live under the id {made.id}, which was made here"
    )
    assert [row.id for row in Coupon.select()] == [made.id]
    assert Batch.select().count() == 0


def test_a_batch_made_here_is_a_clash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: CREATED + 1)
    made = batches.add("Made here", Terms.of())
    with pytest.raises(Clash) as clash:
        taken(put_batch(made.id))
    assert clash.value.sentence == (
        "file: batch 1: the store has another batch under the id 1; it was made here: "
        "`promobridge panel renumber` gives it another"
    )
    assert Batch.get_by_id(made.id).name == "Made here"


def test_archived_codes_may_come_again() -> None:
    taken(put(*(coupon(number, code="SAME", live=number == 2) for number in (3, 2, 1))))
    assert [row.live for row in Coupon.select().order_by(Coupon.id)] == [None, True, None]
    assert coupons.by_code("SAME").id == 2


def test_a_live_code_may_move_to_another_id() -> None:
    """The list is newest first: the new holder comes before the old one is archived."""
    taken(put(coupon(1, code="SAME")))
    done = taken(put(coupon(9, code="SAME")), put(coupon(1, code="SAME", live=False)))
    assert outcomes(done)[1] == {"new": 1, "changed": 1}
    assert [row.live for row in Coupon.select().order_by(Coupon.id)] == [None, True]
    assert all(REPEAT not in row.terms.extra for row in Coupon.select())


@pytest.mark.parametrize("order", [(9, 5, 1), (1, 5, 9), (5, 9, 1)])
def test_the_newest_of_the_same_live_codes_has_it(order: tuple[int, ...]) -> None:
    """A real installation lists one code as live several times."""
    records = [coupon(number, code="SAME") for number in order]
    assert outcomes(taken(put(*records)))[1] == {"new": 3}
    assert coupons.by_code("SAME").id == 9
    shown = {row.id: (row.live, REPEAT in row.terms.extra) for row in Coupon.select()}
    assert shown == {1: (None, True), 5: (None, True), 9: (True, False)}
    again = taken(put(*records), put(*(line(each.id, code="SAME") for each in records)))
    assert outcomes(again)[1] == {"unchanged": 6}
    assert outcomes(taken(put(coupon(1, code="SAME"))))[1] == {"unchanged": 1}


def test_a_repeat_takes_the_code_when_its_holder_is_archived() -> None:
    inside = coupon(1, code="SAME", batch_id=7)
    taken(put_batch(7, [inside]), put(coupon(9, code="SAME")))
    revision = Batch.get_by_id(7).revision
    done = taken(put(inside), put(coupon(9, code="SAME", live=False)))
    assert outcomes(done)[1] == {"changed": 2}
    assert coupons.by_code("SAME").id == 1
    assert REPEAT not in Coupon.get_by_id(1).terms.extra
    assert Batch.get_by_id(7).revision > revision


def test_a_repeat_that_is_archived_is_shown_so() -> None:
    taken(put(coupon(9, code="SAME"), coupon(1, code="SAME")))
    done = taken(put(coupon(1, code="SAME", live=False)))
    assert outcomes(done)[1] == {"changed": 1}
    assert REPEAT not in Coupon.get_by_id(1).terms.extra


def test_a_batch_that_comes_again_after_it_was_deleted_has_new_revisions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a server keeps by id and revision must not come to life again."""
    taken(put_batch(7))
    revision = Batch.get_by_id(7).revision
    batch_deletion.delete(7)
    monkeypatch.setattr(clock, "now", lambda: revision + 5)
    taken(put_batch(7))
    assert Batch.get_by_id(7).revision > revision + 1  # the deletion was a change too


def test_what_comes_for_a_batch_of_a_campaign_is_counted_there() -> None:
    once = terms_record(max_usage=1)
    first = [coupon(number, batch_id=7, terms=once) for number in (70, 71, 72)]
    taken(put_batch(7, first))
    campaign = campaigns.add(Owner(), "summer-promo", "Summer Promo")
    campaign_making.join(campaign, 7, 500, UTC)

    ends = terms_record(max_usage=1, expires=date(2024, 5, 31))
    again = [
        coupon(70, batch_id=7, terms=ends, num_usage=1),
        coupon(71, batch_id=7, terms=ends, live=False),
        coupon(72, batch_id=7, terms=ends),
        coupon(73, batch_id=7, terms=ends),
    ]
    taken(put_batch(7, again))
    kept = Campaign.get_by_id(campaign.id)
    assert (kept.codes, kept.redeemed, kept.revoked) == (4, 1, 1)
    june = int(datetime(2024, 6, 1, tzinfo=UTC).timestamp())
    assert CampaignBatch.get_by_id(7).expires_at == june

    taken(put(line(72, terms=ends, live=False), line(73, terms=ends, num_usage=1)))
    kept = Campaign.get_by_id(campaign.id)
    assert (kept.codes, kept.redeemed, kept.revoked) == (4, 2, 2)
    assert list(recount.differences()) == []


def test_a_live_code_that_came_twice_is_counted_in_its_campaign() -> None:
    once = terms_record(max_usage=1)
    taken(put_batch(7, [coupon(70, batch_id=7, terms=once)]))
    campaign = campaigns.add(Owner(), "summer-promo", "Summer Promo")
    campaign_making.join(campaign, 7, 500, UTC)
    taken(put(line(70, terms=once)), put(coupon(90, code="CODE70", terms=once)))
    assert Campaign.get_by_id(campaign.id).revoked == 1
    assert list(recount.differences()) == []
