"""Replace what an answer holds by values of the same shape; keep what is known to be harmless.

Answers of a panel hold passwords, keys and people. What is not on a list here is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import shake_256
from typing import Any

LONGEST = 256
"""Characters that are left of a longer text."""
ZEROS = re.compile(r"[ .,:/-]*0[0 .,:/-]*")
"""A text that says no more than nothing, such as 0, 0.00 and 0000-00-00."""
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2})?")
ADDRESS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")
E_MAIL = re.compile(r"[^@\s]{1,64}@([^@\s]{1,180})\.[A-Za-z]{2,63}")
URL = re.compile(r"(https?://)([^/\s]{1,200})(\S*)")
_KEPT_MARKS = frozenset(".,:;-_/@+()")
_FIELD = re.compile(r"[a-z][a-z0-9]*([A-Z][a-z0-9]+|_[a-z0-9]+)*")
_FIELD_LENGTH = 40
_KEPT_LENGTH = 64
_TURNS = 8
"""How often another text is drawn, where the same came: nothing in `-` is replaced."""
_PLACE = re.compile(r"[0-9]{1,4}")
_NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,4})?")
_ID = re.compile(r"[0-9]{1,10}")
_VERSION = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){0,4}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TERM_WORDS = (
    "Active|Archived|cart|invoice|invoice_cart|flavor|fixed|percent|once|recurring|price|setupfee"
    "|both|all|new|existing|"
)
_CYCLE_WORDS = (
    "Free|One Time|Hourly|Daily|Weekly|Monthly|Quarterly|Semi-Annually|Annually|Biennially"
    "|Triennially|Quadrennially|Quinquennially|tld[0-9]{1,2}"
)
_TERM, _CYCLE = re.compile(_TERM_WORDS), re.compile(_CYCLE_WORDS)
_STATUS = re.compile(
    "Active|Archived|Inactive|Closed|Pending|Suspended|Terminated|Cancelled|Fraud|Expired"
    "|Draft|Unpaid|Paid|Refunded|Collections|Open|Answered"
)
_LINE = re.compile("Hosting|Addon|Upgrade|Other|Domain (Register|Transfer|Renew)")
EVERYWHERE: dict[str, tuple[re.Pattern[str], ...]] = {
    **dict.fromkeys(("id", "client_id", "invoice_id", "order_id", "account_id"), (_ID,)),
    **dict.fromkeys(("item_id", "product_id", "category_id", "batch_id"), (_ID,)),
    **dict.fromkeys(("page", "perpage", "totalpages", "sorterrecords", "sorterpage"), (_ID,)),
    **dict.fromkeys(("server_time", "qty", "taxed"), (_ID,)),
    "status": (_STATUS,),
    "type": (_LINE,),
    "billingcycle": (_CYCLE,),
}
"""The fields of all calls that are kept, and what they must hold to be."""
_TERMS: dict[str, tuple[re.Pattern[str], ...]] = {
    **dict.fromkeys(("status", "coupon_type", "type", "applyto", "clients"), (_TERM,)),
    **dict.fromkeys(("cycle", "upgrades"), (_TERM, _ID)),
    **dict.fromkeys(("cycles",), (_CYCLE, _ID)),
    **dict.fromkeys(("value", "min_cart_amount", "prompt_cart_amount"), (_NUMBER,)),
    **dict.fromkeys(("max_usage", "num_usage", "max_client_usage", "increase_in_days"), (_ID,)),
    **dict.fromkeys(("coupons_count", "coupons_used", "complexity", "options", "active"), (_ID,)),
    **dict.fromkeys(("products", "categories", "addons", "forms", "include_batch"), (_ID,)),
    **dict.fromkeys(
        ("apply_products", "apply_categories", "apply_domains", "apply_addons", "apply_forms"),
        (_ID,),
    ),
    "expires": (_DAY,),
}
OF_CALL: dict[str, dict[str, tuple[re.Pattern[str], ...]]] = {
    **dict.fromkeys(("listPromoBatches", "listPromoCodes", "getPromoDetailsByCode"), _TERMS),
    "getHostBillversion": {"version": (_VERSION,)},
}
"""Those of single calls. Elsewhere a `value` may be a password."""


class Replaced:
    """Replace values, the same text by the same one: they are drawn by a key that is thrown away.

    Keys of objects are kept where they name a field, and replaced where they are data.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def answer(self, call: str, value: Any) -> Any:
        """Return what JSON holds of an answer, or of arguments, with its values replaced."""
        return _mapped(call, "", value, self.text, self._key_beside)

    def text(self, text: str, first: int = 0) -> str:
        """Return another text of the same shape, the first that can be drawn from this turn on."""
        if ZEROS.fullmatch(text) or not text:
            return text
        for turn in range(first, first + _TURNS):
            found = self._drawn(text[:LONGEST], turn)
            if found != text:
                break
        return found

    def _key_beside(self, key: str, taken: Mapping[str, Any]) -> str:
        for turn in range(_TURNS):
            found = self.text(key, turn * _TURNS)
            if found not in taken:
                return found
        return f"{found} {len(taken)}"

    def _drawn(self, text: str, turn: int) -> str:
        draw = _Draw(self._key + turn.to_bytes(2) + text.encode(errors="surrogatepass"), len(text))
        if DATE.fullmatch(text):
            day = f"20{draw(10, 40)}-{draw(1, 13):02}-{draw(1, 29):02}"
            time = f" {draw(0, 24):02}:{draw(0, 60):02}:{draw(0, 60):02}"
            return day + (time if " " in text else "")
        if ADDRESS.fullmatch(text):
            return f"198.51.100.{draw(1, 255)}"
        if found := E_MAIL.fullmatch(text):
            name, _, _ = text.partition("@")
            return f"{draw.like(name)}@{draw.like(found[1])}.example"
        if found := URL.fullmatch(text):
            return f"{found[1]}{draw.like(found[2])}.example{draw.like(found[3])}"
        return draw.like(text)


def skeleton(call: str, value: Any) -> Any:
    """Return an answer with the shape of each value that a recording replaces.

    It is the same for an answer and for its recording.
    """
    return _mapped(call, "", value, _shape, lambda key, taken: f"{_shape(key)} {len(taken)}")


def _shape(text: str) -> str:
    text = text[:LONGEST]
    if ZEROS.fullmatch(text):
        return text
    for name, pattern in (("date", DATE), ("IPv4", ADDRESS), ("e-mail", E_MAIL), ("URL", URL)):
        if found := pattern.fullmatch(text):
            return f"<{name}{' and time' if name == 'date' and found[1] else ''}>"
    return "".join(_kinds(text))


class _Draw:
    """Draw numbers and characters from a digest."""

    def __init__(self, seed: bytes, size: int) -> None:
        self._bytes = iter(shake_256(seed).digest(size + 16))

    def __call__(self, first: int, end: int) -> int:
        return first + next(self._bytes) % (end - first)

    def like(self, text: str) -> str:
        """Return letters for letters and digits for digits."""
        return "".join(map(self._one, _kinds(text)))

    def _one(self, kind: str) -> str:
        match kind:
            case "9":
                return "123456789"[self(0, 9)]
            case "a":
                return "abcdefghijklmnopqrstuvwxyz"[self(0, 26)]
            case "A":
                return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[self(0, 26)]
            case "é":
                return "àáâãäåçèéêëìíîïñòóôõöùúûüý"[self(0, 26)]
            case other:
                return other


def _kinds(text: str) -> Iterator[str]:
    """Yield what stands for each character; zeros in front stay, so that numbers have as many."""
    zeros = len(text) - len(text.lstrip("0"))
    yield from ("0" if place < zeros else _kind(mark) for place, mark in enumerate(text))


def _kind(mark: str) -> str:
    """Return what stands for all characters of a kind."""
    if mark.isspace():
        return "\n" if mark == "\n" else " "
    if mark.isascii():
        if mark.isdigit():
            return "9"
        if mark.isalpha():
            return "a" if mark.islower() else "A"
        return mark if mark in _KEPT_MARKS else "*"
    return "é" if mark.isalnum() else "*"


def _mapped(
    call: str,
    field: str,
    value: Any,
    replaced: Callable[[str], str],
    beside: Callable[[str, Mapping[str, Any]], str],
) -> Any:
    """Return a value with the texts and numbers replaced that stand in no harmless field.

    `beside` replaces a key, by one that is not there yet.
    """
    if isinstance(value, dict):
        are_data = _are_data(value)
        found: dict[str, Any] = {}
        for key, inner in value.items():
            is_member = _PLACE.fullmatch(key) or _is_kept(call, field, key)
            is_field = not is_member and not are_data and _is_field(key, inner)
            shown = key if is_member or is_field else beside(key, found)
            found[shown] = _mapped(call, key if is_field else field, inner, replaced, beside)
        return found
    if isinstance(value, list):
        return [_mapped(call, field, inner, replaced, beside) for inner in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        own = field == "call" and value.lower() == call.lower()
        return value if own or _is_kept(call, field, value) else replaced(value)
    text = str(value) if isinstance(value, int) else f"{value:.2f}"
    if _is_kept(call, field, text):
        return value
    drawn = replaced(text)
    return int(drawn) if isinstance(value, int) else float(drawn)


def _is_kept(call: str, field: str, text: str) -> bool:
    """Tell whether a text may stand in a field as it is."""
    if len(text) > _KEPT_LENGTH:
        return False
    own: Mapping[str, tuple[re.Pattern[str], ...]] = OF_CALL.get(call, {})
    patterns = own.get(field, EVERYWHERE.get(field, ()))
    return any(pattern.fullmatch(text) for pattern in patterns)


def _is_field(key: str, inner: Any) -> bool:
    """Tell whether a key names a field: one that its own value repeats is data."""
    if len(key) > _FIELD_LENGTH or not _FIELD.fullmatch(key) or inner == key:
        return False
    return not (isinstance(inner, dict) and key in inner.values())


def _are_data(value: Mapping[str, Any]) -> bool:
    """Tell whether the keys of an object are data: its members are several objects all alike."""
    members = [*value.values()]
    alike = {tuple(each) if isinstance(each, dict) else None for each in members}
    return len(members) > 1 and len(alike) == 1 and None not in alike and () not in alike
