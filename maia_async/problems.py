"""What the API says is wrong, as one value; it holds no parsing and raises nothing.

The wire layer reads it from every error body that the API prints (RFC 7807 with `violations`, `validation-errors`
objects, `{"error", "status"}`, HTML, nothing); the errors carry it.
"""

from __future__ import annotations

from attrs import frozen


@frozen
class FieldProblem:
    """One field that does not fit: `field` is a dotted path ("" when the whole is meant), `message` says what is wrong."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


@frozen
class ProblemDetail:
    """An error body in the API's own words; every part may be missing.

    `problems` joins `violations` (strings, kept with an empty field) and `validation-errors` (field and message).
    """

    title: str | None = None
    detail: str | None = None
    status: int | None = None
    type: str | None = None
    instance: str | None = None
    problems: tuple[FieldProblem, ...] = ()

    def __str__(self) -> str:
        """The most telling words first: the detail, else the title; then each field."""
        said = self.detail or self.title or ""
        fields = "; ".join(str(problem) for problem in self.problems)
        return f"{said} ({fields})" if said and fields else said or fields
