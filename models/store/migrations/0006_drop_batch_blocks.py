"""Drop the counts of batches by block: a page of them is found by its offset."""


def up(migrator, db):
    """Drop the table."""
    db.execute_sql("DROP TABLE IF EXISTS batch_block")  # it is gone where this was broken off
