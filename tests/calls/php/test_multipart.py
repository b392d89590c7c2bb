import os

import pytest

from calls.php import InvalidRequest, arguments
from calls.php.arguments import fold
from calls.php.arrays import MAX_ARGUMENTS, MAX_NAME
from calls.php.multipart import MAX_HEADERS, from_multipart
from tests.calls.php.forms import Form, Forms

MULTIPART = "multipart/form-data; boundary=xyz"
FIELD = b'--xyz\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
END = b"--xyz--\r\n"
FORMS = int(os.environ.get("PROMOBRIDGE_TEST_FORMS", "2000"))
"""How many odd forms are compared with PHP; 20,000 take 20 seconds."""


def form(*fields: tuple[bytes, bytes]) -> bytes:
    return b"".join(FIELD % field for field in fields) + END


def multipart(body: bytes, content_type: str = MULTIPART):
    return arguments(b"", content_type, body)


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
        "multipart/form-data boundary=xyz, x",
        "multipart/form-data; charset=boundary; x=xyz",
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
        "multipart/form-data; boundary=xyz ; x",
        "multipart/form-data; boundary=\u20ac",
    ],
)
def test_a_form_without_its_boundary_is_refused(content_type):
    with pytest.raises(InvalidRequest):
        multipart(form((b"a", b"1")), content_type)


@pytest.mark.parametrize(
    "part",
    [
        b"--xyz\r\nContent-Disposition: form-data\r\n\r\n1\r\n",
        b"--xyz\r\nContent-Disposition: form-data; name\r\n\r\n1\r\n",
        b'--xyz\r\nContent-Disposition: form-data; x="; name=a\r\n\r\n1\r\n',
        FIELD % (b"a" * (MAX_NAME + 1), b"1"),
        b"--xyz\r\nX: " + b"a" * MAX_HEADERS + FIELD[5:] % (b"a", b"1"),
        b"--xyz\r\n" + b"X:\r\n" * MAX_HEADERS + FIELD[7:] % (b"a", b"1"),
    ],
)
def test_a_form_with_a_broken_part_is_refused(part):
    with pytest.raises(InvalidRequest):
        multipart(part + END)


def test_a_large_value_passes_whole():
    value = b"\r\n--xy" * 100_000
    assert multipart(form((b"a", value))) == {"a": value.decode()}


ODD = [
    ("form-data; name='a\"b'", 'a"b'),
    (r"form-data; name='a\'b\\'", "a'b\\"),
    ('form-data; name="a"; name="b"', "b"),
    ('form-data; name="a"; filename*=x', "a"),
    ('form-data; name="a', "a"),
    ('form-data; name="a"b', "a"),
    ('form-data;\r\n\tname="a"', "a"),
    ('form-data; name="a"\r\nContent-Disposition: form-data; name="b"', "a"),
    ('form-data; name="a\0b"', "a"),
    ('form-data; name="_charset_"', "_charset_"),
    ("form-data; name=a b", "a"),
]


@pytest.mark.parametrize(("disposition", "name"), ODD)
def test_odd_names_are_read_as_php_reads_them(php, php_server, disposition, name):
    body = f"--xyz\r\nContent-Disposition: {disposition}\r\n\r\n1\r\n--xyz--\r\n".encode()
    assert multipart(body) == {name: "1"}
    assert php_server.request("", MULTIPART, body) == php.serialized({name: "1"})


@pytest.mark.parametrize(
    "body",
    [
        FIELD.replace(b"\r", b"") % (b"a", b"1") + END,
        b"before\n--xyz \r\n" + form((b"a", b"1")),
        FIELD % (b"a", b"1") + b"--xyz \r\n" + FIELD[7:] % (b"b", b"2") + END,
        FIELD % (b"a", b"1") + b"--xyz\r\n\r\n2\r\n--xyz\r\nX: y\r\n\r\n3\r\n" + END,
        FIELD % (b"a", b"0") + END + form((b"a", b"1")),
        form((b"", b"2"), (b"a", b"1"), (b"[", b"3")),
    ],
)
def test_odd_parts_are_read_as_php_reads_them(php, php_server, body):
    assert multipart(body) == {"a": "1"}
    assert php_server.request("", MULTIPART, body) == php.serialized({"a": "1"})


def read(form: Form) -> tuple[list[tuple[str, str]], str]:
    """Return what is read of a form, and why it is refused after that."""
    pairs: list[tuple[str, str]] = []
    try:
        for pair in from_multipart(form.content_type, form.body):
            pairs.append(pair)
    except InvalidRequest as refusal:
        return pairs, str(refusal)
    return pairs, ""


def test_php_reads_the_same_of_odd_forms(php, php_server, seeded):
    forms = Forms(seeded(11))
    compared = whole = 0
    for _ in range(FORMS):
        form = forms.form()
        pairs, reason = read(form)
        if "cut off" in reason:  # PHP takes what there is
            form = form._replace(body=form.body + form.end)
            pairs, reason = read(form)
        if "cut off" in reason or any(len(name) > MAX_NAME for name, _ in pairs):
            continue
        compared += 1
        whole += not reason
        answer = php_server.request("", form.content_type, form.body)
        assert php.serialized(fold(pairs)) == answer, (form, reason)
    assert compared > FORMS * 0.9
    assert whole > FORMS * 0.7
