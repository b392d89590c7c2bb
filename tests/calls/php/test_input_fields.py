from datetime import date
from decimal import Decimal

import pytest
from marshmallow import EXCLUDE, Schema, ValidationError

from calls.php import Amount, Choice, Day, Flag, Ids, Text, TextList, Whole, arguments

ABSENT = object()
LETTERS = TextList(pattern="[a-z]+", reason="must be letters")


def load(field, value):
    """Return what a schema with this one field makes of a value: ABSENT when nothing."""
    schema = Schema.from_dict({"x": field})(unknown=EXCLUDE)
    try:
        return schema.load({} if value is ABSENT else {"x": value}).get("x", ABSENT)
    except ValidationError as refusal:
        (reason,) = refusal.normalized_messages()["x"]
        return ValueError(reason)


ACCEPTED = [
    (Text(), "a b", "a b"),
    (Text(), "", ""),
    (Text(), ABSENT, ABSENT),
    (Text(load_default="d"), ABSENT, "d"),
    (Text(load_default="d"), "", ""),
    (Text(max_length=3), "éé😀", "éé😀"),
    (Whole(), "0", 0),
    (Whole(), "-0", 0),
    (Whole(), "007", 7),
    (Whole(), "9223372036854775807", 2**63 - 1),
    (Whole(minimum=-5), "-5", -5),
    (Whole(load_default=0), "", 0),
    (Whole(load_default=None), ABSENT, None),
    (Whole(), "", ABSENT),
    (Amount(), "5", Decimal("5.000")),
    (Amount(), "10.0000", Decimal("10.000")),
    (Amount(), "0.125", Decimal("0.125")),
    (Amount(), "999999999999.999", Decimal("999999999999.999")),
    (Amount(), "-0.00", Decimal(0)),
    (Amount(places=2), "1.5", Decimal("1.50")),
    (Amount(load_default=Decimal(0)), "", Decimal(0)),
    (Choice(("a", "b")), "b", "b"),
    (Choice(("a", "b"), load_default="a"), "", "a"),
    (Flag(), "1", True),
    (Flag(), "on", True),
    (Flag(), "0", False),
    (Flag(), "off", False),
    *((Flag(), word, True) for word in ("yes", "true", "True", "ON")),
    *((Flag(), word, False) for word in ("no", "false", "False", "OFF")),
    (Flag(), "", False),
    (Flag(), ABSENT, False),
    (Day(), "2030-02-28", date(2030, 2, 28)),
    (Day(), "2028-02-29", date(2028, 2, 29)),
    (Day(), "0000-00-00", None),
    (Day(), "", None),
    (Day(), ABSENT, None),
    (LETTERS, {0: "a", "x": "b"}, ["a", "b"]),
    (LETTERS, "ab", ["ab"]),
    (LETTERS, {0: "", 1: "a", 2: ""}, ["a"]),
    (LETTERS, dict.fromkeys(range(1000), "a"), ["a"] * 1000),
    (LETTERS, {}, []),
    (LETTERS, "", []),
    (LETTERS, ABSENT, []),
    (Ids(load_default=None), ABSENT, None),
    (Ids(), {5: "42", 0: "7"}, ["42", "7"]),
    (Ids(), "0", []),
    (Ids(), {0: "0"}, ["0"]),
]
DIGITS = "must be a number with 12 digits and 3 decimals at most"
DAY = "must be a date like 2030-12-31"
REFUSED = [
    (Text(required=True), ABSENT, "is required"),
    (Text(required=True), "", "is required"),
    (Text(max_length=3), "abcd", "must have 3 characters at most"),
    *((Whole(), bad, "must be a whole number") for bad in (
        "1e3", "0x10", " 7", "7 ", "7\n", "\uff19", "+7", "--1", "-", "1.0", "1,000", "abc",
        "1" * 10_000)),
    (Whole(), "-1", "must be 0 or more"),
    (Whole(), "9223372036854775808", "must be 9223372036854775807 or less"),
    (Whole(minimum=1, maximum=9), "10", "must be 9 or less"),
    (Whole(required=True), "", "is required"),
    *((Amount(), bad, DIGITS) for bad in (
        "NaN", "inf", "1e999", "1,50", "1.2345", "1.", ".5", "+1", " 1", "1\n", "\uff11", "1_0",
        "--1", "1234567890123", "0x1", "1.0000000000000000000", "9" * 100_000)),
    (Amount(), "-5", "must be 0 or more"),
    (Choice(("a", "b")), "A", "must be one of a, b"),
    (Choice(("a", "b"), required=True), "", "is required"),
    *((Flag(), bad, "must be 1 or 0") for bad in ("enabled", "y", "2", " 1", "01")),
    *((Day(), bad, DAY) for bad in (
        "2030-02-29", "2030-13-01", "2030-1-1", "20300101", "2030-W01-1", "01/02/2030", "tomorrow",
        "2030-01-01 ", "\uff12\uff10\uff13\uff10-01-01", "0000-01-01", "2030-00-00")),
    (LETTERS, {0: {0: "a"}}, "must be a list of plain values"),
    (LETTERS, dict.fromkeys(range(1001), "a"), "must have 1000 values at most"),
    (LETTERS, "a" * 256, "must be letters"),
    (LETTERS, {0: "a", 1: "1"}, "must be letters"),
    (LETTERS, "a\n", "must be letters"),
    *((Ids(), bad, "must be a list of ids") for bad in ("1,2", " 1", "-1", "1" * 11, "\uff11")),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value", "expected"), ACCEPTED)
def test_a_good_value_is_loaded(field, value, expected):
    loaded = load(field, value)
    assert (loaded, type(loaded), str(loaded)) == (expected, type(expected), str(expected))


@pytest.mark.parametrize(("field", "value", "reason"), REFUSED)
def test_a_bad_value_is_refused_with_a_reason(field, value, reason):
    refusal = load(field, value)
    assert isinstance(refusal, ValueError)
    assert str(refusal) == reason


PLAIN = [Text(), Whole(), Amount(), Choice(("a",)), Flag(), Day()]


@pytest.mark.parametrize("field", PLAIN, ids=lambda field: type(field).__name__)
@pytest.mark.parametrize("value", [{}, {0: "1"}, {"a": {"b": "1"}}])
def test_an_array_is_no_plain_value(field, value):
    assert str(load(field, value)) == "must be one plain value"


@pytest.mark.parametrize("field", [*PLAIN, LETTERS, Ids()], ids=lambda it: type(it).__name__)
@pytest.mark.parametrize("value", ["\0", "1\0", "\udcff", "a\ud800"])
def test_broken_text_is_refused_everywhere(field, value):
    assert str(load(field, value)) == "holds characters that are not text"


@pytest.mark.parametrize("value", ["abc", "", ABSENT, {}, "-1"])
def test_a_bare_field_gives_no_reasons(value):
    assert str(load(Whole(required=True, bare=True), value)) == ""


def test_no_refusal_repeats_the_value():
    for field, _, _ in REFUSED:
        assert "s3cret" not in str(load(field, "s3cret\udcff"))


def test_every_problem_of_a_request_is_told_at_once():
    class Params(Schema):
        code = Text(required=True)
        page = Whole(load_default=0)
        products = Ids()

    array = arguments(b"code=%ff&page[]=1&products[]=7&products[][x]=8&other[]=1", "", b"")
    with pytest.raises(ValidationError) as refusal:
        Params().load(array, unknown=EXCLUDE)
    assert refusal.value.normalized_messages() == {
        "code": ["holds characters that are not text"],
        "page": ["must be one plain value"],
        "products": ["must be a list of plain values"],
    }
