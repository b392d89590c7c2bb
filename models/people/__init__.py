"""The people who use the pages."""
