"""Checks of the texts that a call stores."""

from typing import Any

from marshmallow import ValidationError
from marshmallow.validate import Regexp

from calls import php
from models.store.texts import CODE_LENGTH, CONTROLS, TYPED_LENGTH, code_problem, new_code

ONE_LINE = Regexp(rf"[^{CONTROLS}]*\Z", error="must be one line of text without control characters")
SOME_LINES = Regexp(
    r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*\Z",
    error="must hold no control characters but tabs and ends of lines",
)


class NewCode(php.Text):
    """Load a new code, or what new codes begin with: composed, and without blanks around it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=CODE_LENGTH, **options)

    def is_absent(self, value: object) -> bool:
        """Tell whether a value stands for no value: blanks are none."""
        blank = isinstance(value, str) and len(value) <= TYPED_LENGTH and not value.strip()
        return self.required and blank

    def read(self, wire: str) -> str:
        """Return the code. Raises ValidationError for what cannot be one."""
        code = super().read(new_code(wire))
        problem = code and code_problem(code)
        if problem:
            raise ValidationError(problem)
        return code
