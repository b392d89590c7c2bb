"""Read a live panel's promotions over its API, page by page and code by code."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterator
from typing import Any, NamedTuple

from app.config import variable
from app.panel.client import Panel, PanelProblem, own_pair
from app.panel.rows import count_of, id_of, leave_out, members, uses
from models.panel import pending, walks
from models.panel.vanished import SeenIds
from models.panel.walks import PanelWalk
from models.store import clock
from models.store.errors import PromoError

ROUNDS = 5
"""How often lists are read until they agree."""
READINGS = 20
"""How often the details of a code are read that is used meanwhile."""
FAILED_IN_A_ROW = 3
"""Codes one after another whose details may be refused: each may have been deleted meanwhile."""
ECHOED = 200
"""How much of a panel's own sentence is repeated."""
PAGE_BYTES = 268_435_456
"""The largest page: a hundred batches of a thousand codes each take some 70 million bytes."""
AGAIN = "the same command goes on where this stopped"
BATCHES, SINGLE, ALL, DETAILS = "batches", "single", "all", "details"


class ListCall(NamedTuple):
    """Hold how a list is asked for, and the member of its answer that holds the rows."""

    call: str
    member: str
    arguments: dict[str, int]


LISTS = {
    BATCHES: ListCall("listPromoBatches", "batches", {}),
    SINGLE: ListCall("listPromoCodes", "coupons", {}),
    ALL: ListCall("listPromoCodes", "coupons", {"include_batch": 1}),
}
DETAILS_CALL = "getPromoDetailsByCode"
NEEDED = ("listPromoBatches", "listPromoCodes", DETAILS_CALL)


class Stopped(PromoError):
    """Say why a walk cannot go on, and what to do."""

    key = "walk_stopped"


class Reader:
    """Read a panel into the kept answers of a walk: no more than `rate` calls a second.

    `advance` is told of each call. Everything raises Stopped, and BadSetting for a pair that cannot
    be read.
    """

    def __init__(
        self, panel: Panel, walk: PanelWalk, rate: float, advance: Callable[[int], object]
    ) -> None:
        self.calls = 0
        self.version = ""
        self._panel, self._walk, self._advance = panel, walk, advance
        self._interval = 1 / rate
        self._next = clock.elapsed()

    def begin(self) -> None:
        """Ask for the panel's version and calls; refuse a pair that may not read promotions."""
        version = self._ask("getHostBillversion")
        self.version = str(version.get("version", ""))[:ECHOED]
        methods = self._asked("getAPIMethods").get("methods")
        listed = methods.values() if isinstance(methods, dict) else methods or ()
        known = {str(each).lower() for each in listed}
        missing = [name for name in NEEDED if name.lower() not in known]
        if missing:
            raise Stopped(
                f"The pair in {variable('panel_credentials_file')} may not call "
                f"{', '.join(missing)}: enable that for it at the panel, then walk again"
            )

    def read_all(self) -> None:
        """Read all lists and details, again until the two ways of listing codes agree.

        Where they never do and nothing moves, there are codes whose batch was deleted: they are in
        no batch and not single, and their details are read too.
        """
        before: tuple[SeenIds, SeenIds] | None = None
        for _ in range(ROUNDS):
            steady = self.read(BATCHES)
            steady &= self.read(SINGLE)
            self._read_details(SINGLE)
            steady &= self.read(ALL)
            steady &= not self._has_changed()
            seen = apart, together = self._listed()
            if steady and (apart == together or seen == before):
                self._read_details(ALL, known=apart)
                return
            before = seen
            walks.forget(self._walk, [*LISTS])
        raise Stopped(
            f"The panel's rows moved in each of {ROUNDS} readings: walk again at a quieter hour, "
            "or with a higher --rate"
        )

    def read(self, kind: str) -> bool:
        """Read the pages of a list that are not kept; tell whether all count the same rows."""
        totals: set[int] = set()
        number, pages = 0, 1
        while number < pages:
            body = walks.kept(self._walk, kind, number)
            answer = json.loads(body) if body else self._page(kind, number)
            records, pages = self._counted(kind, number, answer)
            if not body:
                walks.keep(self._walk, kind, number, _encoded(answer))
            totals.add(records)
            number += 1
        return len(totals) <= 1

    def rows(self, kind: str) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows of a list that was read, page by page."""
        for body in walks.pages(self._walk, kind):
            yield json.loads(body)[LISTS[kind].member]

    def _page(self, kind: str, number: int) -> dict[str, Any]:
        """Return a page, without the uses of codes in batches that are recorded here."""
        listed, heard = LISTS[kind], pending.heard()
        answer = self._asked(listed.call, **listed.arguments, page=number)
        rows = answer.get(listed.member)
        if kind == BATCHES and isinstance(rows, list):
            batches = [each for each in rows if isinstance(each, dict)]
            coupons = [each for batch in batches for each in members(batch)]
            known, open_ = pending.uses([*map(id_of, coupons)], heard)
            for batch in batches:
                before = sum(map(uses, members(batch)))
                for coupon in members(batch):
                    leave_out(coupon, known)
                    if id_of(coupon) in open_:
                        told = self._details(str(coupon.get("code", ""))).get("coupon")
                        if isinstance(told, dict) and id_of(told) == id_of(coupon):
                            coupon["num_usage"] = told.get("num_usage")
                fewer = before - sum(map(uses, members(batch)))
                if fewer:
                    batch["coupons_used"] = str(count_of(batch.get("coupons_used")) - fewer)
        return answer

    def _details(self, code: str) -> dict[str, Any]:
        """Return what the details of a code are, without its uses that are recorded here.

        They are asked for again where it was used meanwhile.
        """
        for _ in range(READINGS):
            heard = pending.heard()
            answer = self._ask(DETAILS_CALL, code=code)
            coupon = answer.get("coupon")
            if not isinstance(coupon, dict):
                return answer
            known, open_ = pending.uses([id_of(coupon)], heard)
            if not open_:
                leave_out(coupon, known)
                return answer
        raise Stopped(
            f"{code[:64]} was being used at each of {READINGS} readings, or it is not known if it "
            f"was: settle what `promobridge panel pending` lists; {AGAIN}"
        )

    def _counted(self, kind: str, number: int, answer: dict[str, Any]) -> tuple[int, int]:
        """Return how many records and pages a list has by one page, which must be whole."""
        call, member, _ = LISTS[kind]
        rows, sorter = answer.get(member), answer.get("sorter")
        place = f"The panel's {call}, page {number},"
        try:
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise TypeError
            per_page, records = (
                int(sorter[name])  # type: ignore[index]  # caught below
                for name in ("perpage", "sorterrecords")
            )
            if per_page < 1 or records < 0:
                raise ValueError
            # Not what it says itself, or a wrong word could have us read for ever.
            pages = -(-records // per_page)
        except (KeyError, TypeError, ValueError):
            raise Stopped(
                f"{place} has no list of {member} with its sorter: is {variable('panel_url')} the "
                f"address of its api.php? If so, {AGAIN}"
            ) from None
        expected = max(0, min(per_page, records - number * per_page))
        if len(rows) < expected:
            raise Stopped(
                f"{place} is short: {len(rows)} of {expected} rows. Look into the panel's error "
                f"log; {AGAIN}"
            )
        return records, pages

    def _read_details(self, kind: str, known: Container[int] = ()) -> None:
        """Read the details of the codes of a list, but for those that are known."""
        failed = 0
        for page in self.rows(kind):
            lines = [line for line in page if id_of(line) not in known]
            notes = walks.several(self._walk, DETAILS, [id_of(line) for line in lines])
            for line in lines:
                number, code = id_of(line), str(line.get("code", ""))
                held = json.loads(notes.get(number, b"{}"))
                # What was refused is asked again: it may have been for another reason.
                if not code or ("failed" not in held and held.get("line") == _essence(line)):
                    continue
                answer = self._details(code)
                note = {"line": _essence(line)} | _outcome(answer, number, self._said(answer))
                failed = failed + 1 if "failed" in note else 0
                if failed == FAILED_IN_A_ROW:
                    # Where they were deleted, the lists are to be read anew.
                    walks.forget(self._walk, [*LISTS])
                    raise self._refusal(DETAILS_CALL, answer)
                walks.keep(self._walk, DETAILS, number, _encoded(note))

    def _listed(self) -> tuple[SeenIds, SeenIds]:
        """Return the ids of codes in batches and in the list of single ones, and in that of all."""
        apart, together = SeenIds(), SeenIds()
        for batches in self.rows(BATCHES):
            for batch in batches:
                apart.add(map(id_of, members(batch)))
        for lines in self.rows(SINGLE):
            apart.add(map(id_of, lines))
        for lines in self.rows(ALL):
            together.add(map(id_of, lines))
        return apart, together

    def _has_changed(self) -> bool:
        """Tell whether a code was changed after its details came."""
        for lines in self.rows(ALL):
            notes = walks.several(self._walk, DETAILS, [id_of(line) for line in lines])
            for line in lines:
                note = notes.get(id_of(line))
                if note and json.loads(note)["line"] != _essence(line):
                    return True
        return False

    def _asked(self, call: str, **arguments: Any) -> dict[str, Any]:
        """Return an answer that is a success."""
        answer = self._ask(call, **arguments)
        if answer.get("success") is not True:
            raise self._refusal(call, answer)
        return answer

    def _refusal(self, call: str, answer: dict[str, Any]) -> Stopped:
        return Stopped(
            f"The panel refuses {call}: {self._said(answer)}. See there that the pair in "
            f"{variable('panel_credentials_file')} is right and may call it from this address; "
            f"{AGAIN}"
        )

    def _ask(self, call: str, **arguments: Any) -> dict[str, Any]:
        clock.wait(self._next - clock.elapsed())
        self._next = max(self._next, clock.elapsed() - self._interval) + self._interval
        try:
            answer = self._panel.ask(call, arguments, most=PAGE_BYTES)
        except PanelProblem as problem:
            raise Stopped(f"{problem.sentence}. To read does no harm: {AGAIN}") from None
        self.calls += 1
        self._advance(1)
        return answer

    def _said(self, answer: dict[str, Any]) -> str:
        """Return the panel's own sentence, without our credentials."""
        errors = answer.get("error")
        first = errors[0] if isinstance(errors, list) and errors else errors
        text = str(first or "it says not why")
        pair = own_pair(self._panel.settings)
        for secret in (pair.api_id, pair.api_key):
            text = text.replace(secret, "…")
        return "".join(each if each.isprintable() else "?" for each in text[:ECHOED])


def _essence(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line without what changes with each use."""
    return {name: value for name, value in line.items() if name != "num_usage"}


def _outcome(answer: dict[str, Any], number: int, said: str) -> dict[str, Any]:
    """Return what asking for the details of a code came to."""
    coupon = answer.get("coupon")
    if answer.get("success") is not True or not isinstance(coupon, dict):
        return {"failed": said}
    return {"coupon": coupon} if id_of(coupon) == number else {"reached": id_of(coupon)}


def _encoded(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
