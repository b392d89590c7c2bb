"""Imports: rows taken over from another installation, and codes made elsewhere."""
