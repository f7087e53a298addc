"""What is heard in each step: crops of like length, without padding; a function of the seed and the step alone.

An epoch is all chapters in an order that is drawn for it. They are taken by the shelf, some minutes that are decoded and kept
together; its crops are put into batches by their length, and these into an order of their own. All of it follows from lengths
that are known before, so a run goes on at any step by decoding one shelf.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sonovec.speech.pretraining.plan import Plan
from sonovec.speech.pretraining.survey import Chapter
from sonovec.speech.recogniser import RATE

#: Samples of sound that are kept at once; while they are learned, as many more are decoded.
SHELF = 1200 * RATE
#: How much longer than its shortest the longest crop of a batch may be; it is cut.
UNEVEN = 1.25
#: Seconds of held-out sound that are measured on.
MEASURED = 120
#: What tells generators of one seed from each other.
_HELD_OUT, _ORDER, _CROPS = 1, 2, 3


@dataclass(frozen=True)
class Crop:
    """Where a crop is: the number of its chapter, its first sample there and its samples."""

    chapter: int
    first: int
    length: int


@dataclass(frozen=True, eq=False)
class Shelf:
    """Chapters that are decoded together, and the batches of their crops."""

    chapters: tuple[int, ...]
    batches: tuple[tuple[Crop, ...], ...]

    def read(self, chapters: Sequence[Chapter]) -> list[NDArray[np.float32]]:
        """The samples of each batch, (crops, samples)."""
        rows = {crop: np.empty(0, np.float32) for batch in self.batches for crop in batch}
        wanted: dict[int, list[Crop]] = {}
        for crop in rows:
            wanted.setdefault(crop.chapter, []).append(crop)
        for number, crops in wanted.items():
            samples = chapters[number].read()
            for crop in crops:
                rows[crop] = samples[crop.first : crop.first + crop.length].copy()
        return [np.stack([rows[crop] for crop in batch]) for batch in self.batches]


class Shelves:
    """Batches by step.

    Parameters
    ----------
    chapters : sequence of Chapter
    plan : Plan
    """

    def __init__(self, chapters: Sequence[Chapter], plan: Plan) -> None:
        self._chapters, self._plan = chapters, plan
        self.per_epoch = plan.every  # of the loop, from one measurement to the next
        self._epoch, self._begins = -1, 0
        self._shelves: list[Shelf] = []
        self._thread = ThreadPoolExecutor(1, "sonovec-shelves")
        self._read: dict[tuple[int, int], Future[list[NDArray[np.float32]]]] = {}

    def batch(self, step: int) -> NDArray[np.float32]:
        """The samples that are heard in a step, (crops, samples)."""
        epoch, number, place = self._place(step)
        following = (epoch, number + 1)
        self._read = {
            key: self._read.get(key) or self._thread.submit(self._shelves[key[1]].read, self._chapters)
            for key in ((epoch, number), following)
            if key[1] < len(self._shelves)
        }
        return self._read[epoch, number].result()[place]

    def close(self) -> None:
        """Decode no more."""
        self._thread.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _place(self, step: int) -> tuple[int, int, int]:
        """The epoch of a step, its shelf there, and its place in the shelf."""
        if step < self._begins:
            self._epoch, self._begins, self._shelves = -1, 0, []
        while step >= self._begins + (count := sum(len(shelf.batches) for shelf in self._shelves)):
            self._begins += count
            self._epoch += 1
            self._shelves = shelves(self._chapters, self._plan, self._epoch)
        place = step - self._begins
        for number, shelf in enumerate(self._shelves):
            if place < len(shelf.batches):
                return self._epoch, number, place
            place -= len(shelf.batches)
        raise AssertionError("a step lies in its epoch")


def shelves(chapters: Sequence[Chapter], plan: Plan, epoch: int) -> list[Shelf]:
    """The shelves of an epoch, in their order."""
    order = np.random.default_rng([plan.seed, _ORDER, epoch]).permutation(len(chapters))
    made, taken, loud = list[Shelf](), list[int](), 0
    for number in map(int, order):
        taken.append(number)
        loud += chapters[number].loud
        if loud >= SHELF or number == order[-1]:
            made.append(_shelf(chapters, taken, plan, np.random.default_rng([plan.seed, _CROPS, epoch, len(made)])))
            taken, loud = [], 0
    return made


def _shelf(chapters: Sequence[Chapter], taken: Sequence[int], plan: Plan, rng: np.random.Generator) -> Shelf:
    longest = round(plan.longest * RATE)
    crops = [crop for number in taken for crop in crops_of(number, chapters[number], longest, rng)]
    batches = batched(crops, round(plan.batch * RATE), rng)
    return Shelf(tuple(taken), tuple(batches[number] for number in rng.permutation(len(batches))))


def crops_of(number: int, chapter: Chapter, longest: int, rng: np.random.Generator) -> list[Crop]:
    """Crops of a chapter: a piece that is short enough, or as many as fit into a longer one, from a place that is drawn.

    Examples
    --------
    >>> chapter = Chapter("a.wav", 0, 100, ((0, 30), (40, 60)))
    >>> crops = crops_of(0, chapter, 25, np.random.default_rng(0))
    >>> [crop.length for crop in crops]
    [25, 25, 25]
    """
    crops = []
    for first, length in chapter.pieces:
        size = min(length, longest)
        begins = first + int(rng.integers(length % size + 1))
        crops += [Crop(number, begins + place * size, size) for place in range(length // size)]
    return crops


def batched(crops: Sequence[Crop], budget: int, rng: np.random.Generator) -> list[tuple[Crop, ...]]:
    """Put crops of like length together, and cut them to the shortest of each batch.

    Examples
    --------
    >>> crops = [Crop(0, 0, length) for length in (30, 10, 11, 12, 28)]
    >>> for batch in batched(crops, 60, np.random.default_rng(0)):
    ...     print([crop.length for crop in batch])
    [10, 10, 10]
    [28, 28]
    """
    chance = rng.random(len(crops))  # crops of one length meet others in each epoch
    order = sorted(range(len(crops)), key=lambda number: (crops[number].length, chance[number]))
    groups: list[list[Crop]] = []
    for crop in (crops[number] for number in order):
        shortest = groups[-1][0].length if groups else 0
        if groups and crop.length <= UNEVEN * shortest and (len(groups[-1]) + 1) * shortest <= budget:
            groups[-1].append(crop)
        else:
            groups.append([crop])
    return [tuple(Crop(crop.chapter, crop.first, group[0].length) for crop in group) for group in groups]


def held_out(chapters: Sequence[Chapter], plan: Plan) -> tuple[list[Chapter], list[Chapter]]:
    """Chapters to learn from, and those to measure on: none where there is only one."""
    wanted = min(plan.held_out * sum(chapter.loud for chapter in chapters), MEASURED * RATE)
    order = np.random.default_rng([plan.seed, _HELD_OUT]).permutation(len(chapters))
    taken, loud = set[int](), 0
    for number in map(int, order[:-1]):
        if loud >= wanted:
            break
        taken.add(number)
        loud += chapters[number].loud
    learned = [chapter for number, chapter in enumerate(chapters) if number not in taken]
    return learned, [chapters[number] for number in sorted(taken)]


def measured(chapters: Sequence[Chapter], plan: Plan) -> list[NDArray[np.float32]]:
    """The batches that are measured on: the same for all of a run, and at most `MEASURED` seconds."""
    found, samples = list[NDArray[np.float32]](), 0
    for shelf in shelves(chapters, plan, 0)[:1]:
        for batch in shelf.read(chapters):
            if samples < MEASURED * RATE:
                found.append(batch)
                samples += batch.size
    return found
