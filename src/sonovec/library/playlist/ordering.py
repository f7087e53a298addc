"""The order of tracks with the smallest steps: the shortest path that visits each once, a travelling-salesman problem."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Tour = NDArray[np.intp]

#: Up to so many the shortest path is found for sure (Held and Karp 1962).
EXACT = 12
#: Kicks of the iterated local search: fewer of many tracks, where each takes longer, and never more than so many.
WORK, MOST_KICKS = 3_000, 100
#: Tracks in a row that are moved together.
LONGEST_MOVED = 3
#: What is smaller than this is no gain.
LEAST_GAIN = 1e-9


def order(costs: Floats, *, first: int | None = None, last: int | None = None, seed: int = 0) -> list[int]:
    """The order that visits all with the smallest sum of steps.

    Of up to 12 it is the best one, by dynamic programming. Of more it is the best that 2-opt and or-opt moves find from the
    nearest-next order and from kicks of the best so far (iterated local search), so it is never worse than nearest-next.

    Parameters
    ----------
    costs : array, shape (n, n)
        What a step costs, the same in both directions; finite, not negative.
    first, last : int, optional
        Where it begins and ends; otherwise wherever it is best.
    seed : int
        Of the kicks.

    Returns
    -------
    list of int
        Each of 0 to n - 1 once.

    Notes
    -----
    Held and Karp, A dynamic programming approach to sequencing problems, 1962; Croes, A method for solving
    traveling-salesman problems, 1958 (2-opt); Or, Traveling salesman-type combinatorial problems, 1976.

    Examples
    --------
    >>> places = np.array([0.0, 5.0, 1.0, 3.0])
    >>> costs = abs(places[:, None] - places)
    >>> order(costs), order(costs, first=3, last=1)
    ([0, 2, 3, 1], [3, 2, 0, 1])
    """
    n = len(costs)
    if n <= 1 or (n == 2 and first is None and last is None):
        return list(range(n))
    # A node more, whose neighbours are the ends, makes the path a tour; a reward ties it to an end that is fixed.
    reward = 1.0 + float(costs.sum())
    closed = np.zeros((n + 1, n + 1))
    closed[:n, :n] = costs
    for end in {first, last} - {None}:
        closed[n, end] = closed[end, n] = -reward
    tour = _exact(closed) if n <= EXACT else _searched(closed, seed)
    path: list[int] = np.roll(tour, -int(np.flatnonzero(tour == n)[0]))[1:].tolist()
    turned = path[-1] == first or path[0] == last or (first is None and last is None and path[0] > path[-1])
    return path[::-1] if turned else path


def nearest_next(costs: Floats, first: int = 0) -> list[int]:
    """The order that goes on to the nearest of those that are left; what `order` is measured against."""
    path, left = [first], set(range(len(costs))) - {first}
    while left:
        path.append(min(left, key=lambda n: (costs[path[-1], n], n)))
        left.remove(path[-1])
    return path


def length(costs: Floats, path: list[int]) -> float:
    """The sum of the steps of an order.

    Examples
    --------
    >>> length(np.array([[0.0, 2.0], [2.0, 0.0]]), [0, 1])
    2.0
    """
    return float(costs[path[:-1], path[1:]].sum())


def _exact(costs: Floats) -> Tour:
    """The shortest tour, from the last node: the best way to end at each node of each set of the others."""
    n = len(costs) - 1
    sets = 1 << n
    best = np.full((sets, n), np.inf)
    before = np.zeros((sets, n), np.intp)
    for node in range(n):
        best[1 << node, node] = costs[n, node]
    bits = 1 << np.arange(n)
    for chosen in range(1, sets):
        nodes = np.flatnonzero(chosen & bits)
        if len(nodes) > 1:
            ways = best[chosen ^ bits[nodes]] + costs[nodes, :n]
            before[chosen, nodes] = ways.argmin(axis=1)
            best[chosen, nodes] = ways.min(axis=1)
    chosen, node = sets - 1, int((best[-1] + costs[:n, n]).argmin())
    path = [node]
    while len(path) < n:
        chosen, node = chosen ^ (1 << node), int(before[chosen, node])
        path.append(node)
    return np.array([n, *path])


def _searched(costs: Floats, seed: int) -> Tour:
    """The best tour of an iterated local search."""
    generator = np.random.default_rng(seed)
    best = _improved(costs, np.array(nearest_next(costs, len(costs) - 1)))
    best_length = _tour_length(costs, best)
    for _ in range(min(WORK // len(costs), MOST_KICKS)):
        tour = _improved(costs, _kicked(best, generator))
        if (found := _tour_length(costs, tour)) < best_length - LEAST_GAIN:
            best, best_length = tour, found
    return best


def _kicked(tour: Tour, generator: np.random.Generator) -> Tour:
    """A double bridge: two neighbouring stretches change places, which no 2-opt move undoes."""
    a, b, c = np.sort(generator.choice(np.arange(1, len(tour)), 3, replace=False))
    return np.concatenate([tour[:a], tour[b:c], tour[a:b], tour[c:]])


def _improved(costs: Floats, tour: Tour) -> Tour:
    """Take the best move until none gains."""
    while True:
        for move in (_reversed, _moved):
            if (better := move(costs, tour)) is not None:
                tour = better
                break
        else:
            return tour


def _reversed(costs: Floats, tour: Tour) -> Tour | None:
    """The tour with that stretch turned round that gains most (2-opt)."""
    after = np.roll(tour, -1)
    edges = costs[tour, after]
    change = costs[np.ix_(tour, tour)] + costs[np.ix_(after, after)] - edges[:, None] - edges
    np.fill_diagonal(change, 0.0)
    i, j = sorted(divmod(int(change.argmin()), len(tour)))  # both ways round are the same change
    if change[i, j] >= -LEAST_GAIN:
        return None
    return np.concatenate([tour[: i + 1], tour[i + 1 : j + 1][::-1], tour[j + 1 :]])


def _moved(costs: Floats, tour: Tour) -> Tour | None:
    """The tour with those one to three in a row elsewhere that gain most there, either way round (or-opt)."""
    n = len(tour)
    best: tuple[float, int, int, int, bool] = (-LEAST_GAIN, 0, 0, 0, False)
    for size in range(1, min(LONGEST_MOVED, n - 3) + 1):
        heads = np.arange(n)
        tails, before, behind = ((heads + shift) % n for shift in (size - 1, -1, size))
        gain = costs[tour[before], tour[heads]] + costs[tour[tails], tour[behind]] - costs[tour[before], tour[behind]]
        after = np.roll(tour, -1)
        edges = costs[tour, after]
        # A stretch cannot go into an edge of its own: those that begin at the node before it or within it.
        own = (heads[None, :] - before[:, None]) % n <= size
        for turned in (False, True):
            near, far = (tails, heads) if turned else (heads, tails)
            change = costs[tour[near]][:, tour] + costs[tour[far]][:, after] - edges - gain[:, None]
            change[own] = np.inf
            place = divmod(int(change.argmin()), n)
            if change[place] < best[0]:
                best = (float(change[place]), size, *place, turned)
    _, size, head, edge, turned = best
    if not size:
        return None
    turned_round = np.roll(tour, -head)
    stretch, rest = turned_round[:size], turned_round[size:]
    at = (edge - head - size) % n + 1
    return np.concatenate([rest[:at], stretch[::-1] if turned else stretch, rest[at:]])


def _tour_length(costs: Floats, tour: Tour) -> float:
    return float(costs[tour, np.roll(tour, -1)].sum())
