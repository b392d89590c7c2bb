"""Learning which pairs a panel knows: for some hours, from some networks, provisional at first."""

from __future__ import annotations

from peewee import BigIntegerField, CharField

from models.access import accesses
from models.access.accesses import MOST_RULES, Access, Pair
from models.store import clock
from models.store.base import Row, change, locked, retried
from models.store.errors import Conflict, Invalid

HOUR = 3600
TRY_SECONDS = 60
"""Two pairs that the panel refuses may be tried within so long, over all processes."""
ONLY = 1
"""The id of the one row."""


class PanelLearning(Row):
    """Keep until when pairs are learned and from where, and when the last two were tried in vain.

    `networks` are address rules as those of an access. Times are Unix seconds.
    """

    networks = CharField(max_length=2048)
    ends_at = BigIntegerField()
    older_try = BigIntegerField(default=0)
    newer_try = BigIntegerField(default=0)


@retried
def begin(networks: str, hours: int) -> PanelLearning:
    """Learn from these networks for so many hours from now on; what is provisional lasts as long.

    Raises Invalid for a network that is none, and for none at all.
    """
    rules = accesses.checked_rules(networks)
    if rules == "all":
        raise Invalid("Name the networks to learn from; 0.0.0.0/0 is every IPv4 address")
    ends_at = clock.now() + hours * HOUR
    with change():
        row = PanelLearning.get_or_none(PanelLearning.id == ONLY)
        if row is None:
            row = PanelLearning.create(id=ONLY, networks=rules, ends_at=ends_at)
        else:
            row.networks, row.ends_at = rules, ends_at
            row.save()
        _provisional_until(ends_at)
    return row


@retried
def end() -> None:
    """End the learning now; what is provisional ends with it."""
    with change():
        ends_at = clock.now()
        PanelLearning.update(ends_at=ends_at).where(PanelLearning.ends_at > ends_at).execute()
        Access.update(learned_until=ends_at).where(Access.learned_until > ends_at).execute()


def state() -> PanelLearning | None:
    """Return what is kept of the last learning, also when it has ended."""
    return PanelLearning.get_or_none(PanelLearning.id == ONLY)


def goes_on_for(address: str) -> bool:
    """Tell whether pairs from this address are learned now."""
    row = state()
    return row is not None and row.ends_at > clock.now() and accesses.admits(row.networks, address)


@retried
def take_try() -> int:
    """Take one of the two tries of a minute; return 0, or in how many seconds there is another."""
    now = clock.now()
    with change():
        # In this order: MariaDB gives the second column what the first one had already lost.
        taken = (
            PanelLearning.update(older_try=PanelLearning.newer_try, newer_try=now)
            .where(PanelLearning.id == ONLY, PanelLearning.older_try <= now - TRY_SECONDS)
            .execute()
        )
    row = None if taken else state()
    return 0 if row is None else max(1, int(row.older_try) + TRY_SECONDS - now)


@retried
def give_back_try() -> None:
    """Give a try back: the panel knew the pair, or nothing was asked."""
    with change():
        PanelLearning.update(newer_try=PanelLearning.older_try, older_try=0).where(
            PanelLearning.id == ONLY
        ).execute()


@retried
def register(pair: Pair, address: str) -> Access | None:
    """Register a pair that the panel knows, for this address, as long as the learning goes on.

    A provisional access of the same id gets the key; None where another one has the id.
    """
    with change():
        row = state()
        if row is None or row.ends_at <= clock.now():
            return None
        access = _locked(pair.api_id)
        if access is not None and access.learned_until is None:
            return None
        if access is not None:  # the key was changed at the panel
            access.delete_instance()
        try:
            made, _ = accesses.add("learned", pair, address, learned_until=row.ends_at)
        except (Conflict, Invalid):  # another process was first, or it is no pair or address
            return None
    return made


@retried
def note_address(access: Access, address: str) -> Access:
    """Let a provisional access in from one more address, and return it as it is then."""
    with change():
        found = _locked(str(access.api_id))
        if found is None or found.learned_until is None:
            return access
        rules = str(found.ip_rule).split()
        if len(rules) < MOST_RULES:
            found.ip_rule = accesses.checked_rules(" ".join([*rules, address]))
            found.save()
    return found


def is_taken(api_id: str) -> bool:
    """Tell whether an access that is not provisional has this id, whether it is enabled or not."""
    return bool(
        Access.select().where(Access.api_id == api_id, Access.learned_until.is_null()).exists()
    )


def provisional() -> list[Access]:
    """Return the accesses that wait to be confirmed, in the order they were learned."""
    return list(Access.select().where(Access.learned_until.is_null(False)).order_by(Access.id))


@retried
def confirm(api_ids: list[str]) -> int:
    """Keep provisional accesses for good, all of them where none is named; return how many."""
    waiting = Access.learned_until.is_null(False)
    if api_ids:
        waiting &= Access.api_id.in_(api_ids)
    with change():
        return int(Access.update(learned_until=None).where(waiting).execute())


def _provisional_until(moment: int) -> None:
    waiting = Access.learned_until.is_null(False)
    Access.update(learned_until=moment).where(waiting).execute()


def _locked(api_id: str) -> Access | None:
    return locked(Access.select().where(Access.api_id == api_id)).first()
