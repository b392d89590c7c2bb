"""Rendering of rows as JSON, cached by revision and compressed once."""
