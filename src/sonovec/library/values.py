"""The values of a track's fields: what every store keeps alike, and the refusal of the rest."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, cast

from sonovec.errors import UsageError
from sonovec.library.columns import KIND_NAMES, Kind
from sonovec.library.filters import MAX_INT
from sonovec.library.records import Value, plain


def checked(fields: Mapping[str, Value], columns: Mapping[str, Kind]) -> dict[str, Value]:
    """The fields as every store keeps them alike: NumPy's numbers become Python's own, and whole numbers floats where needed.

    Raises
    ------
    UsageError
        A field is not a column, or its value is of another type, or none that every store keeps.

    Examples
    --------
    >>> checked({"bpm": 120, "mood": None}, {"bpm": float, "mood": str})
    {'bpm': 120.0, 'mood': None}
    >>> checked({"bpm": "fast"}, {"bpm": float})
    Traceback (most recent call last):
    sonovec.errors.UsageError: field 'bpm': 'fast' is not of type float
    """
    return {name: _checked_value(name, value, columns) for name, value in fields.items()}


def _checked_value(name: str, value: Value, columns: Mapping[str, Kind]) -> Value:
    if name not in columns:
        raise UsageError(f"field {name!r} is unknown; add it with Store.add_columns({{{name!r}: str}})")
    kind = columns[name]
    value = cast(Value, plain(value))
    if value is None:
        return None
    if kind in (list[str], list[float]):
        if not isinstance(value, list | tuple):
            raise UsageError(f"field {name!r}: {value!r} is no {KIND_NAMES[kind]}; give a list")
        inner = str if kind == list[str] else float
        return [_checked_scalar(name, plain(item), inner) for item in value]
    return cast(Value, _checked_scalar(name, value, kind))


def _checked_scalar(name: str, value: Any, kind: Kind) -> Any:
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise UsageError(f"field {name!r}: {value!r} is not of type {kind.__name__}")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise UsageError(f"field {name!r}: {value} is not finite; give None where a value is missing")
        return value + 0.0  # stores that order floats bit by bit tell a negative zero from zero
    if type(value) is int and abs(value) > MAX_INT:
        raise UsageError(f"field {name!r}: {value} is beyond 64 bits; store it as text")
    if isinstance(value, str) and not value.isascii() and re.search("[\ud800-\udfff]", value):
        raise UsageError(f"field {name!r}: {value!r} is not Unicode text; use sonovec.paths.to_text for paths")
    return value
