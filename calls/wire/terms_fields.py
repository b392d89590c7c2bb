"""Fields of the arguments that describe terms, beside those that every call may have."""

from __future__ import annotations

from decimal import Decimal
from functools import cache, partial
from typing import Any

from calls import php
from calls.wire import schemas
from calls.wire.texts import ONE_LINE

ALL = "all"
LEAST_PLACES = 3
"""The decimals that listPromoCodes shows, whatever the currency has."""


class Upgrades(php.InputField[Any]):
    """Load `all`, or a list of ids as answers show it: an object, false when it is empty."""

    absent = ALL
    expected = "all, or a list of ids"

    def is_absent(self, value: object) -> bool:
        """Tell whether a value stands for no value: an empty one is an empty list."""
        return False

    def _deserialize(self, value: Any, *place: Any, **options: Any) -> Any:
        if value == ALL:
            return ALL
        ids: list[str] = php.Ids().deserialize(value, *place, **options)
        return {each: each for each in ids} or False


class TermsAmount(php.Amount):
    """Load an amount with as many decimals as the currency has, three at least: codes have them."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> Decimal:
        schema: Any = self.parent
        places = schema.caller.places if hasattr(schema, "caller") else schema.places
        amount: Decimal = _of_places(max(LEAST_PLACES, places)).deserialize(value)
        return amount


Switch = partial(php.Flag, call_only=True)
"""Load the switch of a list or limit, which is on without it when it is given."""
ListSwitch = partial(Switch, description="Switches the list of that name on.")
"""Load the switch of a list."""
Name = partial(
    php.Text,
    load_default="",
    validate=ONE_LINE,
    description="The name of the one client.",
    call_only=True,
)
"""Load a name of the one client who may use a code."""
Status = partial(php.Choice, (schemas.ACTIVE, schemas.ARCHIVED), call_only=True)
"""Load whether a batch or a coupon is in use or put away."""
Active = partial(php.Flag, description="Whether the code can be used.", call_only=True)
"""Load whether a coupon is not stopped."""


@cache
def _of_places(places: int) -> php.Amount:
    return php.Amount(places=places)
