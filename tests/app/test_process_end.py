"""Work at the end of a process: done in every kind of process, after all other threads."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.serving import ROOT

SCRIPT = """
import multiprocessing, threading
from app.process_end import at_end, not_at_end

def say(text):
    print(text, flush=True)

def other():
    threading.main_thread().join()
    say("thread")

def kept():
    say("kept")

def dropped():
    say("dropped")

def work():
    at_end(kept)
    at_end(dropped)
    not_at_end(dropped)
    threading.Thread(target=other).start()
    say("main")

{start}
"""
STARTS = {
    "a program": "work()",
    "after a fork": "at_end(lambda: say('parent'))\n"
    "process = multiprocessing.get_context('fork').Process(target=work)\n"
    "process.start()\nprocess.join()",
    "from a daemon": "thread = threading.Thread(target=work, daemon=True)\n"
    "thread.start()\nthread.join()",
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_work_is_done_at_the_end(start: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(start=start)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    lines = done.stdout.split()
    if "daemon" in start:
        assert set(lines) - {"thread"} == {"main", "kept"}  # for daemons nobody waits
    else:
        assert lines == ["main", "thread", "kept", *(["parent"] if "parent" in start else [])]
    assert done.stderr == ""
