"""Stubs from files: a Postman collection, a folder of `panel record`, or calls with their answers.

A collection is read as a panel's download button makes it: an item for each call, its arguments in
the query or in the form, `required` at those that it must have, and one sample answer.
# guess: where `required` stands, and as what; it is looked for at each argument.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from app.config import BadSetting
from app.double import json_text
from app.double.stubs import Stub
from app.panel.recording import SUFFIX
from calls import TOLERATED
from models.access.usage import CALL_LENGTH

FILE_BYTES = 67_108_864
ITEMS = 20_000
DEPTH = 20
"""Folders of a collection inside each other."""
PLACES = ("urlencoded", "formdata")
REQUIRED = (True, "1", "true")
NAME = re.compile(rf"[A-Za-z0-9_]{{1,{CALL_LENGTH}}}")


def load(paths: Sequence[Path]) -> tuple[list[Stub], list[str]]:
    """Return the stubs of files and folders, and warnings. Raises BadSetting for what is none."""
    stubs: list[Stub] = []
    others: list[Stub] = []
    warnings: list[str] = []
    for path in paths:
        if path.is_dir():
            recorded = list(_recorded(path, warnings))
            stubs += recorded
            # Values of arguments were replaced when they were recorded: where there is no sample,
            # other ones get the first answer.
            first = {stub.call.lower(): stub for stub in reversed(recorded)}
            others += (Stub(stub.call, stub.answers) for stub in first.values())
        else:
            stubs += _of_file(path, warnings)
    return stubs + others, warnings


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
        arguments = list(_arguments(item.get("request")))
        names = [each.get("value") for each in arguments if each.get("key") == "call"]
        call = next(filter(_names_call, [*names, item.get("name")]), None)
        if call is None:
            warnings.append(f"{path}: item {number} names no call and is left out")
            continue
        if call.lower() in seen:
            warnings.append(f"{path}: the call {call} stands there twice; the first one is taken")
            continue
        seen.add(call.lower())
        answer = _answer(path, call, _sample(item), warnings)
        yield Stub(call, [answer], required=_required(arguments))


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


def _names_call(name: Any) -> bool:
    return isinstance(name, str) and NAME.fullmatch(name) is not None


def _required(arguments: list[dict[str, Any]]) -> list[str]:
    """Return the names of the arguments that must be there, of an array its own: ids for ids[]."""
    keys = [each.get("key") for each in arguments if each.get("required") in REQUIRED]
    names = dict.fromkeys(key.partition("[")[0] for key in keys if isinstance(key, str))
    return [name for name in names if name and name not in TOLERATED]


def _arguments(request: Any) -> Iterator[dict[str, Any]]:
    """Yield the arguments of a request, those of the query first; it may be the URL alone."""
    held = request if isinstance(request, dict) else {"url": request}
    url, body = held.get("url"), held.get("body")
    parts = url if isinstance(url, dict) else {"raw": url}
    lists = [parts.get("query") or _query(parts.get("raw"))]
    if isinstance(body, dict):
        lists += [body.get(place) for place in PLACES]
    for found in lists:
        if isinstance(found, list):
            yield from (each for each in found if isinstance(each, dict))


def _query(url: Any) -> list[dict[str, Any]]:
    """Return the arguments of a URL that is one text, as in collections of version 2.0."""
    text = url.partition("?")[2].partition("#")[0] if isinstance(url, str) else ""
    return [{"key": name, "value": value} for name, value in parse_qsl(text)]


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
            sample = json_text.read(sample)
        except ValueError:
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
    for file in files:
        held = _json(file)
        parts = [held.get(name) for name in ("call", "arguments", "answer")] if _is(held) else []
        if not parts or not _names_call(parts[0]) or not all(map(_is, parts[1:])):
            warnings.append(f"{file} is no recorded answer and is left out")
            continue
        call, arguments, answer = parts
        yield Stub(call, [answer], match=arguments, exact=True)


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
        return json_text.read(text)
    except ValueError:
        raise BadSetting(f"{path} is no JSON, or goes too deep") from None
