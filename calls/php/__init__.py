"""PHP's rules for requests and responses; this package knows no call and no table.

arguments.py      query and body -> `$_REQUEST`; the one way in is `arguments`
  arrays.py       keys and limits of the arrays that arguments make
  json_bodies.py  JSON bodies; the limits of all JSON: `check_json`
  multipart.py    multipart bodies
  scanning.py     every value that a request has for a few names, in a body of any size
input_fields.py   field types that load such arguments strictly
output_fields.py  field types that dump what is answered, and load it back for imports
encoder.py        values -> what `json_encode` prints: `encode` whole, `parts` as they are made
"""

from calls.php.arguments import arguments
from calls.php.arrays import MAX_ARGUMENTS, MAX_NAME, NAME_TOO_LONG, InvalidRequest, Repeated
from calls.php.encoder import Raw, Rows, encode, parts, text
from calls.php.input_fields import Amount, Choice, Day, Flag, Ids, InputField, Text, TextList, Whole
from calls.php.json_bodies import check_json
from calls.php.output_fields import (
    NO_MOMENT,
    DayText,
    Fixed,
    Flag01,
    Group,
    Int,
    IntStr,
    Moment,
    Number,
    OutputField,
    Str,
    local_time,
    moment_text,
)
from calls.php.scanning import Body, LongBody, values_of, whole_arguments
