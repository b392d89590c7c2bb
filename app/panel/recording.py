"""Keep answers of forwarded reads in a folder, their values replaced: one JSON file for each.

    {"call": "getClients", "arguments": {"page": "0"}, "answer": {"success": true, …}}

A read is a call whose name begins with get or list. Nothing is asked again for a recording.
"""

from __future__ import annotations

import json
import logging
import os
import stat
import threading
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import logs
from app.exchange import private_files
from app.panel import routing, sent_whole
from app.panel.shapes import Replaced
from calls import TOLERATED, php
from models.panel import recordings
from models.panel.recordings import Recording
from models.store import clock
from models.store.errors import AWAY, Busy, Invalid

if TYPE_CHECKING:
    from flask import Response

    from app.panel.incoming import Incoming

READS = ("get", "list")
ANSWER_BYTES = 4_194_304
"""The largest answer that is kept, unpacked too."""
FILES_OF_CALL = 100
FILES = 2000
FOLDER_BYTES = 268_435_456
FRESH_SECONDS = 1
"""How long a process goes by what it knows of the recording."""
SUFFIX = ".json"
log = logging.getLogger(__name__)


class _Known:
    """Hold what this process knows of the recording that goes on."""

    def __init__(self) -> None:
        self._old_at = 0.0
        self._kept: Recording | None = None
        self._told: Recording | None = None

    def now(self) -> Recording | None:
        """Return what goes on here: elsewhere its folder is not there."""
        if clock.elapsed() >= self._old_at:
            self._old_at = clock.elapsed() + FRESH_SECONDS
            before, self._kept = self._kept, recordings.current()
            if before is not None and self._kept is None:
                with suppress(*AWAY, Busy):  # the next process may do it
                    recordings.forget_ended()
            if self._kept is not None and not is_private(Path(self._kept.folder)):
                self._tell(self._kept)
                self._kept = None
        return self._kept

    def forget(self) -> None:
        """Ask the store at the next call."""
        self._old_at = 0.0

    def _tell(self, recording: Recording) -> None:
        if recording != self._told and os.path.lexists(recording.folder):
            log.warning("Nothing is recorded: the folder is not this user's alone (mode 700)")
        self._told = recording


known = _Known()
_busy = threading.Lock()
"""One answer at a time is replaced in a process: others are left out."""


@dataclass(frozen=True)
class Take:
    """Hold one forwarded read of which the answer is to be kept."""

    recording: Recording
    call: str
    arguments: Mapping[str, Any]

    @property
    def file(self) -> Path:
        """Return the file of this call with these arguments: nobody can tell them by its name."""
        key = self.recording.key
        call = blake2b(self.call.encode(), key=key, digest_size=4)
        asked = blake2b(json.dumps(self.arguments).encode(), key=key, digest_size=12)
        return Path(self.recording.folder, f"{call.hexdigest()}-{asked.hexdigest()}{SUFFIX}")

    def watch(self, response: Response) -> None:
        """Keep the answer in a response when all of it has been sent."""
        encoding = response.headers.get("Content-Encoding", "")

        def end(body: bytes | None) -> None:
            if body is not None:
                self.keep(body, encoding)

        sent_whole.watch(response, ANSWER_BYTES, end)

    def keep(self, body: bytes, encoding: str = "") -> None:
        """Write the file, unless it is there, the folder is full, or the answer is no object."""
        if not _busy.acquire(blocking=False):
            return
        try:
            if not self.file.exists() and _has_room(self.file):
                self._write(json.loads(_unpacked(body, encoding)))
        except (ValueError, RecursionError, zlib.error):
            return  # it is no JSON: HTML, a file, or cut off
        except (OSError, Invalid) as problem:
            log.warning("An answer could not be recorded: %s", logs.place(problem))
        finally:
            _busy.release()

    def _write(self, answer: Any) -> None:
        if not isinstance(answer, dict):
            return
        replaced = Replaced(self.recording.key)
        kept = {
            "call": self.call,
            "arguments": replaced.answer(self.call, self.arguments),
            "answer": replaced.answer(self.call, answer),
        }
        with private_files.replacing(self.file) as name:
            name.write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", "utf-8")


def begun(name: str, incoming: Incoming) -> Take | None:
    """Return what to keep of a call that is forwarded, None where nothing is recorded of it.

    The store must be connected.
    """
    call = routing.plain(name)
    if not call.lower().startswith(READS) or not incoming.is_whole or not (found := known.now()):
        return None
    try:
        arguments = incoming.arguments()
    except php.InvalidRequest:
        return None
    own = {key: value for key, value in arguments.items() if key not in TOLERATED}
    return Take(found, call, json.loads(json.dumps(own)))


def is_private(folder: Path) -> bool:
    """Tell whether a folder is there for its owner alone, who is the user of this process."""
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return is_ours and not stat.S_IMODE(found.st_mode) & 0o077


def _has_room(file: Path) -> bool:
    """Tell whether one more answer may be kept, of all and of this call."""
    begin = file.name.partition("-")[0]
    files = size = of_call = 0
    with os.scandir(file.parent) as entries:
        for entry in entries:
            files += 1
            size += entry.stat(follow_symlinks=False).st_size
            of_call += entry.name.startswith(begin)
    return files < FILES and of_call < FILES_OF_CALL and size < FOLDER_BYTES


def _unpacked(body: bytes, encoding: str) -> bytes:
    """Return the bytes of an answer. Raises ValueError for a way of packing that is not known."""
    if not encoding:
        return body
    if encoding.lower() != "gzip":
        raise ValueError
    unpacker = zlib.decompressobj(wbits=31)
    found = unpacker.decompress(body, ANSWER_BYTES)
    if not unpacker.eof:
        raise ValueError
    return found
