"""Stop many codes of both APIs at once, by a list that somebody pasted; undo it as one change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from peewee import IntegrityError, chunked

from models.promotions import batches, campaign_counts, event_facts
from models.promotions.coupons import ALONE, Coupon
from models.promotions.terms import Terms
from models.store import audit, clock, visibility
from models.store.audit import AuditEntry
from models.store.base import change, locked, retried
from models.store.errors import Conflict, Invalid, NotFound
from models.store.texts import TYPED_LENGTH, code_form

MOST = 5_000
"""Codes that one list has at most: their ids are kept for an undo, in 64 KiB on every engine."""
CHUNK = 500
ACTION, KIND = "stopped", "codes"


@dataclass
class Found:
    """Hold what a list of codes stands for; `unknown` are texts that no live code has."""

    coupons: list[Coupon] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def used(self) -> int:
        """Return how many of the codes were used."""
        return sum(coupon.num_usage > 0 for coupon in self.coupons)

    @property
    def stopped(self) -> int:
        """Return how many of the codes are stopped already."""
        return sum(bool(coupon.stopped) for coupon in self.coupons)

    @property
    def kept(self) -> int:
        """Return how many are of the REST API and used: those are not revoked."""
        return sum(c.realm != visibility.LEGACY and c.num_usage > 0 for c in self.coupons)


def read(text: str) -> list[str]:
    """Return the codes of a pasted list, one a line, each once. Raises Invalid for too many."""
    lines = dict.fromkeys(line.strip().strip(",;\"'") for line in text.splitlines())
    lines.pop("", None)
    if len(lines) > MOST:
        raise Invalid(
            f"A list has {MOST:,} codes at most, this has {len(lines):,}: stop it in parts"
        )
    return list(lines)


def find(codes: Iterable[str]) -> Found:
    """Return the live codes that texts stand for, in whatever spelling and in both APIs."""
    found, known = Found(), dict[int, Coupon]()
    for some in chunked(codes, CHUNK):
        forms = {text: code_form(text) for text in some if len(text) <= TYPED_LENGTH}
        wanted = [form for form in forms.values() if form]
        exact = [text for text in forms if "\0" not in text]
        live = Coupon.live.is_null(False)
        hits = list(Coupon.select().where(live, Coupon.form.in_(wanted)))
        hits.extend(Coupon.select().where(live, Coupon.code.in_(exact)))
        known |= {coupon.id: coupon for coupon in hits}
        seen = {coupon.form for coupon in hits} | {coupon.code for coupon in hits}
        found.unknown += [text for text in some if not {text, forms.get(text)} & seen]
    found.coupons = [known[coupon_id] for coupon_id in sorted(known)]
    return found


@retried
def stop(ids: Sequence[int]) -> AuditEntry | None:
    """Stop these codes: those of the legacy API are inactive, unused ones of the REST API revoked.

    Return the entry of the audit by which it can be undone, None when nothing changed.
    """
    with change():
        held = _locked(ids)
        legacy = [c for c in held if c.realm == visibility.LEGACY and not c.stopped]
        rest = [c for c in held if c.realm != visibility.LEGACY and c.live and not c.num_usage]
        _update(legacy, active=False, stopped=True)
        _update(rest, live=None, shelved=True)
        _count([*legacy, *rest], 1)
        stopped = [c.id for c in legacy]
        revoked = [c.id for c in rest]
        if not (stopped or revoked):
            return None
        _tell([*legacy, *rest])
        name = f"{len(stopped) + len(revoked):,} codes"
        undo = {"stopped": stopped, "revoked": revoked}
        return audit.note(ACTION, KIND, 0, name, after={"codes": len(held)}, undo=undo)


@retried
def undo(entry_id: int, today: date) -> int:
    """Let the codes of a change be used again that nobody changed since; return how many.

    Raises NotFound, and Conflict when it was undone before or a code is live elsewhere by now.
    """
    try:
        with change():
            now = clock.now()
            unclaimed = (AuditEntry.id == entry_id) & AuditEntry.undone_at.is_null()
            claimed = AuditEntry.update(undone_at=now).where(unclaimed).execute()
            entry = AuditEntry.get_or_none(AuditEntry.id == entry_id)
            if entry is None or entry.subject_kind != KIND or not entry.undo:
                raise NotFound("There is nothing to undo", "nothing_to_undo")
            if not claimed:
                raise Conflict("It was undone before", "undone")
            return _bring_back(entry, today)
    except IntegrityError as problem:
        raise Conflict("One of the codes is live elsewhere by now", "code_exists") from problem


def _bring_back(entry: AuditEntry, today: date) -> int:
    held = _locked([*entry.undo["stopped"], *entry.undo["revoked"]])
    legacy = [c for c in held if c.realm == visibility.LEGACY and c.stopped]
    rest = [c for c in held if c.realm != visibility.LEGACY and c.live is None and c.shelved]
    _update(legacy, stopped=None)
    _update([c for c in legacy if not _over(c, today)], active=True)
    for environment in (visibility.LIVE, visibility.TEST):
        theirs = [c for c in rest if visibility.environment(c.realm) == environment]
        _update(theirs, live=environment, shelved=None)
    _count([*legacy, *rest], -1)
    back = len(legacy) + len(rest)
    audit.note("started", KIND, 0, f"{back:,} codes", after={"undo of": entry.id})
    return back


def _over(coupon: Coupon, today: date) -> bool:
    terms = Terms.by_id(coupon.terms_id)
    return terms.expired(today) or terms.used_up(coupon.num_usage)


def _locked(ids: Sequence[int]) -> list[Coupon]:
    """Lock coupons in the order of their ids, before their batches, as a use does."""
    found: list[Coupon] = []
    for some in chunked(sorted(ids), CHUNK):
        found.extend(locked(Coupon.select().where(Coupon.id.in_(some)).order_by(Coupon.id)))
    return found


def _tell(stopped: Sequence[Coupon]) -> None:
    """Write one event for each batch: others must not be told of a partner's codes."""
    by_batch = Counter((coupon.batch_id, coupon.realm) for coupon in stopped)
    for (batch_id, realm), codes in sorted(by_batch.items()):
        event_facts.tell_revoked_codes(batch_id, realm, codes, "stopped")


def _update(coupons: Sequence[Coupon], **changes: Any) -> None:
    for some in chunked([coupon.id for coupon in coupons], CHUNK):
        Coupon.update(**changes).where(Coupon.id.in_(some)).execute()


def _count(coupons: Sequence[Coupon], sign: int) -> None:
    """Raise the revisions of the batches, and count unused codes that were withdrawn."""
    unused = Counter(c.batch_id for c in coupons if not c.num_usage)
    for batch_id in sorted({c.batch_id for c in coupons} - {ALONE}):
        batches.bump(batch_id, updated_at=clock.now())
        campaign_counts.count_codes(batch_id, revoked=sign * unused[batch_id])
