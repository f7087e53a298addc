"""An analyser: hears one track, its blocks or its vectors, and gives columns, passages, labels and vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sonovec.embedding.embedding import Part
from sonovec.embedding.passport import Passport
from sonovec.embedding.pooled import Windows

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
class Noted:
    """A stretch of a track with a class, such as a sound that was detected; `score` is how sure that is, in [0, 1]."""

    start: float
    end: float
    name: str
    score: float = 1.0


@dataclass(frozen=True)
class SpaceSpec:
    """A space of vectors that an analyser fills: its name, the length of a vector, and what has one.

    `level` is "segment", for vectors of parts of tracks, or "track", for one vector of each track.
    """

    name: str
    dim: int
    level: Literal["track", "segment"] = "segment"


@dataclass(frozen=True)
class Findings:
    """What an analyser gives for a track.

    Attributes
    ----------
    columns : mapping
        Values of its fields; any may be missing, or None.
    passages : sequence of Spoken
    labels : sequence of Noted
    vectors : mapping
        By the name of a space: an array (dim,) of floats where that is of tracks, else a sequence of `Part`, such as
        ``Part(start, end, coverage, vector)``. The vector of a track is the mean of its parts by their length. A space may
        be missing.
    """

    columns: Mapping[str, Any] = field(default_factory=dict)
    passages: Sequence[Spoken] = ()
    labels: Sequence[Noted] = ()
    vectors: Mapping[str, NDArray[np.floating] | Sequence[Part]] = field(default_factory=dict)


class Analyser:
    """Hears one track; a new one is made for each. Third parties subclass it and register theirs by an entry point.

    A track is decoded once for all analysers and the encoder. Each has a thread of its own, so that one that hangs costs its
    own columns alone: of an analyser that raises, takes more than `limit` seconds for a block or the end, or gives what does
    not fit its fields and spaces, nothing is kept, and the ledger says why.

    Attributes
    ----------
    name : str
        It owns its columns by this name.
    version : str
        To be changed with what it gives, whether that is its code, its settings or its weights: the ledger knows which
        version heard which content, and what another version gave is replaced.
    rate : int or None
        In Hz: blocks are mono at this rate, shape (n,). None: blocks as they were decoded, shape (n, channels), at the rate
        of the track.
    fields : tuple of Field
        The columns that it fills.
    file_tags : tuple of Field
        Columns beside them that take what the file says of itself, by the names of `sonovec.audio.tags.read.read_tags`.
    spaces : tuple of SpaceSpec
        The spaces that it fills.
    limit : float
        Seconds that it may take for one block of sound, or the end.
    between : str
        What stands between its name and its version where its passages and labels name their source.
    as_good : frozenset of str
        Other versions of this name that count as this one: what they heard is left as it is.

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
    file_tags: ClassVar[tuple[Field, ...]] = ()
    spaces: ClassVar[tuple[SpaceSpec, ...]] = ()
    limit: ClassVar[float] = 60.0
    between: ClassVar[str] = " "
    as_good: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def suited(cls, passport: Passport) -> type[Analyser]:
        """The class, of the same name, that does this in a library whose vectors have a passport; usually this one."""
        return cls

    def begin(self, rate: int, channels: int) -> None:
        """Begin a track whose blocks have `rate` samples a second, and `channels` (1 where they are mono)."""

    def push(self, block: NDArray[np.float32]) -> None:
        """Hear a block of samples, float32, that may not be written to."""
        raise NotImplementedError

    def finish(self) -> Findings:
        """Give what was found, behind the last block."""
        raise NotImplementedError


class VectorAnalyser(Analyser):
    """Hears the vectors of the library's encoder in place of sound: a head of a detector, the place of a track on a map.

    Attributes
    ----------
    unit : {"segments", "windows"}
        Segments are the parts that a library stores, so that tracks which are there already are heard from the store,
        without their sound. Windows are finer; for them tracks that are there already are decoded and embedded again.

    Examples
    --------
    >>> class Restless(VectorAnalyser):
    ...     name, version, unit = "restless", "1", "windows"
    ...     fields = (Field("restlessness", float, "scalar"),)
    ...
    ...     def begin(self, passport):
    ...         self.rows = []
    ...
    ...     def push(self, windows):
    ...         self.rows.append(windows.vectors)
    ...
    ...     def finish(self):
    ...         return Findings({"restlessness": np.concatenate(self.rows).std(axis=0).mean()})
    """

    unit: ClassVar[Literal["segments", "windows"]] = "segments"

    @classmethod
    def check(cls, passport: Passport) -> None:
        """Before a run: raise a `PassportError` where vectors of a passport are none that it was fitted on."""

    def begin(self, passport: Passport) -> None:  # type: ignore[override]  # it hears another kind of thing
        """Begin a track whose vectors have a passport; one that was fitted on others raises an error here."""

    def push(self, windows: Windows) -> None:  # type: ignore[override]
        """Take the next vectors, in the order of time; they may not be written to."""
        raise NotImplementedError
