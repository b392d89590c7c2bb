"""The store: tables, questions and changes; it knows neither HTTP nor any wire format."""
