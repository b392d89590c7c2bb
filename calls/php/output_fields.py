"""Field types of answers: they dump typed values in the wire format.

They also load the wire form back, for importing saved answers, with the same care as arguments:
a ValidationError says what was expected and never repeats the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, tzinfo
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, Literal, TypeVar

from calls.php.input_fields import BROKEN, DIGITS, NO_DAY, StrictField, day_of

T = TypeVar("T")

ABSENCES: dict[str, Any] = {"required": "is missing", "null": "must not be null"}
NO_MOMENT = "0000-00-00 00:00:00"
PLACES_MOST = 4
"""The most decimals that a currency has."""

_INT = re.compile(r"0|-?[1-9][0-9]{0,18}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
# Wide enough for any amount: quantize must never run out of digits.
_WIDE = Context(prec=60)
_zone: ContextVar[tzinfo] = ContextVar("zone", default=UTC)


@contextmanager
def local_time(zone: tzinfo) -> Iterator[None]:
    """Write and read each `Moment` in this zone; without it, in UTC.

    A generator made inside looks at the zone when it runs, so it must also be used up inside.
    """
    token = _zone.set(zone)
    try:
        yield
    finally:
        _zone.reset(token)


def moment_text(seconds: int, zone: tzinfo) -> str:
    """Return Unix seconds as `Y-m-d H:i:s` of the zone."""
    return datetime.fromtimestamp(seconds, zone).isoformat(" ")[: len(NO_MOMENT)]


class OutputField(StrictField[T]):
    """Dump (`written`) and load (`read`) one member of an answer.

    It is missed where an answer is loaded without it.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(required=True, error_messages=ABSENCES, **options)

    def written(self, value: T) -> Any:
        """Return the wire form of a value: the value itself if the encoder prints it so."""
        return value

    def _serialize(self, value: Any, attr: Any, obj: Any, **options: Any) -> Any:
        return self.written(value)


class Int(OutputField[int]):
    """Dump an int as a JSON number."""

    expected = "a JSON integer"

    def read(self, wire: Any) -> int:
        """Return the number."""
        if type(wire) is not int:
            raise ValueError
        return _int64(wire)


class IntStr(OutputField[int]):
    """Dump an int as a JSON string of its digits, without leading zeros."""

    expected = "an integer in a JSON string"

    def written(self, value: int) -> str:
        """Return the digits."""
        return str(int(value))

    def read(self, wire: Any) -> int:
        """Return the number."""
        if not _INT.fullmatch(_clean(wire)):
            raise ValueError
        return _int64(int(wire))


class Str(OutputField[str]):
    """Dump a text as a JSON string."""

    def __init__(self, *, max_length: int = 65535, **options: Any) -> None:
        super().__init__(**options)
        self.max_length = max_length
        self.expected = f"a JSON string of {max_length} characters at most"

    def read(self, wire: Any) -> str:
        """Return the text."""
        if len(_clean(wire)) > self.max_length:
            raise ValueError
        return str(wire)


class Fixed(OutputField[Decimal]):
    """Dump a Decimal as a JSON string, rounded to `places` as PHP's number_format does.

    One with more decimals is read too, as a currency with more of them shows it.
    """

    def __init__(self, places: int, **options: Any) -> None:
        super().__init__(**options)
        self.places = places
        self.expected = f"a number with {places} to {PLACES_MOST} decimals in a JSON string"
        self._pattern = re.compile(rf"-?[0-9]{{1,{DIGITS}}}\.[0-9]{{{places},{PLACES_MOST}}}")

    def written(self, value: Decimal | int) -> str:
        """Return the digits."""
        rounded = Decimal(value).quantize(Decimal(1).scaleb(-self.places), ROUND_HALF_UP, _WIDE)
        # number_format writes no sign before a zero
        return format(rounded if rounded else abs(rounded), "f")

    def read(self, wire: Any) -> Decimal:
        """Return the number."""
        if not self._pattern.fullmatch(_clean(wire)):
            raise ValueError
        return Decimal(wire)


class Number(OutputField[Decimal]):
    """Dump a Decimal as a JSON number; the encoder prints it without trailing zeros."""

    expected = f"a JSON number with {DIGITS} digits and 3 decimals at most"

    def read(self, wire: Any) -> Decimal:
        """Return the number."""
        if type(wire) not in (int, float, Decimal):
            raise ValueError
        number = Decimal(repr(wire)) if isinstance(wire, float) else Decimal(wire)
        if not number.is_finite() or number.adjusted() >= DIGITS:
            raise ValueError
        if number != number.quantize(Decimal("0.001"), context=_WIDE):
            raise ValueError
        return number


class Flag01(OutputField[bool]):
    """Dump a bool as "1" or "0"."""

    expected = '"1" or "0"'

    def written(self, value: bool) -> str:
        """Return the digit."""
        return "1" if value else "0"

    def read(self, wire: Any) -> bool:
        """Return the bool."""
        if wire not in ("0", "1"):
            raise ValueError
        return bool(wire == "1")


class DayText(OutputField[date | None]):
    """Dump a date as `Y-m-d`, None as `0000-00-00`."""

    expected = "a date like 2030-12-31 or 0000-00-00"

    def written(self, value: date | None) -> str:
        """Return the day."""
        return NO_DAY if value is None else value.isoformat()

    def read(self, wire: Any) -> date | None:
        """Return the day."""
        return day_of(_clean(wire))


class Moment(OutputField[int | None]):
    """Dump Unix seconds as `Y-m-d H:i:s` in `local_time`, None as `0000-00-00 00:00:00`.

    The hour that a zone has twice in autumn is read as the first of the two.
    """

    expected = "a time like 2030-12-31 23:59:59"

    def written(self, value: int | None) -> str:
        """Return the time."""
        return NO_MOMENT if value is None else moment_text(value, _zone.get())

    def read(self, wire: Any) -> int | None:
        """Return the Unix seconds."""
        if wire == NO_MOMENT:
            return None
        if not _MOMENT.fullmatch(_clean(wire)):
            raise ValueError
        local = datetime.fromisoformat(wire).replace(tzinfo=_zone.get())
        try:
            return int(local.astimezone(UTC).timestamp())
        except OverflowError as problem:
            raise ValueError from problem


class Group(OutputField[dict[str, str]]):
    """Dump a dict of texts as a JSON object; without members it is written as `empty`.

    Both empty forms are read, and a list, which is how PHP prints the keys 0, 1, 2, …
    """

    expected = "an object of strings, [] or false"

    def __init__(self, *, empty: Sequence[Any] | Literal[False] = (), **options: Any) -> None:
        super().__init__(**options)
        self._empty = empty

    def written(self, value: Mapping[str, str]) -> Any:
        """Return the object."""
        return dict(value) if value else self._empty

    def read(self, wire: Any) -> dict[str, str]:
        """Return the dict."""
        if wire is False:
            return {}
        if isinstance(wire, list):
            wire = {str(index): member for index, member in enumerate(wire)}
        if not isinstance(wire, dict):
            raise ValueError
        return {_clean(key): _clean(member) for key, member in wire.items()}


def _clean(wire: Any) -> str:
    if not isinstance(wire, str) or BROKEN.search(wire):
        raise ValueError
    return wire


def _int64(number: int) -> int:
    if not -(2**63) <= number < 2**63:
        raise ValueError
    return number
