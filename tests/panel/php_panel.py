"""A billing panel of our own for tests: a PHP page behind php-fpm and nginx with TLS.

It is no code of promobridge: it keeps a state of its own, and answers what its vendor documents.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPMessage, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.panel.panel_servers import PAGE, PanelServers
from tests.panel.seeds import insert, seed

BUSY_SECONDS = 30
ANSWER_SECONDS = 60
BLOCK = 65536
OPTIONS: dict[str, dict[str, Any]] = {
    "delay": {"seconds": 1.0},
    "late": {"seconds": 1.0},
    "drop": {},
    "lose": {},
    "cut": {"bytes": 20},
    "trickle": {"bytes": 1, "seconds": 0.05},
    "html": {"status": 200},
    "status": {"status": 500},
    "redirect": {"location": "/admin/index.php"},
    "fail": {"error": "Something went wrong"},
    "short": {"rows": 1},
    "mutate": {"add": 1, "remove": 1},
}
"""The kinds of faults, each with its options and what they are unless given."""


@dataclass(frozen=True)
class Reply:
    """Hold an answer of the panel."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def value(self) -> dict[str, Any]:
        """Return the envelope."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(frozen=True)
class Entry:
    """Hold a request that reached the panel, as it was before anything was done with it.

    `arguments` are without the key; `files` are its uploads by field, name, type, size and sha256.
    `success` is None when nothing was answered in JSON, as yet or at all. `faults` are the kinds of
    those that it met.
    """

    id: str
    at: float
    method: str
    call: str
    arguments: dict[str, Any]
    key_digest: str
    address: str
    headers: dict[str, str]
    query_digest: str
    body_size: int
    body_digest: str
    files: list[dict[str, Any]]
    success: bool | None = None
    faults: Sequence[str] = ()


@dataclass(frozen=True)
class Fault:
    """Hold a fault of the panel, until its block ends or it is removed."""

    panel: PhpPanel
    number: int

    def remove(self) -> None:
        """Let the panel do right again."""
        self.panel.execute("DELETE FROM fault WHERE id = ?", self.number)

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class PhpPanel(PanelServers):
    """Hold a panel: its addresses, its state, its faults and the requests that reached it."""

    def __init__(self, folder: Path, children: int = 16) -> None:
        super().__init__(folder, children)
        self._journal: dict[str, dict[str, Any]] = {}
        self._journal_bytes = 0
        self.url = f"https://127.0.0.1:{self.port}/admin/api.php"
        self.plain_url = f"http://127.0.0.1:{self.plain_port}/admin/api.php"
        with closing(self._connected()) as state:
            state.executescript((PAGE / "schema.sql").read_text())
            seed(state)
        self.api_id, self.api_key = self.access()

    @property
    def credentials(self) -> dict[str, str]:
        """Return the arguments that name the access."""
        return {"api_id": self.api_id, "api_key": self.api_key}

    def environment(self) -> dict[str, str]:
        """Return the settings of a promobridge that stands before it, the file of our pair too."""
        file = self.folder / "credentials"
        file.touch(0o600)
        file.write_text(f"{self.api_id}\n{self.api_key}\n")
        return {
            "PROMOBRIDGE_PANEL_URL": self.url,
            "PROMOBRIDGE_PANEL_CA": str(self.ca),
            "PROMOBRIDGE_PANEL_CREDENTIALS_FILE": str(file),
        }

    def ask(
        self,
        call: str,
        arguments: Mapping[str, object] | None = None,
        *,
        body: bytes | None = None,
        content_type: str = "application/x-www-form-urlencoded",
        headers: Mapping[str, str] | None = None,
        source: str = "127.0.0.1",
    ) -> Reply:
        """Ask it directly from an address of this machine.

        The pair of its access, the call and the arguments go as urlencoded form, or in the query
        when there is a body.
        """
        fields = urlencode({**self.credentials, "call": call, **(arguments or {})})
        target = "/admin/api.php" + (f"?{fields}" if body is not None else "")
        sent = fields.encode() if body is None else body
        trusting = ssl.create_default_context(cafile=self.ca)
        with closing(
            HTTPSConnection(
                "127.0.0.1",
                self.port,
                timeout=ANSWER_SECONDS,
                source_address=(source, 0),
                context=trusting,
            )
        ) as connection:
            named = {"Content-Type": content_type, **(headers or {})}
            connection.request("POST", target, sent, named)
            with connection.getresponse() as answer:
                return Reply(answer.status, answer.headers, answer.read())

    # What it does wrong

    def fault(
        self,
        kind: str,
        call: str | None = None,
        *,
        times: int | None = None,
        asked: Mapping[str, object] | None = None,
        **options: object,
    ) -> Fault:
        """Make it do wrong; see OPTIONS for the kinds.

        `call` is a call's name, or None for all; `times` None is until removed; `asked` are
        arguments that a request must have, such as `{"page": 1}`. Of two of a kind the first
        counts.
        """
        assert options.keys() <= OPTIONS[kind].keys(), options
        number = self.insert(
            "fault",
            kind=kind,
            call=call and call.lower(),
            times=times,
            asked=json.dumps({name: str(value) for name, value in (asked or {}).items()}),
            options=json.dumps(OPTIONS[kind] | options),
        )
        return Fault(self, number)

    def mend(self) -> None:
        """Remove all faults."""
        self.execute("DELETE FROM fault")

    # What reached it, and what it keeps

    def journal(self, call: str | None = None) -> list[Entry]:
        """Return the requests that reached it in their order, of a call (in any case) or all."""
        file = self.folder / "journal.jsonl"
        lines = b""
        if file.exists():
            with file.open("rb") as journal:
                journal.seek(self._journal_bytes)
                lines = journal.read()
        # A line begins with its line end, so the last one may not be whole yet.
        whole, _, last = lines.rpartition(b"\n")
        self._journal_bytes += len(whole)
        _note(whole, self._journal)
        found = {id_: dict(fields) for id_, fields in self._journal.items()}
        _note(last, found)
        entries = [Entry(**fields) for fields in found.values()]
        return [each for each in entries if call is None or each.call.lower() == call.lower()]

    def rows(self, table: str, where: str = "1", *values: object) -> list[dict[str, Any]]:
        """Return rows of its state, in the order of their keys; tables are in page/schema.sql."""
        sql = f"SELECT * FROM {table} WHERE {where} ORDER BY 1"  # noqa: S608 - words of tests
        with closing(self._connected()) as state:
            state.row_factory = sqlite3.Row
            return [dict(row) for row in state.execute(sql, values)]

    def execute(self, sql: str, *values: object) -> None:
        """Change its state, as its own pages do."""
        with closing(self._connected()) as state:
            state.execute(sql, values)

    def insert(self, table: str, **fields: object) -> int:
        """Add a row to its state; return its id."""
        with closing(self._connected()) as state:
            return insert(state, table, **fields)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let calls that write wait, in the midst of their work, until the block ends."""
        with closing(self._connected()) as state:
            state.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                state.execute("ROLLBACK")

    def uses(self, code: str) -> int:
        """Return how often all coupons of a code have been used."""
        return sum(row["num_usage"] for row in self.rows("coupon", "code = ?", code))

    def spend(self, code: str) -> None:
        """Use a code as the panel's own order page does, which no API sees."""
        self.execute("UPDATE coupon SET num_usage = num_usage + 1 WHERE code = ?", code)

    def set(self, **settings: object) -> None:
        """Change settings: those in seeds.SETTINGS.

        `lacking` names calls, with commas between, that its release does not have yet.
        """
        for name, value in settings.items():
            assert self.rows("setting", "name = ?", name), name
            self.execute("UPDATE setting SET value = ? WHERE name = ?", str(value), name)

    def access(
        self, ip_rule: str = "all", calls: list[str] | None = None, name: str = "tests"
    ) -> tuple[str, str]:
        """Make an access; return its id and key. `calls` None are all."""
        pair = secrets.token_hex(10), secrets.token_hex(10)
        self.insert(
            "access",
            api_id=pair[0],
            api_key=pair[1],
            name=name,
            ip_rule=ip_rule,
            calls=None if calls is None else json.dumps(calls),
        )
        return pair

    def _connected(self) -> sqlite3.Connection:
        file = self.folder / "state.db"
        state = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)
        state.execute("PRAGMA synchronous = OFF")
        return state


def _note(lines: bytes, found: dict[str, dict[str, Any]]) -> None:
    """Note lines of the journal by the ids of their requests."""
    for line in lines.splitlines():
        try:
            fields = json.loads(line)
        except ValueError:
            continue  # blank, or cut off by a kill
        found.setdefault(fields["id"], {}).update(fields)


@contextmanager
def running_panel(folder: Path, children: int = 16) -> Iterator[PhpPanel]:
    """Run a panel whose files are in a folder; it has ended when the block ends.

    `children` is how many requests it does at once.
    """
    made = PhpPanel(folder, children)
    try:
        made.start()
        yield made
        assert "PHP message" not in made.log(), "the page itself is wrong"
    finally:
        made.kill()


def backup_bytes(megabytes: int) -> Iterator[bytes]:
    """Yield the answer of `getBackup`, block by block."""
    for block in range(megabytes * (1 << 20) // BLOCK):
        yield str(block).encode().ljust(BLOCK, b".")
