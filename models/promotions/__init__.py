"""Promotions: terms, coupons and batches, their lives, how codes are drawn and expire."""
