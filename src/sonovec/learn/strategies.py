"""Which segments to ask about next, given what a head thinks of each: strategies of active learning.

All of them rank by what is known, without chance, so that the same answers always lead to the same next question:

- ``likely``: the most probable; finds the sounds of a rare class, and shows at once what is wrongly taken for it.
- ``uncertain``: where the two most probable answers are closest (Lewis and Gale 1994; Scheffer et al. 2001).
- ``diverse``: the least like anything that was answered (the farthest-first traversal of Gonzalez 1985).
- ``random``: an order that is drawn once: what the others are measured against.
- ``mix``: these by turns; see `TURNS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False, repr=False)
class View(Brief):
    """What strategies rank by, of n segments.

    Attributes
    ----------
    logits : array, shape (n, k)
        How sure the head is of each class that has an example: 0 is a probability of one half.
    closeness : array, shape (n,)
        Cosine similarity to the nearest segment that was answered, or to the middle of all where none was.
    none : bool
        Whether "none of them" is an answer to be reckoned with; its logit is 0.
    wanted : int or None
        The column of the class that has the fewest examples; None where that has none.
    seed : int
        Of the random order.
    """

    logits: Floats
    closeness: Floats
    none: bool
    wanted: int | None
    seed: int = 0


def likely(view: View) -> Floats:
    """The most probable of the class that has the fewest examples."""
    assert view.wanted is not None
    return view.logits[:, view.wanted]


def uncertain(view: View) -> Floats:
    """Where the most probable answer is ahead of the next by the least; with one class, where its logit is next to 0."""
    answers = np.column_stack([view.logits, np.zeros(len(view.logits))]) if view.none else view.logits
    second, first = np.partition(answers, -2, axis=1)[:, -2:].T
    return np.asarray(second - first)


def diverse(view: View) -> Floats:
    """The least like what was answered."""
    return -view.closeness


def at_random(view: View) -> Floats:
    """An order that is drawn once."""
    return np.random.default_rng(view.seed).random(len(view.logits))


RANKINGS: Mapping[str, Callable[[View], Floats]] = {
    "likely": likely,
    "uncertain": uncertain,
    "diverse": diverse,
    "random": at_random,
}
#: Uncertain ones teach most; likely ones show what is wrongly taken for the class, and different ones what is not known yet.
MIX = ("uncertain", "uncertain", "likely", "uncertain", "uncertain", "diverse")
#: What a strategy ranks by, question by question, over and over.
TURNS: Mapping[str, tuple[str, ...]] = {
    "mix": MIX,
    **{name: (name,) for name in RANKINGS},
}


def turn(strategy: str, answered: int, view: View) -> str:
    """By what to rank for the next question, where so many were answered; without examples, by what differs alone.

    Examples
    --------
    >>> view = View(np.zeros((1, 1)), np.zeros(1), none=True, wanted=0)
    >>> turn("likely", 7, view), turn("mix", 0, view), turn("mix", 2, View(np.zeros((1, 1)), np.zeros(1), True, None))
    ('likely', 'uncertain', 'diverse')
    """
    turns = TURNS[strategy]
    wanted = turns[answered % len(turns)]
    lacks_example = {"likely": view.wanted is None, "uncertain": not view.logits.size}
    return "diverse" if lacks_example.get(wanted) else wanted
