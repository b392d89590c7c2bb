"""Read the lines of text files as programs and people write them, in one of three encodings."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from models.store.errors import Invalid

UTF_8, UTF_16, WESTERN = "UTF-8", "UTF-16", "Windows-1252"
LINE_CHARACTERS = 1_048_576
"""The longest line: what has none at all is not read into memory."""
_BYTE_ORDER = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Lines:
    """Iterate over the lines of a file, with their ends, whatever ends them.

    `encoding` is what they are in. Where none is given it is guessed: UTF-16 by its first bytes,
    else UTF-8, or Windows-1252 where the first line that is not plain ASCII is no UTF-8. Bytes
    that are no text in it become lone surrogates. Raises Invalid for a line that is too long.
    """

    def __init__(self, file: io.BufferedReader, encoding: str = "") -> None:
        head = file.peek(4)
        self.encoding = encoding or _by_head(head)
        self._guessing = not encoding and self.encoding == UTF_8
        self._guessing &= not head.startswith(codecs.BOM_UTF8)
        name = "utf-8-sig" if codecs.lookup(self.encoding).name == "utf-8" else self.encoding
        self._file = io.TextIOWrapper(file, name, errors="surrogateescape", newline="")
        self.was_guessed = not encoding

    def __iter__(self) -> Iterator[str]:
        for number in count(1):
            try:
                line = self._file.readline(LINE_CHARACTERS)
            except UnicodeError:
                # The decoder is some lines ahead.
                raise Invalid(
                    f"line {number} or one after it: is not {self.encoding}; "
                    "say with --encoding what the file is in"
                ) from None
            if not line:
                return
            if len(line) == LINE_CHARACTERS:
                raise Invalid(f"line {number}: is longer than {LINE_CHARACTERS:,} characters")
            yield line if line.isascii() else self._decoded(line)

    def _decoded(self, line: str) -> str:
        if self._guessing:
            self._guessing = False
            if not is_text(line):
                self.encoding = WESTERN
        if self.encoding == WESTERN and self.was_guessed:
            return line.encode("utf-8", "surrogateescape").decode("cp1252", "surrogateescape")
        return line


@contextmanager
def opened(path: str, encoding: str = "") -> Iterator[Lines]:
    """Open a file of text, `-` being standard input. Raises Invalid."""
    piped = path == "-"
    try:
        file = open(0 if piped else path, "rb", closefd=not piped)  # noqa: SIM115  # closed below
    except OSError as problem:
        raise Invalid(f"{path} cannot be read: {problem.strerror}") from None
    with file:
        yield Lines(file, encoding)


def is_encoding(name: str) -> bool:
    """Tell whether files of text can be in this."""
    try:
        "a".encode(name)
    except (LookupError, ValueError):
        return False
    return True


def is_text(text: str) -> bool:
    """Tell whether all bytes of a text could be read."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _by_head(head: bytes) -> str:
    # A pipe may have brought one byte; neither of these begins a text in UTF-8.
    if head.startswith(_BYTE_ORDER) or head in (b"\xff", b"\xfe"):
        return UTF_16
    if head[1:2] == b"\0":
        return "UTF-16-LE"
    return "UTF-16-BE" if head[:1] == b"\0" else UTF_8
