"""What the forms of all pages have in common."""

from __future__ import annotations

from flask_wtf import FlaskForm

TEXT_LENGTH = 255
"""The longest text of a single line."""


class PageForm(FlaskForm):
    """Be a form that changes something: it carries a token against forgery.

    `refuse` puts a sentence of the store beside a field, or above the form.
    """

    def refuse(self, sentence: str, name: str = "") -> None:
        """Show a refusal beside the field of this name, without one above the form."""
        if name and name in self._fields:
            self._fields[name].errors = [*self._fields[name].errors, sentence]
        else:
            errors: list[str] = self.form_errors
            errors.append(sentence)
