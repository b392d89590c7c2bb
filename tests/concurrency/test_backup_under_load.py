"""A backup while clients redeem and generate through real workers is one state of the store."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from app import db
from app.config import Settings
from models.checks import recount
from models.redemptions.redemption import Redemption
from tests.concurrency.storm import Storm
from tests.concurrency.test_kills import done
from tests.serving import served
from tests.waiting import wait_until

BACKUPS = 2
SIZE = 20
"""Codes in one generation: with many more, a busy machine's second backup would never end."""


def test_backups_under_load_are_whole(folder: Path) -> None:
    storm = Storm.over_new_codes(SIZE)
    files = [folder / f"backup-{number}.db" for number in range(BACKUPS)]
    answered = []
    with (
        served(folder, command=("serve", "--workers", "2")) as server,
        storm.raging(server.address, threading.Event()),
    ):
        for file in files:
            wait_until(lambda: len(storm.answered) > len(answered) * 40 + 20)
            before = len(storm.answered)
            made = json.loads(done(folder, "db", "backup", str(file), "--json"))
            answered.append(len(storm.answered) - before)
            assert made["tables"]["redemption"]["rows"] > 0
    assert all(answered)  # nobody waited for a backup
    uses = []
    for file in files:
        bound = db.bind(Settings(database_url=f"sqlite:///{file}"))
        with bound.connection_context():
            assert list(recount.differences()) == []
            uses.append(Redemption.select().count())
        bound.close_all()
    assert uses == sorted(set(uses))
