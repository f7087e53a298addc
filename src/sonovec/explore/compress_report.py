"""What smaller vectors cost: recall, quality and speed of each way to compress, on sounds that it was not fitted to."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief
from sonovec.errors import UsageError
from sonovec.evaluation.metrics import probe, retrieval
from sonovec.explore import compress_fit, compress_indices, compress_kinds
from sonovec.explore.compress_classes import classes_of
from sonovec.explore.compressing import check_alike, sample_of, source_of
from sonovec.jobs import Job, Progress, Watched, running
from sonovec.library.coded_table import CodedTable
from sonovec.library.codes import PLAIN, bytes_of, code_length
from sonovec.library.columns import Column
from sonovec.library.lance_table import LanceTable
from sonovec.library.projections import Projection
from sonovec.library.records import MAIN, Space
from sonovec.library.search import LEAST_RERANKED
from sonovec.library.tables import ZERO, TableSpec
from sonovec.vectors import unit32

if TYPE_CHECKING:
    from sonovec.library.library import Library

Vectors = NDArray[np.float32]

#: What is measured where nothing is chosen; what does not fit the length of the vectors is left out.
KINDS = (
    *(
        "float32",
        "float16",
        "int8",
        "pca-95%",
        "pca-95%+int8",
        "256",
        "128",
        "64",
        "32",
        "256+int8",
        "128+int8",
        "64+int8",
    ),
    *("binary", "256+binary", "pq-128", "pq-64", "pq-32", "pq-16"),
)
#: Tracks that are searched, at most, and hits of a search.
MOST_TRACKS, K = 100_000, 10
#: Scores that differ by less are equal.
TIE = 2e-6
#: Rows that are written at once, and searches that are timed.
ROWS, TIMED = 8_000, 50


@dataclass(frozen=True)
class Cost:
    """One way to keep vectors, and what it costs.

    Attributes
    ----------
    to : str
        As `compress` takes it; of an index its name.
    where : {"space", "lancedb", "milvus"}
        A space of `compress`, or an index of a store over the full vectors, which it keeps beside it.
    bytes : float or None
        Of a vector, or of what an index keeps of it in place of the vector.
    disk_bytes : float or None
        A track, measured: the files of the table, or of the table with its index.
    recall_1, recall_10 : float or None
        Share of the 1 and the 10 nearest by the full vectors that are found; None where it could not be measured.
    reranked_10 : float or None
        The same with 100 candidates that the full vectors rank.
    queries_per_second : float or None
        10 nearest, one query after the other, with everything in the file cache.
    mean_average_precision, probe : float or None
        Retrieval and a linear probe, where there are labels.
    knee : bool
        From here on, fewer bytes cost more than before.
    reason : str or None
        Why it could not be measured.
    """

    to: str
    where: str = "space"
    bytes: float | None = None
    disk_bytes: float | None = None
    recall_1: float | None = None
    recall_10: float | None = None
    reranked_10: float | None = None
    queries_per_second: float | None = None
    mean_average_precision: float | None = None
    probe: float | None = None
    knee: bool = False
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, repr=False)
class CompressionReport(Brief):
    """What `report` measured.

    Attributes
    ----------
    space, model : str
    fitted, searched, queries : int
        Vectors that the projections were fitted to, tracks that were searched, and how many of them were searched for.
    labels : str or None
        Where the classes come from.
    rows : tuple of Cost
    """

    space: str
    model: str
    fitted: int
    searched: int
    queries: int
    labels: str | None
    rows: tuple[Cost, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON values."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**values, "rows": [row.to_json() for row in self.rows]}


def report(
    library: Library,
    *,
    space: str = MAIN,
    kinds: Sequence[str] = KINDS,
    whiten: bool = False,
    labels: str | None = None,
    fit_on: Library | None = None,
    indices: bool = True,
    queries: int = 300,
    seed: int = 0,
    progress: Watched = None,
) -> CompressionReport:
    """Measure what each way to compress a space costs; nothing is written into the library.

    Every second track is searched, and everything is fitted to the others, or, with `fit_on`, to another library. Each kind
    is written to a table in a temporary folder and searched there as a library does. The quantised indices of LanceDB and
    of Milvus Lite, where that is installed, are measured in the same way over the full vectors.

    Parameters
    ----------
    library : Library
    space : str
    kinds : sequence of str
        As `compress` takes them, and "float32" for the full vectors.
    whiten : bool
        As of `compress`; kinds that cannot be whitened are measured as they are.
    labels : str, optional
        Where classes come from: "labels", those of the library; "folder", the names of the folders; or a column. Without it
        the labels of the library, where it has some.
    fit_on : Library, optional
        Fit to another library of the same passport, and search all of this one.
    indices : bool
        Also the indices of LanceDB and Milvus.
    queries : int
    seed : int
    progress : True, callable or Job, optional
        Watch it, or cancel it; see `sonovec.Job`.

    Returns
    -------
    CompressionReport

    Raises
    ------
    UsageError
        There are too few tracks, a vector is not finite, or an argument is wrong.
    PassportError
        `fit_on` has vectors of another kind.
    """
    parsed = [each if each == PLAIN else compress_kinds.parse(each).text for each in kinds]
    source = source_of(library, space)
    if queries < 1:
        raise UsageError(f"queries={queries}: give 1 or more")
    with running(progress) as job, tempfile.TemporaryDirectory(prefix="sonovec-compress-") as folder:
        job.report(Progress("reading vectors"))
        work = _prepared(library, source, labels, fit_on, queries, seed, Path(folder), job)
        rows = [work.cost(each, whiten, seed) for each in parsed if each == PLAIN or _fits(each, source.dim)]
        if indices:
            found = compress_indices.measured(work.units, work.asked, Path(folder), work.recall, work.watch)
            rows += [_of_index(each) for each in found]
    return CompressionReport(
        space, source.model, len(work.fitting), len(work.units), len(work.asked), work.labels, _with_knee(rows)
    )


def _fits(kind: str, dim: int) -> bool:
    try:
        compress_kinds.check(compress_kinds.parse(kind), dim)
    except UsageError:
        return False
    return True


@dataclass(frozen=True, eq=False)
class _Work:
    """What is fitted to, what is searched, and for what: unit vectors, the places of queries among them, the exact scores."""

    source: Space
    fitting: Vectors
    units: Vectors
    asked: NDArray[np.intp]
    exact: Vectors
    classes: list[str] | None
    labels: str | None
    folder: Path
    job: Job

    def watch(self, what: str) -> None:
        self.job.report(Progress("measuring", note=what))

    def recall(self, found: Sequence[Sequence[int]], k: int) -> float:
        """Mean share of the `k` nearest that are among the first `k` others that each query found."""
        shares = []
        for row, query, places in zip(self.exact, self.asked, found, strict=True):
            others = [place for place in places if place != query][:k]
            wanted = min(k, len(row) - 1)
            least = np.partition(row, len(row) - wanted)[-wanted:].min() - TIE  # the query itself has -inf
            shares.append(float((row[others] >= least).sum()) / wanted)
        return float(np.mean(shares))

    def reranked(self, found: Sequence[Sequence[int]]) -> list[list[int]]:
        """The candidates of each query, by the full vectors."""
        ranked = []
        for row, query, places in zip(self.exact, self.asked, found, strict=True):
            others = np.array([place for place in places if place != query][:LEAST_RERANKED], np.intp)
            ranked.append(others[np.argsort(-row[others], kind="stable")].tolist())
        return ranked

    def cost(self, text: str, whiten: bool, seed: int) -> Cost:
        """Measure one kind."""
        self.watch(text)
        kind = compress_kinds.Kind(PLAIN) if text == PLAIN else compress_kinds.parse(text)
        try:
            projection = Projection()
            if text != PLAIN:
                projection = compress_fit.fit(kind, self.fitting, whiten=whiten, seed=seed, check=self.job.check)
        except UsageError as error:
            return Cost(text, reason=str(error))
        moved = projection.apply(self.units)
        space = replace(self.source, name="measured", dim=moved.shape[1], dtype=kind.dtype)
        table, size = self._table(space, projection, moved)
        units = unit32(moved[self.asked])
        limit = LEAST_RERANKED + 1
        found = [[int(row["id"]) for row, _ in hits] for hits in table.search(units, limit, None, ["id"])]
        speed = _speed([partial(table.search, one[None], K, None, ["id"]) for one in units[:TIMED]])
        codes, silent = projection.codes(space), np.asarray(~moved.any(axis=1))
        decoded = codes.decode(codes.encode(moved), silent)
        quality = self._quality(decoded, moved)
        return Cost(
            text,
            "space",
            bytes_of(kind.dtype, moved.shape[1]),
            size / len(moved),
            self.recall(found, 1),
            self.recall(found, K),
            self.recall(self.reranked(found), K),
            speed,
            *quality,
        )

    def _table(self, space: Space, projection: Projection, moved: Vectors) -> tuple[CodedTable, int]:
        path = self.folder / f"{len(list(self.folder.iterdir()))}.lance"
        spec = TableSpec("measured", (Column(ZERO, bool),), code_length(space.dtype, space.dim), dtype=space.dtype)
        raw = LanceTable.create(path, spec, self.folder, {})
        table = CodedTable(raw, projection.codes(space))
        for start in range(0, len(moved), ROWS):
            rows = moved[start : start + ROWS]
            table.upsert([{"id": str(start + n), "vector": row, ZERO: not row.any()} for n, row in enumerate(rows)])
        raw.optimize()
        return table, compress_indices.size_of(path)

    def _quality(self, decoded: Vectors, moved: Vectors) -> tuple[float | None, float | None]:
        if self.classes is None:
            return None, None
        try:
            mean_average_precision = retrieval(decoded, self.classes, queries=moved)[0].value
            probed = probe(decoded, self.classes).value if find_spec("sklearn") else None
        except UsageError:  # too few of a class
            return None, None
        return mean_average_precision, probed


def _prepared(
    library: Library,
    source: Space,
    labels: str | None,
    fit_on: Library | None,
    queries: int,
    seed: int,
    folder: Path,
    job: Job,
) -> _Work:
    ids, rows = library.vectors(source.name).numpy()
    order = sorted(range(len(ids)), key=ids.__getitem__)
    if fit_on is None:
        searched, fitting = order[::2], rows[order[1::2]]
    else:
        check_alike(library, source, fit_on)
        searched, fitting = order, sample_of(fit_on, source.name)
    searched = searched[:MOST_TRACKS]
    if len(searched) < 3:
        raise UsageError(
            f"{library.location}: {len(ids)} tracks; every second one is searched, and that must be three: index more, "
            "or fit to another library: --fit-on LIBRARY"
        )
    if not np.isfinite(rows).all() or not np.isfinite(fitting).all():
        raise UsageError(
            f"{library.location}, space {source.name!r}: holds vectors that are not finite (NaN); look for damage with: "
            f"sonovec doctor -l {library.location}, and index those tracks again"
        )
    units = unit32(rows[searched])
    directed = np.flatnonzero(units.any(axis=1))
    if not len(directed):
        raise UsageError(
            f"{library.location}: none of its {len(searched)} vectors has a direction: silence; index sounds"
        )
    asked = np.sort(np.random.default_rng(seed).permutation(directed)[:queries])
    job.check()
    exact = units[asked] @ units.T
    exact[np.arange(len(asked)), asked] = -np.inf
    called, classes = classes_of(library, [ids[n] for n in searched], labels)
    return _Work(source, fitting, units, asked, exact, classes, called, folder, job)


def _speed(calls: Sequence[Callable[[], object]]) -> float:
    calls[0]()  # what is opened once is not counted
    began = time.perf_counter()
    for call in calls:
        call()
    return len(calls) / (time.perf_counter() - began)


def _of_index(found: compress_indices.Measured) -> Cost:
    return Cost(
        found.name,
        found.store,
        found.bytes,
        found.disk_bytes,
        found.recall_1,
        found.recall_10,
        found.refined_10,
        found.queries_per_second,
        reason=found.reason,
    )


def _with_knee(rows: Sequence[Cost]) -> tuple[Cost, ...]:
    """Mark the space behind which recall falls fastest: the farthest above the line from the smallest to the largest.

    Satopaa, Albrecht, Irwin and Raghavan 2011, "Finding a 'kneedle' in a haystack".
    """
    measured = [row for row in rows if row.where == "space" and row.recall_10 is not None and row.bytes is not None]
    measured.sort(key=lambda row: (float(row.bytes or 0), -float(row.recall_10 or 0)))
    front: list[Cost] = []
    for row in measured:  # those that nothing smaller beats
        if not front or float(row.recall_10 or 0) > float(front[-1].recall_10 or 0):
            front.append(row)
    if len(front) < 3:
        return tuple(rows)
    x = np.log2([float(row.bytes or 1) for row in front])
    y = np.array([float(row.recall_10 or 0) for row in front])
    height = (y - y[0]) / (y[-1] - y[0]) - (x - x[0]) / (x[-1] - x[0])
    knee = front[int(height.argmax())]
    return tuple(replace(row, knee=True) if row is knee else row for row in rows)
