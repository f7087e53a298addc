"""The columns of a library: what they are called, of which type they are, whose they are, and how they are found."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import GenericAlias
from typing import Literal

from sonovec.errors import UsageError
from sonovec.library import sound_tags
from sonovec.library.filters import KEYWORDS

#: The type of a column's values: bool, int, float, str, ``list[str]``, or, of scores alone, ``list[float]``.
Kind = type | GenericAlias

KINDS: Mapping[str, Kind] = {
    "true or false": bool,
    "whole number": int,
    "number": float,
    "text": str,
    "list of text": list[str],
    "list of numbers": list[float],
}
KIND_NAMES: Mapping[Kind, str] = {kind: name for name, kind in KINDS.items()}

#: How a column is found: by value (scalar), by an item of a list (labels), by words (text).
Index = Literal["none", "scalar", "labels", "text"]


@dataclass(frozen=True)
class Owner:
    """Who fills a column: sonovec itself (`CORE`), the user (`USER`), or an analyser with its version."""

    name: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


CORE, USER = Owner("core"), Owner("user")
#: The owner of what an encoder hears.
LISTENER = "encoder"


@dataclass(frozen=True)
class Column:
    """A column of a table. A list of text may have scores: the column `scores_of(name)`, a number for each of its items."""

    name: str
    kind: Kind
    owner: Owner = CORE
    index: Index = "none"


#: What every track has.
TRACK_COLUMNS = (
    Column("path", str, index="scalar"),
    Column("title", str),
    Column("artist", str),
    Column("album", str),
    Column("genre", str),
    Column("year", int),
    Column("duration", float),
    Column("rate", int),
    Column("channels", int),
    Column("codec", str),
    Column("silent", bool),
    Column("notes", str),
)
TRACK_FIELDS: Mapping[str, Kind] = {column.name: column.kind for column in TRACK_COLUMNS}

#: Further names that stores, filters and hits use themselves.
RESERVED = frozenset(
    {"id", "vector", "zero", "score", "track", "index", "start", "end", "coverage", "query_start", "query_end"}
)
#: A name that ends so belongs to the list that the rest of it names.
_SCORES = "_scores"


def fits(value: object, kind: Kind) -> bool:
    """Whether a column of this kind takes a value.

    Examples
    --------
    >>> fits(3, float), fits("3", int), fits(["a"], list[str]), fits(None, bool)
    (True, False, True, True)
    """
    if value is None:
        return True
    if isinstance(kind, GenericAlias):
        return isinstance(value, list) and all(type(item) in kind.__args__ for item in value)
    return type(value) is kind or (kind is float and type(value) is int)


def scores_of(name: str) -> str:
    """The column with the scores of a list.

    Examples
    --------
    >>> scores_of("sound_tags")
    'sound_tags_scores'
    """
    return name + _SCORES


def heard_columns(owner: Owner) -> list[Column]:
    """What an encoder hears in a track: tags, with a score, a mean and a share of time for each."""
    tags, *numbers = sound_tags.COLUMNS
    return [Column(tags, list[str], owner, "labels"), *(Column(name, list[float], owner) for name in numbers)]


MOST_LETTERS = 100
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
#: Names that nobody else may use. A name that begins with an underscore is left to the stores: LanceDB has `_rowid`,
#: `_distance`, `_score` and more of its own, and each version may bring others.
_TAKEN = RESERVED | KEYWORDS | TRACK_FIELDS.keys()


def fault(name: str, others: Iterable[str] = ()) -> str | None:
    """Say why a new column may not be called `name`, with a name that it may have; None for a name that is good.

    Upper and lower case count as the same, also with the names of `others`.

    Examples
    --------
    >>> fault("mood") is None
    True
    >>> fault("_rowid")
    "begins with an underscore, which stores keep for names of their own; call it 'rowid'"
    >>> fault("my mood!")
    "must be letters, digits and underscores; call it 'my_mood'"
    >>> fault("ID")
    "is a name that sonovec uses itself; call it 'my_ID'"
    """
    same = next((other for other in others if other.lower() == name.lower()), None)
    if name.startswith("_") and _NAME.fullmatch(name.lstrip("_")):
        why = "begins with an underscore, which stores keep for names of their own"
    elif not _NAME.fullmatch(name):
        why = "must be letters, digits and underscores"
    elif len(name) > MOST_LETTERS:
        why = f"has more than {MOST_LETTERS} letters"
    elif name.lower() in _TAKEN:
        why = "is a name that sonovec uses itself"
    elif same is not None:
        why = f"differs from the column {same!r} by case only"
    else:
        return None
    return f"{why}; call it {free(name, others)!r}"


def free(name: str, others: Iterable[str] = ()) -> str:
    """Give a good name that is near to one that is not.

    Examples
    --------
    >>> free("_rowid"), free("Ätna"), free("1st"), free("id"), free("Mood", ["mood"])
    ('rowid', 'Atna', 'column_1st', 'my_id', 'Mood_2')
    """
    used = {other.lower() for other in others}
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    made = re.sub(r"[^A-Za-z0-9_]+", "_", ascii_only)[: MOST_LETTERS - 10].strip("_")
    if not _NAME.fullmatch(made):
        made = f"column_{made}".rstrip("_")
    if made.lower() in _TAKEN:
        made = f"my_{made}"
    numbered = (made if number == 1 else f"{made}_{number}" for number in range(1, len(used) + 3))
    return next(each for each in numbered if each.lower() not in used)


def check_new(column: Column, have: Mapping[str, Column]) -> bool:
    """Whether a column is to be added to those that a library has; one of the same name, type and owner is there already.

    Raises
    ------
    UsageError
        The name cannot be, or another owner's column has it, or one of another type; the message has a name that is free.

    Examples
    --------
    >>> have = {"mood": Column("mood", str, USER)}
    >>> check_new(Column("mood", str, USER), have), check_new(Column("bpm", float, Owner("music", "1")), have)
    (False, True)
    >>> check_new(Column("mood", str, Owner("music", "1")), have)
    Traceback (most recent call last):
    sonovec.errors.UsageError: column 'mood' of music 1 exists already as a column of user; call it 'mood_2'
    """
    name, there = column.name, have.get(column.name)
    if column.kind not in KIND_NAMES:
        raise UsageError(
            f"column {name!r}: type {getattr(column.kind, '__name__', column.kind)} cannot be stored; give bool, int, float, "
            "str or list[str]"
        )
    if there is None:
        if why := fault(name, have):
            raise UsageError(f"column {name!r} {why}")
        return True
    if there.owner.name != column.owner.name:
        raise UsageError(
            f"column {name!r} of {column.owner} exists already as a column of {there.owner}; call it {free(name, have)!r}"
        )
    if there.kind != column.kind:
        raise UsageError(
            f"column {name!r} holds {KIND_NAMES[there.kind]} and cannot take {KIND_NAMES[column.kind]}; rename it, such as "
            f"{free(name, have)!r}, or give {KIND_NAMES[there.kind]}"
        )
    return False
