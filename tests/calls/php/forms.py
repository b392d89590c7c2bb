"""Multipart forms like those of clients, and far odder ones, from a seed."""

from __future__ import annotations

from random import Random
from typing import NamedTuple, TypeVar

T = TypeVar("T")

NAMES = [
    *("a", "b", "a[]", "a[x]", "a[][y]", "a.b"),  # the first six are what clients send
    *("call", "_charset_", "MAX_FILE_SIZE", "é", "\xff", "0", "7", "%61", "a;b", "a=b", "a,b"),
    *("", " ", " a", "a ", "a b", "[", "a[", "]a"),
]
SPOILED = [
    "\\",
    '"',
    "'",
    "\\\\",
    '\\"',
    "\\'",
    "\0",
    "\x7f",
    ":",
    ";",
    "=",
    "\v",
    "\f",
    "\r",
    "\t",
]
VALUES = [
    *(
        b"1",
        b"",
        b"\r\n",
        b"\n",
        b"\r",
        b"--xyz",
        b"\n--xy",
        b"\r\n--xy\r\n",
        b"--",
        b"\xff",
        b"\0",
    ),
    *(b"&", b"=", b"%41", b" 2\r\n", b"\xc3\xa9", b"\n-", b"\r\r\n"),
]
BOUNDARIES = ["xyz", "----WebKitFormBoundary7MA4", "=_1 2", "-", "x'y", "a" * 80]
TYPES = [
    *("multipart/form-data; boundary=%s", 'multipart/form-data; boundary="%s"'),
    'Multipart/Form-Data;charset=x;Boundary="%s"; x=y',
    "multipart/form-data;boundary=%s;charset=a",
    "multipart/form-data;boundary=%s, x",
    "multipart/form-data; boundary = %s",
    "multipart/form-data; boundary=%s ; x",
    "multipart/form-data; xboundaryx; y=%s",
    "multipart/form-data; BOUNDARY=other; boundary=%s",
    "multipart/form-data; boundary='%s'",
    "multipart/form-data boundary=%s",
    "multipart/form-data, boundary==%s",
]
BEHIND_MARKS = [b" ", b"\t", b"x", b"\0", b"\0x", b"\r", b"-"]
ENDS = [b"--", b"--", b"--\r\n", b"--\r\n", b"-- \n", b"--x\r\n"]
HEADERS = [
    *("Content-Type: text/plain", "X: y", "a", "Content-Length: 3", " folded", "\t; name=f", ":"),
    *(" : x", "Content-Disposition", 'content-disposition: form-data; name="z"', "\0", "x\0y: z"),
    *("Content-Disposition : form-data; name=s", 'x; name="b"', "é: \xff"),
]
KEYS = ["Content-Disposition:", "CONTENT-disposition:", "Content-Disposition: \t"]
KINDS = [" form-data", " form-data", "", " attachment", " 'x;'", ' "', " =", " x=y"]
PARAMETERS = [
    *("name", "Name", "filename", "filename", "FileName", "filename*", "name*", "xname", "x"),
]
BETWEEN = [";", ";;", " ; ", ";\t", ",", " ", ";\r\n ", ";\n\t"]
BEHIND = [";", " ", "; ", "x", '"', "\\"]
EQUALS = [" =", "= ", "==", "", "=\t", ":"]


class Form(NamedTuple):
    """Hold the type and the body of a form, and what would end it."""

    content_type: str
    body: bytes
    end: bytes


class Forms:
    """Make forms."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance

    def form(self) -> Form:
        boundary = self.one(BOUNDARIES) if self.is_odd() else "xyz"
        kind = self.one(TYPES if self.is_odd() else TYPES[:2]) % boundary
        mark = b"--" + boundary.encode()
        parts = [self.part(mark) for _ in range(self.chance.randint(0, 4))]
        last = mark + (self.one(ENDS) if not self.is_odd(0.02) else b"\r\n")
        before = self.some(VALUES, 3) + self.line() if self.is_odd() else b""
        more = [*VALUES, self.part(mark), b"\n" + mark + b"--"]
        after = self.some(more, 2) if self.is_odd() else b""
        return Form(
            kind, before + b"".join(parts) + last + after, b"\r\n\r\n\r\n" + mark + b"--\r\n"
        )

    def part(self, mark: bytes) -> bytes:
        line = mark + (self.one(BEHIND_MARKS) if self.is_odd(0.1) else b"") + self.line()
        headers = [self.disposition()] if not self.is_odd(0.05) else []
        while self.is_odd():
            headers.insert(self.chance.randint(0, len(headers)), self.one(HEADERS))
        head = b"".join(each.encode() + self.line() for each in headers) + self.line()
        value = self.some(VALUES, 4) * self.one([1] * 40 + [300])
        return line + head + value + (self.line() if not self.is_odd(0.05) else b"")

    def disposition(self) -> str:
        parameters = [self.parameter("NAME" if self.is_odd() else "name")]
        while self.is_odd():
            at = self.chance.randint(0, len(parameters))
            parameters.insert(at, self.parameter(self.one(PARAMETERS)))
        text = self.one(KEYS) + (self.one(KINDS) if self.is_odd() else " form-data")
        for each in parameters:
            text += (self.one(BETWEEN) if self.is_odd() else "; ") + each
        return text + (self.one(BEHIND) if self.is_odd() else "")

    def parameter(self, key: str) -> str:
        value = self.one(NAMES if self.is_odd(0.6) else NAMES[:6])
        while self.is_odd():
            at = self.chance.randint(0, len(value))
            value = value[:at] + self.one(SPOILED) + value[at:]
        quote = self.one(['"', '"', '"', '"', "'", ""])
        closed = quote
        if self.is_odd(0.05):
            closed = self.one(['"', "'", "", quote * 2, f"{quote}x", f"{quote} "])
        equals = "=" if not self.is_odd(0.1) else self.one(EQUALS)
        return key + equals + quote + value + closed

    def line(self) -> bytes:
        return b"\r\n" if not self.is_odd(0.1) else self.one([b"\n", b"\n", b"\r\r\n"])

    def is_odd(self, share: float = 0.25) -> bool:
        return self.chance.random() < share

    def one(self, choices: list[T]) -> T:
        return self.chance.choice(choices)

    def some(self, pieces: list[bytes], most: int) -> bytes:
        return b"".join(self.chance.choices(pieces, k=self.chance.randint(0, most)))
