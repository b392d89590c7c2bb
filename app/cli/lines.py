"""Lines of text on a terminal, in which nothing that others wrote acts on it."""

from __future__ import annotations

import click


def visible(text: str, ends: str = "") -> str:
    """Return the text with each character that is not shown as itself as an escape: `\\x1b`.

    Those among `ends` stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in ends else each.encode("unicode_escape").decode()
        for each in text
    )


def put_line(text: str, err: bool = False) -> None:
    """Print one line on standard output, or on standard error."""
    click.echo(visible(text), err=err)
