"""Give each coupon the form in which codes are compared; of live ones alike the older has it."""

from itertools import chain

from peewee import CharField, Model, SmallIntegerField, chunked, fn
from playhouse.migrate import migrate

from models.store.base import LastingId
from models.store.texts import code_form

SLICE = 5_000
"""Coupons in one transaction: a cluster takes each as a whole."""
ROWS = 100
"""Coupons in one statement."""
atomic = False
"""What is filled stays so when this step is broken off: run again, it goes on from there."""


def up(migrator, db):
    """Add the column and its index, and fill it in the order of the ids."""

    class Coupon(Model):
        id = LastingId()
        code = CharField(max_length=32)
        live = SmallIntegerField(null=True)
        form = CharField(max_length=96, null=True)

        class Meta:
            database = db
            table_name = "coupon"

    if "form" not in {column.name for column in db.get_columns("coupon")}:
        migrate(migrator.add_column("coupon", "form", CharField(max_length=96, null=True)))
    # Before the forms: it tells which are taken.
    if "coupon_form_live" not in {index.name for index in db.get_indexes("coupon")}:
        migrate(migrator.add_index("coupon", ("form", "live"), True))
    last = 0
    # Not by the index of forms, which would have all that are unfilled sorted for each slice.
    unfilled = Coupon.select(Coupon.id, Coupon.code, Coupon.live).where(
        fn.COALESCE(Coupon.form, "") == ""
    )
    while True:
        with db.atomic():
            here = unfilled.where(Coupon.id > last).order_by(Coupon.id).limit(SLICE)
            coupons = [*here.tuples().execute()]
            if not coupons:
                return
            _fill(db, coupons)
        last = coupons[-1][0]


def _fill(db, coupons):
    """Give the coupons (id, code, live) their forms, but for those that a live one has."""
    rows = [(id_, code_form(code), live) for id_, code, live in coupons]
    taken = set()
    for some in chunked([form for _, form, _ in rows if form], ROWS):
        marks = ", ".join([db.param] * len(some))
        held = f"SELECT form, live FROM coupon WHERE form IN ({marks}) AND live IS NOT NULL"  # noqa: S608  # marks
        taken |= set(db.execute_sql(held, some).fetchall())
    free = []
    for id_, form, live in rows:
        if form and (live is None or (form, live) not in taken):
            taken.add((form, live))
            free.append((id_, form))
    for pairs in chunked(free, ROWS):
        marks = ", ".join([db.param] * len(pairs))
        cases = f"WHEN {db.param} THEN {db.param} " * len(pairs)
        change = f"UPDATE coupon SET form = CASE id {cases}END WHERE id IN ({marks})"  # noqa: S608  # marks
        db.execute_sql(change, [*chain(*pairs), *(id_ for id_, _ in pairs)])
