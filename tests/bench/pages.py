"""How long each page takes in a store of millions: `python -m tests.bench.pages --codes 10000000`.

The server's own time, in this process, without the browser and the network between.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from app import config, create_app
from models.access.refused_tries import RefusedTry
from models.access.usage import TALLY, ApiUsage
from models.redemptions.redemption import Redemption
from models.store import clock
from models.store.audit import AuditEntry
from models.store.base import database
from tests.app.ui.crawl import crawled
from tests.app.ui.people import Person, token_in
from tests.bench import data

CODES_EACH = 10_000
ASKED = (
    "/ui/redemptions?before=500",
    "/ui/redemptions?since=2026-05-01&until=2026-05-31",
    "/ui/redemptions?client_id=7",
    "/ui/redemptions?invoice_id=77",
    "/ui/redemptions?order_id=77",
    "/ui/redemptions?user_id=nobody",
    "/ui/redemptions?batch_id=2",
    "/ui/redemptions?state=used",
    "/ui/redemptions?state=released",
    "/ui/redemptions?client_id=999999&state=released&since=2020-01-01",
    "/ui/batches?text=99",
    "/ui/batches?text=nothing-like-it",
    "/ui/batches?state=archived",
    "/ui/batches?state=ended",
    "/ui/batches?state=used-up",
    "/ui/batches?state=being-made",
    "/ui/redemptions?state=released&batch_id=2",
    "/ui/redemptions?since=2020-01-01",
    "/ui/redemptions?until=2026-02-01&batch_id=2",
    "/ui/redemptions?client_id=0",
    "/ui/redemptions?campaign_id=1",
    "/ui/redemptions?campaign_id=2",
    "/ui/redemptions?campaign_id=1&since=2020-01-01&state=used",
    "/ui/refused?client_id=7",
    "/ui/refused?face=1",
    "/ui/refused?since=2026-05-01&until=2026-05-31",
    "/ui/refused?since=2026-05-01&until=2026-05-31&reason=code_not_found&client_id=7",
    "/ui/refused?reason=code_expired&face=1&user_id=",
    "/ui/calls?api_id=nobody",
    "/ui/calls?result=refused",
    "/ui/calls?api_id=access7&call=call7",
    "/ui/calls?since=2026-05-01&until=2026-05-31&result=refused&call=redeemPromoCode",
    "/ui/calls/callers",
    "/ui/audit?actor=nobody",
    "/ui/audit?subject_kind=batch",
    "/ui/audit?actor=shop7&actor_kind=user",
    "/ui/audit?since=2026-05-01&until=2026-05-31",
)
"""Lists by what people look for, found and not found."""
LINEAR = (
    "/ui/batches?text=nothing-like-it",  # the names of all batches
    "/ui/batches?state=archived",
    "/ui/batches?state=ended",
    "/ui/batches?state=used-up",
    "/ui/batches?state=being-made",
)
"""Those that read more in a larger store, however little each row takes."""
FOUND = ("7", "Batch 9", "nothing-like-it", f"  {data.code_of(77).lower()} ")
"""What is typed into the search field."""
MOST_MS, MOST_BYTES = 100, 200_000
DAYS = 400


def fill(path: Path, codes: int, uses: int, each: int = CODES_EACH) -> None:
    """Make a store of batches of `each` codes, and uses spread over them and over DAYS."""
    data.make(path, codes // each, each)
    begin = clock.now() - DAYS * 86_400
    moment = f":begin + number * {DAYS * 86_400} / :uses"
    fields = {
        "coupon_id": "number % :codes + 1",
        "batch_id": "number % :codes / :each + 1",
        "code": "(SELECT code FROM coupon WHERE id = number % :codes + 1)",
        "client_id": "number % 5000 + 1",
        "invoice_id": "iif(number % 3 = 0, number + 1, 0)",
        "invoice_slot": "iif(number % 3 = 0, number + 1, NULL)",
        "order_id": "iif(number % 3 = 1, number + 1, 0)",
        "account_id": "0",
        "amount": "'19.99'",
        "discount": "'3.00'",
        "state": "'used'",
        "api_id": "'bench'",
        "realm": "0",
        "campaign_id": "0",
        "user_id": "iif(number % 3 = 2, 'user-' || (number % 7000), '')",
        "points": "0",
        "redeemed_at": moment,
        "day": f"date({moment}, 'unixepoch')",
    }
    assert set(fields) <= set(Redemption._meta.fields)
    numbers = (
        "WITH RECURSIVE numbers(number) AS "
        "(SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number + 1 < :uses)"
    )
    given = {"codes": codes, "each": each, "uses": uses, "begin": begin}
    columns, values = ", ".join(fields), ", ".join(fields.values())
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute(
            f"{numbers} INSERT INTO redemption ({columns}) SELECT {values} FROM numbers",  # noqa: S608 - ours
            given,
        )
        raw.execute(
            "UPDATE coupon SET num_usage = used.uses FROM (SELECT coupon_id, count(*) AS uses"
            " FROM redemption GROUP BY coupon_id) AS used WHERE used.coupon_id = coupon.id"
        )
        raw.execute(
            "UPDATE batch SET coupons_used = used.uses, codes_used = used.codes FROM"
            " (SELECT batch_id, sum(num_usage) AS uses, count(*) AS codes FROM coupon"
            " WHERE num_usage > 0 GROUP BY batch_id) AS used WHERE used.batch_id = batch.id"
        )
        raw.execute(
            "INSERT INTO daily_sum (batch_id, day, share, uses, discount) SELECT batch_id, day, 0,"
            " count(*), count(*) * 30000 FROM redemption GROUP BY batch_id, day"
        )
        _fill_campaigns(raw)
        _fill_logs(raw, uses, begin)
        raw.execute("ANALYZE")


def _fill_campaigns(raw: sqlite3.Connection) -> None:
    """Make two campaigns: one with one batch, one with half of all."""
    for number in (1, 2):
        raw.execute(
            "INSERT INTO campaign (uuid, environment, partner, slug, name, status, batches, codes,"
            " redeemed, revoked, created_at, updated_at)"
            " VALUES (?, 0, '', ?, ?, 'active', 1, 1, 1, 0, 0, 0)",
            (f"uuid-{number}", f"promo-{number}", f"Promo {number}"),
        )
    raw.execute(
        "INSERT INTO campaign_batch (batch_id, uuid, campaign_id, number, points, label, size,"
        " total, redeemed, revoked, created_at) SELECT id, 'uuid-' || id, iif(id = 2, 1, 2),"
        " id, 0, '', 1, 1, 1, 0, 0 FROM batch WHERE id = 2 OR id % 2"
    )
    raw.execute(
        "UPDATE coupon SET form = lower(code) FROM campaign_batch AS mine"
        " WHERE mine.batch_id = coupon.batch_id"
    )


def _fill_logs(raw: sqlite3.Connection, rows: int, begin: int) -> None:
    """Fill the logs of calls, of refused tries and of changes, so many rows each; few stand out."""
    numbers = (
        "WITH RECURSIVE numbers(number) AS "
        "(SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number + 1 < :rows)"
    )
    at = ":begin + number * :seconds / :rows"
    logs = {
        ApiUsage: {
            "at": at,
            "call": "iif(number % 7 = 0, 'redeemPromoCode', 'call' || (number % 300))",
            "success": "number >= 20",
            "message": "iif(number >= 20, '', 'code_expired')",
            "api_id": "'access' || (number % 40)",
            "address": "'192.0.2.7'",
            "route": "'local'",
        },
        RefusedTry: {
            "at": at,
            "face": "number < 20",
            "call": "'redeemPromoCode'",
            "code": "'AB…YZ'",
            "coupon_id": "iif(number % 2, number % 1000 + 1, 0)",
            "reason": "iif(number % 9 = 0, 'code_not_found', 'code_expired')",
            "client_id": "number % 5000 + 1",
            "user_id": "''",
            "invoice_id": "0",
            "order_id": "0",
            "who": "'access' || (number % 40)",
            "address": "''",
            "times": "1",
        },
        AuditEntry: {
            "at": at,
            "actor_kind": "iif(number < 20, 'user', 'access')",
            "actor": "'shop' || (number % 40)",
            "address": "'192.0.2.7'",
            "action": "'changed'",
            "subject_kind": "iif(number < 20, 'batch', 'code')",
            "subject_id": "number + 1",
            "subject": "'CODE'",
            "reason": "''",
        },
    }
    given = {"rows": rows, "begin": begin, "seconds": DAYS * 86_400}
    for table, fields in logs.items():
        columns = ", ".join(f'"{name}"' for name in fields)
        values = ", ".join(fields.values())
        raw.execute(
            f"{numbers} INSERT INTO {table._meta.table_name} ({columns}) SELECT {values} FROM numbers",  # noqa: S608, E501 - ours
            given,
        )
    raw.execute(
        'INSERT INTO daily_calls (day, api_id, "call", route, calls, failed, last) SELECT'
        ' at / 86400 * 86400, api_id, "call", route, count(*), sum(1 - success), max(at)'
        ' FROM api_usage GROUP BY 1, api_id, "call", route'
    )
    raw.execute("UPDATE tally SET n = ? WHERE name = ?", (rows, TALLY))


def measure(person: Person, rounds: int) -> list[tuple[str, float, float, int]]:
    """Return the address, median and largest milliseconds and the size of each page."""
    rows = []
    for address, ask in asked(person):
        seconds = []
        for _ in range(rounds):
            begin = time.perf_counter()
            size = ask()
            seconds.append(time.perf_counter() - begin)
        rows.append((address, statistics.median(seconds) * 1000, max(seconds) * 1000, size))
    return rows


def asked(person: Person) -> Iterator[tuple[str, Callable[[], int]]]:
    """Yield what is asked, and a function that asks it and returns the size of the answer."""

    def show(address: str) -> int:
        response = person.get(address, follow_redirects=True)
        assert response.status_code == 200, (address, response.status)
        return len(response.data)

    for address in (*crawled(person), *ASKED):
        yield address, partial(show, address)
    token = token_in(person.get("/ui/").data)
    for text in FOUND:
        form = {"csrf_token": token, "text": text}
        yield f"/ui/ {text}", lambda form=form: len(person.client.post("/ui/", data=form).data)


def main() -> int:
    """Print a row for each page; return 1 when one is too slow or too large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codes", type=int, default=1_000_000)
    parser.add_argument("--uses", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--store", type=Path, help="Keep the store here, and use it again.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.store or Path(folder) / "store.db"
        if not path.exists():
            fill(path, given.codes, given.uses)
        app = create_app(config.Settings(database_url=f"sqlite:///{path}"))
        with database.connection_context():
            admin = Person(app, "admin")
        rows = measure(admin, given.rounds)
        app.config["USAGE_LOG"].close()
        database.close_all()
    for address, median, largest, size in rows:
        wrong = "  TOO MUCH" if median > MOST_MS or size > MOST_BYTES else ""
        print(f"{median:8.1f} ms  {largest:8.1f} ms  {size:8,} B  {address}{wrong}")  # noqa: T201 - what it is for
    return int(any(median > MOST_MS or size > MOST_BYTES for _, median, _, size in rows))


if __name__ == "__main__":
    raise SystemExit(main())
