"""A filter in Milvus' language."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from types import MappingProxyType
from typing import Literal

from sonovec.library.filters import And, Compare, Contains, Filter, Has, In, IsNull, Not, Or, StartsWith, normal

#: A list longer than this is not sent as conditions on the JSON column but applied to the rows that come back.
MAX_VALUES = 100

#: An expression whose tree is higher than this is not sent. A server's parts pass it on as a message, which may nest a
#: hundred deep; that is reached at a height of 50.
MAX_HEIGHT = 40


@dataclass(frozen=True)
class Field:
    """A field of a collection, which keeps one column."""

    name: str
    nullable: bool = False


def to_milvus(condition: Filter, fields: Mapping[str, Field] = MappingProxyType({})) -> tuple[str, bool]:
    r"""A filter in Milvus' language, and whether that is exact; text becomes literals, nothing is pasted.

    Milvus' `like` differs between versions in what it can express and escape, so a condition with `contains`, or with a
    long list on a key, is sent as a weaker one, and one that nests very deep not at all; the caller applies the filter
    itself to what comes back.

    Parameters
    ----------
    condition : Filter
    fields : mapping of str to Field
        Columns that have a field of their own; the others are keys of the JSON column `fields`.

    Returns
    -------
    expression : str
        Matches every row that the filter matches; empty where that is all rows.
    exact : bool
        Whether it matches no others.

    Examples
    --------
    >>> print(*to_milvus(Compare("artist", "=", 'the "x"')))
    ((exists fields["artist"]) and (fields["artist"] == "the \"x\"")) True
    >>> print(*to_milvus(Contains("artist", "x")))
    (exists fields["artist"]) False
    >>> print(*to_milvus(Not(Compare("year", ">", 1990)), {"year": Field("year", nullable=True)}))
    ((year is null) or (not (year > 1990))) True
    """
    made = _compile(normal(condition), fields)
    if made.height > MAX_HEIGHT:
        return "", False
    return ("" if made.text == _ALL.text else made.text), made.exact


_Word = Literal["and", "or"]


@dataclass(frozen=True)
class _Expression:
    """A piece of an expression: whether it is exact, and how high its tree is."""

    text: str
    exact: bool = True
    height: int = 1


#: Conditions that hold for every row and for none.
_ALL, _NONE = _Expression('(id >= "")'), _Expression('(id == "")')


def _compile(condition: Filter, fields: Mapping[str, Field]) -> _Expression:
    """A normal form; as `not` stands before leaves alone, a weaker leaf weakens the whole."""
    match condition:
        case And(parts):
            return _join([_compile(part, fields) for part in parts], "and")
        case Or(parts):
            return _join([_compile(part, fields) for part in parts], "or")
        case Not(
            Compare(column) | In(column) | Contains(column) | StartsWith(column) | Has(column) | IsNull(column) as leaf
        ):
            return _leaf(leaf, column, fields.get(column), False)
        case Compare(column) | In(column) | Contains(column) | StartsWith(column) | Has(column) | IsNull(column):
            return _leaf(condition, column, fields.get(column), True)
    raise AssertionError(f"no Milvus expression for {condition!r}")


def _leaf(condition: Filter, column: str, field: Field | None, positive: bool) -> _Expression:
    name = field.name if field else f'fields["{column}"]'
    present, absent = _presence(name, field)
    if isinstance(condition, IsNull):
        return absent if positive else present
    test = _test(condition, name, field is not None)
    if test is None:
        return replace(present if positive else _ALL, exact=False)
    # So whatever a version of Milvus makes of a comparison with null, it does not matter.
    return _join([present, test], "and") if positive else _join([absent, _not(test)], "or")


def _presence(name: str, field: Field | None) -> tuple[_Expression, _Expression]:
    """That a column has a value, and that it is null."""
    if field is None:
        present = _Expression(f"(exists {name})")
        return present, _not(present)
    if field.nullable:
        return _Expression(f"({name} is not null)"), _Expression(f"({name} is null)")
    return _ALL, _NONE


def _not(part: _Expression) -> _Expression:
    return replace(part, text=f"(not {part.text})", height=part.height + 1)


def _test(condition: Filter, name: str, has_field: bool) -> _Expression | None:
    """What a leaf says about a value that is there, or None where Milvus cannot say it."""
    match condition:
        case Compare(_, op, value):
            return _Expression(f"({name} {'==' if op == '=' else op} {literal(value)})")
        case In(_, values) if has_field:
            return _Expression(f"({name} in [{', '.join(map(literal, values))}])")
        case In(_, values) if 0 < len(values) <= MAX_VALUES:
            # Milvus Lite has no lists for keys of a JSON column.
            return _join([_Expression(f"({name} == {literal(value)})") for value in values], "or")
        case Has(_, item, None) if has_field:
            return _Expression(f"array_contains({name}, {literal(item)})")
        case StartsWith(_, text) if end := _after(text):
            # A range, since `like` cannot escape in every version.
            bounds = _Expression(f"({name} >= {literal(text)})"), _Expression(f"({name} < {literal(end)})")
            return _join(bounds, "and")
    return None


def _after(prefix: str) -> str | None:
    """The first text behind all that start with the prefix, in the order of code points; None where there is none."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    # Surrogates are no characters.
    return stem[:-1] + chr(0xE000 if following == 0xD800 else following)


def _join(parts: Sequence[_Expression], word: _Word) -> _Expression:
    """Join two and two, the lowest first: Milvus' parsers go down one level for each pair, and not deep."""
    neutral, other = (_ALL, _NONE) if word == "and" else (_NONE, _ALL)
    exact = all(part.exact for part in parts)
    if any(part.text == other.text for part in parts):
        return replace(other, exact=exact)
    heap = [(part.height, n, part.text) for n, part in enumerate(parts) if part.text != neutral.text]
    heapify(heap)
    while len(heap) > 1:
        (_, _, a), (height, n, b) = heappop(heap), heappop(heap)
        heappush(heap, (height + 1, n, f"({a} {word} {b})"))
    return _Expression(heap[0][2], exact, heap[0][0]) if heap else replace(neutral, exact=exact)


_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})


def literal(value: bool | int | float | str) -> str:
    """A value as Milvus' language writes it."""
    # Not JSON for text: its \u escapes are not in the language.
    return f'"{value.translate(_ESCAPES)}"' if isinstance(value, str) else json.dumps(value)
