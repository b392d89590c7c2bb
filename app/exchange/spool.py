"""Spool checked records to a temporary file, so that an import takes little memory."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any, BinaryIO


def add(file: BinaryIO, item: Any) -> None:
    """Write an object to a temporary file of this process."""
    pickle.dump(item, file)


def items(file: BinaryIO) -> Iterator[Any]:
    """Yield the objects that were added, in their order."""
    file.seek(0)
    while True:
        try:
            yield pickle.load(file)  # noqa: S301  # this process wrote it into a file of its own
        except EOFError:
            return
