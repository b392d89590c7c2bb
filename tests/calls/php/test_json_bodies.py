import json
from random import Random

import pytest

from calls.php import InvalidRequest, arguments
from calls.php.arrays import MAX_ARGUMENTS


def loaded(text: str | bytes):
    body = text.encode() if isinstance(text, str) else text
    return arguments(b"", "application/json", body)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        (" \r\n", {}),
        ("{}", {}),
        ("[]", {}),
        ('{"a":"x","b":1,"c":true,"d":false}', {"a": "x", "b": "1", "c": "1", "d": ""}),
        ('{"a":null}', {"a": ""}),
        ('{"a":[1,[2],{"x":3}]}', {"a": {0: "1", 1: {0: "2"}, 2: {"x": "3"}}}),
        ('{"5":1,"05":2}', {5: "1", "05": "2"}),
        ('{"a b":1,"c[]":2}', {"a b": "1", "c[]": "2"}),
        ('{"a":1.0,"b":1.50,"c":-0.0}', {"a": "1", "b": "1.5", "c": "-0"}),
        ('{"a":1e3,"b":1e25,"c":1E-7,"d":1e999,"e":-1e999}',
         {"a": "1000", "b": "1.0E+25", "c": "1.0E-7", "d": "INF", "e": "-INF"}),
        ('{"a":"\\u00e9\\ud83d\\ude00","b":"\\ud800"}', {"a": "é😀", "b": "\ud800"}),
        ('{"a":' + "9" * 10_000 + "}", {"a": "9" * 10_000}),
        ('{"a":"' + "," * 5000 + '\\"[{"}', {"a": "," * 5000 + '"[{'}),
    ],
)  # fmt: skip
def test_a_json_object_becomes_texts(text, expected):
    assert loaded(text) == expected


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/Vnd.Api+JSON"])
def test_json_is_read_under_its_content_types(kind):
    assert arguments(b"a=0&b=1", kind, b'{"a":1}') == {"a": "1", "b": "1"}


@pytest.mark.parametrize(
    "body",
    [
        b"1", b'"a"', b"null", b"[1]", b"{", b"{'a':1}", b'{"a":1,}', b'{"a":NaN}', b'{"a":01}',
        b'{"a":1,"a":2}', b'{"a":[1],"a":[2]}', b'{"c":[{"b":1,"b":1}]}',
        b'{"a":-Infinity}', b'{"a":"\xff"}', b"\xef\xbb\xbf{}", b'{"a":"\n"}', b'{"a":1}{}', b"{\0",
        b"[" * 100_000, b'{"a":' * 100_000, b'{"a":' + b"[" * 990 + b"]" * 990 + b"}",
        b'"' * 1_000_001, b'{"a":"' + b"\\" * 1_000_000,
    ],
)  # fmt: skip
def test_other_json_is_refused(body):
    with pytest.raises(InvalidRequest):
        loaded(body)


def test_json_has_the_limits_of_a_query():
    assert len(loaded(json.dumps(dict.fromkeys(map(str, range(MAX_ARGUMENTS)), "1")))) == 1000
    deepest = '{"a":' + "[" * 64 + "1" + "]" * 64 + "}"
    assert loaded(deepest)
    for body in (
        json.dumps(dict.fromkeys(map(str, range(MAX_ARGUMENTS + 1)), "1")),
        '{"a":[' + "[]," * 1_000_000 + "[]]}",
        deepest.replace("[1]", "[[1]]"),
    ):
        with pytest.raises(InvalidRequest):
            loaded(body)


def random_json(chance: Random, depth: int = 0):
    kind = chance.randint(0, 9 if depth < 4 else 6)
    if kind < 2:
        return chance.choice([None, True, False, "", "x", "é/😀", "0", "1e3"])
    if kind < 4:
        return chance.choice([0, -1, 2**63 - 1, -(2**63), chance.randint(-(10**9), 10**9)])
    if kind < 7:
        return chance.choice([0.1, 1e15, 1e17, -2.5e-7, 100.0, chance.uniform(-1e6, 1e6)])
    size = chance.randint(0, 4)
    if kind < 8:
        return [random_json(chance, depth + 1) for _ in range(size)]
    keys = chance.choices(["a", "b", "", "0", "1", "-1", "01", "a b", "x[]", "é"], k=size)
    return {key: random_json(chance, depth + 1) for key in keys}


def test_php_turns_json_into_the_same_texts(php, seeded):
    chance = seeded(7)
    texts = [json.dumps({"a": random_json(chance), "0": random_json(chance)}) for _ in range(2000)]
    code = """
        $array = json_decode($in, true);
        array_walk_recursive($array, function (&$value) { $value = (string) $value; });
        $out = serialize($array);
    """
    answers = php.each(code, [text.encode() for text in texts])
    for text, answer in zip(texts, answers, strict=True):
        assert php.serialized(loaded(text)) == answer, text
