"""READMEs keep to the truth: what they say of names, arguments, numbers and files is checked."""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
from flask import Flask

import calls
from app import metrics, rest
from app.cli import main
from app.config import Settings, variable
from app.pruning import DELIVERY_DAYS as KEPT_DAYS
from app.webhooks.event_data import SCHEMAS, BatchData
from calls import php
from calls.wire.batch_arguments import LARGEST_SIZE
from calls.wire.editing import TermsChange
from models.campaigns.campaign_making import GENERATED_MOST
from models.campaigns.jobs import CODES_MOST
from models.redemptions.use_rules import REFUSALS
from models.webhooks.deliveries import DELAYS
from models.webhooks.webhooks import EVENTS, MOST, MOST_OF_OWNER, STANDARD
from tests.test_imports import FLOORS

ROOT = Path(__file__).parents[1]
FOLDERS = ("app", "calls", "deploy", "models", "tests")
FILES = [ROOT / "README.md"]
FILES += sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("README.md"))
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text() for path in FILES}
README, CALLS, REST, PANEL, DOUBLE, WEBHOOKS, DEPLOY = (
    TEXTS[f"{folder}README.md"]
    for folder in (
        *("", "calls/", "app/rest/", "app/panel/"),
        *("app/double/", "app/webhooks/", "deploy/"),
    )
)
UNDER = tuple(f"{folder}/" for folder in FOLDERS)
MOST_LINES = 180
FILE_NAME = re.compile(r"(?=.*/|.*\.(?:py|cfg|md|conf|toml|yaml)$)[a-z0-9_.][\w./-]*")
EVERY = pytest.mark.parametrize("name", TEXTS)


def rows(text: str) -> dict[str, list[str]]:
    """Return the cells of all rows of tables by the first name in their first cell."""
    found = {}
    for line in re.findall(r"^\|.*\|$", text, re.MULTILINE):
        cells = [cell.strip() for cell in line[1:-1].split("|")]
        if first := named(cells[0]):
            found[first[0]] = cells
    return found


def named(text: str) -> list[str]:
    """Return what stands in backticks."""
    return re.findall(r"`([^`\n]+)`", text)


def commands_in(text: str) -> Iterator[str]:
    """Yield the commands of ours that a text shows, in backticks or in a block."""
    for span in named(re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)):
        yield from re.findall(r"(?:^|[ /])promobridge ([a-z].*)", span)
    for block in re.findall(r"^```.*?^```$", text, re.MULTILINE | re.DOTALL):
        yield from re.findall(r"^(?:\$ )?(?:\S*/)?promobridge ([^#\n]+)", block, re.MULTILINE)


def command(*words: str) -> click.Command:
    found = main.get_command(click.Context(main), words[0])
    assert found is not None, words
    if len(words) > 1 and isinstance(found, click.Group):
        assert words[1] in found.commands, words
        return found.commands[words[1]]
    return found


def test_the_front_door_is_short() -> None:
    assert len(README.splitlines()) <= MOST_LINES


def test_the_two_commands_are_there_for_pasting() -> None:
    lines = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)
    last = [line.split(" && ")[-1].split()[:2] for line in lines]
    assert last == [[".venv/bin/promobridge", "demo"], [".venv/bin/pytest", "-n"]]


@EVERY
def test_every_link_leads_somewhere(name: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", TEXTS[name]):
        place, _, heading = link.partition("#")
        if ":" not in link:
            file = (ROOT / name).parent / place if place else ROOT / name
            assert file.exists(), link
            if heading:
                slugs = re.sub(r"[^\w\- \n]", "", file.read_text().lower()).replace(" ", "-")
                assert f"-{heading}\n" in slugs, link


@EVERY
def test_every_file_that_is_named_exists(name: str) -> None:
    text, folder = TEXTS[name], (ROOT / name).parent
    spans = named(text)
    paths = {span for span in spans if FILE_NAME.fullmatch(span)}
    paths |= {word for span in spans for word in span.split() if word.startswith(UNDER)}
    paths |= set(re.findall(r"^ *([a-z]+/|[a-z]+\.py) {2,}", text, re.MULTILINE))  # of a layout
    known = {path for path in paths if not re.search("NAME|CALL", path)}
    places = (ROOT, folder, ROOT / "app")
    assert [path for path in known if not any((each / path).exists() for each in places)] == []


@EVERY
def test_every_command_that_is_shown_has_its_options(name: str) -> None:
    for shown in commands_in(TEXTS[name]):
        words = re.match(r"[a-z]+(?: [a-z]+\b(?!=))?", shown)
        assert words is not None, shown
        found = command(*words[0].split())
        known = {option for parameter in found.params for option in parameter.opts}
        assert set(re.findall(r"(?<= )--[a-z-]+", shown)) <= known | {"--help"}, shown


@EVERY
def test_every_option_that_is_shown_alone_is_one_of_ours(name: str) -> None:
    context = click.Context(main)
    commands = [command(each) for each in main.list_commands(context)]
    commands += [each for group in commands for each in getattr(group, "commands", {}).values()]
    known = {option for each in commands for found in each.params for option in found.opts}
    shown = {word for span in named(TEXTS[name]) if span[:2] == "--" for word in span.split()}
    assert {word for word in shown if word.startswith("--")} <= known | {"--help"}


@EVERY
def test_no_setting_is_named_that_there_is_not(name: str) -> None:
    said = set(re.findall(r"\bPROMOBRIDGE_[A-Z][A-Z_]*\b", TEXTS[name]))
    tests = {each for each in said if each.startswith("PROMOBRIDGE_TEST_")}
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    plugin = (ROOT / "deploy" / "pytest" / "promobridge_double.py").read_text()
    of_plugin = set(re.findall(r'"(PROMOBRIDGE_[A-Z]+)"', plugin))
    known = {variable(setting.name) for setting in fields(Settings)}
    assert said - tests - of_plugin <= known
    assert all(each in sources for each in tests)


def test_every_setting_has_its_row() -> None:
    expected = {
        variable(each.name): [
            f"`{variable(each.name)}`",
            f"`{each.default}`",
            each.metadata["sentence"],
        ]
        for each in fields(Settings)
    }
    found = {name: cells for name, cells in rows(DEPLOY).items() if name in expected}
    assert found == expected


def test_the_limits_are_those_of_the_settings() -> None:
    section = DEPLOY.split("## Limits against abuse")[1].split("\n\n")[1]
    shown = {int(each.replace(",", "")) for each in re.findall(r" ([\d,]*\d)\b", section)}
    settings = Settings()
    assert shown - {429} == {
        settings.wrong_credentials_per_minute,
        settings.wrong_codes_per_minute,
        settings.wrong_codes_of_caller_per_minute,
        settings.lockout_seconds,
    }


def test_the_largest_batches_are_those_of_the_code() -> None:
    assert f"makes a batch of `size` codes ({LARGEST_SIZE:,} at most a call)" in README
    assert f"`size` is {LARGEST_SIZE:,} at most" in CALLS
    for text in (README, REST):
        assert f"up to {GENERATED_MOST:,} codes" in text
        assert f"up to {CODES_MOST:,} codes" in text


def test_every_metric_has_its_row() -> None:
    table = DEPLOY.split("| metric (`promobridge_…`) |")[1].split("\n\n")[0]
    first = [line.split(" | ")[0] for line in table.splitlines()[2:]]
    known = set()
    for metric in metrics.REGISTRY.collect():
        name = metric.name.removeprefix("promobridge_")
        known.add(f"{name}_total" if metric.type == "counter" else name)
    assert {name for cell in first for name in named(cell)} == known


def test_every_command_is_named_with_its_subcommands() -> None:
    said = {}
    for name in (name for cells in rows(README).values() for name in named(cells[0])):
        if name.startswith("promobridge "):
            words = re.findall(r"[a-z]+", re.split(r" (?=[A-Z])", name)[0])[1:]
            said[words[0]] = set(words[1:])
    context = click.Context(main)
    known = {name: main.get_command(context, name) for name in main.list_commands(context)}
    assert said == {name: set(getattr(found, "commands", {})) for name, found in known.items()}


@pytest.mark.parametrize("name", ["README.md", "calls/README.md"])
def test_every_call_is_named(name: str) -> None:
    cells = [cells[0] for cells in rows(TEXTS[name]).values()]
    said = {each for cell in cells for each in named(cell) if re.fullmatch(r"[a-z]+[A-Z]\w+", each)}
    assert said == set(calls.registry())


@pytest.mark.parametrize("name", sorted(calls.registry()))
def test_the_arguments_of_every_call_are_named(name: str) -> None:
    cell = re.sub(r"\([^)]*\)", "", rows(CALLS)[name][1])
    cell = cell.replace("*terms*", " ".join(f"`{each}`" for each in TermsChange._declared_fields))
    schema = calls.registry()[name].params()
    fields = {field.data_key or each: field for each, field in schema.fields.items()}
    assert set(named(cell)) == set(fields)
    partial = schema.partial if isinstance(schema.partial, set) else set()
    required = {each for each, field in fields.items() if field.required} - partial
    assert set(re.findall(r"\*\*`(\w+)`\*\*", cell)) == required - {"coupon_type", "value", "type"}


def test_the_terms_are_described_as_their_schema_does() -> None:
    table = CALLS.split("### Terms")[1].split("###")[0]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    found = {name: line for line in lines for name in named(line.split(" | ")[0])}
    declared = TermsChange._declared_fields
    assert found.keys() == declared.keys()
    for name, field in declared.items():
        assert field.metadata.get("description", "") in found[name]
        words = getattr(field, "words", None) or getattr(field, "choices", None) or ()
        assert set(words) <= set(named(found[name])), name
        assert isinstance(field, php.Flag) == ("| `1` or `on` |" in found[name])


@pytest.mark.parametrize("name", sorted(calls.registry()))
def test_the_payload_of_every_call_is_named(name: str) -> None:
    keys: set[str] = set()
    for file in (ROOT / "tests/golden").glob("*/*.json"):
        for line in file.read_text().splitlines() if file.parent.name != "store" else ():
            answer: dict[str, Any] = json.loads(line)
            if answer["success"] and answer["call"] == name:
                keys |= answer.keys()
    assert keys
    assert set(named(rows(CALLS)[name][2])) == keys - {
        *("success", "call", "sorter", "server_time", "info")
    }


def test_every_refusal_of_a_use_is_named() -> None:
    line = CALLS.split("- `reason` is empty or one of ")[1].split("\n- ")[0]
    assert set(named(line)) == {"code_not_found", *REFUSALS}


@pytest.mark.parametrize("name", ["README.md", "app/rest/README.md"])
def test_every_endpoint_is_named(name: str) -> None:
    app = Flask(__name__)
    rest.init_app(app)
    document = app.test_client().get("/v1/openapi.json").get_json()
    known = {
        f"{method.upper()} /v1{path}"
        for path, operations in document["paths"].items()
        for method in operations
    }
    assert {each for each in named(TEXTS[name]) if re.match(r"[A-Z]+ /v1", each)} == known


def test_every_package_and_module_has_its_row() -> None:
    packages = [f"{name}/" for floor in FLOORS for name in sorted(floor)]
    assert list(rows(TEXTS["models/README.md"])) == packages
    assert {f"{path.parent.name}/" for path in (ROOT / "calls").glob("*/__init__.py")} == {
        name for name in rows(CALLS) if name.endswith("/")
    }
    modules = {path.name for path in (ROOT / "app/rest").glob("[a-z]*.py")}
    table = REST.split("## Modules")[1].split("\n\n")[1]
    assert {name for name in named(table) if name.endswith(".py")} == modules


def test_every_guess_in_the_code_is_listed() -> None:
    sources = [path for part in ("app", "calls", "models") for path in (ROOT / part).rglob("*.py")]
    guesses = {
        guess for path in sources for guess in re.findall(r"# guess: (.*)", path.read_text())
    }
    told = (CALLS, PANEL, DOUBLE, WEBHOOKS)
    sections = [text.split("`# guess:`")[1].split("\n## ")[0] for text in told]
    assert set(re.findall(r"^- (.*)", "\n".join(sections), re.MULTILINE)) == guesses


def test_every_library_is_named_and_bounded() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = dict(setup["options.extras_require"])
    own = ("postgres", "mysql", "redis", "granian")
    needed = [setup["options"]["install_requires"], *(extras[name] for name in own)]
    libraries = README.split("| library | why |")[1]
    for line in "\n".join([*needed, extras["test"], extras["lint"]]).split():
        assert re.search(r">=[\d.]+,<[\d.]+$", line) or line.startswith("promobridge["), line
    for line in "\n".join(needed).split():
        library = re.split(r"[\[>]", line)[0]
        assert re.search(rf"\b{library}\b", libraries, re.IGNORECASE), library
    assert all(f"`[{name}]`" in libraries for name in own)


def test_changes_begin_with_this_version() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    heads = re.findall(r"^## (.*)", (ROOT / "CHANGES.md").read_text(), re.MULTILINE)
    assert heads[0] == "[Unreleased]"
    assert heads[1].startswith(f"[{setup['metadata']['version']}] - ")
    dates = [head.split(" - ")[1] for head in heads[1:]]
    assert dates == sorted(dates, reverse=True)


def test_the_data_of_every_event_is_named() -> None:
    batch = set(BatchData().fields)
    said = {}
    for name, cells in rows(WEBHOOKS).items():
        if name in EVENTS:
            told = set(named(cells[2]))
            if "*batch*" in cells[2]:
                told |= {BatchData().fields[field].data_key for field in batch}
            said[name] = told
    said["code.released"] |= said["code.redeemed"]
    assert said == {
        name: {field.data_key for field in SCHEMAS[name].fields.values()} for name in EVENTS
    }


def test_the_schedule_of_webhooks_is_told() -> None:
    line = WEBHOOKS.split("Else it is tried again after ")[1].split(" h ")[0]
    numbers = [int(each) for each in re.findall(r"[0-9]+", line)]
    units = [1, 60, 60, *[3600] * 6]
    delays = [number * unit for number, unit in zip(numbers, units, strict=True)]
    assert delays == list(DELAYS[STANDARD])
    assert f"{KEPT_DAYS} days" in WEBHOOKS
    assert f"{MOST} webhooks at most, {MOST_OF_OWNER} of\none partner" in WEBHOOKS
