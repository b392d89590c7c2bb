"""Engines, schema, connections, and what every table shares."""
