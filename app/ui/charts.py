"""Charts as SVG: they need no script, and take the colour of the text around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from markupsafe import Markup

from app.ui.formatting import day, number

SPARK_WIDTH, SPARK_HEIGHT = 96, 20
WIDTH, HEIGHT, MARGIN = 720, 180, 24


def sparkline(values: Sequence[int], label: str) -> Markup:
    """Return a small line of values, "" where there is nothing but zeros."""
    if not any(values):
        return Markup()
    points = _points(values, SPARK_WIDTH, SPARK_HEIGHT, 1)
    return Markup(
        '<svg class="spark" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img"'
        ' aria-label="{label}"><polyline points="{points}" fill="none" stroke="currentColor"'
        ' stroke-width="1.5"/></svg>'
    ).format(w=SPARK_WIDTH, h=SPARK_HEIGHT, label=label, points=points)


def line_chart(values: Mapping[date, int], label: str) -> Markup:
    """Return a line over days, every day between the first and the last being there."""
    if not values:
        return Markup()
    days, top = list(values), max(max(values.values()), 1)
    points = _points(list(values.values()), WIDTH, HEIGHT, MARGIN)
    parts = [
        Markup(
            '<svg class="chart" viewBox="0 0 {w} {h}" role="img" aria-label="{label}">'
            '<line x1="{m}" y1="{b}" x2="{r}" y2="{b}" stroke="currentColor" opacity="0.4"/>'
            '<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="2"/>'
        ).format(
            w=WIDTH,
            h=HEIGHT,
            m=MARGIN,
            r=WIDTH - MARGIN,
            b=HEIGHT - MARGIN,
            label=label,
            points=points,
        ),
        _text(MARGIN, MARGIN - 8, "start", number(top)),
        _text(MARGIN, HEIGHT - 6, "start", day(days[0])),
        _text(WIDTH - MARGIN, HEIGHT - 6, "end", day(days[-1])),
        Markup("</svg>"),
    ]
    return Markup().join(parts)


def filled(values: Mapping[date, int], since: date, until: date) -> dict[date, int]:
    """Return the values of every day from one to another, 0 where there is none."""
    days = (since + timedelta(days=count) for count in range((until - since).days + 1))
    return {each: values.get(each, 0) for each in days}


def _points(values: Sequence[int], width: int, height: int, margin: int) -> str:
    step = (width - 2 * margin) / max(1, len(values) - 1)
    top = max(*values, 1) if len(values) > 1 else max(values[0], 1)
    scale = (height - 2 * margin) / top
    return " ".join(
        f"{margin + at * step:.1f},{height - margin - value * scale:.1f}"
        for at, value in enumerate(values)
    )


def _text(x: int, y: int, anchor: str, text: str) -> Markup:
    return Markup(
        '<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="12" fill="currentColor">'
        "{text}</text>"
    ).format(x=x, y=y, anchor=anchor, text=text)
