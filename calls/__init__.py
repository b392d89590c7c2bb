"""The legacy API without HTTP: one module for each call, found in this folder.

A call module declares its arguments as a schema and returns an Answer:

    @call("listPromoBatches", params=Params)
    def list_promo_batches(caller, page, perpage):
"""

from __future__ import annotations

import importlib
import pkgutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import date, tzinfo
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, Self
from zoneinfo import ZoneInfo

from marshmallow import EXCLUDE, Schema, ValidationError

from calls.wire import near_misses
from models.access.accesses import Access
from models.store import clock

if TYPE_CHECKING:
    from calls.rendering.batch_json import FragmentCache
    from models.redemptions.use_rules import Use


class Settings(Protocol):
    """Name the settings that calls read; see app/config.py."""

    @property
    def hostbill_version(self) -> str: ...
    @property
    def timezone(self) -> str: ...
    @property
    def amount_places(self) -> int: ...
    @property
    def unknown_facts(self) -> str: ...
    @property
    def batches_per_page(self) -> int: ...
    @property
    def batches_per_page_max(self) -> int: ...
    @property
    def codes_per_page(self) -> int: ...
    @property
    def codes_per_page_max(self) -> int: ...


IDEMPOTENCY_KEY = "idempotency_key"
TOLERATED = ("api_id", "api_key", "call", "outputformat", "?", "_")
"""Arguments that every call takes: who asks for what, and what clients send along."""
MOST_PROBLEMS = 100
"""How many wrong arguments one answer tells about."""
LookupGuard = Callable[..., AbstractContextManager[None]]
"""Makes the context of a code's look-up, for a user or client if one is given: it refuses who has
guessed too much, and counts each NotFound that goes through it. See app/limits.py."""


@dataclass(frozen=True)
class Caller:
    """Describe the caller and what calls work with: the first argument of every call.

    `access` is None for the operator at the command line, who may use every call.
    """

    access: Access | None
    settings: Settings
    fragments: FragmentCache
    lookup_guard: LookupGuard = nullcontext
    holds: Callable[[str], bool] = lambda tag: False
    """Tells whether the client has the answer with a tag already."""
    invoice: Callable[[], Mapping[str, Any]] = dict
    """Returns what a panel says of the invoice and the arguments do not: fields of a Use. Raises
    NotFound for an invoice that the panel does not know."""
    note_refused: Callable[[str, Use, str], None] = lambda code, use, key: None
    """Notes a code, how it was to be used and the key of the refusal."""

    @property
    def zone(self) -> tzinfo:
        """Return the time zone of the installation."""
        return ZoneInfo(self.settings.timezone)

    @property
    def places(self) -> int:
        """Return how many decimals the currency of the installation has."""
        return self.settings.amount_places

    @property
    def today(self) -> date:
        """Return the day that it is at the installation."""
        return clock.today(self.zone)

    @property
    def api_id(self) -> str:
        """Return the id of the access, empty for the operator."""
        return "" if self.access is None else str(self.access.api_id)

    @contextmanager
    def noting(self, code: str, use: Use) -> Iterator[None]:
        """Note a refusal of a use of a code, which goes on."""
        try:
            yield
        except Exception as problem:
            if key := getattr(problem, "key", ""):
                self.note_refused(code, use, key)
            raise

    def may_call(self, name: str) -> bool:
        """Tell whether the caller may use this call."""
        return self.access is None or self.access.may_call(name)


@dataclass(frozen=True)
class Answer:
    """Hold what a call answers; the endpoint puts it into the envelope.

    All of it has been read from the store, but for the `Rows` of a very large list. Where there is
    a `tag`, it differs whenever anything else here does; `unchanged` says that the client holds
    that answer, so that there is no payload. `redemption_id` is the use of a code that it tells of;
    `repeated` says that an earlier call had made it.
    """

    payload: Mapping[str, Any] = field(default_factory=dict)
    sorter: Mapping[str, Any] | None = None
    info: tuple[str, ...] = ()
    tag: str | None = None
    unchanged: bool = False
    redemption_id: int | None = None
    repeated: bool = False


def envelope(
    success: bool,
    payload: Mapping[str, Any],
    name: str,
    *,
    sorter: Mapping[str, Any] | None = None,
    info: list[str] | None = None,
    error: list[str] | None = None,
) -> dict[str, Any]:
    """Return the body of every answer, its keys in the vendor's order.

    {"success": true, …payload…, "call": "…", "sorter": {…}, "server_time": 1, "info": ["…"]}
    {"success": false, "call": "…", "server_time": 1, "error": ["…"]}
    """
    optional = {"sorter": sorter, "server_time": clock.now(), "info": info, "error": error}
    present = {key: value for key, value in optional.items() if value is not None}
    return {"success": success, **payload, "call": name, **present}


class WrongParameters(Exception):
    """List what is wrong with the arguments, one sentence each, in the order of the parameters."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = list(problems)

    @classmethod
    def of(cls, reasons: Mapping[str, list[str]]) -> Self:
        """Return the vendor's words for each argument, then its name and why it is wrong.

        After `MOST_PROBLEMS` a last sentence says how many more there are.
        """
        sentences = []
        for name, texts in islice(reasons.items(), MOST_PROBLEMS):
            reason = "; ".join(filter(None, texts))
            sentences.append(f"Wrong parameter: {name}" + (f" ({reason})" if reason else ""))
        if len(reasons) > MOST_PROBLEMS:
            sentences.append(f"Wrong parameter: and {len(reasons) - MOST_PROBLEMS} more")
        return cls(*sentences)


class Params(Schema):
    """Declare the arguments of a call; what becomes of unknown ones is the call's: see `load`.

    `caller` is there while arguments are loaded.
    """

    caller: Caller

    class Meta:
        unknown = EXCLUDE


@dataclass(frozen=True)
class Call:
    """Describe one registered call.

    `writes` marks one that changes the store: it takes `idempotency_key` besides its own arguments,
    and with one it is run inside a transaction, so it must leave nothing behind that a rollback
    does not undo. `extension` marks one that the vendor does not have.
    """

    name: str
    params: type[Params]
    handle: Callable[..., Answer]
    writes: bool
    extension: bool


_registry: dict[str, Call] = {}


def call(
    name: str, params: type[Params] = Params, writes: bool = False, extension: bool = False
) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    """Register the decorated function under the public name. Raises ValueError on a second one."""

    def register(handle: Callable[..., Answer]) -> Callable[..., Answer]:
        if name in _registry:
            raise ValueError(f"The call {name} is registered twice")
        _registry[name] = Call(name, params, handle, writes, extension)
        return handle

    return register


@cache
def registry() -> Mapping[str, Call]:
    """Return every call by its public name; the modules of this folder, not its packages."""
    for module in pkgutil.iter_modules(__path__):
        if not module.ispkg:
            importlib.import_module(f"{__name__}.{module.name}")
    return dict(sorted(_registry.items()))


def run(found: Call, arguments: Mapping[str | int, Any], caller: Caller) -> Answer:
    """Run a call with the arguments of a request. Raises WrongParameters."""
    return found.handle(caller, **load(found, arguments, caller))


def load(found: Call, arguments: Mapping[str | int, Any], caller: Caller) -> dict[str, Any]:
    """Return the typed arguments of a call. Raises WrongParameters.

    An extension refuses unknown arguments; a call of the vendor's that writes tolerates them, but
    for slips of known ones, and one that only reads tolerates all.
    """
    schema = _schema(found)
    schema.caller = caller
    texts = {str(name): value for name, value in arguments.items()}
    # One that only reads has no use for a key: it is the same however often it is sent.
    declared = [field.data_key or name for name, field in schema.fields.items()] + [IDEMPOTENCY_KEY]
    loaded: dict[str, Any] = {}
    messages: dict[str, list[str]] = {}
    try:
        loaded = schema.load(texts)
    except ValidationError as problem:
        messages = problem.normalized_messages()
    if found.extension or found.writes:
        ours = {*declared, *TOLERATED}
        for name in (name for name in texts if name not in ours):
            # What is not told about is not compared either: that takes longest.
            known = declared if len(messages) < MOST_PROBLEMS else []
            if reason := _why_unknown(found, name, known):
                messages.setdefault(near_misses.shown(name), []).append(reason)
    if not messages:
        return loaded
    names = [name for name in dict.fromkeys((*declared, *messages)) if name in messages]
    raise WrongParameters.of({name: messages[name] for name in names})


def _why_unknown(found: Call, name: str, known: list[str]) -> str | None:
    """Return why an unknown argument is refused, None for one that is tolerated."""
    find = near_misses.nearest if found.extension else near_misses.near_miss
    if meant := find(name, known):
        return f"is unknown, did you mean {meant}?"
    return "is unknown" if found.extension else None


def _schema(found: Call) -> Params:
    """Return this thread's schema of a call: making one costs more than most calls."""
    mine: dict[str, Params] = _schemas.__dict__
    if found.name not in mine:
        mine[found.name] = found.params()
    return mine[found.name]


_schemas = threading.local()
