"""Every oddity of PHP on the wire, and nothing else: this package knows no call and no table.

arguments.py   query and body -> `$_REQUEST`; the one way in is `arguments`
  arrays.py    bracket names -> arrays (`fold`), query and body laid together (`merge`)
  bodies.py    multipart and JSON bodies
parameters.py  field types that load such arguments strictly
answers.py     field types that dump what is answered, and load it back for imports
encoder.py     values -> what `json_encode` prints: `encode` whole, `parts` as they are
               made, `gathered` in pieces worth a system call
"""

from calls.php.answers import (
    Answered,
    DayText,
    Fixed,
    Flag01,
    Group,
    Int,
    IntStr,
    Moment,
    Number,
    Str,
    local_time,
)
from calls.php.arguments import arguments, from_query
from calls.php.arrays import MAX_ARGUMENTS, MAX_DEPTH, Array, Refused, Value, fold, merge
from calls.php.encoder import Raw, Rows, encode, gathered, parts, text
from calls.php.parameters import (
    Amount,
    Choice,
    Day,
    Flag,
    Ids,
    Parameter,
    Text,
    TextList,
    Whole,
)

__all__ = [
    "MAX_ARGUMENTS",
    "MAX_DEPTH",
    "Amount",
    "Answered",
    "Array",
    "Choice",
    "Day",
    "DayText",
    "Fixed",
    "Flag",
    "Flag01",
    "Group",
    "Ids",
    "Int",
    "IntStr",
    "Moment",
    "Number",
    "Parameter",
    "Raw",
    "Refused",
    "Rows",
    "Str",
    "Text",
    "TextList",
    "Value",
    "Whole",
    "arguments",
    "encode",
    "fold",
    "from_query",
    "gathered",
    "local_time",
    "merge",
    "parts",
    "text",
]
