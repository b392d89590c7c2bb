"""Rendering: rows to JSON text by the thousand, kept by revision and packed."""
