"""The legacy calls, described from the schemas of their arguments."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from marshmallow.fields import Field
from marshmallow.validate import Range

import calls
from app.idempotency import KEY_LENGTH
from app.reference.described import API_ID, API_KEY, Argument, Operation, Request
from calls import IDEMPOTENCY_KEY, Call, Params, php
from calls.wire.batch_arguments import DrawnParams
from calls.wire.editing import CodeOrIdParams, TermsChange
from calls.wire.ids import LARGEST_COUNT
from calls.wire.pages import PageParams
from calls.wire.use_arguments import Items, UseParams

VENDOR, EXTENSION = "The vendor's calls", "Extensions in the same style"
ENDPOINT = "/api.php"
EXAMPLES: dict[str, str | list[str]] = {
    "amount": "19.99",
    "applycoupon": "SUMMER15",
    "client_id": "7",
    "clients": "existing",
    "code": "SUMMER15",
    "coupon_type": "cart",
    "date_from": "2026-01-01",
    "expires": "2030-12-31",
    "id": "2",
    "max_usage": "10",
    "name": "Spring sale",
    "order_id": "1001",
    "perpage": "10",
    "prefix": "SPRING-",
    "products": ["5"],
    "size": "10",
    "type": "percent",
    "value": "15",
}
"""What examples send for arguments, by their names."""
SHOWN: dict[type[Params], set[str]] = {
    PageParams: {"perpage"},
    CodeOrIdParams: {"code"},
    DrawnParams: {"prefix"},
    TermsChange: {"max_usage", "expires"},
    UseParams: {"client_id", "order_id", "products", "amount"},
}
"""Arguments that examples send though they may be left out, by what the schema is made of."""
OF_EVERY_WRITE = Argument(
    IDEMPOTENCY_KEY,
    f"text, {KEY_LENGTH} characters at most",
    "Names what is wanted once: the first answer is kept for 24 hours and given again.",
    example="order-1001",
)


@cache
def operations() -> tuple[Operation, ...]:
    """Return every legacy call, those of the vendor first."""
    described = [_described(call) for call in calls.registry().values()]
    return tuple(sorted(described, key=_place))


def request(operation: Operation, url: str) -> Request:
    """Return a request that shows a call; `url` is that of the endpoint."""
    arguments = {each.name: each.example for each in operation.arguments if each.shown}
    credentials = {"api_id": API_ID, "api_key": API_KEY}
    return Request("POST", url, form=credentials | {"call": operation.title} | arguments)


def _place(operation: Operation) -> tuple[bool, bool, str]:
    # Whoever runs all examples in turn deletes last.
    is_deletion = operation.title.startswith("delete")
    return operation.group != VENDOR, is_deletion, operation.title


def _described(call: Call) -> Operation:
    schema = call.params()
    shown = {name for base in SHOWN if issubclass(call.params, base) for name in SHOWN[base]}
    # Some schemas require a part of what they declare: `partial` names what may be left out.
    optional = schema.partial if isinstance(schema.partial, set) else set()
    arguments = [
        argument
        for name, field in schema.fields.items()
        for argument in _arguments(name, field, field.required and name not in optional, shown)
    ]
    if call.writes:
        arguments.append(OF_EVERY_WRITE)
    return Operation(
        call.name,
        call.name,
        (call.handle.__doc__ or "").partition("\n")[0],
        "POST",
        ENDPOINT,
        tuple(arguments),
        EXTENSION if call.extension else VENDOR,
    )


def _arguments(name: str, field: Field[Any], required: bool, shown: set[str]) -> Iterator[Argument]:
    """Yield an argument, and for a list of things the fields of one."""
    sent = field.data_key or name
    is_list = isinstance(field, php.TextList)
    yield Argument(
        f"{sent}[]" if is_list else sent,
        _takes(field),
        _description(field),
        required,
        example=EXAMPLES[sent] if sent in EXAMPLES else _example(field),
        shown=required or name in shown,
    )
    if isinstance(field, Items):
        for inner, member in field.member().fields.items():
            example = EXAMPLES[inner] if inner in EXAMPLES else _example(member)
            yield Argument(
                f"{sent}[0][{inner}]", _takes(member), _description(member), example=example
            )


def _description(field: Field[Any]) -> str:
    default = field.load_default
    given = f" {default} if not given." if default and isinstance(default, str | int) else ""
    return f"{field.metadata['description']}{given}"


def _example(field: Field[Any]) -> str | list[str]:
    """Return a value that a field takes."""
    if isinstance(field, php.Choice):
        return next(iter(field.words))
    if isinstance(field, php.TextList):
        return ["5"]
    if isinstance(field, php.Text):
        return ""
    return EXAMPLES["expires"] if isinstance(field, php.Day) else "1"


def _takes(field: Field[Any]) -> str:
    """Return what a field takes, in words."""
    if isinstance(field, php.TextList):
        return field.reason.removeprefix("must be ").replace("must hold only", "a list of")
    if isinstance(field, php.Text):
        return f"text, {field.max_length} characters at most"
    if isinstance(field, php.Whole):
        return f"a whole number{_bounds(field)}"
    return field.expected if isinstance(field, php.InputField) else "a value"


def _bounds(field: php.Whole) -> str:
    ranges = [check for check in field.validators if isinstance(check, Range)]
    least = max(check.min for check in ranges if check.min is not None)
    most = min(check.max for check in ranges if check.max is not None)
    return f" from {least:,}" + ("" if most >= LARGEST_COUNT else f" to {most:,}")
