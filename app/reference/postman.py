"""Operations as a collection in Postman's format 2.1, which many other programs import."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from app.reference import legacy, rest
from app.reference.described import HEADER, PATH, QUERY, Argument, Operation
from app.rest import openapi

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
BASE, API_ID, API_KEY, API_SECRET = "{{base_url}}", "{{api_id}}", "{{api_key}}", "{{api_secret}}"
Json = dict[str, Any]


def legacy_collection(url: str, admin_path: str) -> Json:
    """Return the legacy calls; `url` is that of the host and becomes a variable."""
    credentials = ("api_id", API_ID), ("api_key", API_KEY)
    known = [_pair(name, value) for name, value in credentials]

    def item(operation: Operation) -> Json:
        arguments = [pair for each in operation.arguments for pair in _form(each)]
        body = [*known, _pair("call", operation.title), *arguments]
        return _item(
            operation,
            {
                "method": operation.method,
                "url": _url(f"{admin_path}{operation.path}"),
                "body": {"mode": "urlencoded", "urlencoded": body},
            },
            'pm.expect(pm.response.json()).to.have.property("success");',
        )

    variables = {"base_url": url, "api_id": "", "api_key": ""}
    return _collection("promobridge: legacy calls", legacy.operations(), item, variables)


def rest_collection(url: str) -> Json:
    """Return the endpoints of the REST API; `url` is that of the host and becomes a variable."""

    def item(operation: Operation) -> Json:
        request: Json = {
            "method": operation.method,
            "header": [_optional(each) for each in operation.at(HEADER)],
            "url": _url(operation.path, operation.at(PATH), operation.at(QUERY)),
        }
        if not operation.is_public:
            request["header"].append(_pair(openapi.SECRET["name"], API_SECRET))
        if operation.body is not None:
            raw = json.dumps(operation.body, ensure_ascii=False, indent=2)
            language = {"raw": {"language": "json"}}
            request["body"] = {"mode": "raw", "raw": raw, "options": language}
        known = ", ".join(map(str, sorted(operation.statuses)))
        return _item(operation, request, f"pm.expect(pm.response.code).to.be.oneOf([{known}]);")

    variables = {"base_url": url, "api_secret": ""}
    return _collection("promobridge: REST", rest.operations(), item, variables)


def _collection(name: str, operations: Iterable[Operation], item: Any, variables: Json) -> Json:
    folders = groupby(operations, key=lambda operation: operation.group)
    return {
        "info": {"name": name, "schema": SCHEMA},
        "item": [{"name": name, "item": [item(each) for each in held]} for name, held in folders],
        "variable": [{"key": key, "value": value} for key, value in variables.items()],
    }


def _item(operation: Operation, request: Json, check: str) -> Json:
    checks = [
        "// Whether the answer has the form of one; what it says depends on what is stored.",
        'pm.test("answers as described", () => {',
        f"    {check}",
        "});",
    ]
    return {
        "name": operation.title,
        "request": request | {"description": operation.summary},
        "response": [],
        "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": checks}}],
    }


def _url(path: str, variables: Iterable[Argument] = (), query: Iterable[Argument] = ()) -> Json:
    for argument in variables:
        path = path.replace(f"{{{argument.name}}}", f":{argument.name}")
    url: Json = {"raw": BASE + path, "host": [BASE], "path": path.strip("/").split("/")}
    if held := [_pair(each.name, str(each.example), each.description) for each in variables]:
        url["variable"] = held
    if asked := [_optional(each) for each in query]:
        url["query"] = asked
    return url


def _form(argument: Argument) -> Iterable[Json]:
    example = argument.example
    for value in example if isinstance(example, list) else [example]:
        yield _optional(argument, value)


def _optional(argument: Argument, value: Any = None) -> Json:
    """Return an argument, switched off where examples leave it out."""
    text = str(argument.example if value is None else value)
    pair = _pair(argument.name, text, f"{argument.takes}. {argument.description}".strip())
    return pair if argument.shown else pair | {"disabled": True}


def _pair(key: str, value: str, description: str = "") -> Json:
    return {"key": key, "value": value} | ({"description": description} if description else {})
