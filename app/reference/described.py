"""The shape in which both APIs are described."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

API_ID, API_KEY, API_SECRET = "YOUR_API_ID", "YOUR_API_KEY", "YOUR_API_SECRET"
"""What stands in examples where everybody puts credentials of their own."""
BODY, QUERY, PATH, HEADER = "body", "query", "path", "header"


@dataclass(frozen=True)
class Argument:
    """Describe an argument: its name as it is sent, what it takes, where it stands.

    `example` is what examples send; where it is not `shown`, they leave it out.
    """

    name: str
    takes: str
    description: str
    required: bool = False
    place: str = BODY
    example: Any = ""
    shown: bool = False


@dataclass(frozen=True)
class Request:
    """Hold a request that shows an operation; one has `form` or `json` or neither as its body."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str | list[str]] = field(default_factory=dict)
    json: Any = None

    @property
    def whole_url(self) -> str:
        """Return the URL with its query."""
        return f"{self.url}?{urlencode(self.query)}" if self.query else self.url


@dataclass(frozen=True)
class Operation:
    """Describe a legacy call or an endpoint: `id` names it in addresses, `title` for people."""

    id: str
    title: str
    summary: str
    method: str
    path: str
    arguments: tuple[Argument, ...]
    group: str
    body: Any = None
    """The JSON that an example sends."""
    statuses: tuple[int, ...] = (200,)
    is_public: bool = False
    """Whether it is answered without credentials."""

    def at(self, place: str) -> list[Argument]:
        """Return the arguments that stand in a place."""
        return [argument for argument in self.arguments if argument.place == place]
