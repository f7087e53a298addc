"""Rows of a file of labels, as the file writes them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from sonovec.clock import seconds_of


@dataclass(frozen=True)
class Row:
    """One label as its file writes it.

    Attributes
    ----------
    line : int
        Where it stands; of JSON the number of the task.
    start : float
    end : float or None
        Seconds; None for the whole recording, or to its end.
    name : str
        The class as it is written; empty where a stretch was marked and not named.
    paths : tuple of str
        What may be the recording, most probable first; none where it lies beside the file.
    score : float or None
        How sure a detector was.
    cells : mapping
        All that a row of a table holds, by the names of the columns.
    """

    line: int
    start: float = 0.0
    end: float | None = None
    name: str = ""
    paths: tuple[str, ...] = ()
    score: float | None = None
    cells: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Listed:
    """What a file of labels holds.

    Attributes
    ----------
    rows : tuple of Row
    has_times : bool
        Whether stretches were marked, and not whole recordings.
    notes : tuple of str
    columns : tuple of str
        Of a table.
    empty : tuple of tuple of str
        Recordings, each as the `paths` of a row, of which the file says that nothing was marked in them.
    """

    rows: tuple[Row, ...]
    has_times: bool = True
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    empty: tuple[tuple[str, ...], ...] = ()


def number_of(text: str) -> float | None:
    """A number, or a time, as tools and people write it, with a decimal comma or point; None for what is none.

    Examples
    --------
    >>> number_of("1,5"), number_of("1e-05"), number_of("1:20.5"), number_of("nan"), number_of("a")
    (1.5, 1e-05, 80.5, None, None)
    """
    plain = text.strip().replace(",", ".")
    try:
        found = float(plain)
    except ValueError:
        return seconds_of(plain)
    return found if math.isfinite(found) else None


def names_in(cell: str) -> list[str]:
    """The classes that a cell names: several are separated by ``;`` or ``|``; one empty name where it names none.

    Examples
    --------
    >>> names_in("crow; wren"), names_in("Speech, child"), names_in(" ")
    (['crow', 'wren'], ['Speech, child'], [''])
    """
    found = [name for part in cell.replace("|", ";").split(";") if (name := " ".join(part.split()))]
    return list(dict.fromkeys(found)) or [""]


def lines_of(text: str) -> list[str]:
    """The lines of a text, whatever system ended them.

    Examples
    --------
    >>> lines_of("a\\r\\nb\\rc")
    ['a', 'b', 'c']
    """
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def head_of(text: str) -> str:
    """The first line of a text that is not empty."""
    return next((line for line in lines_of(text) if line.strip()), "")
