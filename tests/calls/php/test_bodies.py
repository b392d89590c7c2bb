import json
from random import Random

import pytest

from calls.php import InvalidRequest, arguments
from calls.php.arrays import MAX_ARGUMENTS

MULTIPART = "multipart/form-data; boundary=xyz"
FIELD = b'--xyz\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
END = b"--xyz--\r\n"


def form(*fields: tuple[bytes, bytes]) -> bytes:
    return b"".join(FIELD % field for field in fields) + END


def multipart(body: bytes, content_type: str = MULTIPART):
    return arguments(b"", content_type, body)


def loaded(text: str | bytes):
    body = text.encode() if isinstance(text, str) else text
    return arguments(b"", "application/json", body)


def test_fields_of_a_form_keep_their_order_and_bytes():
    body = form((b"call", b"x"), (b"a[]", b"1"), (b"a[]", b" 2\r\n"), (b"b", b"\xff\xc3\xa9\0"))
    assert multipart(body) == {"call": "x", "a": {0: "1", 1: " 2\r\n"}, "b": "\udcffé\0"}


def test_credentials_in_the_query_and_arguments_in_a_form():
    array = arguments(b"api_id=1&call=a", MULTIPART, form((b"call", b"b"), (b"code", b"")))
    assert array == {"api_id": "1", "call": "b", "code": ""}


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('form-data; name="a"', "a"),
        ("form-data; name=a", "a"),
        ("form-data; name=a[]", "a[]"),
        ("form-data;name=a; x=y", "a"),
        ('FORM-DATA; NAME="a b"', "a_b"),
        (r'form-data; name="a\"b\\c"', r'a"b\c'),
        ('form-data; name="a%22b;c"', "a%22b;c"),
        ('form-data; x="y"; name="é"', "é"),
    ],
)
def test_names_of_fields_are_read_raw(disposition, name):
    body = f"--xyz\r\nContent-Disposition: {disposition}\r\n\r\n1\r\n--xyz--".encode()
    expected = {"a": {0: "1"}} if name == "a[]" else {name: "1"}
    assert multipart(body) == expected


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; boundary=xyz",
        'Multipart/Form-Data; charset=UTF-8; Boundary="xyz"; x=y',
        "multipart/form-data;boundary=xyz;charset=UTF-8",
        "multipart/form-data boundary=xyz , x",
    ],
)
def test_the_boundary_is_found_as_php_finds_it(content_type):
    assert multipart(form((b"a", b"1")), content_type) == {"a": "1"}


def test_files_are_passed_over_but_counted():
    file = FIELD.replace(b'name="%b"', b'name="%b"; filename="f"')
    assert multipart(file % (b"a", b"x") + form((b"b", b"1"))) == {"b": "1"}
    fields = FIELD % (b"b", b"1") * (MAX_ARGUMENTS - 1)
    assert multipart(file % (b"a", b"x") + fields + END) == {"b": "1"}
    with pytest.raises(InvalidRequest):
        multipart(file % (b"a", b"x") * 2 + fields + END)


def test_a_form_that_is_cut_anywhere_is_refused():
    body = form((b"a", b"1"), (b"b[]", b"2"))
    whole = len(body) - len(b"--\r\n") + 2
    assert multipart(body[:whole]) == {"a": "1", "b": {0: "2"}}
    for end in range(1, whole):
        with pytest.raises(InvalidRequest):
            multipart(body[:end])


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="',
        'multipart/form-data; boundary=""; x',
        "multipart/form-data; boundary=;",
        "multipart/form-data; boundary=other",
        "multipart/form-data; boundary=\u20ac",
    ],
)
def test_a_form_without_its_boundary_is_refused(content_type):
    with pytest.raises(InvalidRequest):
        multipart(form((b"a", b"1")), content_type)


@pytest.mark.parametrize(
    "part",
    [
        b"--xyz\r\n\r\n1\r\n",
        b"--xyz\r\nContent-Type: text/plain\r\n\r\n1\r\n",
        b"--xyz\r\nContent-Disposition: form-data\r\n\r\n1\r\n",
        b"--xyz\r\nContent-Disposition: form-data; name\r\n\r\n1\r\n",
        b'--xyz\r\nContent-Disposition: form-data; name="a\r\n\r\n1\r\n',
        b'--xyz\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n1\r\n',
        b'--xyz\r\nContent-Disposition: form-data; name="' + b"a" * 20_000 + b'"\r\n\r\n1\r\n',
    ],
)
def test_a_form_with_a_broken_part_is_refused(part):
    with pytest.raises(InvalidRequest):
        multipart(part + END)


def test_a_large_value_passes_whole():
    value = b"\r\n--xy" * 100_000
    assert multipart(form((b"a", value))) == {"a": value.decode()}


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
        ('{"a":1,"b":2,"a":3}', {"a": "3", "b": "2"}),
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
