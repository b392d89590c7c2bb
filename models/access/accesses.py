"""Accesses: who may call the legacy API, from where, and which calls."""

from __future__ import annotations

import hmac
import ipaddress
import re
from dataclasses import dataclass
from typing import Any

from peewee import BigIntegerField, BooleanField, CharField, IntegrityError, fn

from models.store import audit, clock
from models.store.base import JSONText, Row, change, retried
from models.store.errors import Conflict, Invalid, NotFound
from models.store.prepared import Prepared, slot
from models.store.texts import is_one_line

PAIR_LENGTH = 128
PAIR_PATTERN = re.compile(rf"[\x21-\x7e]{{4,{PAIR_LENGTH}}}")
NAME_LENGTH = 255
MOST_RULES = 40
"""How many address rules an access may have; of IPv6 networks each is 43 characters at most."""
KEY_BYTES = 10
"""Generated ids and keys are 20 hexadecimal characters, as in real installations."""


class Access(Row):
    """Keep one pair of id and key; the key only as a salted digest.

    `calls` is None while every call is allowed, else the list of the allowed ones. `ip_rule` is
    `all`, or addresses and `address/bits` with blanks between. A locked access cannot be removed.
    One with `learned_until` is provisional: from then on it is as if it were not there.
    """

    api_id = CharField(max_length=PAIR_LENGTH, unique=True)
    key_salt = CharField(max_length=32)
    key_digest = CharField(max_length=64)
    name = CharField(max_length=NAME_LENGTH, default="")
    ip_rule = CharField(max_length=2048, default="all")
    calls = JSONText(null=True)
    enabled = BooleanField(default=True)
    locked = BooleanField(default=False)
    created_at = BigIntegerField()
    learned_until = BigIntegerField(null=True)

    def admits(self, address: str) -> bool:
        """Tell whether a rule lets this client address in."""
        return admits(self.ip_rule, address)

    def may_call(self, name: str) -> bool:
        """Tell whether this access may use the call."""
        return self.calls is None or name in self.calls


@dataclass(frozen=True)
class Pair:
    """Hold an id with its key in clear text, when it is made."""

    api_id: str
    api_key: str


NOBODY = (0, "", "0" * 32, "0" * 64, "", "all", None, False, False, 0, None)
"""The row that stands in for an unknown id where there is no access at all."""
API_ID, SALT, DIGEST, ENABLED, LEARNED_UNTIL = (
    [field.name for field in Access._meta.sorted_fields].index(name)
    for name in ("api_id", "key_salt", "key_digest", "enabled", "learned_until")
)
"""Where these stand in a row."""


@retried
def add(
    name: str,
    pair: Pair | None = None,
    ip_rule: str = "all",
    locked: bool = False,
    learned_until: int | None = None,
) -> tuple[Access, Pair]:
    """Make an access with a new pair, or register the given one; for `ip_rule` see `checked_rules`.

    Raises Invalid for a name, pair or rule that cannot be, Conflict when the id is taken.
    """
    if len(name) > NAME_LENGTH or not is_one_line(name):
        raise Invalid(f"A name is one line of {NAME_LENGTH} characters at most")
    if pair is None:
        pair = Pair(clock.random_bytes(KEY_BYTES).hex(), clock.random_bytes(KEY_BYTES).hex())
    for word, text in (("id", pair.api_id), ("key", pair.api_key)):
        if not PAIR_PATTERN.fullmatch(text):
            wanted = f"4 to {PAIR_LENGTH} printable ASCII characters without blanks"
            raise Invalid(f"The {word} must be {wanted}")
    salt = clock.random_bytes(16).hex()
    try:
        with change():
            access = Access.create(
                api_id=pair.api_id,
                key_salt=salt,
                key_digest=_digest(salt, pair.api_key),
                name=name,
                ip_rule=checked_rules(ip_rule),
                locked=locked,
                created_at=clock.now(),
                learned_until=learned_until,
            )
            audit.note("made", "access", access.id, name or pair.api_id)
    except IntegrityError as problem:
        raise Conflict(f"There is an access with the id {pair.api_id} already") from problem
    return access, pair


def authenticated(api_id: str, api_key: str) -> Access | None:
    """Return the enabled access of this pair, else None, taking as long."""
    row = _by_api_id_or_any.first(api_id=api_id) or NOBODY
    found = hmac.compare_digest(row[API_ID].encode(), api_id.encode(errors="replace"))
    right = hmac.compare_digest(_digest(row[SALT], api_key), row[DIGEST])
    stands = bool(row[ENABLED]) & (row[LEARNED_UNTIL] is None or row[LEARNED_UNTIL] > clock.now())
    # The row is read no further before: how much there is to read would tell which ids exist.
    return Access.of_row(row) if found & right & stands else None


def by_api_id(api_id: str) -> Access:
    """Return an access. Raises NotFound."""
    access = Access.get_or_none(Access.api_id == api_id)
    if access is None:
        raise NotFound(f"There is no access with the id {api_id}")
    return access


def listed() -> list[Access]:
    """Return all accesses in the order they were made."""
    return list(Access.select().order_by(Access.id))


def any_enabled() -> bool:
    """Tell whether there is an access that may call at all."""
    return bool(Access.select().where(Access.enabled).exists())


@retried
def allow(api_id: str, calls: list[str] | None) -> Access:
    """Let the access use these calls too; None opens all of them. Raises NotFound."""
    with change():
        access = by_api_id(api_id)
        before = _audited(access)
        if calls is None:
            access.calls = None
        elif access.calls is not None:
            access.calls = sorted({*access.calls, *calls})
        access.save()
        _note_edited(access, before)
    return access


@retried
def deny(api_id: str, calls: list[str], every: list[str]) -> Access:
    """Take these calls from the access, of `every` call there is. Raises NotFound."""
    with change():
        access = by_api_id(api_id)
        before = _audited(access)
        allowed = every if access.calls is None else access.calls
        access.calls = sorted(set(allowed) - set(calls))
        access.save()
        _note_edited(access, before)
    return access


@retried
def enable(api_id: str, enabled: bool) -> Access:
    """Switch an access on or off. Raises NotFound."""
    with change():
        access = by_api_id(api_id)
        before = _audited(access)
        access.enabled = enabled
        access.save()
        _note_edited(access, before)
    return access


@retried
def admit_from(api_id: str, ip_rule: str) -> Access:
    """Let the access in from these addresses alone. Raises NotFound, and Invalid for a rule."""
    with change():
        access = by_api_id(api_id)
        before = _audited(access)
        access.ip_rule = checked_rules(ip_rule)
        access.save()
        _note_edited(access, before)
    return access


@retried
def remove(api_id: str) -> None:
    """Delete an access. Raises NotFound, or Conflict when it is locked."""
    with change():
        access = by_api_id(api_id)
        if access.locked:
            raise Conflict(f"The access {api_id} is marked undeletable")
        access.delete_instance()
        audit.note("deleted", "access", access.id, access.name or api_id)


def _audited(access: Access) -> dict[str, Any]:
    """Return what the audit tells of an access before and after a change."""
    return {name: getattr(access, name) for name in ("ip_rule", "calls", "enabled")}


def _note_edited(access: Access, before: dict[str, Any]) -> None:
    name = access.name or str(access.api_id)
    audit.note("edited", "access", access.id, name, before, _audited(access))


def checked_rules(rules: str) -> str:
    """Return address rules, blanks between them, in their plain form and each once. Raises Invalid.

    Each is `all`, an address, `address/bits` or `address/mask`; none at all, and `all` among
    others, is `all`.
    """
    words = rules.split()
    if len(words) > MOST_RULES:
        raise Invalid(f"An access has {MOST_RULES} address rules at most")
    plain = [*dict.fromkeys(map(_checked_rule, words))]
    return "all" if not plain or "all" in plain else " ".join(plain)


def _checked_rule(rule: str) -> str:
    if rule == "all":
        return rule
    try:
        return _network(rule).compressed if "/" in rule else ipaddress.ip_address(rule).compressed
    except ValueError as problem:
        raise Invalid(
            f"The address rule {rule!r} is none of: all, an address, address/bits, address/mask"
        ) from problem


def admits(rules: str, address: str) -> bool:
    """Tell whether one of the rules admits an address; only `all` admits what is no address."""
    if rules in ("", "all"):
        return True
    try:
        client = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(client, "ipv4_mapped", None)
    for rule in rules.split():
        network = _network(rule)
        if (mapped if mapped and network.version == 4 else client) in network:
            return True
    return False


def _network(rule: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(rule, strict=False)


def _digest(salt: str, key: str) -> str:
    # Keys are random, so one keyed hash is enough; a slow one would be paid on every request.
    return hmac.digest(bytes.fromhex(salt), key.encode(errors="replace"), "sha256").hex()


def _select_by_api_id_or_any() -> Any:
    """Return the query of the access with an id, else of the first one: there is always a row.

    To bring none would take a fifth less time, which tells which ids exist.
    """
    named, first = Access.alias(), Access.alias()
    row_id = fn.COALESCE(
        named.select(named.id).where(named.api_id == slot("api_id")),
        first.select(fn.MIN(first.id)),
    )
    return Access.select().where(Access.id == row_id)


_by_api_id_or_any = Prepared(_select_by_api_id_or_any)
