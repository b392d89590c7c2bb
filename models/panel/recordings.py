"""The one recording of a panel's answers that goes on."""

from __future__ import annotations

from typing import NamedTuple

from peewee import BigIntegerField, CharField, IntegerField, TextField

from models.store import clock
from models.store.base import Row, change, retried

KEY_BYTES = 32
_ONLY = 1


class PanelRecording(Row):
    """Keep where answers are recorded, until when (Unix seconds), and by which key.

    The key goes with the row: what was replaced by it cannot be found out later.
    """

    id = None
    place = IntegerField(primary_key=True)
    folder = TextField()
    key = CharField(max_length=64)
    until = BigIntegerField()


class Recording(NamedTuple):
    """Hold the folder and the key of a recording that goes on."""

    folder: str
    key: bytes


@retried
def begin(folder: str, seconds: int) -> Recording:
    """Record into this folder for so long, instead of what goes on."""
    key = clock.random_bytes(KEY_BYTES)
    with change():
        PanelRecording.delete().execute()
        PanelRecording.insert(
            place=_ONLY, folder=folder, key=key.hex(), until=clock.now() + seconds
        ).execute()
    return Recording(folder, key)


@retried
def end(recording: Recording) -> None:
    """End this recording, and throw its key away; another one goes on."""
    with change():
        PanelRecording.delete().where(PanelRecording.key == recording.key.hex()).execute()


@retried
def forget_ended() -> None:
    """Throw away the key of a recording whose command could not do it."""
    with change():
        PanelRecording.delete().where(PanelRecording.until <= clock.now()).execute()


def current() -> Recording | None:
    """Return what goes on."""
    row = PanelRecording.get_or_none(PanelRecording.until > clock.now())
    return None if row is None else Recording(row.folder, bytes.fromhex(row.key))
