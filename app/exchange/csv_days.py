"""Read the days of sheets: ISO days and times, or as a format says."""

from __future__ import annotations

from datetime import date, datetime, tzinfo

from calls.php.input_fields import NO_DAY, day_of

EXAMPLE = date(2030, 12, 31)


def day_text(text: str, form: str, zone: tzinfo) -> str:
    """Return a day, or that of a moment in the zone, as `2030-12-31`.

    `form` is as in strptime, and "" for ISO 8601. Raises ValueError that says what must be.
    """
    try:
        if not form and len(text) <= len(NO_DAY):
            return text if day_of(text) else NO_DAY
        found = _parsed(text, form) if form else datetime.fromisoformat(text)
        return (found.astimezone(zone) if found.tzinfo else found).date().isoformat()
    except (ValueError, OverflowError):
        advice = "" if form else ", or --date-format must say how it is written"
        example = EXAMPLE.strftime(form or "%Y-%m-%d")
        raise ValueError(f"must be a date like {example}{advice}") from None


def is_format(form: str) -> bool:
    """Tell whether a format says which day it is."""
    try:
        return _parsed(EXAMPLE.strftime(form), form).date() == EXAMPLE
    except ValueError:
        return False


def _parsed(text: str, form: str) -> datetime:
    return datetime.strptime(text, form)  # noqa: DTZ007  # most formats of days have no zone
