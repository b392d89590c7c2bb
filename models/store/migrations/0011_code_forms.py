"""Give each coupon the form in which codes are compared; of live ones alike the older has it."""

from peewee import SQL, CharField, Model, SmallIntegerField, fn
from playhouse.migrate import migrate

from models.store.base import LastingId
from models.store.texts import code_form

SLICE = 5_000
"""Coupons in one transaction: a cluster takes each as a whole."""
ROWS = 250
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
            _fill(db, Coupon, coupons)
        last = coupons[-1][0]


def _fill(db, table, coupons):
    """Give the coupons (id, code, live) their forms, but for those that a live one has."""
    rows = [(id_, code_form(code), live) for id_, code, live in coupons]
    forms = [each for _, each, _ in rows if each]
    taken = set()
    for at in range(0, len(forms), ROWS):
        held = table.form.in_(forms[at : at + ROWS]), table.live.is_null(False)
        taken |= set(table.select(table.form, table.live).where(*held).tuples())
    free = []
    for id_, each, live in rows:
        if each and (live is None or (each, live) not in taken):
            taken.add((each, live))
            free.append((id_, each))
    for at in range(0, len(free), ROWS):
        some = free[at : at + ROWS]
        cases = f"CASE id {f'WHEN {db.param} THEN {db.param} ' * len(some)}END"
        new = SQL(cases, [cell for pair in some for cell in pair])
        table.update(form=new).where(table.id.in_([id_ for id_, _ in some])).execute()
