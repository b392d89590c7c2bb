"""Differences are kept by call and path, bounded, with how many answers in a row were equal."""

from __future__ import annotations

import pytest

from models.panel import differences
from models.panel.differences import Compared, Found, PanelDifference
from models.store.errors import Invalid

pytestmark = pytest.mark.usefixtures("store")
LIST, DETAILS = "listPromoCodes", "getPromoDetailsByCode"
ONE = Found("coupons[].value", '"1.00"', '"1.000"')


def counted(name: str = LIST) -> tuple[int, int, int]:
    row = differences.comparisons()[name.lower()]
    return row.equal, row.compared, row.dropped


def kept(name: str | None = None) -> list[tuple[str, str, int]]:
    return [(row.call, row.path, row.count) for row in differences.listed(name)]


def test_equal_answers_are_counted_in_a_row() -> None:
    differences.note([Compared(LIST, [])] * 3)
    assert counted() == (3, 3, 0)
    differences.note([Compared(LIST, []), Compared(LIST, [ONE]), Compared(LIST, [])])
    assert counted() == (1, 6, 0)
    differences.note([Compared(LIST, None), Compared(DETAILS, [])])
    assert (counted(), counted(DETAILS)) == ((1, 6, 1), (1, 1, 0))


def test_a_path_is_kept_once_with_its_first_example() -> None:
    differences.note([Compared(LIST, [ONE])])
    differences.note([Compared(LIST, [Found(ONE.path, "x", "y"), Found("sorter", "1", "2")])])
    assert kept() == [(LIST.lower(), ONE.path, 2), (LIST.lower(), "sorter", 1)]
    assert differences.listed(LIST)[0].theirs == ONE.theirs
    assert differences.counts() == {LIST.lower(): 2}
    assert kept(DETAILS) == []


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differences, "MOST", 3)
    many = [Found(f"{at}" + "p" * 300, "t" * 300, "o" * 300) for at in range(9)]
    differences.note([Compared(LIST, many), Compared(DETAILS, many)])
    assert kept(DETAILS)[0] == (DETAILS.lower(), differences.OTHERS, 6)
    assert kept(LIST) == [(LIST.lower(), differences.OTHERS, 9)]
    assert PanelDifference.select().count() == 3 + 2
    row = differences.listed(DETAILS)[1]
    assert (len(row.path), len(row.theirs), len(row.ours)) == (255, 200, 200)


def test_an_ignored_path_goes_with_all_below_it() -> None:
    paths = ["sorter", "sorter.perpage", "sorter (order)", "sorters", "a.sorter"]
    differences.note([Compared(LIST, [Found(path, "", "") for path in paths])])
    differences.ignore("sorter")
    differences.ignore("sorter")
    assert [path for _, path, _ in kept()] == ["sorters", "a.sorter"]
    assert differences.ignored() == ("server_time", "sorter")
    assert [differences.heed("sorter") for _ in range(2)] == [True, False]
    assert differences.ignored() == ("server_time",)
    for path in ("", "p" * 256):
        with pytest.raises(Invalid, match="A path has 255 characters at most"):
            differences.ignore(path)


def test_what_is_cleared_begins_anew() -> None:
    differences.note([Compared(LIST, [ONE]), Compared(DETAILS, [ONE]), Compared(DETAILS, [])])
    assert differences.clear(LIST) == 1
    assert (kept(), counted(), counted(DETAILS)) == (
        [(DETAILS.lower(), ONE.path, 1)],
        (0, 0, 0),
        (1, 2, 0),
    )
    assert differences.clear() == 1
    assert kept() == []
