"""Parse multipart forms as PHP 8.2 does, which is neither RFC 7578 nor what libraries read.

- The boundary begins behind the first `=` after the word "boundary", anywhere in the type, and
  ends at a comma or semicolon, or at the closing quote.
- A line that is the boundary alone begins a part; with anything more on it, a blank or `--`, it
  ends a value, and what follows is passed over up to the next such line, behind the last part too.
- Lines end with LF, one CR before it is left out; they are read up to a NUL.
- A header line that begins with a blank or has no colon continues the one before.
- Of several names in one Content-Disposition the last counts, of several such headers the first. A
  value is quoted by `"` or `'`, in which a backslash escapes itself and that quote; what follows
  the closing quote is ignored. `filename*` is not `filename`.
- A part without Content-Disposition is passed over.

What PHP drops in silence is refused here: parts over `MAX_ARGUMENTS`, what follows a part that has
neither name nor filename, headers over `MAX_HEADERS`, and a form that does not end with its last
boundary, or whose boundary is not ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from calls.php.arrays import MAX_ARGUMENTS, InvalidRequest

MAX_HEADERS = 4096
"""Bytes that the headers of a part may have."""
_BLANKS = b" \t\n\v\f\r"
# An unclosed quote holds all that follows, so that no byte is tried twice.
_QUOTED = rb"""\"(?:[^\"\\]++|\\\"?)*+\"?|'(?:[^'\\]++|\\'?)*+'?"""
_UP_TO = {mark: re.compile(rb"(?:[^%b\"']++|%b)*+" % (mark, _QUOTED)) for mark in (b";", b"=")}
_INSIDE = {
    b'"': re.compile(rb"(?:[^\"\\]++|\\[\"\\]?)*+"),
    b"'": re.compile(rb"(?:[^'\\]++|\\['\\]?)*+"),
    b"": re.compile(rb"[^ \t\n\v\f\r]*+"),
}
_NAME_OF_FILE = re.compile(rb"[^\[\]]*+(?:\[[^\[\]]*+\])*+")
_ESCAPED = {quote: re.compile(rb"\\([\\%b])" % quote) for quote in (b'"', b"'", b"")}


def from_multipart(content_type: str, body: bytes) -> Iterator[tuple[str, str]]:
    """Yield the fields of a multipart form in order; files count as arguments and are passed over.

    Raises InvalidRequest for a missing boundary, a broken or truncated body, or too many parts.
    """
    mark = b"\n--" + boundary_of(content_type)
    body = b"\n" + body
    at, parts, whole = 0, 0, False
    while (at := body.find(mark, at)) >= 0:
        behind = at + len(mark)
        whole = whole or body.startswith(b"--", behind)
        at = body.find(b"\n", behind)
        if at < 0:
            break
        if _line(body[behind:at]):
            continue
        parts += 1
        if parts > MAX_ARGUMENTS:
            raise InvalidRequest(f"there are more than {MAX_ARGUMENTS} arguments")
        whole = False
        disposition, start = _disposition(body, at + 1)
        at = start - 1
        if disposition is None:
            continue
        named = dict(_parameters(disposition))
        if not named:
            raise InvalidRequest("the multipart body has a part without a name")
        if b"filename" in named and not _is_read(named):
            continue
        at = body.find(mark, start)
        if at < 0:
            break
        if b"filename" not in named:
            yield _text(named[b"name"]), _text(body[start:at].removesuffix(b"\r"))
    if not whole:
        raise InvalidRequest("the multipart body is broken or was cut off")


def boundary_of(content_type: str) -> bytes:
    """Return the boundary that a content type names. Raises InvalidRequest."""
    place = content_type.find("boundary")
    if place < 0:
        place = content_type.lower().find("boundary")
    _, equals, rest = content_type[max(place, 0) :].partition("=")
    if rest.startswith('"'):
        boundary, closed, _ = rest[1:].partition('"')
    else:
        boundary, closed = re.split("[,;]", rest, maxsplit=1)[0], equals
    if place < 0 or not boundary or not closed or not boundary.isascii():
        raise InvalidRequest("the multipart body has no boundary")
    return boundary.encode()


def _disposition(body: bytes, at: int) -> tuple[bytes | None, int]:
    """Return the first Content-Disposition of the headers at a place, and where they end."""
    headers: list[tuple[bytes, list[bytes]]] = []
    start = at
    while (end := body.find(b"\n", at, start + MAX_HEADERS)) >= 0:
        line = _line(body[at:end])
        at = end + 1
        if not line:
            break
        name, colon, value = line.partition(b":")
        if colon and line[:1] not in _BLANKS:
            headers.append((name.lower(), [value.lstrip(_BLANKS)]))
        elif headers:
            headers[-1][1].append(line)
    else:
        raise InvalidRequest("the multipart body has headers that are too long or cut off")
    found = (b"".join(lines) for name, lines in headers if name == b"content-disposition")
    return next(found, None), at


def _is_read(named: dict[bytes, bytes]) -> bool:
    """Tell whether PHP reads the bytes of a file: if not, they may begin with the next boundary."""
    return bool(named[b"filename"] and _NAME_OF_FILE.fullmatch(named.get(b"name", b"")))


def _parameters(disposition: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield what name and filename are said to be, in order."""
    at = 0
    while at < len(disposition):
        pair, at = _word(disposition, at, b";")
        while disposition[at : at + 1] and disposition[at] in _BLANKS:
            at += 1
        key, behind = _word(pair, 0, b"=")
        if b"=" in pair and key.lower() in (b"name", b"filename"):
            yield key.lower(), _value(pair[behind:])


def _word(text: bytes, at: int, stop: bytes) -> tuple[bytes, int]:
    """Return the text up to a mark that is not in quotes, and where what follows the marks is."""
    found = next(_UP_TO[stop].finditer(text, at))  # at this place, if only nothing
    end = found.end()
    while text.startswith(stop, end):
        end += 1
    return found[0], end


def _value(text: bytes) -> bytes:
    text = text.lstrip(_BLANKS)
    quote = text[:1] if text.startswith((b'"', b"'")) else b""
    found = next(_INSIDE[quote].finditer(text, len(quote)))
    return _ESCAPED[quote].sub(rb"\1", found[0])


def _line(line: bytes) -> bytes:
    return line.removesuffix(b"\r").partition(b"\0")[0]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
