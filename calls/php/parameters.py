"""Field types for the arguments of a call: they load PHP's texts and arrays strictly.

Every refusal is a ValidationError with a short reason that follows the argument's name and never
repeats its value: "is required", "must be a whole number". A text field left empty is absent, as
in a form.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, TypeVar

from marshmallow import ValidationError, fields, missing

T = TypeVar("T")

BROKEN = re.compile("[\0\ud800-\udfff]")
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
NO_DAY = "0000-00-00"


class Parameter(fields.Field[T]):
    """Be one argument. With `bare`, every refusal has an empty reason: the name says it all."""

    def __init__(self, *, bare: bool = False, **options: Any) -> None:
        super().__init__(error_messages={"required": "is required"}, **options)
        self.bare = bare

    def deserialize(
        self,
        value: Any,
        attr: str | None = None,
        data: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Return the typed value, or the default of an absent one. Raises ValidationError."""
        try:
            return super().deserialize(
                missing if self.is_absent(value) else value, attr, data, **options
            )
        except ValidationError:
            if self.bare:
                raise ValidationError("") from None
            raise

    def is_absent(self, value: object) -> bool:
        """Tell whether a value stands for no value."""
        return value == ""

    def plain(self, value: object) -> str:
        """Return a value that is one clean text. Raises ValidationError."""
        if not isinstance(value, str):
            raise ValidationError("must be one plain value")
        if BROKEN.search(value):
            raise ValidationError("holds characters that are not text")
        return value


class Text(Parameter[str]):
    """Load a text of so many characters at most. An optional one may be empty."""

    def __init__(self, *, max_length: int = 255, **options: Any) -> None:
        super().__init__(**options)
        self.max_length = max_length

    def is_absent(self, value: object) -> bool:
        """Tell whether a value stands for no value: only where one is required."""
        return self.required and value == ""

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> str:
        text = self.plain(value)
        if len(text) > self.max_length:
            raise ValidationError(f"must have {self.max_length} characters at most")
        return text


class Whole(Parameter[int]):
    """Load an integer in plain decimal digits, bounds included."""

    def __init__(self, *, minimum: int = 0, maximum: int = 2**63 - 1, **options: Any) -> None:
        super().__init__(**options)
        self.minimum = minimum
        self.maximum = maximum

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> int:
        text = self.plain(value)
        if not _WHOLE.fullmatch(text):
            raise ValidationError("must be a whole number")
        number = int(text)
        if number < self.minimum:
            raise ValidationError(f"must be {self.minimum} or more")
        if number > self.maximum:
            raise ValidationError(f"must be {self.maximum} or less")
        return number


class Amount(Parameter[Decimal]):
    """Load a decimal number with a point; zeros beyond `places` decimals are let go."""

    def __init__(
        self,
        *,
        minimum: Decimal | None = Decimal(0),
        maximum: Decimal | None = None,
        digits: int = 12,
        places: int = 3,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.minimum = minimum
        self.maximum = maximum
        self.digits = digits
        self.places = places
        decimals = rf"\.(?=[0-9])[0-9]{{0,{places}}}0{{0,9}}"
        self._pattern = re.compile(rf"-?[0-9]{{1,{digits}}}(?:{decimals})?")

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> Decimal:
        text = self.plain(value)
        if not self._pattern.fullmatch(text):
            raise ValidationError(
                f"must be a number with {self.digits} digits and {self.places} decimals at most"
            )
        # `or` takes the sign off a negative zero
        amount = Decimal(text).quantize(Decimal(1).scaleb(-self.places)) or Decimal(0)
        if self.minimum is not None and amount < self.minimum:
            raise ValidationError(f"must be {self.minimum} or more")
        if self.maximum is not None and amount > self.maximum:
            raise ValidationError(f"must be {self.maximum} or less")
        return amount


class Choice(Parameter[str]):
    """Load one of a few words."""

    def __init__(self, words: Collection[str], **options: Any) -> None:
        super().__init__(**options)
        self.words = words

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> str:
        text = self.plain(value)
        if text not in self.words:
            raise ValidationError(f"must be one of {', '.join(self.words)}")
        return text


class Flag(Parameter[bool]):
    """Load a switch: `1` or `on`, `0` or `off`; absent is off."""

    _states: ClassVar = {"1": True, "on": True, "0": False, "off": False}

    def __init__(self, *, load_default: Any = False, **options: Any) -> None:
        super().__init__(load_default=load_default, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> bool:
        state = self._states.get(self.plain(value))
        if state is None:
            raise ValidationError("must be 1 or 0")
        return state


class Day(Parameter[date | None]):
    """Load `Y-m-d`; empty, absent and `0000-00-00` are None."""

    def __init__(self, *, load_default: Any = None, **options: Any) -> None:
        super().__init__(load_default=load_default, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> date | None:
        text = self.plain(value)
        if text == NO_DAY:
            return None
        day = day_of(text)
        if day is None:
            raise ValidationError("must be a date like 2030-12-31")
        return day


class TextList(Parameter[list[str]]):
    """Load a PHP array of texts, or one text as a list of one; its keys do not matter.

    Each text must match `pattern` as a whole, or be one of `choices`. Empty ones are left out:
    forms send one for "nothing chosen". Absent is an empty list.
    """

    def __init__(
        self,
        *,
        pattern: str | None = None,
        reason: str = "holds a value that is not allowed",
        choices: Collection[str] | None = None,
        max_items: int = 1000,
        max_length: int = 255,
        load_default: Any = list,
        **options: Any,
    ) -> None:
        super().__init__(load_default=load_default, **options)
        self.max_items = max_items
        self.max_length = max_length
        self.choices = choices
        self._pattern = re.compile(pattern or ".*", re.DOTALL)
        self.reason = reason

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> list[str]:
        texts = [self._text(item) for item in self._items(value) if item != ""]
        if len(texts) > self.max_items:
            raise ValidationError(f"must have {self.max_items} values at most")
        return texts

    def _items(self, value: Any) -> Collection[Any]:
        return value.values() if isinstance(value, dict) else [value]

    def _text(self, value: Any) -> str:
        if isinstance(value, dict):
            raise ValidationError("must be a list of plain values")
        text = self.plain(value)
        if self.choices is not None and text not in self.choices:
            raise ValidationError(f"must hold only {', '.join(self.choices)}")
        if len(text) > self.max_length or not self._pattern.fullmatch(text):
            raise ValidationError(self.reason)
        return text


class Ids(TextList):
    """Load a PHP array of ids as texts of 1 to 10 digits."""

    def __init__(self, **options: Any) -> None:
        super().__init__(pattern=r"[0-9]{1,10}", reason="must be a list of ids", **options)


def day_of(text: str) -> date | None:
    """Return the day that `Y-m-d` says, or None when there is no such day."""
    if not _DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
