"""How much of what an exact search finds a library's index finds: measured on tracks of the library, by its own search."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from sonovec.brief import Brief
from sonovec.errors import UsageError
from sonovec.evaluation.metrics import Score, interval
from sonovec.jobs import Job, Progress, Watched, running
from sonovec.library.filters import Filter, StartsWith, any_of
from sonovec.library.hits import Hits
from sonovec.library.records import MAIN
from sonovec.paths import display

if TYPE_CHECKING:
    from sonovec.library.library import Library

#: Below this a search misses what people would notice.
LOW = 0.95
#: Efforts that are tried where the recall is low.
EFFORTS = (2.0, 4.0, 8.0)
#: Scores that differ by less are equal: the search may give either sound.
TIE = 2e-6
#: Parts that tracks are put into by the first two digits of their ids, which are hashes.
PARTS = 256
#: Square of the normal deviate of a 95 % interval.
_Z2 = 1.959964**2


@dataclass(frozen=True)
class Recalled:
    """Recall of one kind of search.

    Attributes
    ----------
    level : {"track", "segment"}
    selectivity : float or None
        Share of the tracks that the filter lets through; None without a filter.
    k : int
    at_1, at_k : Score
        Share of the first, and of the first `k`, of the exact search that were found, with 95 % intervals by bootstrap over
        queries; where all were found, by Wilson's method.
    milliseconds, exact_milliseconds : float
        Of a search, at the median.
    """

    level: str
    selectivity: float | None
    k: int
    at_1: Score
    at_k: Score
    milliseconds: float
    exact_milliseconds: float

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON values."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**values, "at_1": self.at_1.to_json(), "at_k": self.at_k.to_json()}


@dataclass(frozen=True, repr=False)
class LiveRecall(Brief):
    """What `recall` measured.

    Attributes
    ----------
    space : str
    rows : tuple of Recalled
    vectors : mapping of str to (int, int or None)
        By level, how many vectors there are, and how many of them the index knows; None without an index.
    effort : float
        What was measured with.
    enough : float or None
        The least effort that was tried with which no recall is low; None where none is, or it is not low.
    advice : tuple of str
        What to run, where something is to be done.
    """

    space: str
    rows: tuple[Recalled, ...]
    vectors: dict[str, tuple[int, int | None]]
    effort: float
    enough: float | None = None
    advice: tuple[str, ...] = field(default=())

    @property
    def lowest(self) -> float:
        """The lowest recall of the first `k`."""
        return min((row.at_k.value for row in self.rows), default=1.0)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON values."""
        vectors = {level: {"vectors": n, "indexed": known} for level, (n, known) in self.vectors.items()}
        return {
            "space": self.space,
            "effort": self.effort,
            "enough": self.enough,
            "vectors": vectors,
            "rows": [row.to_json() for row in self.rows],
            "advice": list(self.advice),
        }


def recall(
    library: Library,
    *,
    space: str = MAIN,
    k: int = 10,
    queries: int = 100,
    effort: float = 1.0,
    seed: int = 0,
    progress: Watched = None,
) -> LiveRecall:
    """Compare the searches of a library with exact ones: by tracks and by segments, without a filter and with two.

    Tracks are drawn, and each is searched for by ``library.search`` twice, once with ``exact=True``. The filters let about
    10 % and 1 % of the tracks through, by their ids, so that they have nothing to do with the sound. A sound that scores as
    much as the last of the exact ones counts as found.

    Parameters
    ----------
    library : Library
    space : str
    k : int
        Hits of each search.
    queries : int
        Tracks that are drawn.
    effort : float
        Of the search; see `Library.search`.
    seed : int
    progress : True, callable or Job, optional
        Watch it, or cancel it; see `sonovec.Job`.

    Returns
    -------
    LiveRecall

    Raises
    ------
    UsageError
        There are fewer than two tracks, or an argument is wrong.
    LibraryError
        There is no library here.
    """
    for name, value in (("k", k), ("queries", queries)):
        if value < 1:
            raise UsageError(f"{name}={value}: give 1 or more, such as {name}=10")
    ids = sorted(library.ids(space))
    if len(ids) < 2:
        raise UsageError(
            f"{library.location}, space {space!r}: {len(ids)} tracks, and to compare searches needs two; index more"
        )
    drawn = np.random.default_rng(seed).permutation(len(ids))[:queries]
    asked = [ids[n] for n in sorted(drawn)]
    levels = ["track"] if library.spaces()[space].level == "track" else ["track", "segment"]
    rows: list[Recalled] = []
    with running(progress) as job:
        plan = [(level, part) for level in levels for part in (None, 0.1, 0.01)]
        for done, (level, part) in enumerate(plan):
            where, share = _filter(ids, part)
            what = f"{level}s" + ("" if part is None else f", {part:.0%} of the tracks")
            tell = partial(_tell, job, what, done * len(asked), len(plan) * len(asked))
            measured = _measured(library, asked, space, level, where, k, effort, seed, tell)
            if measured is not None:
                rows.append(replace(measured, selectivity=share))
        vectors = {level: library.index_state(space, level) for level in levels}
        found = LiveRecall(space, tuple(rows), vectors, effort)
        return _advised(library, found, asked, ids, k, seed, job)


def _tell(job: Job, what: str, before: int, total: int, done: int) -> None:
    job.report(Progress("searching", before + done, total, "queries", note=what))


def _filter(ids: Sequence[str], part: float | None) -> tuple[Filter | None, float | None]:
    """A filter by the first digits of ids that lets about a part of them through, and how many it does."""
    if part is None:
        return None, None
    prefixes = [f"{n:02x}" for n in range(max(1, round(part * PARTS)))]
    share = sum(id.startswith(tuple(prefixes)) for id in ids) / len(ids)
    return any_of([StartsWith("id", prefix) for prefix in prefixes]), share


def _measured(
    library: Library,
    asked: Sequence[str],
    space: str,
    level: str,
    where: Filter | None,
    k: int,
    effort: float,
    seed: int,
    tell: Callable[[int], None],
) -> Recalled | None:
    """None where the filter lets no track through but the query."""
    first, all_k, times, exact_times = [], [], [], []

    def search(id: str, **how: Any) -> tuple[Hits, float]:
        began = time.perf_counter()
        hits = library.search(id, k, filter=where, level=level, space=space, all_versions=True, **how)
        return hits, time.perf_counter() - began

    for n, id in enumerate(asked):
        tell(n)
        exact, exact_time = search(id, exact=True)
        if not exact:
            continue
        found, taken = search(id, effort=effort)
        times.append(taken)
        exact_times.append(exact_time)
        scores = [hit.score for hit in found]
        first.append(float(bool(scores) and scores[0] >= exact[0].score - TIE))
        all_k.append(sum(score >= exact[-1].score - TIE for score in scores) / len(exact))
    if not all_k:
        return None
    took = 1000 * float(np.median(times)), 1000 * float(np.median(exact_times))
    return Recalled(level, None, k, _score(first, seed), _score(all_k, seed), *took)


def _score(outcomes: Sequence[float], seed: int) -> Score:
    """A mean with its interval; of outcomes that are all alike, in which a bootstrap sees no doubt, that of Wilson (1927)."""
    value, n = math.fsum(outcomes) / len(outcomes), len(outcomes)
    if 0 < value < 1:
        return Score(value, *interval(outcomes, seed), n)
    return Score(value, n / (n + _Z2) if value else 0.0, 1.0 if value else _Z2 / (n + _Z2), n)


def _advised(
    library: Library, found: LiveRecall, asked: Sequence[str], ids: Sequence[str], k: int, seed: int, job: Job
) -> LiveRecall:
    where = display(str(library.location))
    advice = [
        f"{vectors - known} of {vectors} vectors of {level}s are not in the index yet, and are compared one by one; to index "
        f"them: sonovec doctor -l {where} --repair"
        for level, (vectors, known) in found.vectors.items()
        if known is not None and known < vectors
    ]
    enough = None
    if found.rows and found.lowest < LOW:
        low = [row for row in found.rows if row.at_k.value < LOW]
        for effort in (each * found.effort for each in EFFORTS):
            if all(_again(library, found.space, row, asked, ids, k, effort, seed, job) >= LOW for row in low):
                enough = effort
                break
        how = f"--effort {enough:g}" if enough else "--exact"
        advice.append(
            f"recall@{k} is {found.lowest:.3f}, below {LOW}: search with {how} (in Python "
            + (f"effort={enough:g})" if enough else "exact=True)")
        )
    return replace(found, enough=enough, advice=tuple(advice))


def _again(
    library: Library,
    space: str,
    row: Recalled,
    asked: Sequence[str],
    ids: Sequence[str],
    k: int,
    effort: float,
    seed: int,
    job: Job,
) -> float:
    part = None if row.selectivity is None else (0.1 if row.selectivity > 0.03 else 0.01)
    where, _ = _filter(ids, part)
    tell = partial(_tell, job, f"{row.level}s, effort {effort:g}", 0, len(asked))
    found = _measured(library, asked, space, row.level, where, k, effort, seed, tell)
    return 1.0 if found is None else found.at_k.value
