"""Arguments that describe a use of a code, and the schema of a redemption."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, cast

from marshmallow import Schema, ValidationError, post_dump, post_load
from marshmallow.validate import Regexp

from calls import Caller, Params, php
from calls.wire import near_misses
from calls.wire.ids import Count
from models.promotions.terms import ACTIONS, Item, spelled
from models.redemptions.redemption import Redemption
from models.redemptions.use_rules import EXISTING, NEW, Use

TLD = r"\.?[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*"
CYCLE_LENGTH = 32
LARGEST_QUANTITY = 1_000_000
WRONG_FIELDS = 10
"""How many wrong fields of items one answer tells about."""
GROUP_OF = {
    "product": "products",
    "category": "categories",
    "addon": "addons",
    "domain": "domains",
    "form": "forms",
    "upgrade": "upgrades",
}
"""The fields that say what an item is, with the group of each."""
OF_ALL = ("products", "categories", "addons", "domains", "forms", "upgrade", "cycle")
"""The arguments that say it of all that is bought; `domain_action` is one more."""


class Sum(php.InputField[Decimal]):
    """Load an amount with as many decimals as the currency has."""

    expected = "a number"

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> Any:
        places = cast(Params, self.parent).caller.settings.amount_places
        return php.Amount(places=places).deserialize(value)


class ItemParams(Params):
    """Declare the fields of one thing that is bought; the amounts are of one piece."""

    product = Count(description="The product.")
    category = Count(description="Its category.")
    addon = Count(description="The addon.")
    domain = php.Text(
        load_default="",
        validate=Regexp(f"({TLD})?\\Z", error="must be a TLD"),
        description="The TLD of a domain.",
    )
    form = Count(description="The form.")
    upgrade = Count(description="The upgrade.")
    cycle = php.Text(
        max_length=CYCLE_LENGTH, load_default="", description="The billing cycle, such as Monthly."
    )
    domain_action = php.Choice(
        ACTIONS, load_default="", description="What is done with the domain."
    )
    amount = Sum(load_default=None, description="The price of one piece.")
    setup_amount = Sum(load_default=None, description="The setup fee of one piece.")
    quantity = php.Whole(
        minimum=1, maximum=LARGEST_QUANTITY, load_default=1, description="How many pieces."
    )


class Items(php.InputField[list[Item]]):
    """Load a PHP array of what is bought; its keys do not matter. Absent is an empty list."""

    absent = list
    expected = "a list such as items[0][product]=5"
    member = ItemParams

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> list[Item]:
        members = list(value.values()) if isinstance(value, dict) else [value]
        schema = self.member()
        schema.caller = cast(Params, self.parent).caller
        loaded: list[dict[str, Any]] = []
        wrong: list[str] = []
        for number, member in enumerate(members):
            if not isinstance(member, dict):
                raise ValidationError(f"must be {self.expected}")
            fields = {str(name): each for name, each in member.items()}
            unknown = [name for name in fields if name not in schema.fields]
            # What is not told about is not compared either.
            wrong += [
                f"[{number}][{near_misses.shown(name)}] {_unknown(name, schema)}"
                for name in unknown[: max(0, WRONG_FIELDS - len(wrong))]
            ]
            try:
                loaded.append(schema.load(fields))
            except ValidationError as problem:
                for name, reasons in problem.normalized_messages().items():
                    wrong.append(f"[{number}][{name}] {'; '.join(reasons)}")
        if wrong:
            raise ValidationError(wrong[:WRONG_FIELDS])
        if len({each["amount"] is None for each in loaded}) > 1:
            raise ValidationError("must have an amount in each or in none")
        return [_item(each) for each in loaded]


class UseParams(Params):
    """Declare a code and how it is used, which is loaded as one, the `use`.

    What is bought comes as lists with one amount for all of it, or as `items` of one thing each.
    """

    code = php.Text(required=True, description="What was typed.")
    client_id = Count(description="Who buys; 0 is unknown.")
    clients = php.Choice(
        (NEW, EXISTING),
        load_default=None,
        description="Whether the client is new; existing where a client or an invoice is given.",
    )
    invoice_id = Count(
        description="The invoice that the code is used on; without it the code is used in a cart."
    )
    order_id = Count(description="The order of the cart.")
    account_id = Count(description="The service that is paid for.")
    products = php.Ids(description="The products that are bought.")
    categories = php.Ids(description="The categories of these products.")
    addons = php.Ids(description="The addons that are bought.")
    domains = php.TextList(
        pattern=TLD,
        reason="must be a list of TLDs",
        description="The TLDs of the domains that are bought.",
    )
    forms = php.Ids(description="The forms that are filled in.")
    upgrade = Count(description="The upgrade that is bought.")
    cycle = php.Text(
        max_length=CYCLE_LENGTH, load_default="", description="The billing cycle, such as Monthly."
    )
    domain_action = php.Choice(
        ACTIONS, load_default="", description="What is done with the domains."
    )
    items = Items(description="What is bought, line by line instead of in lists.")
    amount = Sum(load_default=None, description="The price of all that is bought.")
    setup_amount = Sum(load_default=None, description="The setup fees of all that is bought.")

    @post_load
    def _described(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        code, caller = data.pop("code"), self.caller
        of_all = {name: data.pop(name, None) for name in (*OF_ALL, "domain_action")}
        items = data.pop("items", [])
        if items:
            wrong = [name for name, said in of_all.items() if said]
            totals = {name: _total(items, name) for name in ("amount", "setup_amount")}
            wrong += [name for name, total in totals.items() if data[name] not in (None, total)]
            if wrong:
                raise ValidationError({name: ["must be left to the items"] for name in wrong})
            data |= totals
        use = Use(
            today=caller.today,
            places=caller.settings.amount_places,
            api_id=caller.api_id,
            items=tuple(items or _things(of_all)),
            itemized=bool(items),
            **data,
        )
        return {"code": code, "use": use}


def _unknown(name: str, schema: Schema) -> str:
    meant = near_misses.nearest(name, schema.fields)
    return f"is unknown, did you mean {meant}?" if meant else "is unknown"


def _item(fields: Mapping[str, Any]) -> Item:
    """Return what the fields of one item say, with the amounts of all its pieces."""
    said = {group: fields[name] for name, group in GROUP_OF.items() if fields[name]}
    amount, setup_amount, pieces = (fields[name] for name in ("amount", "setup_amount", "quantity"))
    return Item(
        {group: frozenset((spelled(str(each)),)) for group, each in said.items()},
        spelled(fields["cycle"]),
        fields["domain_action"],
        None if amount is None else amount * pieces,
        None if setup_amount is None else setup_amount * pieces,
    )


def _total(items: list[Item], name: str) -> Decimal | None:
    """Return what the items come to, None where no amounts were said."""
    amounts = [amount for item in items if (amount := getattr(item, name)) is not None]
    return sum(amounts, Decimal(0)) if amounts else None


def _things(of_all: Mapping[str, Any]) -> Iterator[Item]:
    """Yield each thing that the lists name; all have the one cycle and the one action."""
    groups = {group: of_all[group] or () for group in GROUP_OF.values() if group in of_all}
    groups["upgrades"] = [of_all["upgrade"]] if of_all["upgrade"] else ()
    ids = {
        group: frozenset(spelled(str(each)) for each in said) - {"0"}
        for group, said in groups.items()
    }
    cycle, action = spelled(of_all["cycle"] or ""), of_all["domain_action"] or ""
    products = ids.pop("products")
    if products:  # their categories, and what they are changed to by an upgrade
        theirs = {group: said for group in ("categories", "upgrades") if (said := ids.pop(group))}
        for product in products:
            yield Item({"products": frozenset((product,)), **theirs}, cycle, action)
    things = [(group, each) for group, said in ids.items() for each in said]
    for group, each in things:
        yield Item({group: frozenset((each,))}, cycle, action)
    if not (products or things) and (cycle or action):
        yield Item({}, cycle, action)


class SumText(php.OutputField[Decimal | None]):
    """Show an amount with the currency's places at least, None as an empty text."""

    def written(self, value: Decimal | None) -> str:
        """Return the digits."""
        return amount_text(value, cast(RedemptionFields, self.parent).places)


class RedemptionFields(Schema):
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
    account_id = php.IntStr()

    def __init__(self, places: int) -> None:
        super().__init__()
        self.places = places

    @post_dump
    def _only_where_said(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        if data["account_id"] == "0":
            del data["account_id"]
        return data


_schema = cache(RedemptionFields)  # making one takes longer than dumping a redemption


def shown(caller: Caller, redemption: Redemption) -> dict[str, Any]:
    """Return a redemption as it is answered, times in the installation's zone."""
    with php.local_time(caller.zone):
        return _schema(caller.settings.amount_places).dump(redemption)


def amount_text(amount: Decimal | None, places: int) -> str:
    """Return an amount with so many decimals, or more where it has more: the setting may change."""
    if amount is None:
        return ""
    exponent = amount.as_tuple().exponent
    return f"{amount:.{max(places, -int(exponent))}f}"
