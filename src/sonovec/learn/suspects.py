"""What looks wrong in labelled examples: labels that the sound contradicts, and copies that straddle groups."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.learn.outcomes import NONE, Outcomes
from sonovec.vectors import unit32

#: From this cosine on, two stretches of different groups are taken for one sound, if they are also so many times nearer than
#: the nearest stretch of another group usually is: of some encoders all vectors are much alike.
COPIES, NEARER = 0.999, 10
#: From this one on there is no difference but rounding.
IDENTICAL = 0.999999
#: Suspects that are named; the others are counted.
MOST = 50

_BLOCK = 2048


@dataclass(frozen=True)
class LabelSuspect:
    """A stretch whose label its sound contradicts; `probability` is that of `suggested`, or of none being heard."""

    path: str
    start: float
    end: float
    label: str
    suggested: str
    probability: float

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return asdict(self)


@dataclass(frozen=True)
class Leak:
    """Two stretches of different groups that are one sound, or nearly; each with its path, seconds and label."""

    paths: tuple[str, str]
    times: tuple[tuple[float, float], tuple[float, float]]
    groups: tuple[str, str]
    labels: tuple[str, str]
    cosine: float

    @property
    def identical(self) -> bool:
        """Whether nothing but rounding tells them apart."""
        return self.cosine >= IDENTICAL

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        sides = [
            {"path": path, "start": start, "end": end, "group": group, "label": label}
            for path, (start, end), group, label in zip(self.paths, self.times, self.groups, self.labels, strict=True)
        ]
        return {"stretches": sides, "cosine": self.cosine, "identical": self.identical}


def label_suspects(outcomes: Outcomes) -> list[LabelSuspect]:
    """Find labels that are probably wrong, the surest first, by confident learning (Northcutt, Jiang and Chuang 2021).

    A class counts as surely heard from its mean probability where it is labelled, and as surely absent below its mean where
    it is not. A stretch is suspect if a class that it is labelled with is surely absent there, or one that it is labelled
    not to have is surely heard, with a probability above one half.

    Examples
    --------
    >>> probabilities = np.array([[0.9], [0.95], [0.02], [0.1], [0.05], [0.99]])
    >>> targets = np.int8([[1], [1], [1], [0], [0], [0]])
    >>> outcomes = Outcomes(("dog",), targets, probabilities, *["abcdef"] * 2, np.zeros((6, 2)))
    >>> [(each.path, each.label, each.suggested) for each in label_suspects(outcomes)]
    [('f', 'none of them', 'dog'), ('c', 'dog', 'none of them')]
    """
    missing = np.zeros(outcomes.targets.shape, bool)
    wrong = missing.copy()
    for column in range(len(outcomes.classes)):
        positive, negative = outcomes.positive[:, column], outcomes.negative[:, column]
        if not (positive.any() and negative.any()):
            continue
        given = np.nan_to_num(outcomes.probabilities[:, column])
        missing[:, column] = negative & (given >= max(given[positive].mean(), 0.5))
        wrong[:, column] = positive & (given <= min(given[negative].mean(), 0.5))
    found = [_suspect(outcomes, row, missing[row]) for row in np.flatnonzero((missing | wrong).any(axis=1)).tolist()]
    return sorted(found, key=lambda each: (-each.probability, each.path, each.start))


def _suspect(outcomes: Outcomes, row: int, missing: NDArray[np.bool_]) -> LabelSuspect:
    """What to suggest: the class that is surely heard; or else the most probable one, or that none is."""
    given = np.where(outcomes.known[row], np.nan_to_num(outcomes.probabilities[row]), 0)
    best = int(np.where(missing, given, -1).argmax()) if missing.any() else int(given.argmax())
    labelled = outcomes.targets[row] == 1
    heard = bool(given[best] >= 0.5) and not labelled[best]
    start, end = outcomes.times[row].tolist()
    probability = float(given[best] if heard else 1 - given[labelled].max(initial=0))
    name = outcomes.classes[best] if heard else NONE
    return LabelSuspect(outcomes.paths[row], start, end, outcomes.label(row), name, probability)


def leaks(outcomes: Outcomes, vectors: NDArray[np.floating]) -> list[Leak]:
    """Find stretches of different groups that are nearly one sound: what is trained on is then what is tested on.

    In one of them at least, a class is heard: background that is alike does no harm.

    Parameters
    ----------
    outcomes : Outcomes
    vectors : array, shape (n, dim)
        The mean vector of each stretch.

    Returns
    -------
    list of Leak
        The most alike first.
    """
    units = unit32(vectors)
    codes = np.unique(np.array(outcomes.groups, object).astype(str), return_inverse=True)[1]
    heard = (outcomes.targets == 1).any(axis=1)
    examples = np.flatnonzero(heard)
    pairs, nearest = [np.empty((0, 3))], [np.empty(0)]
    for first in range(0, len(examples), _BLOCK):
        some = examples[first : first + _BLOCK]
        cosines = np.where(codes[some][:, None] == codes, -1, units[some] @ units.T)
        nearest.append(cosines.max(axis=1))
        rows, columns = np.nonzero(cosines >= COPIES)
        pairs.append(np.column_stack([some[rows], columns, cosines[rows, columns]]))
    alike = np.concatenate(pairs)
    usual = 1 - np.median(np.concatenate(nearest)) if len(examples) else 0
    far = 1 - alike[:, 2] > max(usual / NEARER, 1 - IDENTICAL)
    found = [
        _leak(outcomes, int(a), int(b), min(1.0, cosine))
        for a, b, cosine in alike[~far].tolist()
        if a < b or not heard[int(b)]
    ]
    return sorted(found, key=lambda each: (-each.cosine, each.paths))


def _leak(outcomes: Outcomes, a: int, b: int, cosine: float) -> Leak:
    times = [tuple(outcomes.times[row].tolist()) for row in (a, b)]
    return Leak(
        (outcomes.paths[a], outcomes.paths[b]),
        (times[0], times[1]),
        (outcomes.groups[a], outcomes.groups[b]),
        (outcomes.label(a), outcomes.label(b)),
        round(cosine, 6),
    )
