"""Make command-line options of the fields of a schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast
from zoneinfo import ZoneInfo

import click
from marshmallow import ValidationError
from marshmallow.fields import Field

from app import config
from app.cli.output import warn
from app.exchange import terms_parsing
from app.exchange.terms_parsing import LISTS
from calls import WrongParameters, php
from calls.wire import editing
from models.promotions.terms import Terms
from models.store import clock


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
    """Return options as loaded arguments that make whole terms; an empty one is none.

    Raises UsageError with a line for each problem, in the order of the fields.
    """
    texts = {name: _text(name, value) for name, value in options.items() if value}
    return _loaded(schema, fields, terms_parsing.parse_terms(texts), Terms())


def typed(context: click.Context, fields: Iterable[str]) -> dict[str, str]:
    """Return the options that were typed, those that are empty too."""
    return {name: _text(name, context.params[name]) for name in fields if _is_typed(context, name)}


def changes(
    schema: type[editing.TermsChange], held: Terms, given: Mapping[str, str]
) -> dict[str, Any]:
    """Return typed options as loaded arguments that change held terms.

    Raises UsageError with a line for each problem.
    """
    arguments: dict[str, Any] = {name: "" for name, text in given.items() if not text}
    return _loaded(schema, given, arguments | terms_parsing.parse_terms(given), held)


@contextmanager
def wrong_usage() -> Iterator[None]:
    """Say of arguments that terms have come to contradict meanwhile what is wrong with them."""
    try:
        yield
    except WrongParameters as wrong:
        raise click.UsageError("\n".join(wrong.problems)) from None


def _text(name: str, value: Any) -> str:
    return ",".join(value) if name in LISTS else value


def _loaded(
    schema: type[editing.TermsChange],
    fields: Iterable[str],
    given: Mapping[str, Any],
    held: Terms,
) -> dict[str, Any]:
    wrong: dict[str, list[str]] = {}
    settings = config.from_environment()
    loading = schema()
    loading.places = settings.amount_places
    try:
        arguments: dict[str, Any] = loading.load(given)
    except ValidationError as problem:
        arguments = cast(dict[str, Any], problem.valid_data)
        wrong = problem.normalized_messages()
    empty = [name for name, value in given.items() if value == "" and name not in arguments]
    wrong = {key: ["cannot be empty"] for key in empty} | editing.problems(held, arguments) | wrong
    if wrong:
        lines = [f"{option(name)} {wrong[name][0]}" for name in fields if name in wrong]
        raise click.UsageError("\n".join(lines))
    expires = arguments.get("expires")
    if expires and expires < clock.today(ZoneInfo(settings.timezone)):
        warn(f"{option('expires')} {expires} is over: the codes cannot be used")
    return arguments


def refuse_given(context: click.Context, names: Iterable[str], beside: str) -> None:
    """Raise UsageError for the first of the options that was given on the command line."""
    for name in names:
        if _is_typed(context, name):
            raise click.UsageError(f"{option(name)} cannot be given with {beside}")


def _is_typed(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _metavar(field: Field[Any]) -> str:
    if isinstance(field, php.Choice):
        return "|".join(field.words)
    kinds = {php.Amount: "AMOUNT", php.Whole: "N", php.Day: "YYYY-MM-DD", php.TextList: "LIST"}
    return next((word for kind, word in kinds.items() if isinstance(field, kind)), "TEXT")
