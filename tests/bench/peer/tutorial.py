"""The calls of api.php as tutorials write them: a Flask view, peewee objects, nested schemas."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from datetime import UTC, date, datetime
from typing import Any

from flask import Flask, request
from marshmallow import Schema, fields
from peewee import (
    BooleanField,
    CharField,
    DateField,
    DecimalField,
    ForeignKeyField,
    IntegerField,
    Model,
    SqliteDatabase,
    TextField,
)

PAGE = 100
GROUPS = ("products", "categories", "domains", "addons", "forms")
db = SqliteDatabase(os.environ["STORE"])
app = Flask(__name__)
app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's documented way


class Refused(Exception):
    """Say why a call was not answered."""


class JSONText(TextField):
    """Keep a value as JSON."""

    def db_value(self, value: Any) -> str | None:
        """Return the JSON of a value."""
        return None if value is None else json.dumps(value)

    def python_value(self, value: str | None) -> Any:
        """Return the value."""
        return None if value is None else json.loads(value)


class Table(Model):
    """Bind a table to the store."""

    class Meta:
        database = db


class Access(Table):
    """Keep a pair of id and key."""

    api_id = CharField()
    key_salt = CharField()
    key_digest = CharField()
    ip_rule = CharField()
    calls = JSONText(null=True)
    enabled = BooleanField()


class Terms(Table):
    """Keep what a code gives."""

    coupon_type = CharField()
    type = CharField()
    value = DecimalField()
    applyto = CharField()
    cycle = CharField()
    options = CharField()
    cycles = JSONText()
    products = JSONText()
    categories = JSONText()
    upgrades = JSONText()
    addons = JSONText()
    domains = JSONText()
    forms = JSONText()
    expires = DateField(null=True)
    max_usage = IntegerField()
    clients = CharField()
    client_id = IntegerField()
    notes = TextField()
    max_client_usage = IntegerField()
    increase_in_days = IntegerField()
    min_cart_amount = DecimalField()
    prompt_cart_amount = DecimalField()
    lastname = CharField()
    firstname = CharField()


class Batch(Table):
    """Keep a batch."""

    name = CharField()
    prefix = CharField()
    complexity = IntegerField()
    live = BooleanField()
    notes = TextField()
    terms = ForeignKeyField(Terms)
    config = JSONText(null=True)
    coupons_count = IntegerField()
    coupons_used = IntegerField()
    revision = IntegerField()
    created_at = IntegerField(null=True)
    updated_at = IntegerField(null=True)


class Coupon(Table):
    """Keep a code."""

    batch = ForeignKeyField(Batch, backref="coupons")
    code = CharField()
    live = BooleanField(null=True)
    active = BooleanField()
    num_usage = IntegerField()
    terms = ForeignKeyField(Terms)


class Redemption(Table):
    """Keep a use of a code."""

    coupon = ForeignKeyField(Coupon)
    batch = ForeignKeyField(Batch)
    code = CharField()
    client_id = IntegerField()
    invoice_id = IntegerField()
    invoice_slot = IntegerField()
    order_id = IntegerField(default=0)
    state = CharField(default="used")
    api_id = CharField()
    realm = IntegerField(default=0)
    campaign_id = IntegerField(default=0)
    user_id = CharField(default="")
    points = IntegerField(default=0)
    redeemed_at = IntegerField()


def status(row: Batch | Coupon) -> str:
    """Return how a batch or a coupon stands."""
    return "Active" if row.live else "Archived"


class TermsSchema(Schema):
    """Show the terms of a coupon."""

    coupon_type = fields.Str(attribute="terms.coupon_type")
    type = fields.Str(attribute="terms.type")
    applyto = fields.Str(attribute="terms.applyto")
    cycle = fields.Str(attribute="terms.cycle")
    options = fields.Str(attribute="terms.options")
    value = fields.Float(attribute="terms.value")
    cycles = fields.Function(lambda row: row.terms.cycles or [])
    products = fields.Function(lambda row: row.terms.products or [])
    categories = fields.Function(lambda row: row.terms.categories or [])
    upgrades = fields.Raw(attribute="terms.upgrades")
    addons = fields.Function(lambda row: row.terms.addons or [])
    domains = fields.Function(lambda row: row.terms.domains or [])
    forms = fields.Function(lambda row: row.terms.forms or [])
    expires = fields.Function(lambda row: str(row.terms.expires or "0000-00-00"))
    max_usage = fields.Str(attribute="terms.max_usage")
    clients = fields.Str(attribute="terms.clients")
    client_id = fields.Str(attribute="terms.client_id")
    notes = fields.Str(attribute="terms.notes")
    max_client_usage = fields.Str(attribute="terms.max_client_usage")
    increase_in_days = fields.Str(attribute="terms.increase_in_days")
    min_cart_amount = fields.Decimal(2, as_string=True, attribute="terms.min_cart_amount")
    prompt_cart_amount = fields.Decimal(2, as_string=True, attribute="terms.prompt_cart_amount")


class CouponSchema(TermsSchema):
    """Show a coupon in a list."""

    id = fields.Int()
    batch_id = fields.Str()
    active = fields.Function(lambda row: str(int(row.active)))
    code = fields.Str()
    status = fields.Function(status)
    num_usage = fields.Str()


class DetailsSchema(CouponSchema):
    """Show a coupon alone."""

    id = fields.Str()
    value = fields.Decimal(2, as_string=True, attribute="terms.value")
    cycles = fields.Function(lambda row: row.terms.cycles or False)
    products = fields.Function(lambda row: row.terms.products or False)
    categories = fields.Function(lambda row: row.terms.categories or False)
    addons = fields.Function(lambda row: row.terms.addons or False)
    domains = fields.Function(lambda row: row.terms.domains or False)
    forms = fields.Function(lambda row: row.terms.forms or False)
    lastname = fields.Str(attribute="terms.lastname")
    firstname = fields.Str(attribute="terms.firstname")


class BatchSchema(Schema):
    """Show a batch with its coupons."""

    id = fields.Int()
    name = fields.Str()
    status = fields.Function(status)
    prefix = fields.Str()
    coupon_type = fields.Str(attribute="terms.coupon_type")
    type = fields.Str(attribute="terms.type")
    value = fields.Decimal(2, as_string=True, attribute="terms.value")
    complexity = fields.Str()
    notes = fields.Str()
    coupon_config = fields.Function(lambda row: row.config or config_of(row.terms))
    created_at = fields.Function(lambda row: moment(row.created_at))
    updated_at = fields.Function(lambda row: moment(row.updated_at))
    coupons_count = fields.Int()
    coupons_used = fields.Str()
    coupons = fields.List(fields.Nested(CouponSchema))


def config_of(terms: Terms) -> dict[str, Any]:
    """Return the terms as a form shows them."""
    config = {
        "cycle": terms.cycle,
        "increase_in_days": str(terms.increase_in_days or ""),
        "applyto": terms.applyto,
        "clients": terms.clients,
        "client_id": str(terms.client_id or ""),
        "notes": terms.notes,
    }
    config |= {f"apply_{group}": "1" if getattr(terms, group) else "0" for group in GROUPS}
    for group in (*GROUPS, "cycles"):
        if chosen := getattr(terms, group):
            config[group] = list(chosen)
    return config


def moment(at: int | None) -> str:
    """Return the text of a time."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}" if at else "0000-00-00 00:00:00"


def list_batches() -> dict[str, Any]:
    """Return a page of batches."""
    page = request.args.get("page", 0, int)
    total = Batch.select().count()
    batches = Batch.select(Batch, Terms).join(Terms).order_by(Batch.id.desc())
    coupons = Coupon.select(Coupon, Terms).join(Terms).order_by(Coupon.id)
    found = batches.paginate(page + 1, PAGE).prefetch(coupons)
    sorter = {
        "perpage": PAGE,
        "totalpages": -(-total // PAGE),
        "sorterrecords": str(total),
        "sorterpage": page + 1,
    }
    return {"batches": BatchSchema(many=True).dump(found), "sorter": sorter}


def by_code(code: str) -> Coupon:
    """Return the coupon with a code."""
    found = Coupon.select(Coupon, Terms).join(Terms).where(Coupon.code == code)
    coupon = found.order_by(Coupon.live.is_null(), Coupon.id.desc()).first()
    if coupon is None:
        raise Refused("The promotion code does not exist")
    return coupon


def details() -> dict[str, Any]:
    """Return one coupon."""
    return {"coupon": DetailsSchema().dump(by_code(request.args.get("code", "")))}


def apply() -> dict[str, Any]:
    """Count one use of a code."""
    client, invoice = request.args.get("client_id", 0, int), request.args.get("id", 0, int)
    with db.atomic("IMMEDIATE"):
        coupon = by_code(request.args.get("applycoupon", ""))
        uses = Redemption.select().where(Redemption.coupon == coupon)
        if not uses.where(Redemption.invoice_slot == invoice).exists():
            use(coupon, client, invoice, uses)
    return {"info": ["The coupon has been added to the invoice"]}


def use(coupon: Coupon, client: int, invoice: int, uses: Any) -> None:
    """Write one use down, if the terms allow it."""
    terms = coupon.terms
    if not (coupon.live and coupon.active and terms.coupon_type in ("invoice", "invoice_cart")):
        raise Refused("The promotion code cannot be used")
    if terms.client_id not in (0, client) or (terms.expires and terms.expires < date.today()):  # noqa: DTZ011 - the server's day
        raise Refused("The promotion code cannot be used")
    if terms.max_usage and coupon.num_usage >= terms.max_usage:
        raise Refused("The promotion code has been used as often as it may be")
    of_client = uses.where(Redemption.client_id == client, Redemption.state == "used")
    if terms.max_client_usage and of_client.count() >= terms.max_client_usage:
        raise Refused("The client has used the promotion code as often as it may be")
    coupon.num_usage += 1
    coupon.active = not terms.max_usage or coupon.num_usage < terms.max_usage
    coupon.save(only=[Coupon.num_usage, Coupon.active])
    Redemption.create(
        coupon=coupon,
        batch=coupon.batch_id,
        code=coupon.code,
        client_id=client,
        invoice_id=invoice,
        invoice_slot=invoice,
        api_id=request.args["api_id"],
        redeemed_at=int(time.time()),
    )
    more = {Batch.coupons_used: Batch.coupons_used + 1, Batch.revision: Batch.revision + 1}
    Batch.update(more).where(Batch.id == coupon.batch_id).execute()


CALLS = {
    "listPromoBatches": list_batches,
    "getPromoDetailsByCode": details,
    "applyInvoiceCoupon": apply,
}


def check_access(name: str) -> None:
    """Refuse who may not call."""
    access = Access.get_or_none(Access.api_id == request.args.get("api_id", ""))
    key = request.args.get("api_key", "").encode()
    salt = bytes.fromhex(access.key_salt) if access else b""
    digest = hmac.new(salt, key, hashlib.sha256).hexdigest()
    if not access or not access.enabled or not hmac.compare_digest(digest, access.key_digest):
        raise Refused("Wrong API ID or API Key")
    if access.ip_rule not in ("all", request.remote_addr):
        raise Refused("This IP address is not allowed to use this API ID")
    if access.calls is not None and name not in access.calls:
        raise Refused("Called method is not allowed for this API ID")


@app.before_request
def connect() -> None:
    """Open the store for a request."""
    db.connect()


@app.teardown_request
def close(_: BaseException | None) -> None:
    """Close the store after a request."""
    if not db.is_closed():
        db.close()


@app.get("/admin/api.php")
def api() -> dict[str, Any]:
    """Answer a call."""
    name = request.args.get("call", "")
    envelope = {"call": name, "server_time": int(time.time())}
    try:
        check_access(name)
        if name not in CALLS:
            raise Refused("Called method is not supported")
        return {"success": True, **CALLS[name](), **envelope}
    except Refused as refused:
        return {"success": False, **envelope, "error": [str(refused)]}
