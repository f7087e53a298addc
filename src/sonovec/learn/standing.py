"""What people have said so far of each segment of a library."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief
from sonovec.learn.answers import verdict_of, who_gave
from sonovec.learn.pool import Pool
from sonovec.learn.targets import HEARD, UNKNOWN
from sonovec.library.records import Label
from sonovec.paths import display, from_text

#: The verdict on a segment of which nobody has said anything.
UNASKED = -2
#: A class is heard in a segment if a label of it covers this share of the segment or lies in it with this share of its own
#: length. That it is not heard, or that nobody could tell, must be said of the whole segment, but for rounding.
SHARE, WHOLE = 0.5, 0.99


@dataclass(frozen=True)
class Contradiction:
    """Labels of one segment that contradict each other: `latest` counts, and `former` does not.

    `row` is its place in the pool, and `path`, `start` and `end` say where it is.
    """

    row: int
    path: str
    start: float
    end: float
    latest: Label
    former: Label

    def describe(self) -> str:
        """Who said what, on one line."""
        said = [
            f"{who_gave(label)} said {'yes' if verdict_of(label) == HEARD else 'no'}"
            for label in (self.former, self.latest)
        ]
        where = f"{display(from_text(self.path))}, {self.start:g} to {self.end:g} s"
        return f"{where}: {self.latest.name}: {said[0]}, then {said[1]}; the latest answer counts"


@dataclass(frozen=True, eq=False, repr=False)
class Standing(Brief):
    """The verdict on each segment and class.

    Attributes
    ----------
    verdicts : array, shape (n, n_classes), int8
        1 the class is heard, 0 it is not, -1 a person could not tell, -2 nobody has said anything.
    contradictions : tuple of Contradiction
    """

    verdicts: NDArray[np.int8]
    contradictions: tuple[Contradiction, ...] = ()

    @property
    def asked(self) -> NDArray[np.bool_]:
        """Segments of which people have said something about every class: shape (n,)."""
        return np.asarray((self.verdicts != UNASKED).all(axis=1))


def standing_of(pool: Pool, classes: Sequence[str], labels: Iterable[Label]) -> Standing:
    """What the labels of people say of the segments of a pool.

    A label counts for the segments that it covers (`SHARE`, `WHOLE`). Where labels contradict each other the latest counts;
    that somebody could not tell counts only where nobody could.
    """
    verdicts = np.full((len(pool), len(classes)), UNASKED, np.int8)
    counted: dict[tuple[int, int], Label] = {}
    contradictions: dict[tuple[int, int], Contradiction] = {}
    columns = {name: column for column, name in enumerate(classes)}
    # By time, and then by what they are, so that the same labels give the same result in whatever order they are read.
    for label in sorted(labels, key=lambda each: (each.time, each.source, each.name, each.track, each.start, each.end)):
        if label.name not in columns:
            continue
        verdict, column = verdict_of(label), columns[label.name]
        for row in _covered(pool, label, verdict):
            place = row, column
            if verdict == UNKNOWN and verdicts[place] != UNASKED:
                continue
            former = counted.get(place)
            if former is not None and verdict_of(former) not in (UNKNOWN, verdict):
                contradictions[place] = Contradiction(row, pool.path(row), *pool.span(row), label, former)
            verdicts[place], counted[place] = verdict, label
    return Standing(verdicts, tuple(contradictions[place] for place in sorted(contradictions)))


def _covered(pool: Pool, label: Label, verdict: int) -> list[int]:
    """The segments that a label says something of."""
    rows = pool.of_track(label.track)
    starts, ends = pool.times[rows.start : rows.stop].T
    overlap = np.minimum(ends, label.end) - np.maximum(starts, label.start)
    if verdict == HEARD:
        least = SHARE * np.minimum(ends - starts, max(label.end - label.start, 1e-6))
    else:
        least = WHOLE * (ends - starts)
    return [rows[n] for n in np.flatnonzero((overlap >= least) & (overlap > 0))]
