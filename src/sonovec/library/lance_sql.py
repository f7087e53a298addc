"""A filter in Lance's SQL."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter

from sonovec.library.filters import And, Compare, Contains, Filter, Has, In, IsNull, Not, Or, StartsWith, normal


def to_sql(condition: Filter) -> str:
    """A filter in Lance's SQL; text becomes literals and names are quoted, nothing is pasted.

    Examples
    --------
    >>> to_sql(Compare("artist", "=", "O'Brien"))
    "`artist` = 'O''Brien'"
    >>> to_sql(Not(Compare("year", "<", 1990)))
    'NOT coalesce(`year` < 1990, false)'
    >>> to_sql(And((IsNull("year"), Or((IsNull("artist"), Not(Or((IsNull("title"), IsNull("genre")))))))))
    '(NOT `title` IS NULL AND NOT `genre` IS NULL OR `artist` IS NULL) AND `year` IS NULL'
    """
    return _compile(normal(condition))[0]


def _compile(condition: Filter) -> tuple[str, int]:
    """SQL of a normal form, and how many levels down Lance's parser goes for it."""
    match condition:
        case Or(parts):
            return _join(" OR ", map(_compile, parts))
        case And(parts):
            return _join(" AND ", map(_factor, parts))
        case Not(IsNull() as part):
            return f"NOT {_leaf(part)}", 0
        case Not(part):
            # A null is neither true nor false: where it may stay one, an index can answer.
            return f"NOT coalesce({_leaf(part)}, false)", 0
    return _leaf(condition), 0


def _factor(condition: Filter) -> tuple[str, int]:
    """The same within an `And`, which binds first."""
    sql, levels = _compile(condition)
    return (f"({sql})", levels + 1) if isinstance(condition, Or) else (sql, levels)


def _join(word: str, parts: Iterable[tuple[str, int]]) -> tuple[str, int]:
    """Join with the deepest first: the parser goes one level down for all others, and at most fifty in all."""
    (first, levels), *others = sorted(parts, key=itemgetter(1), reverse=True)
    return word.join([first, *(sql for sql, _ in others)]), max([levels, *(more + 1 for _, more in others)])


def _leaf(condition: Filter) -> str:
    match condition:
        case Compare(field, op, value):
            return f"`{field}` {op} {_literal(value)}"
        case In(field, values):
            return f"`{field}` IN ({', '.join(map(_literal, values))})" if values else "false"
        case Contains(field, text, listed):
            whole = f"array_to_string(`{field}`, {_literal(_apart(text))})" if listed else f"`{field}`"
            return f"strpos({whole}, {_literal(text)}) > 0"
        case StartsWith(field, text):
            return f"starts_with(`{field}`, {_literal(text)})"
        case Has(field, item, None):
            return f"array_has(`{field}`, {_literal(item)})"
        case Has(field, item, str(scores), op, value):
            return (
                f"(array_has(`{field}`, {_literal(item)}) AND {score_of(field, item, scores)} {op} {_literal(value)})"
            )
        case IsNull(field):
            return f"`{field}` IS NULL"
    raise AssertionError(f"no SQL for {condition!r}")


def score_of(field: str, item: str, scores: str) -> str:
    """The score of an item of a list; null where it is not there."""
    return f"array_element(`{scores}`, cast(array_position(`{field}`, {_literal(item)}) AS bigint))"


def _apart(text: str) -> str:
    """A character that is not in the text, so that no match goes from one item of a list into the next."""
    return next(char for char in map(chr, range(31, 0, -1)) if char not in text)


def _literal(value: bool | int | float | str) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"cast({value!r} AS double)" if isinstance(value, float) else repr(value)
