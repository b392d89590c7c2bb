from random import Random

import pytest

from calls.php import InvalidRequest
from calls.php.arguments import fold, from_query, merge
from calls.php.arrays import MAX_DEPTH, MAX_NAME

NAMES = {
    "": {},
    "&&x": {"x": ""},
    "=1": {},
    "a": {"a": ""},
    "a=1&a=2": {"a": "2"},
    "a=1=2": {"a": "1=2"},
    "0=5": {0: "5"},
    "-1=5": {-1: "5"},
    "a b=1": {"a_b": "1"},
    " a.b=1": {"a_b": "1"},
    "a[]=1&a[]=2": {"a": {0: "1", 1: "2"}},
    "a%5B%5D=1&a%5b]=2": {"a": {0: "1", 1: "2"}},
    "a[x][y]=1&a[x][z]=2": {"a": {"x": {"y": "1", "z": "2"}}},
    "a[][x]=1&a[][x]=2": {"a": {0: {"x": "1"}, 1: {"x": "2"}}},
    "a[x.y z]=1": {"a": {"x.y z": "1"}},
    "a=1&a[]=2": {"a": {0: "2"}},
    "a[]=1&a=2": {"a": "2"},
    "a=1&b=2&a=3": {"a": "3", "b": "2"},
    "a[5]=1&a[]=2": {"a": {5: "1", 6: "2"}},
    "a[-5]=1&a[]=2": {"a": {-5: "1", -4: "2"}},
    "a[x]=1&a[]=2": {"a": {"x": "1", 0: "2"}},
    "a[01]=1&a[-0]=2&a[+1]=3": {"a": {"01": "1", "-0": "2", " 1": "3"}},
    "a[9223372036854775807]=1&a[]=dropped": {"a": {2**63 - 1: "1"}},
    "a[9223372036854775807]=1&a[][]=dropped": {"a": {2**63 - 1: "1"}},
    "a[9223372036854775808]=1": {"a": {"9223372036854775808": "1"}},
    "a[-9223372036854775808]=1&a[]=2": {"a": {-(2**63): "1", 1 - 2**63: "2"}},
    "a[b=1": {"a_b": "1"},
    "a[b.c d[e=1": {"a_b_c_d_e": "1"},
    "a[b][c=1": {"a": {"b": "1"}},
    "a[x]y[z]=1": {"a": {"x": "1"}},
    "a[ ]=1": {"a": {0: "1"}},
    "a[  ]=1": {"a": {"  ": "1"}},
    "a[%09]&a[%0A]&a[%0B]&a[%0C]&a[%0D]&a[%1F]": {"a": dict.fromkeys([0, 1, 2, 3, 4, "\x1f"], "")},
    "a]=1": {"a]": "1"},
    "[a]=1": {},
    "a%00b=1": {"a": "1"},
    "a=1%002": {"a": "1\x002"},
    "%00=1": {},
    "a=%ff%C3%A9": {"a": "\udcffé"},
    "%ff[%fe]=1": {"\udcff": {"\udcfe": "1"}},
    "_.Host-x=1": {},
    "__Host-x=1": {"__Host-x": "1"},
    "a[__Secure-x]=1": {"a": {}},
}

TOKENS = """
a a a b ab A . . [ ] [] [] [a] [b] [0] [1] [01] [-1] [-5] [-0] [5 [x.y] [9223372036854775807]
[9223372036854775806] [-9223372036854775808] [9223372036854775808] [99999999999999999999] ]] [[
= = = = & & & & ; + + %20 %00 %5B %5D %5b %5d %3D %26 % %4 %g1 %%41 %C3%A9 %ff é _ __Host- __Secure-
_.Host- 0 1 7 -3
"""
BYTES = [*TOKENS.encode().split(), b"\t", b"\n", b" ", b" ", b"\v", b"\xff", b"\xc3"]


def random_query(chance: Random) -> bytes:
    return b"".join(chance.choices(BYTES, k=chance.randint(0, 24)))


def items(array):
    """Return an array with its order and key types made visible to ==."""
    if not isinstance(array, dict):
        return array
    return [(type(key), key, items(value)) for key, value in array.items()]


@pytest.mark.parametrize(("query", "expected"), NAMES.items())
def test_names_become_arrays(query, expected):
    assert items(fold(from_query(query.encode()))) == items(expected)


def test_php_folds_the_table_alike(php):
    code = "parse_str($in, $array); $out = serialize($array);"
    answers = php.each(code, [query.encode() for query in NAMES])
    assert answers == [php.serialized(expected) for expected in NAMES.values()]


@pytest.mark.parametrize("seed", range(3))
def test_php_folds_random_names_alike(php, seeded, seed):
    chance = seeded(seed)
    queries = [random_query(chance) for _ in range(4000)]
    answers = php.each("parse_str($in, $array); $out = serialize($array);", queries)
    for query, answer in zip(queries, answers, strict=True):
        assert php.serialized(fold(from_query(query))) == answer, query


DEEPEST = [f"secret{brackets * MAX_DEPTH}" for brackets in ("[]", "[x]", "[ ]")]
TOO_DEEP = [name + end for name in DEEPEST for end in ("[]", "[x", "[")]


@pytest.mark.parametrize("name", TOO_DEEP)
def test_64_levels_are_folded_and_one_more_is_refused(name):
    assert fold([(name[: name.rindex("[")], "1")])["secret"]
    with pytest.raises(InvalidRequest, match="more than 64 levels"):
        fold([(name, "1")])


def test_php_drops_what_is_refused_as_too_deep(php):
    answers = php.each(
        "parse_str($in, $array); $out = serialize($array);",
        [name.encode() for name in (*DEEPEST, *TOO_DEEP)],
    )
    folded = [php.serialized(fold([(name, "")])) for name in DEEPEST]
    assert answers == [*folded, *(b"a:0:{}" for _ in TOO_DEEP)]


@pytest.mark.parametrize("name", ["a", "é", "[", "a["])
def test_a_name_has_255_characters_at_most(name):
    longest = (name * MAX_NAME)[:MAX_NAME]
    assert len(fold([(longest, "1")])) <= 1
    with pytest.raises(InvalidRequest):
        fold([(longest + "x", "1")])


def test_the_body_wins_and_arrays_are_merged():
    get = {"a": "1", "b": {0: "x", "k": {"p": "1"}}, "c": "3", "d": {0: "4"}}
    post = {"c": {0: "y"}, "b": {0: "z", "k": {"q": "2"}, 1: "w"}, "d": "5", "e": "6"}
    expected = {
        "a": "1",
        "b": {0: "z", "k": {"p": "1", "q": "2"}, 1: "w"},
        "c": {0: "y"},
        "d": "5",
        "e": "6",
    }
    assert items(merge(get, post)) == items(expected)
    assert get["b"] == {0: "x", "k": {"p": "1"}}
