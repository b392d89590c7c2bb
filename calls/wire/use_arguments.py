"""Arguments that describe a use of a code, and the schema of a redemption."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Any, cast

from marshmallow import Schema, post_load

from calls import Caller, Params, php
from calls.wire.ids import Count
from models.redemptions import redemptions
from models.redemptions.use_rules import EXISTING, NEW, Use


class Sum(php.InputField[Decimal]):
    """Load an amount with as many decimals as the currency has."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> Any:
        places = cast(Params, self.parent).caller.settings.amount_places
        return php.Amount(places=places).deserialize(value)


class UseParams(Params):
    """Declare a code and how it is used, which is loaded as one, the `use`."""

    code = php.Text(required=True)
    client_id = Count()
    clients = php.Choice((NEW, EXISTING), load_default=None)
    invoice_id = Count()
    order_id = Count()
    amount = Sum(load_default=None)
    setup_amount = Sum(load_default=None)

    @post_load
    def _described(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        code, caller = data.pop("code"), self.caller
        places = caller.settings.amount_places
        use = Use(today=caller.today, places=places, api_id=caller.api_id, **data)
        return {"code": code, "use": use}


class SumText(php.OutputField[Decimal | None]):
    """Show an amount with the currency's places at least, None as an empty text."""

    def written(self, value: Decimal | None) -> str:
        """Return the digits."""
        return amount_text(value, cast(Redemption, self.parent).places)


class Redemption(Schema):
    """Describe a redemption: all strings, as a coupon in listPromoCodes."""

    id = php.IntStr()
    coupon_id = php.IntStr()
    code = php.Str()
    batch_id = php.IntStr()
    client_id = php.IntStr()
    invoice_id = php.IntStr()
    order_id = php.IntStr()
    amount = SumText()
    setup_amount = SumText()
    discount = SumText()
    setup_discount = SumText()
    state = php.Str()
    api_id = php.Str()
    redeemed_at = php.Moment()
    released_at = php.Moment()

    def __init__(self, places: int) -> None:
        super().__init__()
        self.places = places


_schema = cache(Redemption)  # making one takes longer than dumping a redemption


def shown(caller: Caller, redemption: redemptions.Redemption) -> dict[str, Any]:
    """Return a redemption as it is answered, times in the installation's zone."""
    with php.local_time(caller.zone):
        return _schema(caller.settings.amount_places).dump(redemption)


def amount_text(amount: Decimal | None, places: int) -> str:
    """Return an amount with so many decimals, or more where it has more: the setting may change."""
    if amount is None:
        return ""
    exponent = amount.as_tuple().exponent
    return f"{amount:.{max(places, -int(exponent))}f}"
