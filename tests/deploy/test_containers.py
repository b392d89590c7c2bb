"""The container files: hadolint takes the one, the other names only what there is."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.cli import COMMANDS, double
from app.config import Settings, from_environment, variable
from tests.programs import program
from tests.serving import ROOT

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
OF_DOUBLE = ROOT / "deploy" / "Dockerfile.double"
KNOWN = {variable(name) for name in Settings.__dataclass_fields__}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())


def instructions(file: Path) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile with their arguments."""
    text = re.sub(r"\\\n\s*", "", file.read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in map(str.strip, lines)]


@pytest.mark.parametrize("file", [DOCKERFILE, OF_DOUBLE], ids=["server", "double"])
def test_hadolint_finds_nothing(file: Path) -> None:
    done = subprocess.run(
        [program("hadolint"), str(file)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("file", [DOCKERFILE, OF_DOUBLE], ids=["server", "double"])
def test_what_is_copied_is_there_and_not_ignored(file: Path) -> None:
    ignored = file.with_name(f"{file.name}.dockerignore").read_text().splitlines()
    copied = [
        source
        for name, rest in instructions(file)
        if name == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    assert {"app", "calls", "models", "wsgi.py", "gunicorn.conf.py"} <= set(copied)
    for source in copied:
        assert (ROOT / source).exists()
        assert f"!{source}" in ignored


def test_the_image_runs_as_nobody_in_particular_and_says_how_it_is() -> None:
    found = dict(instructions(DOCKERFILE))
    assert re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", found["USER"])
    assert "/healthz" in found["HEALTHCHECK"]
    assert found["ENTRYPOINT"] == '["promobridge"]'


def test_the_image_of_a_double_has_its_options() -> None:
    found = dict(instructions(OF_DOUBLE))
    assert re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", found["USER"])
    assert "/_double/ready" in found["HEALTHCHECK"]
    assert "CMD" not in found  # the options of `docker run` would take its place
    program_, command, *options = json.loads(found["ENTRYPOINT"])
    assert (program_, command) == ("promobridge", "double")
    known = {name for option in double.command.params for name in option.opts}
    assert {option for option in options if option.startswith("--")} <= known


def test_settings_in_the_image_exist() -> None:
    assert set(re.findall(r"PROMOBRIDGE_[A-Z_]+", DOCKERFILE.read_text())) <= KNOWN


def test_services_use_settings_commands_volumes_and_services_that_exist(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    ours = ("upgrade", "promobridge", "worker", "webhooks")
    assert set(services) == {*ours, "postgres", "redis"}
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        for name, asked in service.get("depends_on", {}).items():
            # Who waits for a healthy service waits for one that can tell.
            if asked["condition"] == "service_healthy":
                assert "test" in services[name]["healthcheck"]
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in compose["volumes"]
    for name in ours:
        service = services[name]
        assert set(service["environment"]) <= KNOWN
        assert service["command"][0] in COMMANDS
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert (ROOT / "deploy" / service["build"]["context"] / "setup.cfg").exists()
        assert (ROOT / service["build"]["dockerfile"]) == DOCKERFILE
        from_environment(service["environment"])


def test_nothing_but_the_server_is_reached_and_only_from_the_host(compose: dict[str, Any]) -> None:
    ports = {name: service.get("ports") for name, service in compose["services"].items()}
    assert {name: shown for name, shown in ports.items() if shown} == {
        "promobridge": ["127.0.0.1:8080:8080"]
    }


def test_the_only_password_comes_from_outside(compose: dict[str, Any]) -> None:
    text = (ROOT / "deploy" / "compose.yaml").read_text()
    passwords = re.findall(r"PASSWORD: (.*)|://promobridge:(.*?)@", text)
    assert len(passwords) == 2
    assert all("".join(found) == "${POSTGRES_PASSWORD:?set a password}" for found in passwords)
