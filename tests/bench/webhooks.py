"""How fast events are sent while another receiver hangs: `python -m tests.bench.webhooks`.

The process of `promobridge webhook deliver`, over loopback, to a receiver in this process, which
shares the processors with it; on the engine that PROMOBRIDGE_TEST_DATABASE_URL picks.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from app import db
from app.config import Settings
from app.webhooks import secrets
from app.webhooks.secrets import KEY_FILE, Seal
from models.store import visibility
from models.store.base import change
from models.webhooks import events, webhooks
from models.webhooks.events import Facts
from models.webhooks.webhooks import BATCH_CREATED
from tests import stores
from tests.receiver import LOOPBACK, receiving
from tests.serving import environment
from tests.waiting import wait_until

MOST_SECONDS = 60


def main() -> None:
    """Print how long it took, and end with 1 when that is more than a minute."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000, help="how many are sent")
    count = parser.parse_args().events
    with tempfile.TemporaryDirectory() as name, receiving() as receiver:
        folder = Path(name)
        url = stores.url(folder)
        stores.make(url)
        bound = db.bind(Settings(database_url=url))
        seal = Seal(Settings(webhook_key_file=str(folder / KEY_FILE)))
        for path in ("hang", "good"):
            webhooks.add(
                receiver.url + path,
                [BATCH_CREATED],
                seal.sealed(secrets.new()),
                visibility.LIVE,
                networks=[LOOPBACK],
            )
        with change():
            for number in range(count):
                facts = Facts(None, {"batch_id": number, "codes": 1})
                events.tell(BATCH_CREATED, visibility.LEGACY, lambda told=facts: told)
        command = [sys.executable, "-m", "app.cli", "webhook", "deliver"]
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=folder, env=environment(folder))
        try:
            wait_until(lambda: len(set(receiver.ids("/good"))) == count, 600, pause=0.2)
            seconds = time.monotonic() - began
        finally:
            receiver.let_go.set()
            process.terminate()
            process.wait()
        bound.close_all()
        stores.release(folder)
    stores.stop()
    verdict = "ok" if seconds <= MOST_SECONDS else "missed"
    print(  # noqa: T201
        f"{count:,} events in {seconds:.1f} s, {count / seconds:,.0f}/s, while another receiver "
        f"hangs; at most {MOST_SECONDS} s {verdict}"
    )
    raise SystemExit(seconds > MOST_SECONDS)


if __name__ == "__main__":
    main()
