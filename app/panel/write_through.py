"""Send writes to the panel that are reserved here first and confirmed by its answer.

The panel's word is final: what is refused here alone is sent all the same, and told as a difference
(or, where the route says so, is not sent). What it grants is counted here over every limit.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlencode

from werkzeug.exceptions import HTTPException

import calls
from app import logs
from app.config import BadSetting
from app.panel.client import FORM, Panel, PanelResponse
from app.panel.problem import PanelProblem
from app.panel.routing import Rerouted
from app.panel.shadow import hidden
from calls import Call, Caller, WrongParameters, php
from models.panel import differences, pending, routes, settlement
from models.panel.differences import Compared, Found
from models.panel.pending import PanelPending
from models.panel.routes import WRITE_THROUGH
from models.promotions import coupons
from models.promotions.coupons import ID, Coupon
from models.redemptions.redemption import Redemption
from models.store.base import change, retried
from models.store.errors import NotFound, PromoError
from models.store.texts import CODE_LENGTH, new_code

ANSWER_BYTES = 4_194_304
"""The largest answer to a write."""
SPARE_SECONDS = 10
"""What a write may take beside what the panel may take."""
CREDENTIALS = ("api_id", "api_key", "call")
Arguments = Mapping[str | int, Any]
Refusal = PromoError | WrongParameters
log = logging.getLogger(__name__)


class Sent(NamedTuple):
    """Hold the panel's answer to a write."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def sent(
    found: Call,
    arguments: Arguments,
    caller: Caller,
    panel: Panel,
    send: Callable[[], PanelResponse],
) -> Sent:
    """Reserve a write, send it, confirm it by the panel's answer and return that.

    Raises InDoubt for one whose outcome is open since it was sent before, Closed and Rerouted
    while its route changes, the refusal of an enforced route, and PanelProblem.
    """
    row, refusal = _reserved(found, arguments, caller, panel.settings.panel_seconds)
    try:
        answer = _whole(send())
    except BaseException as problem:
        if surely_unsent(problem):
            settlement.ended(row.id, False, caller.today, forget=True)
        else:
            pending.out_of_time(row.id)
        raise
    applied = _success(answer.body)
    if applied is None:
        pending.out_of_time(row.id)
        return answer
    try:
        _end(row, applied, arguments, caller, panel)
        _compare(found, applied, answer.body, refusal, arguments)
    except Exception as problem:  # noqa: BLE001  # whatever it is, the panel has answered
        # The client gets what the panel says; here the outcome is open until somebody settles it.
        log.error("The outcome of call %d could not be stored: %s", row.id, logs.place(problem))
    return answer


def panel_id(panel: Panel, code: str, caller_pair: Mapping[str, str] | None = None) -> int | None:
    """Return the id that a code has at the panel, None where it cannot be read.

    It is asked with our own pair, or where there is none with the caller's.
    """
    asked = {"code": code}
    try:
        if panel.settings.panel_credentials_file or not caller_pair:
            answer = panel.ask("getPromoDetailsByCode", asked)
        else:
            form = urlencode({**caller_pair, "call": "getPromoDetailsByCode", **asked}).encode()
            body = _whole(panel.send("POST", b"", {"Content-Type": FORM}, form)).body
            answer = json.loads(body)
        coupon = answer["coupon"]
        text = str(coupon["id"])
        is_it = new_code(str(coupon["code"])) == code and ID.fullmatch(text)
    except (PanelProblem, BadSetting, ValueError, KeyError, TypeError):
        return None
    return int(text) if is_it else None


def surely_unsent(problem: BaseException) -> bool:
    """Tell whether nothing of a call was sent: the panel could not be reached, or it is no call."""
    if isinstance(problem, PanelProblem):
        return not problem.sent
    return isinstance(problem, (php.InvalidRequest, WrongParameters, HTTPException))


def worker() -> str:
    """Return what names this process."""
    return f"{socket.gethostname()[:100]} {os.getpid()}"


@retried
def _reserved(
    found: Call, arguments: Arguments, caller: Caller, seconds: int
) -> tuple[PanelPending, Refusal | None]:
    """Reserve a write and write down that it will be sent, in one transaction.

    Return also why it would have been refused here.
    """
    with change():
        route = routes.of_write(found.name)
        if route.mode != WRITE_THROUGH:
            raise Rerouted
        # First of all: the same call in doubt is told so, whatever it would be refused for now.
        row = pending.begin(
            found.name,
            _digest(found, arguments),
            worker(),
            seconds + SPARE_SECONDS,
            api_id=caller.api_id,
        )
        refusal = _try(row, found, arguments, caller)
        if refusal is not None and route.enforced:
            raise refusal
        row.refusal = _key(refusal)
        row.save()
    return row, refusal


def _try(row: PanelPending, found: Call, arguments: Arguments, caller: Caller) -> Refusal | None:
    """Carry a write out here and note what undoes it; return why it is refused, if it is."""
    name, id_ = found.name, _number(arguments, "id")
    is_use, is_change = name == "applyInvoiceCoupon", name == "updatePromoCode"
    code = _text(arguments, "applycoupon" if is_use else "code")
    row.code = code[:CODE_LENGTH]
    if is_use:
        row.invoice_id, row.client_id = id_, _number(arguments, "client_id")
        with suppress(NotFound):  # the panel will say so itself
            row.client_id = row.client_id or caller.invoice().get("client_id", 0)
    try:
        with change():
            before = _state(id_) if is_change else None
            answer = calls.run(found, arguments, caller)
            after = _state(id_) if is_change else None
    except (PromoError, WrongParameters) as refusal:
        row.coupon_id = _coupon_id(code) if is_use else id_ or None
        return refusal
    row.reserved = not answer.repeated
    if is_use:
        use = Redemption.get_by_id(answer.redemption_id)
        row.redemption_id, row.coupon_id = use.id, use.coupon_id
    elif is_change:
        row.coupon_id, row.before, row.after = id_, before, after
    else:
        newest: Any = Coupon.select(Coupon.id).order_by(Coupon.id.desc())
        row.coupon_id = newest.where(Coupon.code == answer.payload["code"]).limit(1).scalar()
    return None


def _end(
    row: PanelPending, applied: bool, arguments: Arguments, caller: Caller, panel: Panel
) -> None:
    known = None
    if applied and row.call == "addpromocode":
        pair = {name: _text(arguments, name) for name in CREDENTIALS[:2]}
        known = panel_id(panel, row.code, pair if all(pair.values()) else None)
    settlement.ended(
        row.id, applied, caller.today, caller.places, panel_id=known, forget=not applied
    )


def _compare(
    found: Call, applied: bool, body: bytes, refusal: Refusal | None, arguments: Arguments
) -> None:
    """Note whether the panel decided as this store did."""
    told: list[Found] = []
    if applied and refusal is not None:
        reason = " ".join(map(str, refusal.args))
        told = [Found(f"success [{_key(refusal)}]", "true", f"false: {hidden(reason, arguments)}")]
    elif not applied and refusal is None:
        error = str(json.loads(body).get("error"))
        told = [Found("success", f"false: {hidden(error, arguments)}", "true")]
    differences.note([Compared(found.name, told)])


def _whole(response: PanelResponse) -> Sent:
    """Return all of an answer. Raises PanelProblem where it is too large or breaks off."""
    return Sent(response.status, response.headers, response.read(ANSWER_BYTES))


def _success(body: bytes) -> bool | None:
    """Return what the panel answered, None where it is nobody's word: a page, or broken off."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    success = answer.get("success") if isinstance(answer, dict) else None
    return success if isinstance(success, bool) else None


def _digest(found: Call, arguments: Arguments) -> str:
    """Return the digest of a call and its arguments, without credentials."""
    asked = _texts({name: each for name, each in arguments.items() if name not in CREDENTIALS})
    text = json.dumps([found.name.lower(), asked], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _texts(value: Any) -> Any:
    """Return arguments with all names as texts, so that they can be sorted."""
    if isinstance(value, Mapping):
        return {str(name): _texts(member) for name, member in value.items()}
    return value


def _state(coupon_id: int) -> dict[str, Any]:
    return settlement.state_of(coupons.locked_by_id(coupon_id))


def _coupon_id(code: str) -> int | None:
    try:
        return int(coupons.by_code_or_id(code).id)
    except NotFound:
        return None


def _text(arguments: Arguments, name: str) -> str:
    value = arguments.get(name)
    return new_code(value) if isinstance(value, str) else ""


def _number(arguments: Arguments, name: str) -> int:
    text = _text(arguments, name)
    return int(text) if ID.fullmatch(text) else 0


def _key(refusal: Refusal | None) -> str:
    return "" if refusal is None else getattr(refusal, "key", "wrong_parameter")
