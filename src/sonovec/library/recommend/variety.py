"""Maximal marginal relevance: a list whose members are good, and not all alike.

Reference: Carbonell and Goldstein 1998, "The use of MMR, diversity-based reranking for reordering documents and producing
summaries". Recordings and artists that may come up a limited number of times are counted on the way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray


def diverse(
    scores: NDArray[np.float64],
    alike: NDArray[np.float64],
    limit: int,
    variety: float = 0.0,
    makers: Sequence[Hashable | None] = (),
    most: int | None = None,
) -> list[int]:
    """Choose one after the other: the highest of ``(1 - variety) * score - variety * likeness to the chosen``.

    Parameters
    ----------
    scores : float64 (n,)
    alike : float64 (n, n)
        How alike two of them are, in [0, 1].
    limit : int
        At most so many.
    variety : float
        0 keeps the order of the scores; towards 1 the likeness decides.
    makers : sequence, optional
        Who made each, None where that is not known.
    most : int, optional
        At most so many of one maker; those that nobody is known to have made are not counted.

    Returns
    -------
    list of int
        Places of the chosen ones, in order; of equal ones the first.

    Examples
    --------
    >>> alike = np.array([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1.0]])
    >>> diverse(np.array([0.9, 0.8, 0.5]), alike, 3), diverse(np.array([0.9, 0.8, 0.5]), alike, 3, 0.5)
    ([0, 1, 2], [0, 2, 1])
    >>> diverse(np.array([0.9, 0.8, 0.5]), alike, 3, makers=["Ann", "Ann", "Bob"], most=1)
    [0, 2]
    """
    chosen: list[int] = []
    counts: Counter[Hashable] = Counter()
    is_open = np.ones(len(scores), bool)
    nearest = np.zeros(len(scores))
    while len(chosen) < limit and is_open.any():
        values = np.where(is_open, (1 - variety) * scores - variety * nearest, -np.inf)
        place = int(values.argmax())
        is_open[place] = False
        maker = makers[place] if makers else None
        if most is not None and maker is not None:
            if counts[maker] >= most:
                continue
            counts[maker] += 1
        chosen.append(place)
        np.maximum(nearest, alike[place], out=nearest)
    return chosen
