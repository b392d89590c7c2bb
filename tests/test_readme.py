"""README keeps to the truth: what it says of calls, settings, commands and guesses is checked."""

import re
from dataclasses import fields
from pathlib import Path

import click
import pytest

import calls
from app.cli import COMMANDS, main
from app.config import Settings, variable

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", sorted(calls.registry()))
def test_every_call_is_named(name: str) -> None:
    assert f"| `{name}` |" in README


def test_no_call_is_named_that_there_is_not() -> None:
    named = set(re.findall(r"^\| `([a-z]+[A-Z]\w*)` \|", README, re.MULTILINE))
    assert named == set(calls.registry())


@pytest.mark.parametrize("setting", fields(Settings), ids=lambda setting: setting.name)
def test_every_setting_has_its_row(setting: object) -> None:
    row = f"| `{variable(setting.name)}` | `{setting.default}` | {setting.metadata['sentence']} |"
    assert row in README


def test_no_setting_is_named_that_there_is_not() -> None:
    named = set(re.findall(r"\bPROMOBRIDGE_(?!TEST_)[A-Z_]+\b", README))
    assert named <= {variable(setting.name) for setting in fields(Settings)}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_named_with_its_subcommands(name: str) -> None:
    row = re.search(rf"^\| `promobridge {name}\b.*\|", README, re.MULTILINE)
    assert row is not None
    command = main.get_command(click.Context(main), name)
    for part in getattr(command, "commands", {}):
        assert re.search(rf"\b{part}\b", row[0])


def test_every_guess_in_the_code_is_listed() -> None:
    sources = [path for part in ("app", "calls", "models") for path in (ROOT / part).rglob("*.py")]
    guesses = {
        guess for path in sources for guess in re.findall(r"# guess: (.*)", path.read_text())
    }
    listed = set(re.findall(r"^- (.*)", README.split("`# guess:`")[1], re.MULTILINE))
    assert guesses
    assert guesses <= listed


def test_the_two_commands_are_there_for_pasting() -> None:
    commands = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)
    last = [command.split(" && ")[-1].split()[:2] for command in commands]
    assert last == [[".venv/bin/promobridge", "demo"], [".venv/bin/pytest", "-n"]]
