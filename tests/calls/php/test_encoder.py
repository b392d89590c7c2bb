import math
import struct
from datetime import date
from decimal import Decimal
from random import Random

import pytest

from calls.php import Raw, Rows, encode, parts, text

PRINTED = {
    "null": None,
    "true": True,
    "false": False,
    "0": 0,
    "-7": -7,
    "123456789012345678901234567890": 123456789012345678901234567890,
    '""': "",
    r'"a\/b\\c\"d"': 'a/b\\c"d',
    r'"\b\f\n\r\t\u0000\u001f"': "\b\f\n\r\t\0\x1f",
    '"\x7f"': "\x7f",
    r'"\\u007f' + "\x7f" + r'\/\u00e9"': "\\u007f\x7f/é",
    r'"\u00e9\u20ac\ud83d\ude00\u2028\uffff"': "é€😀\u2028\uffff",
    r'"<>&' + "'" + '"': "<>&'",
    r'"a\ufffdb"': "a\udcffb",
    r'"\ufffd\/"': "\ud800/",
    "[]": [],
    "[1,[],[2]]": [1, (), (2,)],
    '{"a":1,"b":{"c":[]}}': {"a": 1, "b": {"c": {}}},
    '["x","y"]': {0: "x", 1: "y"},
    '["x","z"]': {"0": "x", "1": "z"},
    '{"1":"x"}': {1: "x"},
    '{"1":"x","0":"y"}': {1: "x", 0: "y"},
    '{"0":"x","2":"y"}': {0: "x", 2: "y"},
    '{"00":"x"}': {"00": "x"},
    '{"0":"x","a":"y"}': {0: "x", "a": "y"},
    '{"-1":"x"}': {-1: "x"},
    r'{"a\/b":"","\u00e9":null}': {"a/b": "", "é": None},
    "1": Decimal("1.00"),
    "1.5": Decimal("1.500"),
    "0.001": Decimal("0.001"),
    "100": Decimal("1E+2"),
    "-0.1": Decimal("-0.10"),
    "[0]": [Decimal("-0.00")],
    "12345678901234567890.123456789": Decimal("12345678901234567890.1234567890"),
    '{"a":{"x": 1},"b":2}': {"a": Raw(b'{"x": 1}'), "b": 2},
    '[[1,"a"],[],"z"]': [Rows([b"1", b'"a"']), Rows(iter(())), "z"],
}
FLOATS = {
    "1": 1.0, "-0": -0.0, "0": 0.0, "0.1": 0.1, "0.30000000000000004": 0.1 + 0.2, "100000": 1e5,
    "1000000000000000": 1e15, "10000000000000000": 1e16, "12345678901234568": 12345678901234567.0,
    "1.0e+17": 1e17, "1.2345678901234568e+17": 123456789012345678.0, "1.0e+25": 1e25,
    "1.5e+300": 1.5e300, "0.0001": 1e-4, "1.0e-5": 1e-5, "1.2345e-5": 0.000012345,
    "5.0e-324": 5e-324, "-1.7976931348623157e+308": -1.7976931348623157e308,
}  # fmt: skip


@pytest.mark.parametrize(("printed", "value"), PRINTED.items())
def test_values_are_printed_like_php(printed, value):
    assert encode(value) == printed.encode()


@pytest.mark.parametrize(("printed", "value"), FLOATS.items())
def test_floats_are_printed_like_php(printed, value):
    assert encode([value]) == f"[{printed}]".encode()


@pytest.mark.parametrize(
    "value", [math.inf, -math.inf, math.nan, Decimal("NaN"), Decimal("Infinity")]
)
def test_what_is_no_number_is_not_printed(value):
    with pytest.raises(ValueError, match="JSON has no"):
        encode({"a": [value]})


@pytest.mark.parametrize("value", [date(2030, 1, 1), b"x", {1}, object(), {None: 1}, {True: 1}])
def test_other_types_are_not_printed(value):
    with pytest.raises(TypeError):
        encode({"a": [value]})


def test_a_subclass_is_printed_as_what_it_is():
    class Text(str):
        pass

    class Number(int):
        def __repr__(self):
            return "Number"

    assert encode({Text("a"): Text("b"), "c": Number(3)}) == b'{"a":"b","c":3}'
    assert encode({Number(3): 1}) == b'{"3":1}'


def test_text_is_the_literal_of_one_string():
    assert text("a/é\x7f") == r'"a\/\u00e9' + '\x7f"'
    assert text("plain") == '"plain"'


def test_rows_are_read_as_they_are_written():
    taken = []

    def fragments():
        for number in range(100):
            taken.append(number)
            yield b"%d" % number

    pieces = parts({"success": True, "rows": Rows(fragments()), "call": "x/y"})
    assert next(pieces) == b'{"success":true,"rows":'
    assert taken == []
    assert [next(pieces), next(pieces)] == [b"[", b"0"]
    assert taken == [0]
    rest = list(pieces)
    assert rest[:2] == [b",", b"1"]
    assert rest[-2:] == [b"]", rb',"call":"x\/y"}']
    assert len(taken) == 100


def test_nothing_is_yielded_before_a_value_that_cannot_be_printed():
    with pytest.raises(TypeError):
        next(parts([Rows([b"1"]), b"bytes"]))


def php_prints(php, values):
    code = "$out = json_encode(unserialize($in));"
    return php.each(code, [php.serialized(value) for value in values])


def test_php_prints_the_tables_alike(php):
    values = [
        value
        for printed, value in PRINTED.items()
        if "ufffd" not in printed and not {Decimal, Raw, Rows} & kinds(value)
    ]
    values = [value for value in values if value != 123456789012345678901234567890]
    assert len(values) > 20
    for value, printed in zip(values, php_prints(php, values), strict=True):
        assert encode(value) == printed
    assert php_prints(php, FLOATS.values()) == [printed.encode() for printed in FLOATS]


def kinds(value):
    members = value.values() if isinstance(value, dict) else value
    return {type(value)} | {
        kind
        for member in (members if isinstance(value, dict | list | tuple) else ())
        for kind in kinds(member)
    }


def test_php_prints_every_character_alike(php):
    planes = [[chr(code) for code in range(start, start + 4096)] for start in range(0, 65536, 4096)]
    planes[13] = [chr(code) for code in range(0xD000, 0xD800)]
    planes.append([chr(code) for code in range(0x10000, 0x110000, 257)])
    for plane, printed in zip(planes, php_prints(php, planes), strict=True):
        assert encode(plane) == printed
        letters = [text(character)[1:-1] for character in plane]
        assert encode("".join(plane)).decode() == '"' + "".join(letters) + '"'


def test_php_substitutes_each_stray_byte_alike(php):
    strays = [bytes([byte, 65]) for byte in range(128, 256)]
    code = "$out = json_encode($in, JSON_INVALID_UTF8_SUBSTITUTE);"
    for stray, printed in zip(strays, php.each(code, strays), strict=True):
        assert encode(stray.decode("utf-8", "surrogateescape")) == printed


def test_php_prints_random_floats_alike(php, seeded):
    chance = seeded(1)
    floats = [struct.unpack("d", chance.randbytes(8))[0] for _ in range(4000)]
    floats += [chance.uniform(-1, 1) * 10 ** chance.randint(-8, 20) for _ in range(4000)]
    floats += [round(chance.uniform(0, 1e4), chance.randint(0, 3)) for _ in range(2000)]
    floats = [each for each in floats if math.isfinite(each)]
    for value, printed in zip(floats, php_prints(php, floats), strict=True):
        assert encode(value) == printed


def random_value(chance: Random, depth: int = 0):
    kind = chance.randint(0, 9 if depth < 5 else 5)
    if kind < 3:
        letters = 'ab01-_ /\\"\n\0\x1f\x7f<>&éß€\u2028\ufeff😀'
        return "".join(chance.choices(letters, k=chance.randint(0, 8)))
    if kind < 6:
        return chance.choice([None, True, False, 0, -1, 2**63 - 1, 1.5, 1e20, chance.random()])
    size = chance.randint(0, 4)
    if kind < 7:
        return [random_value(chance, depth + 1) for _ in range(size)]
    if kind < 8:
        return {index: random_value(chance, depth + 1) for index in range(size)}
    keys = chance.choices([0, 1, 2, -1, "a", "b/", "é", "", "01", "1.0"], k=size)
    return {key: random_value(chance, depth + 1) for key in keys}


def test_php_prints_random_values_alike(php, seeded):
    chance = seeded(2)
    values = [random_value(chance) for _ in range(6000)]
    for value, printed in zip(values, php_prints(php, values), strict=True):
        assert encode(value) == printed
