"""The promobridge command: the same operations as the calls, for the operator's shell."""

from __future__ import annotations

import errno
import importlib
import keyword
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from app.cli.lines import visible

COMMANDS = {
    "access": "Make, list, limit and remove API accesses.",
    "audit": "Show who changed what, when, from where, before and after.",
    "batch": "Generate, grow, find, show, edit, archive, delete and export batches of codes.",
    "campaign": "Make, list and change campaigns of the REST API, show their codes.",
    "call": "Run one legacy call in this process and print its exact answer.",
    "collection": "Print both APIs as Postman collections.",
    "coupon": "List, show, edit, revoke and delete single coupons, import own codes.",
    "db": "Upgrade, check, copy, back up and restore the database.",
    "demo": "Serve a sample store, print calls to paste and a link to the pages.",
    "double": "Answer every call of a panel for tests of integrations, from a store of its own.",
    "import": "Store answers that were saved from a real installation.",
    "panel": "Stand in front of a panel: whom it knows, who answers what, what is taken over.",
    "redemption": "List, show and release uses of codes, of both APIs.",
    "secret": "Make, list and revoke secrets of the REST API.",
    "serve": "Answer the API with gunicorn or granian.",
    "usage": "Show who called the APIs, when, and how it went.",
    "user": "Make, list, disable and reset users of the pages under /ui.",
    "webhook": "Tell other systems of events by signed requests, show what was delivered.",
    "worker": "Make the codes of large batches that the REST API or a page was asked for.",
}
"""Every command with its sentence: the module of a command is imported when it is used."""


class Commands(click.Group):
    """Find a command in the module of its name, and print refusals without a traceback."""

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Read the options that stand before the command."""
        with _refusals_as_text():
            return super().make_context(*args, **options)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return the command of this name, imported now."""
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"{__name__}.{name}{'_' * keyword.iskeyword(name)}")
        return module.command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the first argument names; for another, name those like it."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as problem:
            # Groups compare with the commands that they hold, and this one has none of its own.
            raise click.NoSuchCommand(
                problem.command_name, possibilities=COMMANDS, ctx=ctx
            ) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; print a refusal by the store or a setting and exit with status 1."""
        from app.config import BadSetting
        from models.store.errors import AWAY, PromoError

        try:
            with _refusals_as_text():
                return super().invoke(ctx)
        except (PromoError, BadSetting) as problem:
            raise click.ClickException(visible(str(problem))) from None
        except UnicodeEncodeError as problem:
            if problem.encoding != "utf-8":
                raise
            raise click.ClickException("An argument is not text in UTF-8") from None
        except AWAY as problem:
            # Drivers of servers say it in several lines, or behind a number.
            said = " ".join(str(problem.args[-1] if problem.args else problem).split())
            reason = f"The store cannot be reached: {visible(said)}"
            raise click.ClickException(reason) from None
        except OSError as problem:
            if problem.errno != errno.ENOSPC:
                raise
            # What is left in the buffer would fail again at the end, with a traceback.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            reason = f"The output cannot be written: {problem.strerror}"
            raise click.ClickException(reason) from None


@contextmanager
def _refusals_as_text() -> Iterator[None]:
    """Show what click refuses as it was typed, or as the name of a file is, as text."""
    try:
        yield
    except click.ClickException as problem:
        # Another exception would lose the usage that is shown with it and its exit status.
        problem.message = visible(problem.message, "\n")  # type: ignore[misc]
        raise


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""Settings come from PROMOBRIDGE_* in the environment; see README. Each command has
its own --help with examples.

\b
The Tab key completes commands and options after one of these, by your shell:
  echo 'eval "$(_PROMOBRIDGE_COMPLETE=bash_source promobridge)"' >> ~/.bashrc
  echo 'eval "$(_PROMOBRIDGE_COMPLETE=zsh_source promobridge)"' >> ~/.zshrc
  _PROMOBRIDGE_COMPLETE=fish_source promobridge > ~/.config/fish/completions/promobridge.fish
""",
)
@click.version_option(package_name="promobridge", prog_name="promobridge")
def main() -> None:
    """Serve promotion codes to integrations of a billing panel's legacy admin API."""
