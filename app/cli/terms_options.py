"""The options that describe terms, each named like the argument that it stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click
from marshmallow import ValidationError
from marshmallow.fields import Field

from app.exchange import terms_texts
from app.exchange.terms_texts import LISTS
from calls import php
from calls.wire import terms_arguments

Options = dict[str, tuple[str | None, str]]
"""Options by name, each with its default and its sentence."""
TERMS: Options = {
    "coupon_type": ("cart", "Where the codes can be used."),
    "type": ("percent", "What the value is."),
    "value": (None, "The discount."),
    "cycle": ("once", "Whether recurring payments are discounted too."),
    "applyto": ("price", "What is discounted."),
    "clients": ("all", "Who may use the codes."),
    "client_id": (None, "The only client who may use the codes."),
    "notes": (None, "Notes for admins."),
    "products": (None, "Only for these products."),
    "categories": (None, "Only for these categories."),
    "domains": (None, "Only for these TLDs."),
    "addons": (None, "Only for these addons."),
    "forms": (None, "Only for these forms."),
    "cycles": (None, f"Only for these billing cycles: {', '.join(terms_arguments.CYCLES)}."),
    "increase_in_days": (None, "Days after which a recurring discount ends; 0 is never."),
    "expires": (None, "The last day on which the codes can be used."),
    "max_usage": (None, "Uses of each code in all; 0 is unlimited."),
    "max_client_usage": (None, "Uses of each code by one client; 0 is unlimited."),
    "min_cart_amount": (None, "The smallest cart that the codes can be used for."),
    "prompt_cart_amount": (None, "The cart amount from which the code is offered."),
}


def option(name: str) -> str:
    """Return an option as it is typed."""
    return f"--{name.replace('_', '-')}"


def declared(
    options: Options, field_of: Callable[[str], Field[Any]]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds the options to a command; a list can be given many times."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        for name, (default, sentence) in reversed(options.items()):
            function = click.option(
                option(name),
                name,
                default=default,
                show_default=bool(default),
                multiple=name in LISTS,
                metavar=_metavar(field_of(name)),
                help=sentence,
            )(function)
        return function

    return decorate


def given_arguments(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as a request would bring them, those without a value left out."""
    return terms_texts.arguments(
        {
            name: ",".join(value) if name in LISTS else value
            for name, value in options.items()
            if value
        }
    )


def problems(problem: ValidationError, argument_of: Mapping[str, str]) -> list[str]:
    """Return a line for each option whose argument has a problem, in the order of the options."""
    messages = problem.normalized_messages()
    return [
        f"{option(name)} {messages[argument][0]}"
        for name, argument in argument_of.items()
        if argument in messages
    ]


def refuse_given(context: click.Context, names: Iterable[str], beside: str) -> None:
    """Raise UsageError for the first of the options that was given on the command line."""
    for name in names:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{option(name)} cannot be given with {beside}")


def _metavar(field: Field[Any]) -> str:
    if isinstance(field, php.Choice):
        return "|".join(field.words)
    kinds = {php.Amount: "AMOUNT", php.Whole: "N", php.Day: "YYYY-MM-DD", php.TextList: "LIST"}
    return next((word for kind, word in kinds.items() if isinstance(field, kind)), "TEXT")
