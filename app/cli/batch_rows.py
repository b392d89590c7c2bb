"""What commands show of batches, and how they fill them with codes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.cli.lines import put_line
from app.cli.output import INTERRUPTED, fields_of, progress, put_table
from models.promotions import batches, generation
from models.promotions.batches import Batch
from models.store.errors import AWAY

COLUMNS = (
    *("id", "name", "status", "prefix", "complexity", "length", "requested", "made", "complete"),
    *("coupons_count", "coupons_used", "notes", "created_at", "updated_at", "terms"),
)
LIST_COLUMNS = (
    *("id", "name", "status", "prefix", "coupons_count", "coupons_used"),
    *("requested", "made", "complete", "created_at"),
)


def described(batch: Batch, columns: Iterable[str] = COLUMNS) -> dict[str, Any]:
    """Return columns of a batch as JSON values."""
    return fields_of(batch, columns, status="Active" if batch.live else "Archived")


def put_rows(rows: list[dict[str, Any]]) -> None:
    """Print batches of LIST_COLUMNS as a table."""
    if not rows:
        put_line("There is no batch here.")
        return
    for row in rows:
        made = f"incomplete: {row['made']} of {row['requested']} made"
        row[""] = "" if row["complete"] else made
    columns = ("id", "name", "status", "coupons_count", "coupons_used", "created_at", "")
    put_table(
        ("id", "name", "status", "codes", "used", "created", ""),
        ([row[column] for column in columns] for row in rows),
    )


def fill(batch: Batch) -> dict[str, Any]:
    """Make the codes that a batch lacks, with a progress bar, and return it described.

    What breaks it off, Ctrl-C too, names the command that finishes it.
    """
    finish = f"To finish it: promobridge batch generate --resume {batch.id}"
    try:
        with progress(f"Batch {batch.id}", batch.requested - batch.made) as advance:
            generation.fill(batch, advance)
    except KeyboardInterrupt:
        # A chunk may have been stored in the moment of the signal.
        now = batches.by_id(batch.id)
        made = f"batch {batch.id} has {now.made:,} of {batch.requested:,} codes"
        put_line(f"Stopped: {made}. {finish}", err=True)
        raise SystemExit(INTERRUPTED) from None
    except AWAY:
        put_line(finish, err=True)
        raise
    return described(batches.by_id(batch.id))
