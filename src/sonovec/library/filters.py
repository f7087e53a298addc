"""A small expression language over the fields of a track: ``year >= 1990 and genre in ('rock', 'folk')``.

Conditions are ``field = value`` (or ``==``), ``!=``, ``<``, ``<=``, ``>``, ``>=``, ``field in (a, b)``,
``field contains 'text'``, ``field startswith 'text'``, ``field is null``, and for a list of text ``sound_tags has 'Dog'`` (one
of its items is just that), ``sound_tags has 'Dog' > 0.3`` (and has such a score) and ``contains`` (in any of its items); ``not`` may stand before ``in``, ``contains``, ``startswith``, ``has``, ``null`` and any condition;
``and``, ``or`` and parentheses join them, ``and`` first.
Text is quoted with ``'`` or ``"``; within it a backslash starts ``\\\\ \\' \\" \\n \\r \\t \\uXXXX``. Upper and lower case
differ in text and in fields, not in words.

There are two truth values. Every condition on a null field is false, the negative ones (``!=``, ``not in``,
``not contains``, ``not startswith``, ``not has``) included, except ``is null``; ``not (...)`` turns true into false and false into
true, so ``not (year = 1990)`` holds where `year` is null and ``year != 1990`` does not.
"""

from __future__ import annotations

import math
import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import GenericAlias
from typing import Any, Literal, NoReturn

from sonovec.errors import UsageError
from sonovec.library.records import Value, plain

Scalar = bool | int | float | str
#: See `sonovec.library.columns.Kind`.
Kind = type | GenericAlias
Op = Literal["=", "<", "<=", ">", ">="]

#: Words of the language, in any case; they cannot be names of fields.
KEYWORDS = frozenset({"and", "or", "not", "in", "is", "null", "contains", "startswith", "true", "false"})

#: Beyond these the expression is a list that belongs into ``in (...)``; the stores' own parsers are recursive.
MAX_DEPTH, MAX_CONDITIONS = 50, 500

#: Whole numbers beyond this are not kept by every store.
MAX_INT = 2**63 - 1


class Filter(ABC):
    """A condition on a row; made by `parse` or put together from the classes below."""

    def matches(self, row: Mapping[str, Value]) -> bool:
        """Whether a row meets the condition; a column that is missing is null. Every store must agree with this."""
        return self._holds(row)

    @abstractmethod
    def _holds(self, row: Mapping[str, Value]) -> bool: ...


_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Compare(Filter):
    """``field op value``; text is ordered by code points."""

    field: str
    op: Op
    value: Scalar

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", plain(self.value))

    def _holds(self, row: Mapping[str, Value]) -> bool:
        value = row.get(self.field)
        return value is not None and bool(_COMPARE[self.op](value, self.value))


@dataclass(frozen=True)
class In(Filter):
    """``field in (values)``; no values match nothing."""

    field: str
    values: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(map(plain, self.values)))

    def _holds(self, row: Mapping[str, Value]) -> bool:
        value = row.get(self.field)
        return value is not None and value in self.values


@dataclass(frozen=True)
class Contains(Filter):
    """``field contains text``, or, with `listed`, of any item of a list."""

    field: str
    text: str
    listed: bool = False

    def _holds(self, row: Mapping[str, Value]) -> bool:
        value = row.get(self.field)
        texts = value if isinstance(value, list) else [value]
        return any(isinstance(text, str) and self.text in text for text in texts)


@dataclass(frozen=True)
class StartsWith(Filter):
    """``field startswith text``."""

    field: str
    text: str

    def _holds(self, row: Mapping[str, Value]) -> bool:
        value = row.get(self.field)
        return isinstance(value, str) and value.startswith(self.text)


@dataclass(frozen=True)
class Has(Filter):
    """``field has item``: a list has an item of just that text; with `op`, its score in the column `scores` compares so.

    Examples
    --------
    >>> row = {"tags": ["Rain on surface", "Rain"], "tags_scores": [0.8, 0.4]}
    >>> Has("tags", "Rain").matches(row), Has("tags", "Dog").matches(row)
    (True, False)
    >>> Has("tags", "Rain", "tags_scores", ">", 0.3).matches(row)
    True
    """

    field: str
    item: str
    scores: str | None = None
    op: Op = ">="
    value: float = 0.0

    def _holds(self, row: Mapping[str, Value]) -> bool:
        items, scores = row.get(self.field), row.get(self.scores or "")
        if not isinstance(items, list) or self.item not in items:
            return False
        if self.scores is None:
            return True
        place = items.index(self.item)  # type: ignore[arg-type]  # what has a text is a list of text
        return isinstance(scores, list) and place < len(scores) and bool(_COMPARE[self.op](scores[place], self.value))


@dataclass(frozen=True)
class IsNull(Filter):
    """``field is null``."""

    field: str

    def _holds(self, row: Mapping[str, Value]) -> bool:
        return row.get(self.field) is None


@dataclass(frozen=True)
class Not(Filter):
    """True where `part` is false."""

    part: Filter

    def _holds(self, row: Mapping[str, Value]) -> bool:
        return not self.part.matches(row)


@dataclass(frozen=True)
class And(Filter):
    """True where all parts are; there is at least one."""

    parts: tuple[Filter, ...]

    def _holds(self, row: Mapping[str, Value]) -> bool:
        return all(part.matches(row) for part in self.parts)


@dataclass(frozen=True)
class Or(Filter):
    """True where any part is; there is at least one."""

    parts: tuple[Filter, ...]

    def _holds(self, row: Mapping[str, Value]) -> bool:
        return any(part.matches(row) for part in self.parts)


def normal(condition: Filter) -> Filter:
    """The same condition in the form that stores compile: `Not` stands before leaves alone, and no kind within its own.

    The stores' own parsers and planners do not get through what people nest, such as forty times ``not``.

    Examples
    --------
    >>> normal(Not(Or((Not(IsNull("year")), Not(And((IsNull("title"), IsNull("genre"))))))))
    And(parts=(IsNull(field='year'), IsNull(field='title'), IsNull(field='genre')))
    """
    return _normal(condition, True)


def _normal(condition: Filter, positive: bool) -> Filter:
    match condition:
        case Not(part):
            return _normal(part, not positive)
        case And(parts) | Or(parts):
            kind = And if isinstance(condition, And) == positive else Or
            made = [_normal(part, positive) for part in parts]
            flat = tuple(inner for part in made for inner in (part.parts if isinstance(part, kind) else (part,)))
            return kind(flat) if len(flat) > 1 else flat[0]
    return condition if positive else Not(condition)


def columns_of(condition: Filter) -> set[str]:
    """The columns that a filter looks at.

    Examples
    --------
    >>> sorted(columns_of(And((IsNull("year"), Not(Has("tags", "Dog", "tags_scores"))))))
    ['tags', 'tags_scores', 'year']
    """
    match condition:
        case And(parts) | Or(parts):
            return set().union(*map(columns_of, parts))
        case Not(part):
            return columns_of(part)
        case Has(field, _, scores):
            return {field, scores} if scores else {field}
    return {condition.field}  # type: ignore[attr-defined]  # all others have one


#: Conditions that are a word between a field and a text.
_WORDS = ("contains", "startswith", "has")


def parse(text: str, columns: Mapping[str, Kind]) -> Filter:
    """Read an expression over the given columns, as `Store.columns` gives them.

    Parameters
    ----------
    text : str
        See the module's docstring.
    columns : mapping of str to type
        The fields and their types: bool, int, float, str, or a list of text or of numbers.

    Raises
    ------
    UsageError
        The expression is malformed, a field is unknown, or a value is of another type than its field. The message
        gives the position and the corrected form.

    Examples
    --------
    >>> columns = {"year": int, "genre": str}
    >>> parse("year >= 1990 and genre startswith 'fol'", columns)
    And(parts=(Compare(field='year', op='>=', value=1990), StartsWith(field='genre', text='fol')))
    >>> parse("yaer = 1990", columns)
    Traceback (most recent call last):
    sonovec.errors.UsageError: ...character 1: no field 'yaer', did you mean 'year'? The fields are genre, year
    """
    return _Parser(text, columns).parse()


def quote(text: str) -> str:
    r"""Text as a literal of the language.

    Examples
    --------
    >>> print(quote('a "b"\n'))
    'a "b"\n'
    >>> print(quote("it's"))
    'it\'s'
    """
    return "'" + re.sub(r"['\\\n\r\t]", lambda match: _QUOTED[match[0]], text) + "'"


_ESCAPES = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "r": "\r", "t": "\t"}
_QUOTED = {char: "\\" + letter for letter, char in _ESCAPES.items()}

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
  | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
  | (?P<word>[A-Za-z_]\w*)
  | (?P<mark>==|!=|<=|>=|[=<>(),])
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int

    @property
    def word(self) -> str:
        """What the grammar compares: words in lower case, marks as they are, the rest not at all."""
        return self.text.lower() if self.kind == "word" else self.text if self.kind == "mark" else ""


_TYPE_NAMES: Mapping[Kind, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list[str]: "a list of text",
    list[float]: "a list of numbers",
}


_OPS = {"==": "=", "=": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


class _Parser:
    """Recursive descent over tokens, one method a rule of the grammar."""

    def __init__(self, text: str, columns: Mapping[str, Kind]) -> None:
        self.text, self.columns = text, columns
        self.tokens = list(self._scan())
        self.position = self.depth = self.conditions = 0

    def parse(self) -> Filter:
        if self.token.kind == "end":
            self._fail("it is empty; write for example year >= 1990")
        result = self._or()
        if self.token.kind != "end":
            self._fail(f"{self.token.text!r} is not expected; join conditions with and, or")
        return result

    @property
    def token(self) -> _Token:
        return self.tokens[self.position]

    def _fail(self, message: str, token: _Token | None = None) -> NoReturn:
        raise self._error(message, (token or self.token).start)

    def _error(self, message: str, start: int) -> UsageError:
        shown = self.text if len(self.text) <= 200 else self.text[:200] + "..."
        return UsageError(f"filter {shown!r}, character {start + 1}: {message}")

    def _scan(self) -> Iterator[_Token]:
        start = 0
        while start < len(self.text):
            match = _TOKEN.match(self.text, start)
            if match is None:
                raise self._error(self._scan_hint(start), start)
            if match.lastgroup != "space":
                yield _Token(str(match.lastgroup), match[0], start)
            start = match.end()
        yield _Token("end", "the end", start)

    def _scan_hint(self, start: int) -> str:
        char = self.text[start]
        if char in "'\"":
            return f"the quote {char} is not closed"
        if char in "0123456789.+-":
            return "this is not a number"
        return f"{char!r} is not expected; put text in quotes"

    def _take(self) -> _Token:
        token = self.token
        self.position += token.kind != "end"
        return token

    def _accept(self, *words: str) -> bool:
        found = self.token.word in words
        self.position += found
        return found

    def _expect(self, word: str, hint: str) -> None:
        if not self._accept(word):
            self._fail(f"{word!r} is expected before {self.token.text!r}; {hint}")

    def _or(self) -> Filter:
        parts = [self._and()]
        while self._accept("or"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _and(self) -> Filter:
        parts = [self._not()]
        while self._accept("and"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _not(self) -> Filter:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self._fail(f"nested more than {MAX_DEPTH} deep; leave out parentheses that change nothing")
        result = self._unary()
        self.depth -= 1
        return result

    def _unary(self) -> Filter:
        if self._accept("not"):
            return Not(self._not())
        if self._accept("("):
            inner = self._or()
            self._expect(")", "close the parenthesis")
            return inner
        return self._condition()

    def _condition(self) -> Filter:
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            self._fail(f"more than {MAX_CONDITIONS} conditions; write field in (a, b, ...)")
        token, field = self.token, self._field()
        if self._accept("is"):
            negative = self._accept("not")
            self._expect("null", f"write {field} is null or {field} is not null")
            return Not(IsNull(field)) if negative else IsNull(field)
        if self._accept("not"):
            return self._present(field, self._word_condition(field, token))
        if self.token.word in ("in", *_WORDS):
            return self._word_condition(field, token)
        return self._comparison(field, token)

    @staticmethod
    def _present(field: str, condition: Filter) -> Filter:
        """The opposite of a condition on one field, still false where the field is null."""
        return And((Not(IsNull(field)), Not(condition)))

    def _field(self) -> str:
        token = self._take()
        if token.kind != "word" or (token.word in KEYWORDS and token.text not in self.columns):
            self._fail(f"a field is expected before {token.text!r}; the field comes first, as in year >= 1990", token)
        if token.text not in self.columns:
            near = get_close_matches(token.text, self.columns, 1, 0.5)
            guess = f", did you mean {near[0]!r}?" if near else "."
            self._fail(f"no field {token.text!r}{guess} The fields are {', '.join(sorted(self.columns))}", token)
        return token.text

    def _word_condition(self, field: str, start: _Token) -> Filter:  # noqa: RET503 - it ends in an error
        if self._accept("in"):
            return self._in(field, start)
        if self.token.word not in _WORDS:
            self._fail("after not comes in, contains, startswith or has; or write not (...) around the whole condition")
        word, kind = self._take().word, self.columns[field]
        if word == "has":
            return self._has(field, start)
        if kind is str:
            text = str(self._value(field))
            return Contains(field, text) if word == "contains" else StartsWith(field, text)
        if kind == list[str] and word == "contains":
            return Contains(field, str(self._value(field, str)), listed=True)
        more = "write has or contains" if kind == list[str] else "compare with =, < or >"
        self._fail(f"{field} is {_TYPE_NAMES[kind]}, {word} is for text; {more}", start)

    def _has(self, field: str, start: _Token) -> Filter:
        if self.columns[field] != list[str]:
            kind = self.columns[field]
            more = f"write {field} contains 'text'" if kind is str else "compare with =, < or >"
            self._fail(f"{field} is {_TYPE_NAMES[kind]}, has is for a list of text; {more}", start)
        item, op = str(self._value(field, str)), _OPS.get(self.token.word)
        if op is None:
            return Has(field, item)
        scores = f"{field}_scores"
        if self.columns.get(scores) != list[float] or op == "!=":
            why = "!= is not for scores; write < or >" if op == "!=" else f"the items of {field} have no scores"
            self._fail(why)
        self._take()
        return Has(field, item, scores, op, float(self._value(scores, float)))  # type: ignore[arg-type]  # != is gone

    def _refuse_list(self, field: str, word: str, start: _Token) -> None:
        if self.columns[field] in (list[str], list[float]):
            other = field if self.columns[field] == list[str] else field.removesuffix("_scores")
            self._fail(
                f"{field} is {_TYPE_NAMES[self.columns[field]]}, {word} is not for lists; write {other} has 'text'",
                start,
            )

    def _in(self, field: str, start: _Token) -> Filter:
        self._refuse_list(field, "in", start)
        hint = f"write {field} in ({self._sample(field)}, ...)"
        if self.columns[field] is bool:
            self._fail(f"{field} is true or false; write {field} = true")
        self._expect("(", hint)
        values = [self._value(field)]
        while self._accept(","):
            values.append(self._value(field))
        self._expect(")", hint)
        return In(field, tuple(dict.fromkeys(values)))

    def _comparison(self, field: str, start: _Token) -> Filter:
        op = _OPS.get(self.token.word)
        self._refuse_list(field, self.token.text if op else "a comparison", start)
        if op is None:
            self._fail(f"a comparison is expected after {field}; write {field} = {self._sample(field)}")
        self._take()
        if self.columns[field] is bool and op not in ("=", "!="):
            self._fail(f"{field} is true or false and has no order; write {field} = true", start)
        if self._accept("null"):
            self._fail(f"nothing equals null; write {field} is {'not ' if op == '!=' else ''}null", start)
        value = self._value(field)
        if op == "!=":
            return self._present(field, Compare(field, "=", value))
        return Compare(field, op, value)  # type: ignore[arg-type]  # the table above holds no other

    def _value(self, field: str, of: type | None = None) -> Scalar:
        token, kind = self._take(), of or self.columns[field]
        value = self._literal(token)
        if kind is float and type(value) is int:
            value = self._float(token, value)
        if kind is int and isinstance(value, float) and value.is_integer():
            value = int(value)
        if value is None or type(value) is not kind:
            self._fail(
                f"{field} is {_TYPE_NAMES[kind]}, {token.text} is not; write {self._corrected(kind, token)}", token
            )
        if type(value) is int and abs(value) > MAX_INT:
            self._fail(f"{token.text} is beyond 64 bits", token)
        # Stores that order floats bit by bit hold no negative zero.
        return value + 0.0 if isinstance(value, float) else value

    def _literal(self, token: _Token) -> Scalar | None:
        if token.kind == "text":
            return self._text(token)
        if token.kind == "number":
            whole = re.fullmatch(r"[+-]?\d{1,40}", token.text)
            return int(token.text) if whole else self._float(token, token.text)
        return {"true": True, "false": False}.get(token.word)

    def _float(self, token: _Token, value: int | str) -> float:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isinf(number):
            self._fail(f"{token.text[:40]} is too large for a number", token)
        return number

    def _text(self, token: _Token) -> str:
        def unescape(match: re.Match[str]) -> str:
            if match[1]:
                return chr(int(match[1], 16))
            if match[2] not in _ESCAPES:
                self._fail(rf"\{match[2]} is not an escape; write \\ for a backslash", token)
            return _ESCAPES[match[2]]

        value = re.sub(r"\\(?:u([0-9a-fA-F]{4})|(.))", unescape, token.text[1:-1], flags=re.DOTALL)
        if any("\ud800" <= char <= "\udfff" for char in value):
            # Two halves written as two escapes, as in JSON, are one character.
            value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return value

    def _sample(self, field: str) -> str:
        samples: Mapping[Kind, str] = {bool: "true", int: "1990", float: "0.5"}
        return samples.get(self.columns[field], "'text'")

    def _corrected(self, kind: Kind, token: _Token) -> str:
        inner = token.text[1:-1] if token.kind == "text" else token.text
        if kind is str:
            return quote(inner)
        if kind is bool:
            return "true or false"
        number = re.fullmatch(r"\s*[+-]?\d{1,18}(\.\d*)?\s*", inner)
        if number is None:
            return "a number without quotes, or is null for what is missing"
        return inner.strip() if kind is float or not number[1] else str(round(float(inner)))


def any_of(parts: Sequence[Filter]) -> Filter:
    """`Or` of one or more parts, without it where there is only one."""
    return parts[0] if len(parts) == 1 else Or(tuple(parts))


def all_of(*parts: Filter | None) -> Filter | None:
    """`And` of the parts that are given, or None where none is."""
    given = tuple(part for part in parts if part is not None)
    return And(given) if len(given) > 1 else given[0] if given else None
