"""The store: tables, queries and changes; it knows neither HTTP nor any wire format."""
