"""Make command-line options of the fields of a schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import click
from marshmallow import ValidationError
from marshmallow.fields import Field

from app.exchange import terms_parsing
from app.exchange.terms_parsing import LISTS
from calls import php
from calls.wire import editing
from models.promotions.terms import Terms


def option(name: str) -> str:
    """Return the name of an option as it is typed."""
    return f"--{name.replace('_', '-')}"


def declared(
    fields: Mapping[str, Field[Any]], defaults: Mapping[str, str]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds an option for each field; a list can be given many times."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        for name, field in reversed(list(fields.items())):
            default = defaults.get(name)
            if isinstance(field, php.Flag):
                function = click.option(
                    option(name),
                    name,
                    is_flag=True,
                    flag_value="1",
                    default=None,
                    help=field.metadata["description"],
                )(function)
                continue
            function = click.option(
                option(name),
                name,
                default=default,
                show_default=bool(default),
                multiple=name in LISTS,
                metavar=_metavar(field),
                help=field.metadata["description"],
            )(function)
        return function

    return decorate


def loaded(
    schema: type[editing.TermsChange], fields: Iterable[str], options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return options as loaded arguments that make whole terms.

    Raises UsageError with a line for each problem, in the order of the fields.
    """
    given = {
        name: ",".join(value) if name in LISTS else value
        for name, value in options.items()
        if value
    }
    wrong: dict[str, list[str]] = {}
    try:
        arguments: dict[str, Any] = schema().load(terms_parsing.parse_terms(given))
    except ValidationError as problem:
        arguments = cast(dict[str, Any], problem.valid_data)
        wrong = problem.normalized_messages()
    wrong = editing.problems(Terms(), arguments) | wrong
    if wrong:
        lines = [f"{option(name)} {wrong[name][0]}" for name in fields if name in wrong]
        raise click.UsageError("\n".join(lines))
    return arguments


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
