"""Create and replace files that only their owner can read, whatever the umask."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from models.store.errors import Invalid

OWNER_ONLY = 0o600


def create(path: Path) -> None:
    """Make an empty file unless there is one, for a library that opens it by its name.

    SQLite gives the files beside a database the database's own mode. Raises OSError.
    """
    # A file that is there is not opened: closing it would end the locks that SQLite has on it in
    # this process, and another process would then take the write-ahead log away.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, OWNER_ONLY))


@contextmanager
def replacing(path: Path, clobber: bool = True) -> Iterator[Path]:
    """Yield the name of an empty file that gets the path once it is whole and on the disk.

    A file that was there is replaced, its mode too; without `clobber` it is refused, also one that
    came meanwhile. Raises Invalid where none can be written.
    """
    path = path.resolve()
    try:
        if not clobber and path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        if path.exists() and not path.is_file():
            raise Invalid(f"{path} is not a file")
        # mkstemp makes the file with mode 0600 whatever the umask is.
        handle, name = tempfile.mkstemp(prefix=".promobridge-", dir=path.parent)
        try:
            os.close(handle)
            yield Path(name)
            _on_disk(name)
            if clobber:
                os.replace(name, path)
            else:
                os.link(name, path)  # unlike a rename it replaces nothing
                os.unlink(name)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(name)
            raise
        _on_disk(path.parent)  # its entry, too
    except OSError as problem:
        raise Invalid(f"{path} cannot be written: {problem.strerror}") from None


def _on_disk(path: str | Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
