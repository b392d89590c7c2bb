import tracemalloc
from random import Random
from urllib.parse import quote_from_bytes

import pytest

from calls.php import InvalidRequest, arguments
from calls.php.arguments import from_query
from calls.php.arrays import MAX_ARGUMENTS, Repeated

URLENCODED = "application/x-www-form-urlencoded"
TOKENS = """
a a b ab [] [x] [0] [5] [-2] [ ] . = = = & & + %20 %00 %5B %5D %ff %C3%A9 1 2 _ é ; call page
"""


@pytest.mark.parametrize(
    ("raw", "pairs"),
    [
        ("", []),
        ("?&a=1", [("?", ""), ("a", "1")]),
        ("&&a=1&&&b&", [("a", "1"), ("b", "")]),
        ("a=b=c&=d&=", [("a", "b=c"), ("", "d"), ("", "")]),
        ("a+b=c+d%2B", [("a b", "c d+")]),
        ("%61=%6a%6B%", [("a", "jk%")]),
        ("a=%4&b=%zz&c=%%41&d=%4%41", [("a", "%4"), ("b", "%zz"), ("c", "%A"), ("d", "%4A")]),
        ("a=%u0041", [("a", "%u0041")]),
        ("a=%C3%A9&b=%e2%82", [("a", "é"), ("b", "\udce2\udc82")]),
        (b"a=\xff\xc3\xa9", [("a", "\udcffé")]),
        ("a;b=1", [("a;b", "1")]),
    ],
)
def test_pairs_are_split_and_decoded_in_order(raw, pairs):
    assert list(from_query(raw if isinstance(raw, bytes) else raw.encode())) == pairs


def test_a_thousand_arguments_are_read_and_one_more_refused():
    assert len(list(from_query(b"&a=1" * MAX_ARGUMENTS + b"&&&"))) == MAX_ARGUMENTS
    with pytest.raises(InvalidRequest):
        list(from_query(b"&a=1" * (MAX_ARGUMENTS + 1)))
    full = b"&a[]=1" * MAX_ARGUMENTS
    assert len(arguments(full, URLENCODED, b"b=1&" + full[: 6 * 999])["a"]) == MAX_ARGUMENTS


@pytest.mark.parametrize("flood", [b"&a" * 10_000_000, b"a=1&" * 5_000_000])
def test_a_flood_of_pairs_is_refused_without_being_held(flood):
    tracemalloc.start()
    try:
        with pytest.raises(InvalidRequest):
            arguments(b"", URLENCODED, flood)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("flood", [b"&" * 5_000_000, b"a=" + b"%" * 5_000_000])
def test_other_floods_are_read_in_linear_time(flood):
    assert len(arguments(b"", URLENCODED, flood)) <= 1


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
        "application/x-www-form-urlencoded,text/plain",
        " application/x-www-form-urlencoded ;;=",
    ],
)
def test_the_content_type_is_read_as_php_does(content_type):
    assert arguments(b"a=0&c=1", content_type, b"a=1&b[]=2") == {"a": "1", "c": "1", "b": {0: "2"}}


@pytest.mark.parametrize("content_type", ["", "text/plain", "a", ";", "application/xml", "\xff"])
def test_other_bodies_are_ignored(content_type):
    assert arguments(b"a=0", content_type, b"a=1&b=2") == {"a": "0"}


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", URLENCODED, "application/json", "multipart/form-data"]
)
def test_a_request_without_a_body_may_say_any_type(content_type):
    assert arguments(b"?&a=0", content_type, b"") == {"?": "", "a": "0"}


def test_refusals_do_not_tell_values():
    with pytest.raises(InvalidRequest) as refusal:
        arguments(b"", URLENCODED, b"api_key" + b"[]" * 65 + b"=s3cret")
    assert refusal.value.args == ("an argument has more than 64 levels",)


class Requests:
    """Make random requests of every kind, like those of clients and worse."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance

    def text(self) -> bytes:
        return "".join(self.chance.choices(TOKENS.split(), k=self.chance.randint(0, 16))).encode()

    def query(self) -> str:
        return quote_from_bytes(self.text(), safe="%&=[]+;._-")

    def body(self) -> tuple[str, bytes]:
        kind = self.chance.choice(["urlencoded", "multipart", "multipart", "other"])
        if kind == "urlencoded":
            return self.chance.choice([URLENCODED, URLENCODED.upper() + ";x=y"]), self.text()
        if kind == "other":
            return self.chance.choice(["", "text/plain", "application/xml"]), self.text()
        boundary = self.chance.choice(["xyz", "----WebKitFormBoundary7MA4", "=_1 2"])
        head = self.chance.choice(
            ['multipart/form-data; boundary="%s"', 'Multipart/Form-Data;charset=x;Boundary="%s"']
        )
        parts = [self.part(boundary.encode()) for _ in range(self.chance.randint(0, 5))]
        return head % boundary, b"".join([*parts, b"--%b--\r\n" % boundary.encode()])

    def part(self, boundary: bytes) -> bytes:
        tokens = ["a", "b", "[]", "[x]", "[0]", "[ y]", ".", " ", "é"]
        name = "".join(self.chance.choices(tokens, k=4))
        extra = self.chance.choice([b"", b"", b'; filename="f.txt"\r\nContent-Type: text/plain'])
        pieces = [b"1", b"a", b"\r\n", b"\n", b"\r", b"--xy", b"--", b"\xff", b"\0", b"&", b"%41"]
        value = b"".join(self.chance.choices(pieces, k=self.chance.randint(0, 6)))
        value *= self.chance.choice([1, 1, 1, 1500])
        head = b'--%b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n'
        return head % (boundary, name.encode(), extra) + value + b"\r\n"


@pytest.mark.parametrize("seed", range(2))
def test_php_makes_the_same_request_array(php, php_server, seeded, seed):
    requests = Requests(seeded(seed))
    for _ in range(250):
        query = requests.query()
        content_type, body = requests.body()
        expected = php_server.request(query, content_type, body)
        assert php.serialized(arguments(query.encode(), content_type, body)) == expected, (
            query,
            content_type,
            body,
        )


@pytest.mark.parametrize("seed", range(2))
def test_broken_requests_are_answered_or_refused(seeded, seed):
    requests = Requests(seeded(seed))
    for _ in range(1500):
        content_type, body = requests.body()
        cut = requests.chance.randint(0, len(body))
        damage = requests.chance.choice([b"", b"\0", b"\xff", b"\r\n\r\n", b"--", b'"', b"{["])
        kind = requests.chance.choice([content_type, content_type, "application/json"])
        try:
            array = arguments(requests.query().encode(), kind, body[:cut] + damage)
        except InvalidRequest:
            continue
        assert isinstance(array, dict)


@pytest.mark.parametrize(
    ("query", "took_a_place"),
    [
        (b"a=1&b=2", []),
        (b"a=1&a=2", ["2"]),
        (b"a=1&a[]=2", ["2"]),
        (b"a[]=1&a=2", ["2"]),
        (b"a[]=1&a[]=2", []),
        (b"a[x]=1&a[x]=2&a[y]=3", ["2"]),
        (b"a[x]=1&a[x][y]=2", ["2"]),
        (b"a.b=1&a_b=2", ["2"]),
    ],
)
def test_a_text_tells_that_it_took_the_place_of_another(query, took_a_place):
    def repeated(value):
        if isinstance(value, dict):
            return [text for member in value.values() for text in repeated(member)]
        return [value] if isinstance(value, Repeated) else []

    assert repeated(arguments(query, "", b"")) == took_a_place
    assert repeated(arguments(b"a=0", URLENCODED, query)) == took_a_place
