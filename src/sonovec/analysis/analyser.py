"""An analyser: hears the blocks of one track as they are decoded, and gives values for its columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import AnalyserError

#: Types of the values of a column.
Kind = type[bool] | type[int] | type[float] | type[str] | type[list[str]]


@dataclass(frozen=True)
class Field:
    """A column that an analyser fills: its name, the type of its values, and how it is found.

    `index` is "none", "scalar" (by value), "labels" (by an item of a list) or "text" (by words).
    """

    name: str
    kind: Any
    index: Literal["none", "scalar", "labels", "text"] = "none"


@dataclass(frozen=True)
class Spoken:
    """A stretch of a track with text; `start` and `end` in seconds of the track."""

    start: float
    end: float
    text: str
    language: str = ""


@dataclass(frozen=True)
class Findings:
    """What an analyser gives for a track: values of its fields, of which any may be missing or None, and passages."""

    columns: Mapping[str, Any] = field(default_factory=dict)
    passages: Sequence[Spoken] = ()


class Analyser:
    """Hears one track; a new one is made for each. Third parties subclass it and register theirs by an entry point.

    A track is decoded once for all analysers and the encoder. Each has a thread of its own, so that one that hangs costs its
    own columns alone: of an analyser that raises, takes more than `limit` seconds for a block or the end, or gives what does
    not fit its fields, the columns stay empty, and the ledger says why.

    Attributes
    ----------
    name : str
        It owns its columns by this name.
    version : str
        To be changed with what it gives: the ledger knows which version heard which content.
    rate : int or None
        In Hz: blocks are mono at this rate, shape (n,). None: blocks as they were decoded, shape (n, channels), at the rate
        of the track.
    fields : tuple of Field
        The columns that it fills.
    limit : float
        Seconds that it may take for one block of sound, or the end.

    Examples
    --------
    >>> class Loudest(Analyser):
    ...     name, version, rate = "loudest", "1", 16000
    ...     fields = (Field("loudest_second", float, "scalar"),)
    ...
    ...     def begin(self, rate, channels):
    ...         self.heard, self.best, self.at = 0, -1.0, 0
    ...
    ...     def push(self, block):
    ...         peak = int(abs(block).argmax())
    ...         if abs(block[peak]) > self.best:
    ...             self.best, self.at = abs(block[peak]), self.heard + peak
    ...         self.heard += len(block)
    ...
    ...     def finish(self):
    ...         return Findings({"loudest_second": self.at / 16000})
    """

    name: ClassVar[str]
    version: ClassVar[str]
    rate: ClassVar[int | None] = None
    fields: ClassVar[tuple[Field, ...]] = ()
    limit: ClassVar[float] = 60.0

    def begin(self, rate: int, channels: int) -> None:
        """Begin a track whose blocks have `rate` samples a second, and `channels` (1 where they are mono)."""

    def push(self, block: NDArray[np.float32]) -> None:
        """Hear a block of samples, float32, that may not be written to."""
        raise NotImplementedError

    def finish(self) -> Findings:
        """Give what was found, behind the last block."""
        raise NotImplementedError


def checked(analyser: type[Analyser], findings: object) -> Findings:
    """What an analyser gave, with Python's own numbers.

    Raises
    ------
    AnalyserError
        If it gave something else, or a value does not fit its field.

    Examples
    --------
    >>> class A(Analyser):
    ...     name, version, fields = "a", "1", (Field("bpm", float),)
    >>> checked(A, Findings({"bpm": np.float32(90)})).columns
    {'bpm': 90.0}
    >>> checked(A, Findings({"bpm": float("nan")}))
    Traceback (most recent call last):
    sonovec.errors.AnalyserError: a: gave nan for bpm, which takes float
    """
    if not isinstance(findings, Findings):
        raise AnalyserError(f"{analyser.name}: gave a {type(findings).__name__}; finish must return Findings")
    kinds = {each.name: each.kind for each in analyser.fields}
    columns = {name: _plain(value) for name, value in findings.columns.items()}
    for name, value in columns.items():
        if name not in kinds:
            raise AnalyserError(f"{analyser.name}: gave {name!r}, which is none of its fields: {', '.join(kinds)}")
        if not _fits(value, kinds[name]):
            kind = getattr(kinds[name], "__name__", str(kinds[name]))
            raise AnalyserError(f"{analyser.name}: gave {str(value)[:80]} for {name}, which takes {kind}")
    for passage in findings.passages:
        if not (isinstance(passage, Spoken) and 0 <= passage.start <= passage.end < math.inf):
            raise AnalyserError(f"{analyser.name}: gave the passage {str(passage)[:80]}; give Spoken(start, end, text)")
    return Findings(columns, tuple(findings.passages))


def _plain(value: Any) -> Any:
    """A number of NumPy's as Python's own."""
    return value.item() if isinstance(value, np.generic) else value


def _fits(value: Any, kind: Any) -> bool:
    if value is None:
        return True
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    if kind in (bool, int, str):
        return type(value) is kind
    return isinstance(value, list) and all(type(item) is str for item in value)
