"""Tell what a response held when all of it has been sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from flask import Response


def watch(response: Response, most: int, end: Callable[[bytes | None], object]) -> None:
    """Call `end` with the bytes of a response when it is closed, None if not all were sent.

    It is None as well for a streamed one of more than `most` bytes, of which not more are held.
    """
    held, whole = bytearray(), not response.is_streamed

    def copied(pieces: Iterable[bytes]) -> Iterator[bytes]:
        nonlocal whole
        for piece in pieces:
            if len(held) <= most:
                held.extend(piece)
            yield piece
        whole = len(held) <= most

    if whole:
        held += response.get_data()
    else:
        response.response = copied(response.iter_encoded())
    response.call_on_close(lambda: end(bytes(held) if whole else None))
