import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from marshmallow import Schema, ValidationError

from calls.php import (
    DayText,
    Fixed,
    Flag01,
    Group,
    Int,
    IntStr,
    Moment,
    Number,
    Str,
    encode,
    local_time,
)

NOON = int(datetime(2022, 3, 14, 12, 20, 34, tzinfo=UTC).timestamp())
EAST = timezone(timedelta(hours=2))


def dump(field, value):
    return Schema.from_dict({"x": field})().dump({"x": value})["x"]


def load(field, wire):
    return Schema.from_dict({"x": field})().load({"x": wire})["x"]


BOTH_WAYS = [
    (Int(), 65, "65"),
    (Int(), -(2**63), "-9223372036854775808"),
    (Str(), "a/é", r'"a\/\u00e9"'),
    (Str(), "", '""'),
    (IntStr(), 0, '"0"'),
    (IntStr(), -12, '"-12"'),
    (IntStr(), 2**63 - 1, '"9223372036854775807"'),
    (Fixed(2), Decimal("1.00"), '"1.00"'),
    (Fixed(3), Decimal("-12.345"), '"-12.345"'),
    (Fixed(2), Decimal("999999999999.99"), '"999999999999.99"'),
    (Number(), Decimal("1"), "1"),
    (Number(), Decimal("1.5"), "1.5"),
    (Number(), Decimal("-0.125"), "-0.125"),
    (Flag01(), True, '"1"'),
    (Flag01(), False, '"0"'),
    (DayText(), date(2030, 12, 31), '"2030-12-31"'),
    (DayText(), None, '"0000-00-00"'),
    (Moment(), NOON, '"2022-03-14 12:20:34"'),
    (Moment(), None, '"0000-00-00 00:00:00"'),
    (Group(), {}, "[]"),
    (Group(), {"42": "42", "7": "7"}, '{"42":"42","7":"7"}'),
    (Group(), {"0": "a", "1": "b"}, '["a","b"]'),
    (Group(empty=False), {}, "false"),
    (Group(empty=False), {"Monthly": "Monthly"}, '{"Monthly":"Monthly"}'),
    (Str(allow_none=True), None, "null"),
]


@pytest.mark.parametrize(("field", "value", "wire"), BOTH_WAYS)
def test_values_go_out_and_come_back(field, value, wire):
    assert encode(dump(field, value)) == wire.encode()
    loaded = load(field, json.loads(wire))
    assert loaded == value
    assert type(loaded) is type(value)


@pytest.mark.parametrize(
    ("field", "value", "wire"),
    [
        (Fixed(2), 7, '"7.00"'),
        (Fixed(2), Decimal("1.005"), '"1.01"'),
        (Fixed(2), Decimal("-1.005"), '"-1.01"'),
        (Fixed(2), Decimal("-0.004"), '"0.00"'),
        (Fixed(2), Decimal("12345678901234567890123456789012"), None),
        (Number(), Decimal("1.00"), "1"),
        (DayText(), date(1, 2, 3), '"0001-02-03"'),
    ],
)
def test_values_that_only_go_out(field, value, wire):
    assert encode(dump(field, value)) == (wire or f'"{value}.00"').encode()


@pytest.mark.parametrize(
    ("field", "wire", "value"),
    [
        (Number(), 1, Decimal(1)),
        (Number(), 0.1, Decimal("0.1")),
        (Number(), Decimal("2.50"), Decimal("2.5")),
        (Group(), False, {}),
        (Group(empty=False), [], {}),
        (Group(), {}, {}),
    ],
)
def test_wire_forms_that_only_come_in(field, wire, value):
    assert load(field, wire) == value


@pytest.mark.parametrize(
    ("field", "wires"),
    [
        (Int(), ["1", 1.0, True, None, [], 2**63]),
        (Str(), [1, None, True, [], {}, "a\0", "\ud800", "x" * 65536]),
        (Str(max_length=3), ["abcd"]),
        (IntStr(), [1, "", "01", "-0", "1.0", " 1", "1\n", "\uff11", "1" * 9999, str(2**63)]),
        (Fixed(2), [1, 1.5, "1", "1.0", "1.00000", "1,00", ".00", "+1.00", "1e2", "1.00\n", "NaN"]),
        (Fixed(2), ["1234567890123.00", None, False]),
        (Number(), ["1", True, None, [], float("nan"), float("inf"), 1.2345, 10**12, 10**5000]),
        (Number(), [Decimal("NaN"), Decimal("1E+999999"), Decimal("1E-999999")]),
        (Flag01(), [1, 0, True, False, "", "2", "on", None, []]),
        (DayText(), ["", None, 20301231, "2030-02-30", "2030-1-1", "0000-00-01", "20300101"]),
        (Moment(), ["", None, 0, "2030-01-01", "2030-01-01T00:00:00", "2030-01-01 24:00:00"]),
        (Moment(), ["2030-02-30 00:00:00", "2030-01-01 00:00:00Z", "2030-01-01 00:00"]),
        (Group(), [True, None, "", 0, {"a": 1}, {"a": ["b"]}, [1], {"a": "\0"}, {"\ud800": "a"}]),
    ],
)
def test_any_other_wire_form_is_refused(field, wires):
    for wire in wires:
        with pytest.raises(ValidationError) as refusal:
            load(field, wire)
        ((reason,),) = refusal.value.normalized_messages().values()
        assert reason.startswith("must ")
        assert not isinstance(wire, str) or len(wire) < 4 or wire not in reason


def test_a_missing_member_is_told():
    with pytest.raises(ValidationError) as refusal:
        Schema.from_dict({"x": Int()})().load({})
    assert refusal.value.normalized_messages() == {"x": ["is missing"]}


def test_local_time_holds_for_every_moment_inside():
    with local_time(ZoneInfo("Europe/Warsaw")):
        assert dump(Moment(), NOON) == "2022-03-14 13:20:34"
        assert load(Moment(), "2022-03-14 13:20:34") == NOON
        with local_time(EAST):
            assert dump(Moment(), NOON) == "2022-03-14 14:20:34"
            with pytest.raises(ValidationError):  # no such moment in UTC
                load(Moment(), "0001-01-01 00:00:00")
    assert dump(Moment(), NOON) == "2022-03-14 12:20:34"


def test_an_hour_that_comes_twice_keeps_its_bytes():
    with local_time(ZoneInfo("Europe/Warsaw")):
        for text in ("2022-10-30 02:30:00", "2022-10-30 01:59:59", "2022-10-30 03:00:00"):
            assert dump(Moment(), load(Moment(), text)) == text


def test_php_rounds_amounts_alike(php, seeded):
    chance = seeded(3)
    amounts = [Decimal(chance.randint(-(10**7), 10**7)).scaleb(-4) for _ in range(3000)]
    code = '$out = number_format((float) $in, 2, ".", "");'
    answers = php.each(code, [str(amount).encode() for amount in amounts])
    for amount, printed in zip(amounts, answers, strict=True):
        assert dump(Fixed(2), amount) == printed.decode(), amount
