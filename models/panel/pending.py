"""Writes that are on their way to the panel, and those of which nobody knows if they arrived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from peewee import BigIntegerField, BooleanField, CharField, IntegrityError, chunked

from models.redemptions.redemption import USED, Redemption
from models.store import clock
from models.store.base import JSONText, Row, change, delete_oldest, locked, repeatable, retried
from models.store.errors import Conflict, NotFound
from models.store.texts import CODE_LENGTH

SENT, APPLIED, REFUSED = "sent", "applied", "refused"
UNKNOWN = "unknown"
"""What a call is that was sent and has no answer by its deadline."""
PRUNED = 20
ASKED = 500
"""Coupons that one query asks for."""
LATELY_SECONDS = 60
"""By how much the clocks of hosts may differ."""
KEPT_SECONDS = 3600
"""How long the rows of killed processes are kept after their deadline."""


class PanelFlight(Row):
    """Keep one promotion write while it is forwarded; until its deadline if the process is killed.

    `worker` is the host and the id of the process. Times are Unix seconds.
    """

    call = CharField(max_length=64)
    worker = CharField(max_length=128)
    started_at = BigIntegerField()
    deadline = BigIntegerField()

    class Meta:
        indexes = ((("call", "deadline"), False),)


class PanelPending(Row):
    """Keep one write that was reserved here and sent to the panel; applied ones for good.

    `digest` is that of the call and its arguments while the outcome is open, NULL afterwards: the
    unique index then keeps the same call from being sent twice. `reserved` says that it was this
    call that made the use (`redemption_id`), the coupon or the change of it, which a refusal
    undoes: `before` and `after` are what a changed coupon was and became. `refusal` is the key of
    the reason why it would have been refused here, "" where it would not.
    """

    call = CharField(max_length=64)
    state = CharField(max_length=16, default=SENT)
    digest = CharField(max_length=64, null=True, unique=True)
    worker = CharField(max_length=128)
    api_id = CharField(max_length=128, default="")
    code = CharField(max_length=CODE_LENGTH, default="")
    invoice_id = BigIntegerField(default=0)
    client_id = BigIntegerField(default=0)
    coupon_id = BigIntegerField(null=True)
    redemption_id = BigIntegerField(null=True)
    reserved = BooleanField(default=False)
    refusal = CharField(max_length=64, default="")
    before = JSONText(null=True)
    after = JSONText(null=True)
    started_at = BigIntegerField()
    deadline = BigIntegerField()
    ended_at = BigIntegerField(null=True)

    class Meta:
        indexes = (
            (("state", "id"), False),
            (("state", "ended_at"), False),
            (("coupon_id", "state"), False),
            (("redemption_id",), False),
        )

    @property
    def outcome(self) -> str:
        """Return `sent` while its process may still be told, then `unknown`, or how it ended."""
        return UNKNOWN if self.state == SENT and self.deadline <= clock.now() else self.state


class InDoubt(Conflict):
    """Say that the same call was sent before and that its outcome is not known."""

    key = "outcome_unknown"

    def __init__(self) -> None:
        super().__init__(
            "The same call was sent to the panel before, and it is not known whether it was "
            "carried out there; it was not sent again"
        )


def take_off(name: str, worker: str, seconds: int) -> int:
    """Write down that a write is forwarded, for so many seconds at most; return its id.

    Inside the transaction that reads the route.
    """
    now = clock.now()
    delete_oldest(PanelFlight, PanelFlight.deadline, now - KEPT_SECONDS, PRUNED)
    return PanelFlight.insert(
        call=name.lower(), worker=worker, started_at=now, deadline=now + seconds
    ).execute()


@repeatable
def land(flight_id: int) -> None:
    """Write down that the panel has answered a forwarded write."""
    with change():
        PanelFlight.delete().where(PanelFlight.id == flight_id).execute()


def begin(name: str, digest: str, worker: str, seconds: int, **fields: Any) -> PanelPending:
    """Write down that a write will be sent; inside the transaction that reserves it.

    Raises InDoubt where the same was sent before and its outcome is open.
    """
    now = clock.now()
    try:
        with change():
            return PanelPending.create(
                call=name.lower(),
                digest=digest,
                worker=worker,
                started_at=now,
                deadline=now + seconds,
                **fields,
            )
    except IntegrityError:
        raise InDoubt from None


def in_flight(name: str) -> int:
    """Return how many calls of a write the panel may still be answering."""
    now = clock.now()
    open_ = PanelPending.select().where(
        PanelPending.state == SENT, PanelPending.call == name.lower(), PanelPending.deadline > now
    )
    flights = PanelFlight.select().where(
        PanelFlight.call == name.lower(), PanelFlight.deadline > now
    )
    return int(open_.count() + flights.count())


def listed(most: int) -> list[PanelPending]:
    """Return calls whose outcome is open, oldest first."""
    open_ = PanelPending.select().where(PanelPending.state == SENT)
    return list(open_.order_by(PanelPending.id).limit(most))


def count() -> int:
    """Return how many calls there are whose outcome is open."""
    return int(PanelPending.select().where(PanelPending.state == SENT).count())


def locked_by_id(pending_id: int) -> PanelPending:
    """Return a row for this transaction alone to change. Raises NotFound."""
    row = locked(PanelPending.select().where(PanelPending.id == pending_id)).first()
    if row is None:
        raise NotFound(f"There is no pending call {pending_id}", "pending_not_found")
    return row


@retried
def out_of_time(pending_id: int) -> None:
    """Write down that the answer to a call was lost: its outcome is unknown from now on."""
    with change():
        PanelPending.update(deadline=clock.now()).where(
            PanelPending.id == pending_id, PanelPending.state == SENT
        ).execute()


class Heard(NamedTuple):
    """Hold which writes the panel had answered at a moment.

    These are all that ended before `since`, in Unix seconds, and those with the ids `lately`. So
    the clocks of hosts may differ by as much as the moment is later.
    """

    since: int
    lately: frozenset[int]


def heard() -> Heard:
    """Return which writes the panel has answered until now."""
    since = clock.now() - LATELY_SECONDS
    ended: Any = PanelPending.select(PanelPending.id).where(
        PanelPending.state == APPLIED, PanelPending.ended_at >= since
    )
    return Heard(since, frozenset(number for (number,) in ended.tuples()))


def uses(coupon_ids: Sequence[int], then: Heard) -> tuple[Mapping[int, int], set[int]]:
    """Return how many standing uses of coupons the panel had confirmed at a moment.

    It counts them too, so whoever takes its counts over must leave these out. Return also the
    coupons that were or may have been used since then: nobody can tell if that is counted there.
    """
    known: set[tuple[int, int]] = set()
    open_: set[int] = set()
    for some in chunked(coupon_ids, ASKED):
        rows: Any = (
            PanelPending.select(
                PanelPending.coupon_id,
                PanelPending.redemption_id,
                PanelPending.id,
                PanelPending.ended_at,
            )
            .join(Redemption, on=Redemption.id == PanelPending.redemption_id)
            .where(PanelPending.coupon_id.in_(some), PanelPending.state.in_((SENT, APPLIED)))
            .where(Redemption.state == USED)
        )
        for coupon_id, use, number, ended_at in rows.tuples():
            if ended_at is not None and (ended_at < then.since or number in then.lately):
                known.add((coupon_id, use))  # once, however often it was asked for
            else:
                open_.add(coupon_id)
    return Counter(coupon_id for coupon_id, _ in known), open_


def changed(coupon_ids: Sequence[int], since: int) -> set[int]:
    """Return those of the coupons that a call through here may have changed since a moment."""
    found: set[int] = set()
    for some in chunked(coupon_ids, ASKED):
        rows: Any = PanelPending.select(PanelPending.coupon_id).where(
            PanelPending.coupon_id.in_(some),
            PanelPending.call == "updatepromocode",
            (PanelPending.state == SENT)
            | ((PanelPending.state == APPLIED) & (PanelPending.ended_at >= since)),
        )
        found.update(number for (number,) in rows.tuples())
    return found
