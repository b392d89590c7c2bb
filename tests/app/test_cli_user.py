"""promobridge user: people of the pages, from the shell."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner, Result

from app.cli import main
from app.config import Settings
from models.people import invites, users
from models.people.users import ADMIN
from models.store.base import database

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _named(store: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMOBRIDGE_DATABASE_URL", store.database_url)


def run(*words: str, text: str = "") -> Result:
    return CliRunner().invoke(main, ["user", *words], input=text)


def test_a_password_is_asked_twice_and_not_shown() -> None:
    done = run("add", "anna", "--role", "admin", text=f"{PASSWORD}\n{PASSWORD}\n")
    assert done.exit_code == 0, done.output
    assert PASSWORD not in done.output
    with database.connection_context():
        assert users.authenticated("Anna", PASSWORD) is not None
    assert "enabled" in run("list").output


def test_a_password_comes_from_standard_input_and_from_nowhere_else() -> None:
    done = run("add", "anna", "--role", "viewer", "--password", "-", "--json", text=PASSWORD)
    assert json.loads(done.stdout)["state"] == "enabled"
    refused = run("add", "otto", "--role", "viewer", "--password", PASSWORD)
    assert refused.exit_code == 2
    assert "use --password -" in refused.output


@pytest.mark.parametrize(
    ("words", "text", "sentence"),
    [
        (("anna", "--role", "admin", "--password", "-"), "short", "12 to 128 characters"),
        (("anna", "--role", "admin", "--password", "-"), "anna is my name", "must not hold"),
        (("", "--role", "admin", "--invite"), "", "A name is one line"),
        (("a\nb", "--role", "admin", "--invite"), "", "A name is one line"),
    ],
)
def test_what_cannot_be_is_refused(words: tuple[str, ...], text: str, sentence: str) -> None:
    done = run("add", *words, text=text)
    assert done.exit_code == 1
    assert sentence in done.output
    with database.connection_context():
        assert not users.exist()


def test_invitations_disabling_and_resets() -> None:
    done = run("add", "anna", "--role", "admin", "--invite", "--at", "https://promo.example/")
    link = re.search(r"https://promo\.example/ui/invite/(\w+)", done.output)
    assert link is not None
    with database.connection_context():
        assert invites.by_token(link[1])[1].role == ADMIN
        invites.consume(link[1], PASSWORD)
    assert (
        "There is a user ANNA already" in run("add", "ANNA", "--role", "admin", "--invite").output
    )
    last = run("disable", "anna")
    assert (last.exit_code, "the last admin" in last.output) == (1, True)
    run("add", "otto", "--role", "admin", "--invite")
    assert "disabled" in run("disable", "anna").output
    assert "enabled" in run("enable", "anna").output
    assert run("reset", "anna", text="n\n").exit_code == 1
    assert "/ui/invite/" in run("reset", "anna", "--yes").output
    with database.connection_context():
        assert users.authenticated("anna", PASSWORD) is None
    assert run("reset", "nobody", "--yes").exit_code == 1
