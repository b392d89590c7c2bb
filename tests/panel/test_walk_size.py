"""`promobridge panel walk` over many codes: memory for a page, not for the panel.

PROMOBRIDGE_TEST_BATCHES=20 pytest tests/panel/test_walk_size.py   # 1,000 and 10,000 codes
"""

from __future__ import annotations

import os
import tracemalloc

from app.panel.client import ASKED_BYTES
from models.promotions.coupons import Coupon
from tests.panel.php_panel import PhpPanel
from tests.panel.walking import Walker

OF_BATCH = 500
FEW, MANY = 2, int(os.environ.get("PROMOBRIDGE_TEST_BATCHES", "8"))
RATIO = 1.25


def grow(panel: PhpPanel, batches: int) -> None:
    """Give the panel so many batches more, with OF_BATCH codes each."""
    for _ in range(batches):
        panel.execute(
            "INSERT INTO batch (name, status, prefix, coupon_type, type, value, complexity, notes,"
            " created_at, updated_at)"
            " SELECT 'Large', 'Active', 'L', 'cart', 'percent', 5, '2', '', created_at, updated_at"
            " FROM batch WHERE id = 1"
        )
        batch = panel.rows("batch")[-1]["id"]
        panel.execute(
            "INSERT INTO coupon (batch_id, code, coupon_type, type, value)"
            " WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)"
            " SELECT ?, 'L' || ? || '-' || n, 'cart', 'percent', 5 FROM n",
            OF_BATCH,
            batch,
            batch,
        )


def peak_of_walk(walking: Walker, *options: str) -> int:
    """Return how many bytes a walk needed at most at once."""
    tracemalloc.start()
    try:
        walking.walk(*options)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_many_times_the_codes_need_no_more_memory(walking: Walker, panel: PhpPanel) -> None:
    panel.set(batches_per_page=1, codes_per_page=250)
    panel.execute("DELETE FROM coupon WHERE batch_id = 0")
    walking.walk("--dry-run")  # what is loaded once
    grow(panel, FEW)
    few = peak_of_walk(walking, "--dry-run")
    grow(panel, MANY - FEW)
    many = peak_of_walk(walking)
    assert Coupon.select().count() > MANY * OF_BATCH
    assert many < few * RATIO


def test_a_page_may_be_as_large_as_its_batches_are(walking: Walker, panel: PhpPanel) -> None:
    """Larger than what other calls of our own are answered."""
    panel.set(batches_per_page=100)
    grow(panel, 1)
    notes = "n" * (ASKED_BYTES // OF_BATCH)
    panel.execute("UPDATE coupon SET notes = ? WHERE batch_id > 0", notes)
    assert len(panel.ask("listPromoBatches").body) > ASKED_BYTES
    walking.walk()
    assert {row.terms.notes for row in Coupon.select().where(Coupon.batch_id > 0)} == {notes}
