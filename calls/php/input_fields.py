"""Field types for the arguments of a call: they load PHP's texts and arrays strictly.

Every refusal is a ValidationError with a short reason that follows the argument's name and never
repeats its value: "is required", "must be a whole number". A text field left empty is absent, as
in a form.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar, TypeVar

from marshmallow import ValidationError, fields, missing
from marshmallow.validate import Range

from calls.php.arrays import Repeated

T = TypeVar("T")

BROKEN = re.compile("[\0\ud800-\udfff]")
DIGITS = 12
"""How many digits an amount may have before the point."""
LONGEST_ITEM = 255
NONE = "0"
MAX_ITEMS = 1000
NO_DAY = "0000-00-00"
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class StrictField(fields.Field[T]):
    """Load one form of a value and refuse all others."""

    expected = "a value"
    """Names that form in the text of a refusal."""

    def read(self, wire: Any) -> T:
        """Return the value of a wire form. Raises ValueError for any other."""
        raise NotImplementedError  # not abstract: a field that is only dumped needs none

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> T:
        try:
            return self.read(value)
        except ValueError:
            raise ValidationError(f"must be {self.expected}") from None


class InputField(StrictField[T]):
    """Load one argument. With `bare`, every refusal has an empty reason.

    The `description` is what people read of it. With `call_only` it is an argument of calls alone,
    no option of a command and no column of a file.
    """

    absent: ClassVar[Any] = missing
    """What an absent argument is loaded as where no `load_default` says it."""

    def __init__(
        self, *, bare: bool = False, description: str = "", call_only: bool = False, **options: Any
    ) -> None:
        options["metadata"] = {"description": description, "call_only": call_only}
        options = {"load_default": self.absent} | options
        super().__init__(error_messages={"required": "is required"}, **options)
        self.bare = bare

    def deserialize(self, value: Any, *place: Any, **options: Any) -> Any:
        """Return the typed value, or the default of an absent one. Raises ValidationError."""
        given = missing if self.is_absent(value) else value
        try:
            return super().deserialize(given, *place, **options)
        except ValidationError:
            if self.bare:
                raise ValidationError("") from None
            raise

    def is_absent(self, value: object) -> bool:
        """Tell whether a value stands for no value."""
        return value == ""

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> T:
        return super()._deserialize(_plain(value), attr, data, **options)


class Text(InputField[str]):
    """Load a text of so many characters at most. An optional one may be empty."""

    def __init__(self, *, max_length: int = 255, **options: Any) -> None:
        super().__init__(**options)
        self.max_length = max_length

    def is_absent(self, value: object) -> bool:
        """Tell whether a value stands for no value: only where one is required."""
        return self.required and value == ""

    def read(self, wire: str) -> str:
        """Return the text. Raises ValidationError for one that is too long."""
        if len(wire) > self.max_length:
            raise ValidationError(f"must have {self.max_length} characters at most")
        return wire


class Whole(InputField[int]):
    """Load an integer in plain decimal digits, bounds included."""

    expected = "a whole number"

    def __init__(self, *, minimum: int = 0, maximum: int = 2**63 - 1, **options: Any) -> None:
        bounds = [
            Range(min=minimum, error="must be {min} or more"),
            Range(max=maximum, error="must be {max} or less"),
        ]
        super().__init__(validate=bounds, **options)

    def read(self, wire: str) -> int:
        """Return the number."""
        if not _WHOLE.fullmatch(wire):
            raise ValueError
        return int(wire)


class Amount(InputField[Decimal]):
    """Load a decimal number with a point, 0 or more; zeros beyond `places` decimals are let go."""

    def __init__(self, *, places: int = 3, **options: Any) -> None:
        super().__init__(validate=Range(min=0, error="must be {min} or more"), **options)
        self.expected = f"a number with {DIGITS} digits and {places} decimals at most"
        self._step = Decimal(1).scaleb(-places)
        decimals = rf"\.(?=[0-9])[0-9]{{0,{places}}}0{{0,9}}"
        self._pattern = re.compile(rf"-?[0-9]{{1,{DIGITS}}}(?:{decimals})?")

    def read(self, wire: str) -> Decimal:
        """Return the number, a zero without a sign."""
        if not self._pattern.fullmatch(wire):
            raise ValueError
        return Decimal(wire).quantize(self._step) or Decimal(0)


class Choice(InputField[str]):
    """Load one of a few words."""

    def __init__(self, words: Collection[str], **options: Any) -> None:
        super().__init__(**options)
        self.words = words
        self.expected = f"one of {', '.join(words)}"

    def read(self, wire: str) -> str:
        """Return the word."""
        if wire not in self.words:
            raise ValueError
        return wire


class Flag(InputField[bool]):
    """Load a switch in any of its words, in any case; empty and absent are off.

    PHP's curl writes false as an empty text, its http_build_query as `0`.
    """

    absent = False
    expected = "1 or 0"
    _states: ClassVar = dict.fromkeys(("1", "on", "yes", "true"), True) | dict.fromkeys(
        ("", "0", "off", "no", "false"), False
    )

    def is_absent(self, value: object) -> bool:
        """Tell whether a value stands for no value: none does."""
        return False

    def read(self, wire: str) -> bool:
        """Return whether it is on."""
        state = self._states.get(wire.lower())
        if state is None:
            raise ValueError
        return state


class Day(InputField[date | None]):
    """Load `Y-m-d`; empty, absent and `0000-00-00` are None."""

    absent = None
    expected = "a date like 2030-12-31"

    def read(self, wire: str) -> date | None:
        """Return the day."""
        return day_of(wire)


class TextList(InputField[list[str]]):
    """Load a PHP array of texts, or one text as a list of one; its keys do not matter.

    Each text must match `pattern` as a whole, else `reason` says what is wrong. Empty ones are
    left out: forms send one for "nothing chosen". Absent, and a `0` that is no member of an array,
    is an empty list: so PHP's http_build_query writes false. A value that took the place of
    another is refused.
    """

    absent = list

    def __init__(self, *, pattern: str, reason: str, **options: Any) -> None:
        super().__init__(**options)
        self._pattern = re.compile(pattern)
        self.reason = reason

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> list[str]:
        items = list(value.values()) if isinstance(value, dict) else [value]
        if len(items) > MAX_ITEMS:
            raise ValidationError(f"must have {MAX_ITEMS} values at most")
        if any(isinstance(item, Repeated) for item in items):
            raise ValidationError(f"write {attr}[]=… for each value: one would replace another")
        if value == NONE:
            return []
        return [self._item(item) for item in items if item != ""]

    def _item(self, value: Any) -> str:
        if isinstance(value, dict):
            raise ValidationError("must be a list of plain values")
        if isinstance(value, str) and len(value) > LONGEST_ITEM:
            raise ValidationError(self.reason)
        text = _plain(value)
        if not self._pattern.fullmatch(text):
            raise ValidationError(self.reason)
        return text


Ids = partial(TextList, pattern=r"[0-9]{1,10}", reason="must be a list of ids")
"""Load a PHP array of ids as texts of 1 to 10 digits."""


def day_of(text: str) -> date | None:
    """Return the day that `Y-m-d` says, None for `0000-00-00`. Raises ValueError for no day."""
    if text == NO_DAY:
        return None
    if not _DAY.fullmatch(text):
        raise ValueError
    return date.fromisoformat(text)


def _plain(value: object) -> str:
    """Return a value that is one clean text. Raises ValidationError."""
    if not isinstance(value, str):
        raise ValidationError("must be one plain value")
    if BROKEN.search(value):
        raise ValidationError("holds characters that are not text")
    return str(value)
