"""Events: from when to when the classes of a detector are heard, found while the windows come.

Windows that overlap give more than one answer for each moment. Time is cut into cells as long as the hop, and the value of a
cell is the lower quartile, rounded down, of the probabilities of the windows over it: more than three quarters of them agree.
A window answers for its whole length as soon as a short sound is somewhere in it, and this takes back what sticks out.
Of the rules that were compared (the highest, the mean, the median, the lower quartile, the lowest) it gives the best edges.
Others find more short sounds, at the price of more false alarms than a shorter hop; docs/detect.md has the figures.

An event is a run of cells that reach a level of half the threshold, one of which reaches the threshold.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError
from sonovec.learn.detector import Detector
from sonovec.learn.explain import Example, nearest

#: The level that an event stays above, as a share of the threshold that it reaches.
LEAVE = 0.5
#: Seconds that are no cell.
TINY = 1e-9
#: One in so many of the windows over a cell may say less than the value of the cell.
DISSENT = 4


@dataclass(frozen=True)
class Detection:
    """A stretch in which a detector hears a class.

    Attributes
    ----------
    start, end : float
        Seconds of the source; the end is None while the event goes on.
    name : str
        The class.
    probability, mean : float
        The highest of its cells, and the mean of all.
    detector : str
        Its name and version, such as ``"crows@1a2b3c4d"``.
    examples : tuple of Example
        The nearest of the examples that the detector was trained on, where they were asked for.
    """

    start: float
    end: float | None
    name: str
    probability: float
    mean: float
    detector: str
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Rules:
    """What counts as an event.

    Attributes
    ----------
    threshold : float, optional
        The probability that an event reaches; without it the detector's own, of each class.
    classes : frozenset of str
        Only these; empty for all.
    min_duration : float
        Seconds; shorter events are left out.
    gap : float
        Seconds; events of one class with a pause of at most this are one.
    explain : int
        How many of the nearest training examples an event names.
    begins : bool
        Whether events are told as they begin, too: without an end.

    Raises
    ------
    UsageError
        If a number is out of range.
    """

    threshold: float | None = None
    classes: frozenset[str] = frozenset()
    min_duration: float = 0.0
    gap: float = 0.0
    explain: int = 0
    begins: bool = False

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 < self.threshold <= 1:
            raise UsageError(f"threshold={self.threshold} is not a probability; give a number above 0, up to 1")
        for name in ("min_duration", "gap"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise UsageError(f"{name}={getattr(self, name)} is not a length; give seconds, such as {name}=0.5")
        if self.explain < 0:
            raise UsageError(f"explain={self.explain}; give how many examples to name, such as explain=3")


@dataclass(frozen=True)
class Grid:
    """How windows lie over each other: `over` of them over each cell of `step` seconds, which begins `offset` into its last.

    Parts that follow each other are cells themselves: they have no step.

    Examples
    --------
    >>> Grid.of(2.0, 0.5), Grid.of(2.0, 1.5)
    (Grid(over=4, step=0.5, offset=0.0), Grid(over=1, step=1.5, offset=0.25))
    """

    over: int = 1
    step: float | None = None
    offset: float = 0.0

    @classmethod
    def of(cls, length: float, hop: float) -> Grid:
        """That of windows of a length and a hop in seconds."""
        over = max(1, int(length / hop + 1e-6))
        return cls(over, hop, max(0.0, (length - over * hop) / 2))


@dataclass(eq=False)
class _Run:
    """Cells of one class that follow each other, above the level."""

    start: float
    end: float
    sum: float
    cells: int
    best: float
    vector: NDArray[np.float32]
    reached: bool = False
    told: bool = False

    def take(self, other: _Run) -> None:
        """Go on with what came later."""
        if other.best > self.best:
            self.best, self.vector = other.best, other.vector
        self.end = max(self.end, other.end)
        self.sum, self.cells = self.sum + other.sum, self.cells + other.cells
        self.reached |= other.reached
        self.told |= other.told


@dataclass(eq=False)
class Tracker:
    """Finds the events of one detector in windows that are given in the order of time, in memory that does not grow."""

    detector: Detector
    rules: Rules = field(default_factory=Rules)
    grid: Grid = field(default_factory=Grid)

    def __post_init__(self) -> None:
        own = self.detector.thresholds
        self._threshold = own if self.rules.threshold is None else np.full_like(own, self.rules.threshold)
        wanted = [not self.rules.classes or name in self.rules.classes for name in self.detector.classes]
        self._threshold = np.where(wanted, self._threshold, np.inf)
        self._leave = self._threshold * LEAVE
        self._over: deque[tuple[NDArray[np.float64], NDArray[np.float32]]] = deque(maxlen=self.grid.over)
        self._runs: dict[int, _Run] = {}  # that go on, by the place of the class
        self._held: dict[int, _Run] = {}  # that ended, and that the next may join
        self._at: float | None = None  # where the next cell begins; None before the first
        self._start = self._end = 0.0  # of the last window

    def push(
        self, times: NDArray[np.float64], vectors: NDArray[np.float32], silent: NDArray[np.bool_] | None = None
    ) -> list[Detection]:
        """Take the next windows, and give the events that have ended, and those that have begun where that is asked for.

        Parameters
        ----------
        times : array, shape (n, 2)
            Seconds of the source.
        vectors : array, shape (n, dim)
        silent : array of bool, shape (n,), optional
            Windows of digital silence, in which nothing is heard.
        """
        probabilities = self.detector.probabilities(vectors)
        if silent is not None:
            probabilities[silent] = 0.0
        found: list[Detection] = []
        for (start, end), row, vector in zip(times.tolist(), probabilities, vectors, strict=True):
            if self._at is not None and self.grid.step is not None and start - self._start > 1.5 * self.grid.step:
                found += self._pause()  # windows were left out
            if self._at is None:
                self._at = start
            self._over.append((row, vector))
            self._start, self._end = start, end
            found += self._cell(end if self.grid.step is None else min(start + self.grid.offset + self.grid.step, end))
        return found

    def finish(self) -> list[Detection]:
        """The events behind the last window: of its cells that no further windows lie over, and what still went on."""
        found = self._pause()
        for place in list(self._held):
            found += self._told(place, self._held.pop(place))
        return _ordered(found)

    def _pause(self) -> list[Detection]:
        """Take the cells that no further windows lie over, and end what went on; cells begin anew with the next window."""
        found: list[Detection] = []
        for over in range(self.grid.over - 1, -1, -1):  # the last cell takes what a window has beyond whole cells
            if self._at is None or self.grid.step is None or self._at > self._end - TINY:
                break
            if over and len(self._over) > over:
                self._over.popleft()
            found += self._cell(min(self._at + self.grid.step, self._end) if over else self._end)
        for place in list(self._runs):
            self._close(place)
        self._over.clear()
        self._at = None
        return found

    def _cell(self, end: float) -> list[Detection]:
        """Take the cell up to `end`, over which the windows at hand lie."""
        assert self._at is not None
        start, self._at = self._at, end
        rows = np.stack([row for row, _ in self._over])
        # Where fewer lie over a cell, at the ends of a sound, fewer may dissent: edges there were a second too early.
        values = np.sort(rows, axis=0)[(self.grid.over - 1) // DISSENT * len(rows) // self.grid.over]
        on = values >= self._leave
        for place in [place for place in self._runs if not on[place]]:
            self._close(place)
        for place in np.flatnonzero(on).tolist():
            value = float(values[place])
            best = self._over[int(rows[:, place].argmax())][1]
            cell = _Run(start, end, value, 1, value, best, value >= self._threshold[place])
            if place in self._runs:
                self._runs[place].take(cell)
            else:
                self._runs[place] = cell
        return _ordered([*self._ended(end), *self._begun()])

    def _close(self, place: int) -> None:
        """End a run: it is an event if it reached the threshold, and may be one with the event before."""
        run = self._runs.pop(place)
        if not run.reached:
            return
        if place in self._held:
            self._held[place].take(run)
        else:
            self._held[place] = run

    def _ended(self, now: float) -> list[Detection]:
        """Events that none can join any more: what goes on began too late for that, and nothing has begun up to now."""
        found: list[Detection] = []
        for place, held in list(self._held.items()):
            going = self._runs.get(place)
            if (now if going is None else going.start) - held.end > self.rules.gap:
                found += self._told(place, self._held.pop(place))
        return found

    def _begun(self) -> list[Detection]:
        found: list[Detection] = []
        for place, run in self._runs.items() if self.rules.begins else ():
            joins = place in self._held and self._held[place].told
            if run.reached and not run.told and not joins and run.end - run.start >= self.rules.min_duration:
                run.told = True
                found.append(replace(self._detection(place, run), end=None, examples=()))
        return found

    def _told(self, place: int, run: _Run) -> list[Detection]:
        """An event, unless it is too short."""
        return [self._detection(place, run)] if run.end - run.start >= self.rules.min_duration else []

    def _detection(self, place: int, run: _Run) -> Detection:
        detector = self.detector
        examples = nearest(detector, run.vector, place, self.rules.explain) if self.rules.explain else ()
        return Detection(
            start=run.start,
            end=run.end,
            name=detector.classes[place],
            probability=run.best,
            mean=run.sum / run.cells,
            detector=detector.source,
            examples=examples,
        )


def _ordered(found: list[Detection]) -> list[Detection]:
    return sorted(found, key=lambda each: (each.start, -each.probability, each.name))
