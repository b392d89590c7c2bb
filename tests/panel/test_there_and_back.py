"""The whole way there and back, with unchanged clients, and kills of workers and of the panel.

Every phase is switched by the commands, and in each a worker and the panel are killed while they
are at writes. One round of kills runs with all tests; more, by hand:

    PROMOBRIDGE_TEST_ROUNDS=10 pytest tests/panel/test_there_and_back.py
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

from app.config import Settings
from app.panel.problem import NOT_CARRIED_OUT, NOT_KNOWN
from models.access.usage import ApiUsage
from models.panel.pending import APPLIED, PanelPending
from models.panel.walks import PanelAnswer
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions.redemption import USED, Redemption
from tests.panel import moving
from tests.panel.moving import (
    ADD,
    APPLY,
    CHANGED,
    CODES,
    LIMITED,
    LOG_ROWS,
    READS,
    ROUNDS,
    SHARED,
    SHARED_USES,
    UPDATE,
    WRITES,
    Move,
    succeeded,
)
from tests.panel.php_panel import PhpPanel
from tests.waiting import SECONDS, wait_until

Answer = dict[str, Any]
WHAT = {APPLY: "use", ADD: "code", UPDATE: "change"}


def disturb(move: Move) -> None:
    """Kill a worker and the panel while they are at writes that were reserved or forwarded."""
    for round_ in range(ROUNDS):
        before = move.counts()
        move.kill_both_in_the_midst(("late", "delay")[(round_ + move.kills) % 2])
        move.until_answered("getClientDetails", before)
        settle(move)


def settle(move: Move) -> None:
    """End what is unknown as an operator does, who looks at the panel."""
    listed = move.value("pending", "--limit", "100")
    rows = [row for row in listed if row["outcome"] == "unknown"]
    for row in rows:
        word = "applied" if is_applied(move.panel, row) else "refused"
        assert move.value("settle", str(row["id"]), word)["outcome"] == word
    move.unknown += rows
    known = {row["id"] for row in rows}
    assert not [each for each in move.value("pending") if each["id"] in known]


def is_applied(panel: PhpPanel, row: Answer) -> bool:
    """Tell whether the panel has carried a write out."""
    if row["call"] == ADD:
        return bool(panel.rows("coupon", "code = ?", row["code"]))
    if row["call"] == UPDATE:
        return is_changed(row["code"], panel.rows("coupon", "code = ?", row["code"])[0]["notes"])
    return (row["code"], row["invoice_id"]) in uses(panel)


def is_changed(code: str, notes: str) -> bool:
    """Tell whether a client has changed a code, which it does once."""
    return bool(notes) and code == CHANGED + notes


def uses(panel: PhpPanel) -> Counter[tuple[str, int]]:
    """Return how often each code stands on each invoice at the panel."""
    codes = {row["id"]: row["code"] for row in panel.rows("coupon")}
    return Counter(
        (codes[row["coupon_id"]], row["invoice_id"])
        for row in panel.rows("coupon_use")
        if is_ours(codes[row["coupon_id"]])
    )


def is_ours(code: str) -> bool:
    """Tell whether it is a code that the clients spend, which nothing else does."""
    return code == SHARED or code.startswith(LIMITED)


def uses_here(*where: Any) -> Counter[tuple[str, int]]:
    """Return how often each code stands on each invoice here."""
    rows = Redemption.select().where(Redemption.state == USED, *where)
    return Counter((row.code, row.invoice_id) for row in rows)


def forwarded(move: Move) -> None:
    """Let all go through; two pairs are learned meanwhile, and confirmed."""
    move.work()
    disturb(move)
    confirmed = move.value("learned", "--confirm")
    assert {row["api_id"] for row in confirmed} == {each.pair[0] for each in move.callers[:2]}


def walked(move: Move) -> None:
    """Walk; one walk is killed itself, another one loses the panel."""

    def kill(walk: Any) -> None:
        wait_until(lambda: PanelAnswer.select().count() > 3 or walk.poll() is not None)
        walk.kill()

    def kill_the_panel(walk: Any) -> None:
        with move.panel.fault("delay", CODES, asked={"include_batch": "1"}, seconds=600):
            wait_until(
                lambda: any(each.faults for each in move.panel.journal(CODES)),
                why=move.server.log,
                pause=0.1,
            )
            disturb(move)
            assert walk.wait(SECONDS) == 1

    move.walk(kill, kill_the_panel)


def written_through(move: Move) -> None:
    move.switch("through", *WRITES, "write-through")
    move.work()
    disturb(move)
    assert move.unknown, "nothing was under way when it was killed"


def shadowed(move: Move) -> None:
    move.switch("shadow", *READS, "shadow")
    move.work()
    disturb(move)


def read_here(move: Move) -> None:
    """Route reads here as soon as enough answers are equal."""
    before = move.counts()
    wait_until(
        lambda: move.tried("panel", "route", *READS, "local")[0] == 0,
        5 * SECONDS,
        why=lambda: (move.value("routes"), move.value("diffs")),
    )
    move.note("reads", before)
    move.work()
    disturb(move)


def written_here(move: Move) -> None:
    """Write here: now the panel rests, and all its uses must be counted here."""
    move.switch("writes", *WRITES, "local")
    known = PanelPending.select(PanelPending.redemption_id).where(PanelPending.state == APPLIED)
    through = uses_here(Redemption.id.in_(known))
    counted = Counter[str]()
    for (code, _), count in through.items():
        counted[code] += count
    coupons = {row.code: row for row in Coupon.select().where(Coupon.batch_id != 0)}
    for code, there in _totals(uses(move.panel)).items():
        assert coupons[code].imported_usage + counted[code] == there, code
    move.work()
    for _ in range(ROUNDS):
        move.kill_worker()
        move.wait_for_workers()
        before = move.counts()
        move.panel.kill()
        move.until_answered(ADD, before)
        move.until_answered(APPLY, before)
        move.panel.start()
        move.work()


def _totals(counts: Counter[tuple[str, int]]) -> Counter[str]:
    found = Counter[str]()
    for (code, _), count in counts.items():
        found[code] += count
    return found


def back(move: Move) -> set[tuple[str, str, int]]:
    """Go back: first so that no use is granted that is over a limit here; return what is listed."""
    file = move.folder / "only_here.csv"
    move.switch("back", *WRITES, "write-through", "--enforce", "--csv", str(file))
    listed = only_here(file)
    for what, code, _ in listed:
        if what == "use":
            move.panel.spend(code)
    move.work()
    disturb(move)
    return listed


def only_here(file: Path) -> set[tuple[str, str, int]]:
    """Return what a list of that which is only here names."""
    with file.open(newline="") as lines:
        rows = [(row["what"], row["code"], int(row["invoice_id"])) for row in csv.DictReader(lines)]
    assert len(rows) == len(set(rows))
    return set(rows)


def test_there_and_back(panel: PhpPanel, store: Settings, tmp_path: Path) -> None:
    with moving.moving(panel, tmp_path) as move:
        forwarded(move)
        walked(move)
        written_through(move)
        move.walk()
        shadowed(move)
        read_here(move)
        written_here(move)
        listed = back(move)
        file = tmp_path / "only_here_at_last.csv"
        move.switch("left", *READS, *WRITES, "forward", "--csv", str(file))
        assert only_here(file) == listed
        move.work()
        disturb(move)
        move.stop()
        assert move.value("pending") == []
        move.run("db", "check")
    reached = reached_once(panel)
    assert_unsent_arrived_nowhere(move, reached)
    assert_no_code_is_used_too_often(panel, listed)
    assert_recorded(move, reached)
    assert_only_here(move, reached, listed)
    assert_unknown(move)
    assert_logged(move)


def reached_once(panel: PhpPanel) -> set[str]:
    """Return the marks of the calls that reached the panel: each at most once."""
    marks = Counter(each.arguments["ref"] for each in panel.journal() if "ref" in each.arguments)
    assert marks
    assert [mark for mark, count in marks.items() if count > 1] == []
    return set(marks)


def assert_unsent_arrived_nowhere(move: Move, reached: set[str]) -> None:
    """503 says whether something was sent."""
    told = Counter[str]()
    for mark, each in move.answers().items():
        if each["status"] == 503:
            (said,) = each["answer"]["error"]
            assert said.endswith((NOT_CARRIED_OUT, NOT_KNOWN)), said
            if said.endswith(NOT_CARRIED_OUT):
                assert mark not in reached, said
            told[said.rpartition("; ")[2]] += 1
        else:
            assert each["status"] in (0, 200, 502), each
    assert set(told) == {NOT_CARRIED_OUT, NOT_KNOWN}


def assert_no_code_is_used_too_often(panel: PhpPanel, listed: set[tuple[str, str, int]]) -> None:
    there = uses(panel)
    only = Counter((code, invoice) for what, code, invoice in listed if what == "use")
    both = there + only
    assert max(both.values()) == 1, "an invoice has a code twice"
    for code, count in _totals(both).items():
        assert count <= (SHARED_USES if code == SHARED else 1), code
        # Those that were only here were entered there.
        assert panel.uses(code) == count
    assert _totals(both)[SHARED] > 0


def assert_recorded(move: Move, reached: set[str]) -> None:
    """What a client got an answer for is on record: at the panel, or here, or at both."""
    maybe_local = move.maybe_between("reads", "left")
    answered = {mark: each for mark, each in move.answers().items() if each["status"] == 200}
    assert set(answered) - reached <= set(maybe_local)
    standing, codes = uses_here(), {row.code for row in Coupon.select(Coupon.code)}
    changed = Coupon.select(Coupon.code, Terms.notes).join(Terms, on=Coupon.terms_id == Terms.id)
    notes = dict(changed.where(Coupon.code.startswith(CHANGED)).tuples())
    known_here = move.surely_between("through", "left")
    at_panel = uses(move.panel)
    for mark, each in answered.items():
        if each["call"] not in WRITES or not succeeded(each):
            continue
        asked = each["arguments"]
        if each["call"] == UPDATE:
            assert mark in reached or is_changed(asked["code"], notes[asked["code"]]), each
            assert mark not in known_here or is_changed(asked["code"], notes[asked["code"]]), each
            continue
        if each["call"] == ADD:
            assert mark in reached or asked["code"] in codes, each
            assert mark not in known_here or asked["code"] in codes, each
            continue
        use = asked["applycoupon"], int(asked["id"])
        assert standing[use] or (mark in reached and at_panel[use]), each
        assert mark not in known_here or standing[use] == 1, each


def assert_only_here(move: Move, reached: set[str], listed: set[tuple[str, str, int]]) -> None:
    """The list is what was done while writes were local: all answered, and what was cut off."""
    local = [
        each
        for mark, each in move.maybe_between("writes", "back").items()
        if mark not in reached and each["call"] in (APPLY, ADD)
    ]
    done = {_named(each) for each in local if succeeded(each)}
    cut_off = {_named(each) for each in local if each["status"] == 0}
    assert done <= listed <= done | cut_off
    assert {what for what, _, _ in listed} == {"code", "use"}


def _named(each: Answer) -> tuple[str, str, int]:
    """Return a write as a list of that which is only here names it."""
    asked = each["arguments"]
    if each["call"] == APPLY:
        return WHAT[APPLY], asked["applycoupon"], int(asked["id"])
    return WHAT[each["call"]], asked["code"], 0


def assert_unknown(move: Move) -> None:
    """Pending were the writes of which a client was told so, and some that were cut off."""
    unknown = {(WHAT[row["call"]], row["code"], row["invoice_id"]) for row in move.unknown}
    assert len(unknown) == len(move.unknown)
    ways = (("through", "writes"), ("back", "left"))
    writes = [
        each for way in ways for each in move.maybe_between(*way).values() if each["call"] in WRITES
    ]
    told = {
        _named(each)
        for each in writes
        if each["status"] == 502  # of the panel's web server: nobody's word
        or (each["status"] == 503 and each["answer"]["error"][0].endswith(NOT_KNOWN))
    }
    cut_off = {_named(each) for each in writes if each["status"] == 0}
    assert told <= unknown <= told | cut_off


def assert_logged(move: Move) -> None:
    """The usage log has all calls but those that waited in a worker when it was killed."""
    asked = Counter[tuple[str, str]]()
    pairs = {each.name: each.pair[0] for each in move.callers}
    for each in move.answers().values():
        if each["status"]:
            asked[pairs[each["client"]], each["call"]] += 1
    logged = Counter(
        (row.api_id, row.call) for row in ApiUsage.select().where(ApiUsage.api_id != "")
    )
    missing = asked - logged

    assert missing.total() <= move.kills * 2 * LOG_ROWS
    assert logged.total() > asked.total() / 2
