"""A request in the languages that integrations are written in, without libraries."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from app.reference.described import Request

INDENT = "    "


def all_of(request: Request) -> dict[str, str]:
    """Return the request by the name of the language."""
    return {"curl": curl(request), "PHP": php(request), "Python": python(request)}


def curl(request: Request) -> str:
    """Return a line for a shell, broken where it is long."""
    words = [["curl", "-sS", *_method(request), request.whole_url]]
    words += [["-H", f"{name}: {value}"] for name, value in _headers(request).items()]
    if request.json is not None:
        words.append(["--data", _json(request)])
    words += [["--data-urlencode", f"{name}={value}"] for name, value in _pairs(request)]
    return " \\\n  ".join(shlex.join(each) for each in words)


def php(request: Request) -> str:
    """Return a whole PHP script without extensions."""
    options: dict[str, Any] = {"method": request.method}
    if headers := _headers(request) | _form_type(request):
        options["header"] = [f"{name}: {value}" for name, value in headers.items()]
    lines = ["<?php"]
    content = ""
    if request.form:
        lines.append(f"$arguments = {_php(_without_brackets(request.form))};")
        content = "http_build_query($arguments)"
    elif request.json is not None:
        lines.append(f"$body = {_php(request.json) if request.json else 'new stdClass()'};")
        content = "json_encode($body)"
    options["ignore_errors"] = True
    shown = _php(options, INDENT)
    if content:
        shown = shown.removesuffix(f"{INDENT}]") + f"{INDENT * 2}'content' => {content},\n{INDENT}]"
    lines += [
        f"$context = stream_context_create([\n{INDENT}'http' => {shown},\n]);",
        f"echo file_get_contents({_php(request.whole_url)}, false, $context);",
    ]
    return "\n".join(lines)


def python(request: Request) -> str:
    """Return a whole Python script of the standard library."""
    arguments = [f'"{request.whole_url}"']
    lines = []
    if request.form:
        imported = "import urllib.parse\nimport urllib.request\n"
        lines.append(f"arguments = {_python(request.form)}")
        arguments.append("data=urllib.parse.urlencode(arguments, doseq=True).encode()")
    elif request.json is not None:
        imported = "import json\nimport urllib.request\n"
        lines.append(f"body = {_python(request.json)}")
        arguments.append("data=json.dumps(body).encode()")
    else:
        imported = "import urllib.request\n"
    if headers := _headers(request):
        arguments.append(f"headers={_python(headers, INDENT)}")
    if request.method != _implied(request):
        arguments.append(f'method="{request.method}"')
    joined = "".join(f"{INDENT}{argument},\n" for argument in arguments)
    lines += [
        f"request = urllib.request.Request(\n{joined})",
        "with urllib.request.urlopen(request) as response:",
        f"{INDENT}print(response.read().decode())",
    ]
    return "\n".join([imported, *lines])


def _method(request: Request) -> list[str]:
    return [] if request.method == _implied(request) else ["-X", request.method]


def _implied(request: Request) -> str:
    """Return the method that a request has where none is said."""
    return "POST" if request.form or request.json is not None else "GET"


def _headers(request: Request) -> dict[str, str]:
    of_body = {} if request.json is None else {"Content-Type": "application/json"}
    return dict(request.headers) | of_body


def _form_type(request: Request) -> dict[str, str]:
    return {"Content-Type": "application/x-www-form-urlencoded"} if request.form else {}


def _pairs(request: Request) -> Iterable[tuple[str, str]]:
    for name, value in request.form.items():
        for each in [value] if isinstance(value, str) else value:
            yield name, each


def _without_brackets(form: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removesuffix("[]"): value for name, value in form.items()}


def _json(request: Request) -> str:
    return json.dumps(request.json, ensure_ascii=False)


def _php(value: Any, indent: str = "") -> str:
    """Return a value as PHP writes it."""
    if isinstance(value, dict):
        members = [f"{_php(key)} => {_php(each, indent + INDENT)}" for key, each in value.items()]
        return _block("[", members, "]", indent)
    if isinstance(value, list):
        return f"[{', '.join(map(_php, value))}]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    return json.dumps(value)


def _python(value: Any, indent: str = "") -> str:
    """Return a value as Python writes it."""
    if isinstance(value, dict):
        members = [f"{_python(key)}: {_python(each)}" for key, each in value.items()]
        return _block("{", members, "}", indent)
    if isinstance(value, list):
        return f"[{', '.join(map(_python, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _block(opening: str, members: list[str], closing: str, indent: str) -> str:
    if not members:
        return opening + closing
    inner = "".join(f"{indent}{INDENT}{member},\n" for member in members)
    return f"{opening}\n{inner}{indent}{closing}"
