"""Routes: who answers each promotion call, and switches that let no call fall between two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peewee import BigIntegerField, BooleanField, CharField

from models.panel import pending
from models.store import audit, clock
from models.store.base import Row, change, held, locked, retried
from models.store.errors import Conflict, Invalid
from models.store.prepared import Prepared

FORWARD, SHADOW, WRITE_THROUGH, LOCAL = "forward", "shadow", "write-through", "local"
ALL_MODES = (FORWARD, SHADOW, WRITE_THROUGH, LOCAL)
READS = ("listPromoBatches", "listPromoCodes", "getPromoDetailsByCode")
WRITES = ("applyInvoiceCoupon", "addPromoCode", "updatePromoCode")
"""The promotion calls of the vendor's, of which each has a route."""
MODES = dict.fromkeys(READS, (FORWARD, SHADOW, LOCAL)) | dict.fromkeys(
    WRITES, (FORWARD, WRITE_THROUGH, LOCAL)
)
NAMES = {name.lower(): name for name in MODES}
"""Names are compared without case, as a panel does."""
LEASE_SECONDS = 5
"""How long a call stays closed when the command that switches it was killed."""
PAUSE_SECONDS = 0.2


class PanelRoute(Row):
    """Keep who answers a call; without a row the panel does.

    `previous` is the mode before, "" at first, and `since` when it changed, in Unix seconds.
    `enforced` says that a refusal of ours is not sent to the panel. New calls wait while the time
    is before `closed_until`: the route is being switched.
    """

    call = CharField(max_length=64, unique=True)
    mode = CharField(max_length=16, default=FORWARD)
    previous = CharField(max_length=16, default="")
    since = BigIntegerField(default=0)
    enforced = BooleanField(default=False)
    closed_until = BigIntegerField(default=0)

    @property
    def name(self) -> str:
        """Return the call as the vendor spells it."""
        return NAMES[self.call]


class Closed(Conflict):
    """Say that a call is being switched: it may be sent again, as nothing was done."""

    key = "route_closed"

    def __init__(self) -> None:
        super().__init__("It is being changed who answers this call, try again")


def named(text: str) -> str:
    """Return the promotion call with this name, as the vendor spells it. Raises Invalid."""
    name = NAMES.get(text.lower())
    if name is None:
        raise Invalid(f"{text[:64]!r} has no route: name one of {', '.join(MODES)}")
    return name


def listed() -> dict[str, PanelRoute]:
    """Return the routes of all promotion calls by their names, reads first."""
    kept = {row.call: row for row in PanelRoute.select()}
    return {name: kept.get(low) or PanelRoute(call=low) for low, name in NAMES.items()}


def modes() -> dict[str, str]:
    """Return the modes of the calls that have a row, by their names in small letters."""
    return dict(_modes.rows())


def of_write(name: str) -> PanelRoute:
    """Return the route of a write, which stays so until the transaction ends. Raises Closed."""
    call = name.lower()
    this: Any = PanelRoute.select().where(PanelRoute.call == call)
    route = held(this).first()
    if route is None:
        # A row that is not there cannot be held.
        PanelRoute.insert(call=call).on_conflict_ignore().execute()
        route = held(this).get()
    if route.closed_until > clock.now():
        raise Closed
    return route


def check_mode(name: str, mode: str) -> None:
    """Refuse a mode that a call cannot have. Raises Invalid."""
    if mode not in MODES[name]:
        raise Invalid(f"{name} can be routed to {', '.join(MODES[name])}")


def switch(
    name: str,
    mode: str,
    enforced: bool = False,
    on_wait: Callable[[int], object] = lambda left: None,
) -> PanelRoute:
    """Change who answers a call. Raises Invalid.

    New calls of a write wait meanwhile, until those that are on their way to the panel have ended;
    `on_wait` is told how many these are.
    """
    check_mode(name, mode)
    if name in WRITES:
        _close(name, clock.now() + LEASE_SECONDS)
    try:
        while True:
            route, left = _opened(name, mode, enforced)
            if route is not None:
                return route
            on_wait(left)
            clock.pause(PAUSE_SECONDS)
            _close(name, clock.now() + LEASE_SECONDS)
    except BaseException:
        _close(name, 0)
        raise


@retried
def _close(name: str, until: int) -> None:
    """Let new calls wait until this time; those that hold the route are waited for."""
    with change():
        _locked(name)
        PanelRoute.update(closed_until=until).where(PanelRoute.call == name.lower()).execute()


@retried
def _opened(name: str, mode: str, enforced: bool) -> tuple[PanelRoute | None, int]:
    """Return the route in its new mode, or None and how many calls are still on their way."""
    with change():
        route = _locked(name)
        # Whoever sends a call writes that down while the route is held, so none can be missed.
        left = pending.in_flight(name) if name in WRITES else 0
        if left:
            return None, left
        if route.mode != mode:
            audit.note("switched", "route", 0, name, {"mode": route.mode}, {"mode": mode})
            route.previous, route.mode, route.since = route.mode, mode, clock.now()
        route.enforced, route.closed_until = enforced, 0
        route.save()
    return route, 0


def _locked(name: str) -> PanelRoute:
    call = name.lower()
    PanelRoute.insert(call=call).on_conflict_ignore().execute()
    return locked(PanelRoute.select().where(PanelRoute.call == call)).get()


_modes = Prepared(lambda: PanelRoute.select(PanelRoute.call, PanelRoute.mode))
