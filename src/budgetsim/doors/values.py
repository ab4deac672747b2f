"""Kinds of values that come in, each with its range, for pydantic to check; and a problem of it in words."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field

from budgetsim.doors.words import is_name, is_readable

MOST_UNITS: Final = 1_000_000_000_000  # no count of examples is larger
MOST_SEED: Final = 2**32 - 1  # of NumPy and torch alike


def _number(value: object) -> object:
    """Refuse what YAML or Python would quietly read as a number."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("a number, without quotes")
    if type(value).__name__ in ("HexInt", "HexCapsInt", "OctalInt", "BinaryInt"):
        raise ValueError("a number in decimal digits")
    return value


def _readable(text: str) -> str:
    if not is_readable(text):
        raise ValueError("text that can be read, without control characters")
    return text


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError("a name that can be read, on one line")
    return text


Number = BeforeValidator(_number)
Text = Annotated[str, Field(min_length=1, max_length=20_000), AfterValidator(_readable)]
Name = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_name)]
Count = Annotated[int, Number, Field(ge=0, le=MOST_UNITS)]
Seed = Annotated[int, Number, Field(ge=0, le=MOST_SEED)]
Percent = Annotated[float, Number, Field(ge=0, le=100, allow_inf_nan=False)]
Amount = Annotated[float, Number, Field(ge=0, le=1e30, allow_inf_nan=False)]  # seconds, FLOPs: never below zero


def wanted(problem: Any) -> str:
    """What a problem that pydantic found wanted, in words."""
    context = problem.get("ctx") or {}
    kind = problem["type"]
    if kind in _WANTED:
        return _WANTED[kind]
    bound = next((context[key] for key in ("ge", "gt", "lt", "le", "max_length") if key in context), None)
    if kind in _BOUNDED and bound is not None:
        return _BOUNDED[kind].format(bound)
    if kind in ("literal_error", "enum"):
        return str(context["expected"])
    return str(problem["msg"]).removeprefix("Value error, ")


_WANTED: Final = {
    "missing": "a value",
    "finite_number": "a finite number",
    "string_type": "text",
    "string_too_short": "text",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "dataclass_type": "keys and values",
    "dict_type": "keys and values",
    "list_type": "a list",
    "tuple_type": "a list",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "float_type": "a number",
    "int_parsing_size": "a number of fewer digits",
    "decimal_parsing": "a number",
    "too_short": "at least one entry",
}
_BOUNDED: Final = {
    "greater_than_equal": "{} or more",
    "greater_than": "more than {}",
    "less_than": "less than {}",
    "less_than_equal": "{} or less",
    "string_too_long": "at most {} characters",
    "too_long": "at most {} entries",
}


def found(value: object) -> str:
    """A value as a message shows it: short, on one line."""
    if isinstance(value, dict):
        shown = "{" + ", ".join(str(k) for k in value) + "}"
    else:
        try:
            shown = repr(value) if isinstance(value, str) else str(value)
        except ValueError:  # an int of more digits than Python writes out
            shown = "a number of thousands of digits"
    return shorten(shown)


def shorten(text: str) -> str:
    """The beginning of a text that is too long for a message."""
    return text if len(text) <= 80 else f"{text[:77]}..."
