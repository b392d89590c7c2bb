"""What the panel has when it starts: promotions, clients, services, invoices."""

from __future__ import annotations

import json
import sqlite3

BATCHES, CODES_OF_BATCH, SINGLE_CODES = 12, 20, 60
CLIENTS = 40
INVOICES = range(800, 860)
OLD_INVOICES = range(1, 41)
"""Paid, one of each client; the uses that coupons begin with are on them."""
DRAFT = 77
PRODUCTS = ((42, 7, "Web space"), (43, 7, "Large web space"), (50, 8, "Virtual server"))
SETTINGS = {
    "version": "2025.3.2",
    "batches_per_page": "5",
    "codes_per_page": "25",
    "lacking": "",
    "repeated_coupon": "refuse",
}
TERMS = (
    {"coupon_type": "invoice", "type": "percent", "value": 10},
    {"coupon_type": "invoice_cart", "type": "fixed", "value": 2.5, "max_usage": 3},
    {"coupon_type": "invoice", "type": "percent", "value": 20, "max_client_usage": 1},
    {"coupon_type": "cart", "type": "percent", "value": 11, "cycles": ["Monthly"]},
    {"coupon_type": "invoice", "type": "percent", "value": 5, "products": ["42", "43"]},
    {"coupon_type": "invoice_cart", "type": "percent", "value": 33.33, "expires": "2020-01-31"},
)
"""Those of batches and of single codes, in turn."""


def seed(state: sqlite3.Connection) -> None:
    """Fill a state whose tables are empty."""
    with state:
        state.executemany("INSERT INTO setting VALUES (?, ?)", SETTINGS.items())
        state.executemany("INSERT INTO product VALUES (?, ?, ?)", PRODUCTS)
        _sell(state)
        for batch in range(1, BATCHES + 1):
            _batch(state, batch)
        for number in range(SINGLE_CODES - 2):
            _coupon(state, f"SINGLE{number:03}", TERMS[number % len(TERMS)])
        _coupon(state, "TWICE", {**TERMS[0], "status": "Archived", "notes": "the old one"})
        _coupon(state, "TWICE", TERMS[1])
        state.execute(
            """INSERT INTO voucher SELECT id, 4, id % 40 + 1 FROM coupon
               WHERE batch_id = 0 AND id % 10 = 0"""
        )


def _sell(state: sqlite3.Connection) -> None:
    """Store clients with an account each, a paid invoice each, and unpaid invoices."""
    for number in range(1, CLIENTS + 1):
        product = PRODUCTS[number % len(PRODUCTS)]
        insert(
            state,
            "client",
            id=number,
            email=f"client{number}@example.com",
            password=f"{number:032x}",
            firstname="Zoë" if number % 7 == 0 else f"First{number}",
            lastname=f"Last{number}",
        )
        insert(
            state,
            "account",
            id=1000 + number,
            client_id=number,
            product_id=product[0],
            domain=f"site{number}.example",
            billingcycle="Annually" if number % 4 == 0 else "Monthly",
            total=10,
        )
    for number in [*OLD_INVOICES, *INVOICES]:
        is_old = number in OLD_INVOICES
        client = number if is_old else (number - INVOICES.start) % CLIENTS + 1
        insert(
            state,
            "invoice",
            id=number,
            client_id=client,
            status="Paid" if is_old else "Unpaid",
            date="2026-01-15",
            duedate="2026-01-30",
        )
        _line(state, number, "Hosting", 1000 + client, "Web space/monthly", 10)
        if number % 2 == 0:
            _line(state, number, "Domain Register", 5, "Domain Registration: 1 Year/s", 9.95)
    insert(
        state, "draft", id=DRAFT, client_id=1, product_id=PRODUCTS[0][0], cycle="Monthly", price=10
    )


def _line(
    state: sqlite3.Connection, invoice: int, kind: str, item: int, text: str, amount: float
) -> None:
    insert(
        state,
        "invoice_line",
        invoice_id=invoice,
        type=kind,
        item_id=item,
        description=text,
        amount=amount,
    )


def _batch(state: sqlite3.Connection, number: int) -> None:
    terms = TERMS[number % len(TERMS)]
    insert(
        state,
        "batch",
        id=number,
        name=f"Batch {number}",
        status="Archived" if number == BATCHES else "Active",
        prefix=f"B{number}-",
        coupon_type=terms["coupon_type"],
        type=terms["type"],
        value=terms["value"],
        complexity="2",
        notes="for resellers" if number % 2 else "",
        created_at="2025-03-14 03:20:34",
        updated_at="2025-06-21 23:40:36",
    )
    for place in range(CODES_OF_BATCH):
        status = "Archived" if number == BATCHES else "Active"
        _coupon(state, f"B{number}-CODE{place:02}", {**terms, "batch_id": number, "status": status})


def _coupon(state: sqlite3.Connection, code: str, terms: dict[str, object]) -> None:
    """Store a coupon; each tenth one has been used once."""
    fields = {
        name: json.dumps(value) if isinstance(value, list) else value
        for name, value in terms.items()
    }
    number = insert(state, "coupon", code=code, **fields)
    if number % 10 == 1:
        state.execute("UPDATE coupon SET num_usage = 1 WHERE id = ?", (number,))
        invoice = OLD_INVOICES[number % len(OLD_INVOICES)]
        insert(
            state,
            "coupon_use",
            coupon_id=number,
            client_id=invoice,
            invoice_id=invoice,
            api_id="",
        )


def insert(state: sqlite3.Connection, table: str, **fields: object) -> int:
    """Insert a row; return its id."""
    marks = ", ".join("?" * len(fields))
    sql = f"INSERT INTO {table} ({', '.join(fields)}) VALUES ({marks})"  # noqa: S608 - our names
    number = state.execute(sql, tuple(fields.values())).lastrowid
    assert number is not None
    return number
