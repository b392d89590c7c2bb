"""Files that leave and enter the store."""
