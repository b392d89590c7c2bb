"""Idempotency keys of both APIs: a request that is sent twice is run once.

The first answer is kept with its changes, in one transaction, and given again byte for byte.
A refusal by the store is kept too: who was refused has acted on it, and a copy of the request that
arrives late must not succeed. Wrong arguments are not, so that they can be put right. The answer to
a use of a code is kept while the use stands: given again after its release, it would sell twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import Response, current_app, g

import calls
from app import metrics
from app.config import Settings
from calls import Answer, Call, Caller, WrongParameters
from models.promotions.campaign_counts import Owner
from models.redemptions.redemption import stands
from models.store.base import change
from models.store.errors import Invalid, OverQuota, PromoError
from models.store.idempotency import KeyReused, Quota, Reply, once

ARGUMENT = calls.IDEMPOTENCY_KEY
HEADER = "Idempotency-Key"
KEY_LENGTH = 255
BUSY = "busy"
"""The refusal that asks to try again: it is never kept, as is none for a quota."""
KEPT_HEADERS = ("Content-Type", "Content-Disposition", "Link", "Location")


def legacy_once(
    found: Call,
    arguments: Mapping[str | int, Any],
    caller: Caller,
    render: Callable[[Answer | PromoError], Iterable[bytes]],
) -> Reply:
    """Return the body kept under the key and access of a legacy request, else run the call.

    Raises WrongParameters, also for a key that came with other arguments before, and PromoError
    for a refusal that will pass, be it a quota of kept replies.
    """
    values = _loaded(found, arguments, caller)

    def run() -> Reply:
        answer = found.handle(caller, **values)
        return Reply(b"".join(render(answer)), redemption_id=answer.redemption_id)

    fields, loaded = found.params._declared_fields, found.params.opts.fields
    known = {fields[name].data_key or name for name in loaded or fields}
    try:
        return _once(
            "legacy",
            # None of them has a blank in it, so two scopes or callers cannot read alike.
            f"legacy {caller.api_id}",
            f"{found.name} {caller.api_id}",
            arguments[ARGUMENT],
            _texts({name: value for name, value in arguments.items() if name in known}),
            run,
            lambda refusal: b"".join(render(refusal)),
        )
    except KeyReused:
        raise WrongParameters(
            f"Wrong parameter: {ARGUMENT} (was used with other arguments before)"
        ) from None


def rest_once(
    owner: Owner,
    key: str,
    asked: Any,
    run: Callable[[], Response],
    render: Callable[[PromoError], Response],
) -> Response:
    """Return the response kept under the key and owner of a REST request, else run it.

    What it runs leaves the id of a redemption that it answers in `g.redemption_id`.
    Raises KeyReused, and PromoError for a refusal that is not kept.
    """

    def answer() -> Reply:
        packed = _packed(run())
        return Reply(packed, redemption_id=g.get("redemption_id"))

    def refuse(refusal: PromoError) -> bytes:
        if isinstance(refusal, Invalid):
            raise refusal
        return _packed(render(refusal))

    partner = hashlib.sha256(owner.partner.encode()).hexdigest()
    scope = f"rest {owner.environment} {partner}"
    return _unpacked(_once("rest", scope, scope, key, asked, answer, refuse).body)


def _once(
    api: str,
    caller: str,
    scope: str,
    key: str,
    asked: Any,
    run: Callable[[], Reply],
    refuse: Callable[[PromoError], bytes],
) -> Reply:
    """Return the reply kept under the key, else that of `run`, or of `refuse` if it is refused."""

    def make() -> Reply:
        try:
            with change():  # a refusal undoes this part and keeps its reply
                return run()
        except PromoError as refusal:
            if refusal.key == BUSY or isinstance(refusal, OverQuota):
                raise
            return Reply(refuse(refusal), refusal.key)

    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    settings: Settings = current_app.config["SETTINGS"]
    quota = Quota(caller, settings.kept_reply_bytes, settings.kept_replies_bytes_of_caller)
    reply = once(scope, key, digest, make, quota, stands)
    if reply.replayed:
        metrics.REPLAYS.labels(api).inc()
    return reply


def _loaded(found: Call, arguments: Mapping[str | int, Any], caller: Caller) -> dict[str, Any]:
    """Return the typed arguments of the call and check the key."""
    key, values, problems = arguments[ARGUMENT], {}, []
    try:
        values = calls.load(found, arguments, caller)
    except WrongParameters as wrong:
        problems += wrong.problems
    if not (isinstance(key, str) and 1 <= len(key) <= KEY_LENGTH and key.isprintable()):
        wanted = f"must be 1 to {KEY_LENGTH} printable characters"
        problems.append(f"Wrong parameter: {ARGUMENT} ({wanted})")
    if problems:
        raise WrongParameters(*problems)
    return values


def _texts(value: Any) -> Any:
    """Return arguments with all names as texts, so that they can be sorted."""
    if isinstance(value, dict):
        return {str(name): _texts(member) for name, member in value.items()}
    return value


def _packed(answer: Response) -> bytes:
    """Serialize a response: a JSON line of status and headers, then the body."""
    headers = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
    return json.dumps([answer.status_code, headers]).encode() + b"\n" + answer.get_data()


def _unpacked(kept: bytes) -> Response:
    line, body = kept.split(b"\n", 1)
    status, headers = json.loads(line)
    return Response(body, status=status, headers=headers)
