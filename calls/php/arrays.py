"""PHP arrays: their keys, and the limits of arrays in arguments.

A PHP array is a dict in insertion order with `int | str` keys; its values are texts or arrays.
"""

from __future__ import annotations

from typing import TypeAlias

MAX_ARGUMENTS = 1000
"""How many arguments the query and the body may each have, as PHP's max_input_vars."""
MAX_DEPTH = 64
"""How many levels of brackets a name may have, as PHP's max_input_nesting_level."""
MAX_NAME = 255
"""How many characters the name of an argument may have, brackets included."""
NAME_TOO_LONG = f"a name has more than {MAX_NAME} characters"

Array: TypeAlias = "dict[int | str, Value]"
Value: TypeAlias = "str | Array"

INT_MIN, INT_MAX = -(2**63), 2**63 - 1


class Repeated(str):
    """Hold a text that took the place of an earlier value of its name, as PHP lets the last one."""


class InvalidRequest(Exception):
    """Say that a request exceeds a limit, or that its body cannot be read.

    The message never holds a name or value that a client sent.
    """


def array_key(text: str) -> int | str:
    """Return the key PHP uses for a text: an int if it is one in canonical decimal and 64 bits."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        return text
    if digits[0] == "0" and text != "0":
        return text
    number = int(text)
    return number if INT_MIN <= number <= INT_MAX else text
