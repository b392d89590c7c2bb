"""The store itself: its engines, schema and connections, and what every table shares."""
