"""Terms, coupons and batches: made, changed, archived; codes generated and expired."""
