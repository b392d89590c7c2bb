"""Stubs from files: a Postman collection, a folder of `panel record`, or calls with their answers.

A collection is read as a panel's download button makes it: an item for each call, its arguments in
the query or in the form, `required` at those that it must have, and one sample answer.
# guess: where `required` stands; it is looked for at each argument.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from app.config import BadSetting
from app.double.stubs import Stub
from app.panel.recording import SUFFIX
from calls import TOLERATED
from models.access.usage import CALL_LENGTH

FILE_BYTES = 67_108_864
ITEMS = 20_000
DEPTH = 20
"""Folders of a collection inside each other."""
PLACES = ("urlencoded", "formdata")
NAME = re.compile(rf"[A-Za-z0-9_]{{1,{CALL_LENGTH}}}")


def load(paths: Sequence[Path]) -> tuple[list[Stub], list[str]]:
    """Return the stubs of files and folders, and warnings. Raises BadSetting for what is none."""
    stubs: list[Stub] = []
    warnings: list[str] = []
    for path in paths:
        if path.is_dir():
            stubs += _recorded(path, warnings)
        else:
            stubs += _of_file(path, warnings)
    return stubs, warnings


def _of_file(path: Path, warnings: list[str]) -> Iterator[Stub]:
    held = _json(path)
    if isinstance(held, dict) and isinstance(held.get("item"), list):
        yield from _collected(path, held, warnings)
    elif isinstance(held, dict) and held and all(map(NAME.fullmatch, held)):
        for call, answer in held.items():
            yield Stub(call, [_answer(path, call, answer, warnings)])
    else:
        raise BadSetting(
            f"{path} holds no stubs: it must be a Postman collection, a folder of"
            ' `promobridge panel record`, or JSON like {"getClients": {"clients": []}}'
        )


def _collected(path: Path, held: dict[str, Any], warnings: list[str]) -> Iterator[Stub]:
    seen: set[str] = set()
    for number, item in enumerate(_items(path, held["item"]), 1):
        request = item.get("request")
        arguments = list(_arguments(request)) if isinstance(request, dict) else []
        named = [each.get("value") for each in arguments if each.get("key") == "call"]
        call = str((named or [item.get("name")])[0] or "").strip()
        if not NAME.fullmatch(call):
            warnings.append(f"{path}: item {number} names no call and is left out")
            continue
        if call.lower() in seen:
            warnings.append(f"{path}: the call {call} stands there twice; the first one is taken")
            continue
        seen.add(call.lower())
        required = [
            str(each["key"])
            for each in arguments
            if each.get("required") is True and each.get("key") not in TOLERATED
        ]
        yield Stub(call, [_answer(path, call, _sample(item), warnings)], required=required)


def _items(path: Path, items: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield the items of a collection that are no folders, however these are nested."""
    waiting = [(item, 1) for item in reversed(items)]
    count = 0
    while waiting:
        item, depth = waiting.pop()
        count += 1
        if count > ITEMS or depth > DEPTH:
            raise BadSetting(f"{path} holds over {ITEMS} items, or folders over {DEPTH} deep")
        if not isinstance(item, dict):
            item = {}
        inside = item.get("item")
        if isinstance(inside, list):
            waiting += [(each, depth + 1) for each in reversed(inside)]
        else:
            yield item


def _arguments(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the arguments of a request, those of the query first."""
    url, body = request.get("url"), request.get("body")
    lists = [url.get("query")] if isinstance(url, dict) else []
    if isinstance(body, dict):
        lists += [body.get(place) for place in PLACES]
    for found in lists:
        if isinstance(found, list):
            yield from (each for each in found if isinstance(each, dict))


def _sample(item: dict[str, Any]) -> Any:
    """Return the first sample answer of an item as text, "" without one."""
    samples = item.get("response")
    first = samples[0] if isinstance(samples, list) and samples else None
    return (first.get("body") or "") if isinstance(first, dict) else first or ""


def _answer(path: Path, call: str, sample: Any, warnings: list[str]) -> Any:
    """Return a sample as a JSON object, or as bytes that are sent as they are."""
    if isinstance(sample, str):
        if not sample.strip():
            return {}
        try:
            sample = json.loads(sample)
        except (ValueError, RecursionError):
            warnings.append(f"{path}: the answer of {call} is no JSON; it is sent as it is")
            return sample.encode(errors="replace")
    if isinstance(sample, dict):
        return sample
    warnings.append(f"{path}: the answer of {call} is no JSON object; it is sent as it is")
    return json.dumps(sample).encode()


def _recorded(folder: Path, warnings: list[str]) -> Iterator[Stub]:
    files = sorted(each for each in folder.iterdir() if each.suffix == SUFFIX)
    if not files or len(files) > ITEMS:
        raise BadSetting(f"{folder} holds no recording: make one with `promobridge panel record`")
    usual: dict[str, Stub] = {}
    for file in files:
        held = _json(file)
        parts = [held.get(name) for name in ("call", "arguments", "answer")] if _is(held) else []
        if not parts or not isinstance(parts[0], str) or not all(map(_is, parts[1:])):
            warnings.append(f"{file} is no recorded answer and is left out")
            continue
        call, arguments, answer = parts
        yield Stub(call, [answer], match=arguments, exact=True)
        # Values of arguments were replaced when they were recorded: others get the first answer.
        usual.setdefault(call.lower(), Stub(call, [answer]))
    yield from usual.values()


def _is(value: Any) -> bool:
    return isinstance(value, dict)


def _json(path: Path) -> Any:
    try:
        with path.open("rb") as opened:
            text = opened.read(FILE_BYTES + 1)
    except OSError as problem:
        raise BadSetting(f"{path} cannot be read: {problem.strerror}") from None
    if len(text) > FILE_BYTES:
        raise BadSetting(f"{path} is larger than {FILE_BYTES} bytes")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadSetting(f"{path} is no JSON") from None
