"""Field types for what a call answers: they dump typed values as the wire has them.

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

from marshmallow import ValidationError, fields

from calls.php.parameters import BROKEN, NO_DAY, day_of

T = TypeVar("T")

NO_MOMENT = "0000-00-00 00:00:00"
DIGITS = 12
"""How many digits an amount may have before the point."""

_INT = re.compile(r"0|-?[1-9][0-9]{0,18}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
# Wide enough for any amount: quantize must never run out of digits.
_WIDE = Context(prec=60)
_zone: ContextVar[tzinfo] = ContextVar("zone", default=UTC)


@contextmanager
def local_time(zone: tzinfo) -> Iterator[None]:
    """Write and read each `Moment` that has no zone of its own in this one; without it, in UTC.

    A generator made inside looks at the zone when it runs, so it must also be used up inside.
    """
    token = _zone.set(zone)
    try:
        yield
    finally:
        _zone.reset(token)


class Answered(fields.Field[T]):
    """Be one member of an answer: subclasses say how it looks (`written`) and is read (`read`).

    None is written as null but where a subclass has a form for it. A subclass that is only
    answered has no `read`, and one that serializes by itself no `written`.
    """

    expected = "a value"
    """Names the wire form in the text of a refusal."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            error_messages={"required": "is missing", "null": "must not be null"}, **options
        )

    def written(self, value: T) -> Any:
        """Return the wire form of a value."""
        raise NotImplementedError  # not abstract: who serializes by itself needs none

    def read(self, wire: Any) -> T:
        """Return the value of a wire form. Raises ValueError for any other."""
        raise NotImplementedError  # not abstract: who is only answered needs none

    def _serialize(self, value: T | None, attr: Any, obj: Any, **options: Any) -> Any:
        return None if value is None else self.written(value)

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> T:
        try:
            return self.read(value)
        except ValueError:
            raise ValidationError(f"must be {self.expected}") from None


class Int(Answered[int]):
    """An int as a JSON number."""

    expected = "a JSON integer"

    def written(self, value: int) -> int:
        """Return the number."""
        return int(value)

    def read(self, wire: Any) -> int:
        """Return the number."""
        if type(wire) is not int:
            raise ValueError
        return _int64(wire)


class IntStr(Answered[int]):
    """An int as a JSON string of its digits, without leading zeros."""

    expected = "an integer in a JSON string"

    def written(self, value: int) -> str:
        """Return the digits."""
        return str(int(value))

    def read(self, wire: Any) -> int:
        """Return the number."""
        if not _INT.fullmatch(_clean(wire)):
            raise ValueError
        return _int64(int(wire))


class Str(Answered[str]):
    """A text as a JSON string; an int is written as its digits."""

    def __init__(self, *, max_length: int = 65535, **options: Any) -> None:
        super().__init__(**options)
        self.max_length = max_length
        self.expected = f"a JSON string of {max_length} characters at most"

    def written(self, value: str | int) -> str:
        """Return the text."""
        return value if isinstance(value, str) else str(int(value))

    def read(self, wire: Any) -> str:
        """Return the text."""
        if len(_clean(wire)) > self.max_length:
            raise ValueError
        return str(wire)


class Fixed(Answered[Decimal]):
    """A Decimal as a JSON string with so many decimals, rounded as PHP's number_format does."""

    def __init__(self, places: int, **options: Any) -> None:
        super().__init__(**options)
        self.expected = f"a number with {places} decimals in a JSON string"
        self._step = Decimal(1).scaleb(-places)
        self._pattern = re.compile(
            rf"-?[0-9]{{1,{DIGITS}}}" + rf"\.[0-9]{{{places}}}" * bool(places)
        )

    def written(self, value: Decimal | int) -> str:
        """Return the digits."""
        rounded = Decimal(value).quantize(self._step, ROUND_HALF_UP, _WIDE)
        # number_format writes no sign before a zero
        return format(rounded if rounded else abs(rounded), "f")

    def read(self, wire: Any) -> Decimal:
        """Return the number."""
        if not self._pattern.fullmatch(_clean(wire)):
            raise ValueError
        return Decimal(wire)


class Number(Answered[Decimal]):
    """A Decimal as a JSON number."""

    def __init__(self, *, places: int = 3, **options: Any) -> None:
        super().__init__(**options)
        self.expected = f"a JSON number with {DIGITS} digits and {places} decimals at most"
        self._step = Decimal(1).scaleb(-places)

    def written(self, value: Decimal | int) -> Decimal | int:
        """Return the number; the encoder prints it without trailing zeros."""
        return value

    def read(self, wire: Any) -> Decimal:
        """Return the number."""
        if type(wire) not in (int, float, Decimal):
            raise ValueError
        number = Decimal(repr(wire)) if isinstance(wire, float) else Decimal(wire)
        if not number.is_finite() or number.adjusted() >= DIGITS:
            raise ValueError
        if number != number.quantize(self._step, context=_WIDE):
            raise ValueError
        return number


class Flag01(Answered[bool]):
    """A bool as "1" or "0"."""

    expected = '"1" or "0"'

    def written(self, value: bool) -> str:
        """Return the digit."""
        return "1" if value else "0"

    def read(self, wire: Any) -> bool:
        """Return the bool."""
        if wire not in ("0", "1"):
            raise ValueError
        return bool(wire == "1")


class DayText(Answered[date | None]):
    """A date as `Y-m-d`; None is `0000-00-00`."""

    expected = "a date like 2030-12-31 or 0000-00-00"

    def _serialize(self, value: date | None, attr: Any, obj: Any, **options: Any) -> str:
        return self.written(value)

    def written(self, value: date | None) -> str:
        """Return the day."""
        return NO_DAY if value is None else value.isoformat()

    def read(self, wire: Any) -> date | None:
        """Return the day."""
        day = day_of(_clean(wire))
        if day is None and wire != NO_DAY:
            raise ValueError
        return day


class Moment(Answered[datetime | None]):
    """An aware datetime as `Y-m-d H:i:s` of a zone; None is `0000-00-00 00:00:00`.

    The zone is the field's own or that of `local_time`. The hour that a zone has twice in autumn
    is read as the first of the two.
    """

    expected = "a time like 2030-12-31 23:59:59"

    def __init__(self, *, zone: tzinfo | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._own_zone = zone

    def _serialize(self, value: datetime | None, attr: Any, obj: Any, **options: Any) -> str:
        return self.written(value)

    def written(self, value: datetime | None) -> str:
        """Return the time to the second."""
        if value is None:
            return NO_MOMENT
        return value.astimezone(self.zone).isoformat(" ")[:19]

    def read(self, wire: Any) -> datetime | None:
        """Return the time in UTC."""
        if wire == NO_MOMENT:
            return None
        if not _MOMENT.fullmatch(_clean(wire)):
            raise ValueError
        try:
            return datetime.fromisoformat(wire).replace(tzinfo=self.zone).astimezone(UTC)
        except OverflowError as problem:
            raise ValueError from problem

    @property
    def zone(self) -> tzinfo:
        """Return the zone that holds now."""
        return self._own_zone or _zone.get()


class Group(Answered[dict[str, str]]):
    """A dict of texts as a JSON object; without members it is written as `empty`.

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
