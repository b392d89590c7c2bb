"""The unchanged integration, client.php, as a process of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.panel.php_panel import PhpPanel
from tests.programs import program

SCRIPT = Path(__file__).with_name("client.php")
WAIT_SECONDS = 300
Call = tuple[str, Mapping[str, object]]


@dataclass
class PhpClient:
    """Hold a running client and the file that it writes its answers to."""

    process: subprocess.Popen[bytes]
    output: Path

    def count(self) -> int:
        """Return how many answers it has written down so far."""
        return self.output.read_bytes().count(b"\n")

    def answers(self) -> list[dict[str, Any]]:
        """Return what it has been answered so far.

        Each has `n`, `call`, `style`, `arguments`, `status` (0 without an answer), `answer` (None
        when it is no JSON) and `error` (of cURL, empty when there is none).
        """
        lines = self.output.read_bytes().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith(b"\n")]

    def wait(self) -> list[dict[str, Any]]:
        """Wait until it has ended by itself; return its answers."""
        assert self.process.wait(WAIT_SECONDS) == 0
        return self.answers()


@contextmanager
def php_client(
    output: Path,
    panel: PhpPanel,
    calls: Sequence[Call],
    *,
    url: str | None = None,
    ca: Path | None = None,
    style: str | None = None,
    times: int = 1,
    seconds: float = 0,
    pause: float = 0.02,
    pair: tuple[str, str] | None = None,
) -> Iterator[PhpClient]:
    """Run a client until it has made its calls, or until the block ends.

    It asks the panel, or `url` with the authority `ca` (none for http), with the panel's pair or
    another one. After a call without an answer, or with 503, it pauses so many seconds.
    `calls` are asked in turn, `times` rounds (0 is for ever), at most `seconds` (0 is no limit).
    "{n}" in an argument is the number of the call; a path after "@" is a file that is uploaded.
    `style` is multipart, urlencoded or get; without one they take turns.
    """
    api_id, api_key = pair or (panel.api_id, panel.api_key)
    given = {
        "api_id": api_id,
        "api_key": api_key,
        "url": url or panel.url,
        "calls": [[name, dict(arguments)] for name, arguments in calls],
        "style": style,
        "times": times,
        "seconds": seconds,
        "pause": pause,
    }
    authority = ca if url else panel.ca
    if authority is not None:
        given["ca"] = str(authority)
    with output.open("wb") as lines:
        process = subprocess.Popen(
            [program("php"), str(SCRIPT)], stdin=subprocess.PIPE, stdout=lines
        )
    assert process.stdin is not None
    with process.stdin as asked:
        asked.write(json.dumps(given).encode())
    try:
        yield PhpClient(process, output)
    finally:
        process.kill()
        process.wait()
