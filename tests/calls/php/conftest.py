"""Real PHP to compare with: skipped where `php` is not installed, but never in CI."""

import subprocess
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from threading import Thread

import pytest

from tests.programs import program

# -n: without the machine's php.ini; the values are PHP's own defaults.
OPTIONS = (
    "-n",
    *("-d", "max_input_vars=1000"),
    *("-d", "max_input_nesting_level=64"),
    *("-d", "request_order=GP"),
    *("-d", "precision=-1"),
    *("-d", "serialize_precision=-1"),
    *("-d", "display_errors=0"),
)
EACH_LINE = """
while (($line = fgets(STDIN)) !== false) {
    $in = base64_decode(trim($line));
    %s
    echo base64_encode($out), "\\n";
}
"""
ROUTER = "<?php echo serialize($_REQUEST);"


class Php:
    """Real PHP: a program over many inputs in one process, or its web server."""

    def __init__(self, program: str) -> None:
        self.program = program

    def each(self, code: str, inputs: list[bytes]) -> list[bytes]:
        """Run code that makes $out of $in, once for each input."""
        done = subprocess.run(
            [self.program, *OPTIONS, "-r", EACH_LINE % code],
            input=b"".join(b64encode(each) + b"\n" for each in inputs),
            capture_output=True,
            check=True,
            timeout=120,
        )
        lines = done.stdout.splitlines()
        assert len(lines) == len(inputs), done.stderr[-2000:]
        return [b64decode(line) for line in lines]

    @staticmethod
    def serialized(value: object) -> bytes:
        """Return what PHP's serialize prints for a value of ours."""
        if isinstance(value, dict | list | tuple):
            members = value.items() if isinstance(value, dict) else enumerate(value)
            inside = b"".join(map(Php.serialized, (each for pair in members for each in pair)))
            return b"a:%d:{%b}" % (len(value), inside)
        if isinstance(value, str):
            raw = value.encode("utf-8", "surrogateescape")
            return b's:%d:"%b";' % (len(raw), raw)
        if value is None:
            return b"N;"
        kind = {bool: "b", int: "i", float: "d"}[type(value)]
        return f"{kind}:{int(value) if kind == 'b' else repr(value)};".encode()


class PhpServer:
    """PHP's own web server, answering each request with its serialized $_REQUEST."""

    def __init__(self, connection: HTTPConnection) -> None:
        self.connection = connection

    def request(self, query: str, content_type: str, body: bytes) -> bytes:
        """Send a POST and return the serialized $_REQUEST."""
        headers = {"Content-Type": content_type} if content_type else {}
        self.connection.request("POST", f"/?{query}", body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text
        return text


@pytest.fixture(scope="session")
def seeded() -> Callable[[int], Random]:
    """Return a maker of chance that is the same in every run."""
    return Random


@pytest.fixture(scope="session")
def php() -> Php:
    return Php(program("php"))


@pytest.fixture(scope="session")
def php_server(php: Php, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PhpServer]:
    router = Path(tmp_path_factory.mktemp("php"), "router.php")
    router.write_text(ROUTER)
    command = [php.program, *OPTIONS, "-S", "127.0.0.1:0", str(router)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            started = process.stderr.readline().decode()
            assert "started" in started
            # It tells of every request; nobody reading would stop it when the pipe is full.
            Thread(target=process.stderr.read, daemon=True).start()
            port = int(started.partition("127.0.0.1:")[2].partition(")")[0])
            connection = HTTPConnection("127.0.0.1", port, timeout=30)
            yield PhpServer(connection)
            connection.close()
        finally:
            process.terminate()
