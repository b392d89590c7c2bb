"""The endpoints of the REST API, described from its OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from app.reference.described import API_SECRET, BODY, PATH, QUERY, Argument, Operation, Request
from app.rest import openapi
from app.rest.envelope import ROOT

GROUP = "Campaigns of codes that are worth points"
KINDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "string": "text",
}


@cache
def operations() -> tuple[Operation, ...]:
    """Return every endpoint, in the order of the document."""
    return tuple(
        _described(method.upper(), path, operation)
        for path, operations in openapi.document()["paths"].items()
        for method, operation in operations.items()
    )


def request(operation: Operation, url: str) -> Request:
    """Return a request that shows an endpoint; `url` is that of the host."""
    path = operation.path
    for argument in operation.at(PATH):
        path = path.replace(f"{{{argument.name}}}", str(argument.example))
    return Request(
        operation.method,
        url + path,
        {} if operation.is_public else {openapi.SECRET["name"]: API_SECRET},
        {each.name: str(each.example) for each in operation.at(QUERY) if each.shown},
        json=operation.body,
    )


def _described(method: str, path: str, described: Mapping[str, Any]) -> Operation:
    arguments = [
        Argument(
            each["name"],
            _takes(each["schema"]),
            each.get("description", ""),
            each.get("required", False),
            each["in"],
            example=_example(each["schema"]),
            shown=each.get("required", False),
        )
        for each in described.get("parameters", ())
    ]
    body = None
    if "requestBody" in described:
        content = described["requestBody"]["content"]["application/json"]
        body = content["example"]
        arguments += _fields(content["schema"], body)
    return Operation(
        described["operationId"],
        f"{method} {ROOT}{path}",
        described["summary"],
        method,
        ROOT + path,
        tuple(arguments),
        GROUP,
        body,
        tuple(int(status) for status in described["responses"]),
        described.get("security") == [],
    )


def _fields(schema: Mapping[str, Any], body: Mapping[str, Any]) -> Iterator[Argument]:
    """Yield the fields of a body."""
    whole = openapi.document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    required = whole.get("required", ())
    for name, each in whole.get("properties", {}).items():
        takes, description = _takes(each), each.get("description", "")
        yield Argument(name, takes, description, name in required, BODY, body.get(name, ""), True)


def _takes(schema: Mapping[str, Any]) -> str:
    """Return what a schema lets in, in words."""
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    kinds = schema.get("type", "string")
    names = [KINDS[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    names = [_formats(schema) or name if name == KINDS["string"] else name for name in names]
    return " or ".join(names) + _bounds(schema)


def _formats(schema: Mapping[str, Any]) -> str:
    formats = {"date-time": "a time like 2030-12-31T23:59:59Z", "uuid": "a UUID"}
    return formats.get(schema.get("format", ""), "")


def _bounds(schema: Mapping[str, Any]) -> str:
    if "maximum" in schema:
        return f" from {schema['minimum']:,} to {schema['maximum']:,}"
    if "maxItems" in schema:
        return f" of {schema['maxItems']:,} at most"
    if "maxLength" in schema and not _formats(schema):
        return f", {schema['maxLength']} characters at most"
    return ""


def _example(schema: Mapping[str, Any]) -> Any:
    return schema.get("example", schema.get("enum", [""])[0])
