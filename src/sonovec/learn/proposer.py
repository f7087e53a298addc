"""Chooses what to ask about next, from a pool of segments and what people have said of them; it knows no library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError
from sonovec.learn.fit import trained
from sonovec.learn.head import Head
from sonovec.learn.pool import Pool
from sonovec.learn.standing import Standing
from sonovec.learn.strategies import RANKINGS, TURNS, View, turn
from sonovec.learn.targets import HEARD, NOT_HEARD, UNKNOWN
from sonovec.vectors import unit32

#: The head that is fitted while a person waits; see `sonovec.learn.linear`.
KIND, STRENGTH = "logistic", 100.0
#: Segments that stand for all others while few are answered: taken as if none of the classes were heard in them, and all of
#: them together weigh as much as so many answers.
BACKGROUND, BACKGROUND_WEIGHT = 200, 2.0
#: Of several proposals at once, one that is more like another than this cosine waits.
COPY = 0.98
#: Segments, and answered segments, that are compared at once: always so many, so that a cosine has the same bits in a session
#: that goes on as in one that begins.
BLOCK, AT_ONCE = 8192, 8


@dataclass(frozen=True, eq=False)
class Choice:
    """A segment to ask about, its place in the pool, and by what it was chosen."""

    row: int
    why: str


@dataclass(frozen=True, eq=False)
class Example:
    """A sound in which a class is heard, as it was given: its parts, with their seconds (k, 2) and vectors (k, dim).

    `track` is the id of its content, by which the same sound in the pool is known.
    """

    column: int
    track: str
    path: str
    times: NDArray[np.float64]
    vectors: NDArray[np.float32]


class Proposer:
    """Ranks the segments of a pool for a strategy; the same verdicts always give the same choice.

    Parameters
    ----------
    pool : Pool
    n_classes : int
    strategy : str
        One of `sonovec.learn.strategies.TURNS`.
    examples : sequence of Example
    seed : int
        Of the background and the random order.
    """

    def __init__(
        self, pool: Pool, n_classes: int, strategy: str = "mix", examples: Sequence[Example] = (), seed: int = 0
    ) -> None:
        if strategy not in TURNS:
            raise UsageError(f"strategy={strategy!r} is unknown; give one of: {', '.join(TURNS)}")
        self._pool, self._n_classes, self._strategy, self._examples, self._seed = (
            pool, n_classes, strategy, tuple(examples), seed,
        )  # fmt: skip
        self._directed = np.any(pool.vectors, axis=1)
        order = np.random.default_rng(seed).permutation(np.flatnonzero(self._directed))
        self._background = np.sort(order[:BACKGROUND])
        self._middle = unit32(pool.vectors[self._background].mean(axis=0, keepdims=True))[0]
        self._fitted: tuple[bytes, Head | None] | None = None
        self._seen: dict[int, None] = {}
        self._closeness = np.empty(0, np.float32)

    # -- the head

    def head(self, standing: Standing) -> Head | None:
        """A head that is fitted to all verdicts; None where no class has an example yet."""
        key = standing.verdicts.tobytes()
        if self._fitted is None or self._fitted[0] != key:
            self._fitted = key, self._fit(standing)
        return self._fitted[1]

    def _fit(self, standing: Standing) -> Head | None:
        vectors, targets, weights = self.training(standing)
        if not (targets == HEARD).any():
            return None
        head = trained(vectors, targets, weights, kind=KIND, strength=STRENGTH)
        # The scores are logits already: the strategies were measured so, and the usual calibration is for other tasks.
        one = np.ones(self._n_classes, np.float32)
        return replace(head, slope=one, offset=0 * one)

    def training(self, standing: Standing) -> tuple[NDArray[np.float32], NDArray[np.int8], NDArray[np.float32]]:
        """What a head is fitted to: vectors (n, dim), targets (n, n_classes), and how much each row weighs (n,)."""
        verdicts = standing.verdicts
        said = np.flatnonzero(np.isin(verdicts, (HEARD, NOT_HEARD)).any(axis=1))
        rest = self._background[(verdicts[self._background] < UNKNOWN).all(axis=1)]
        own = np.maximum(verdicts[said], UNKNOWN)
        given = [np.full((len(each.vectors), self._n_classes), UNKNOWN, np.int8) for each in self._examples]
        for each, target in zip(self._examples, given, strict=True):
            target[:, each.column] = HEARD
        vectors = [self._pool.vectors[said], *(each.vectors for each in self._examples), self._pool.vectors[rest]]
        targets = [own, *given, np.full((len(rest), self._n_classes), NOT_HEARD, np.int8)]
        weights = [1.0] * len(said) + [1.0 / len(each.vectors) for each in self._examples for _ in each.vectors]
        weights += [BACKGROUND_WEIGHT / max(len(rest), 1)] * len(rest)
        return np.concatenate(vectors), np.concatenate(targets), np.array(weights, np.float32)

    def logits(self, standing: Standing) -> NDArray[np.float32]:
        """How sure the head is of each class in each segment: (n, n_classes); zeros before any class has an example."""
        head = self.head(standing)
        if head is None:
            return np.zeros((len(self._pool), self._n_classes), np.float32)
        weights, bias = _plain(head)
        return np.asarray(self._pool.vectors @ weights.T + bias)

    # -- the choice

    def choose(self, standing: Standing, n: int) -> list[Choice]:
        """The next segments to ask about, at most `n`; those without direction, such as silence, never."""
        free = self._directed & ~standing.asked
        if not free.any():
            return []
        counts = self._counts(standing)
        learnt, fewest = np.flatnonzero(counts), int(counts.argmin())
        wanted = int(np.flatnonzero(learnt == fewest)[0]) if fewest in learnt else None
        none = len(learnt) == 1 or bool((standing.verdicts == NOT_HEARD).all(axis=1).any())
        view = View(self.logits(standing)[:, learnt], self._close(standing.asked), none, wanted, self._seed)
        answered = int(standing.asked.sum())
        ranked = {}
        chosen: list[Choice] = []
        put_off: list[Choice] = []
        fresh: list[int] = []  # chosen since `view.closeness` was brought up to date
        while len(chosen) < n and free.any():
            why = turn(self._strategy, answered + len(chosen) + len(put_off), view)
            if why == "diverse" and fresh:
                self._come_closer(view.closeness, fresh)
                fresh.clear()
            if why not in ranked or why == "diverse":
                ranked[why] = RANKINGS[why](view)
            row = int(np.where(free, ranked[why], -np.inf).argmax())
            free[row] = False
            fresh.append(row)
            alike = any(self._pool.vectors[row] @ self._pool.vectors[other.row] > COPY for other in chosen)
            (put_off if alike else chosen).append(Choice(row, why))
        return [*chosen, *put_off][:n]

    def learnt(self, standing: Standing) -> NDArray[np.bool_]:
        """The classes that have an example, and so a probability: (n_classes,)."""
        return self._counts(standing) > 0

    def _counts(self, standing: Standing) -> NDArray[np.int64]:
        """How many examples each class has."""
        given = [each.column for each in self._examples]
        return np.asarray((standing.verdicts == HEARD).sum(axis=0)) + np.bincount(given, minlength=self._n_classes)

    def _close(self, asked: NDArray[np.bool_]) -> NDArray[np.float32]:
        """A copy of the cosine of each segment with the nearest that was answered; computed for new answers alone."""
        rows = np.flatnonzero(asked).tolist()
        if not rows:
            return np.asarray(self._pool.vectors @ self._middle)
        if not self._seen or not self._seen.keys() <= set(rows):
            self._seen, self._closeness = {}, np.full(len(self._pool), -1, np.float32)
        new = [row for row in rows if row not in self._seen]
        self._come_closer(self._closeness, new)
        self._seen.update(dict.fromkeys(new))
        return self._closeness.copy()

    def _come_closer(self, closeness: NDArray[np.floating], rows: Sequence[int]) -> None:
        """Bring cosines with the nearest of some segments up to date with further ones."""
        vectors = self._pool.vectors
        for some in range(0, len(rows), AT_ONCE):
            new = vectors[rows[some : some + AT_ONCE]]
            others = np.zeros((AT_ONCE, vectors.shape[1]), np.float32)
            others[: len(new)] = new
            for first in range(0, len(vectors), BLOCK):
                block = closeness[first : first + BLOCK]
                np.maximum(block, (vectors[first : first + BLOCK] @ others.T)[:, : len(new)].max(axis=1), out=block)


def _plain(head: Head) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The weights and the bias by which a unit vector gives the logit of each class, as one product in float32."""
    scale = head.slope[:, None] / head.scale
    weights = head.weights * scale
    bias = head.slope * head.bias + head.offset - weights @ head.center
    return weights.astype(np.float32), bias.astype(np.float32)
