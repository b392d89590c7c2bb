"""What all commands have: -h, names that are nearly right, completion."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.conftest import Run

PROGRAM = Path(sys.executable).with_name("promobridge")


@pytest.mark.parametrize(
    "words", [(), ("batch",), ("batch", "edit"), ("usage", "list"), ("serve",)]
)
def test_help_is_a_letter_away(run: Run, words: tuple[str, ...]) -> None:
    short = run(*words, "-h")
    assert short.exit_code == 0
    assert short.stdout == run(*words, "--help").stdout
    assert "Usage: " in short.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("bach",), "No such command 'bach'. Did you mean 'batch'?"),
        (("batch", "shwo", "1"), "No such command 'shwo'. Did you mean 'show'?"),
        (("batch", "list", "--pgae", "1"), "No such option '--pgae'. Did you mean '--page'?"),
        (("zzz",), "No such command 'zzz'."),
    ],
)
def test_a_name_that_is_nearly_right_is_proposed(
    run: Run, words: tuple[str, ...], said: str
) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert f"Error: {said}\n" in done.stderr


@pytest.mark.parametrize(
    ("typed", "offered"), [("promobridge ba", "batch"), ("promobridge batch exp", "export")]
)
def test_a_shell_completes_commands(typed: str, offered: str) -> None:
    variables = {
        "COMP_WORDS": typed,
        "COMP_CWORD": str(typed.count(" ")),
        "_PROMOBRIDGE_COMPLETE": "bash_complete",
    }
    done = subprocess.run(
        [PROGRAM], env=os.environ | variables, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == f"plain,{offered}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_help_says_how_completion_is_switched_on(run: Run, shell: str) -> None:
    assert f"_PROMOBRIDGE_COMPLETE={shell}_source promobridge" in run("--help").stdout
