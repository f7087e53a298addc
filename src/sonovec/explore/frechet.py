"""The Fréchet distance of two sets of embeddings (FAD): how far a set of sounds is from a reference, as a whole.

Kilgour, Zuluaga, Roblek and Sharifi, "Fréchet Audio Distance", Interspeech 2019: the distance of two normal distributions
with the means and covariances of the sets. It has a bias that falls with the number of vectors; Gui, Gamper, Braun and
Emmanouilidou, "Adapting Fréchet Audio Distance for Generative Music Evaluation", ICASSP 2024, extrapolate to infinitely many.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sonovec.errors import UsageError
from sonovec.explore.vector_sets import (
    FILES,
    VectorSet,
    check_comparable,
    is_library,
    of_array,
    of_file,
    of_library,
    of_sounds,
    path_of,
)
from sonovec.jobs import Job, Progress, Watched, running

if TYPE_CHECKING:
    from sonovec.embedding.encoder import Encoder
    from sonovec.library.library import Library

Rows = NDArray[np.float64]
#: Sizes of samples that are extrapolated from, and the smallest of them, where there are so many; else a fifth of all.
SIZES, SMALLEST = 25, 500
#: Fewer vectors have no covariance, or none that can be extrapolated.
FEWEST, FEWEST_CORRECTED = 2, 10
#: r squared from which on a correction is believed.
GOOD_FIT = 0.5


@dataclass(frozen=True)
class Frechet:
    """The distance of two sets.

    Attributes
    ----------
    distance : float
        FAD, as published implementations compute it; 0 for equal sets, and without a unit.
    corrected : float or None
        FAD at infinitely many vectors of the second set (FAD-infinity). It may be a little below 0 where nothing
        differs. None where there are too few vectors.
    error : float or None
        Standard error of `corrected`, by its regression.
    fit : float or None
        r squared of the regression, in [0, 1]; where it is low the correction means little.
    a, b : str
        What was compared; `a` is the reference.
    count_a, count_b : int
        Vectors.
    dim : int
    level : str
        "windows", or segments, such as "segments of 10 s".
    model : str or None
    left_out_a, left_out_b : int
        Vectors of silence, and those with a number that is not finite.
    notes : tuple of str
        What else there is to know.
    failures : tuple of (str, str)
        Files that could not be embedded, and why.
    """

    distance: float
    corrected: float | None
    error: float | None
    fit: float | None
    a: str
    b: str
    count_a: int
    count_b: int
    dim: int
    level: str
    model: str | None
    left_out_a: int
    left_out_b: int
    notes: tuple[str, ...]
    failures: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        failed = [{"path": path, "reason": reason} for path, reason in self.failures]
        return {**asdict(self), "notes": list(self.notes), "failures": failed}


def frechet_distance(a: ArrayLike, b: ArrayLike) -> float:
    """The squared Fréchet distance of the normal distributions of two sets, in float64.

    Parameters
    ----------
    a, b : array, shape (n, dim) and (m, dim)
        Two rows or more of each.

    Returns
    -------
    float
        The squared distance of the means, and ``trace(A + B - 2 (A B)^(1/2))`` of the covariances. The trace of the root is
        the sum of the singular values of the product of two roots, so covariances without an inverse, of fewer
        vectors than dimensions, cost no accuracy.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a = rng.standard_normal((1000, 4))
    >>> frechet_distance(a, a), round(frechet_distance(a, a + 1), 6)
    (0.0, 4.0)
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if x.shape == y.shape and np.array_equal(x, y):
        return 0.0
    return _apart(_Normal.of(x), _Normal.of(y))


class _Normal(NamedTuple):
    """The mean of some rows, and a matrix R, (k, dim), for which R.T @ R is their covariance."""

    mean: Rows
    root: Rows

    @classmethod
    def of(cls, rows: Rows) -> Self:
        mean = rows.mean(axis=0)
        return cls(mean, np.asarray(np.linalg.qr(rows - mean, mode="r") / np.sqrt(len(rows) - 1)))


def _apart(one: _Normal, other: _Normal) -> float:
    means = one.mean - other.mean
    common = np.linalg.svd(one.root @ other.root.T, compute_uv=False).sum()
    traces = np.square(one.root).sum() + np.square(other.root).sum()
    return max(0.0, float(means @ means + traces - 2 * common))


def extrapolated(
    a: ArrayLike, b: ArrayLike, seed: int = 0, sizes: int = SIZES, job: Job | None = None
) -> tuple[float, float, float]:
    """FAD at infinitely many vectors of `b`: the intercept of a line through FADs of samples of it over 1 / size.

    Parameters
    ----------
    a : array, shape (n, dim)
        The reference, taken as a whole.
    b : array, shape (m, dim)
        Ten rows or more.
    seed : int
        Of the samples.
    sizes : int
        From 500 rows, or a fifth of `b` where that has fewer than 1,000, to all.
    job : Job, optional

    Returns
    -------
    corrected, error, fit : float
        The intercept, its standard error, and r squared.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.standard_normal((5000, 8)), rng.standard_normal((60, 8))
    >>> round(frechet_distance(a, b), 2), round(extrapolated(a, b)[0], 2)
    (0.43, 0.02)
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if x.shape == y.shape and np.array_equal(x, y):
        return 0.0, 0.0, 1.0
    smallest = SMALLEST if len(y) >= 2 * SMALLEST else max(len(y) // 5, 2)
    counts = np.unique(np.linspace(smallest, len(y), sizes).astype(int))
    rng, reference, values = np.random.default_rng(seed), _Normal.of(x), []
    for done, count in enumerate(counts.tolist()):
        if job is not None:
            job.report(Progress("extrapolating", done, len(counts), "sizes"))
        values.append(_apart(reference, _Normal.of(y[np.sort(rng.permutation(len(y))[:count])])))
    return _intercept(1 / counts, np.array(values))


def _intercept(x: Rows, y: Rows) -> tuple[float, float, float]:
    """Where the line of least squares meets x = 0, its standard error, and r squared."""
    middle, spread = x.mean(), np.square(x - x.mean()).sum()
    slope = float((x - middle) @ y / spread)
    at_zero = float(y.mean() - slope * middle)
    rest = float(np.square(y - at_zero - slope * x).sum())
    around = float(np.square(y - y.mean()).sum())
    error = np.sqrt(rest / max(len(x) - 2, 1) * (1 / len(x) + middle**2 / spread))
    return at_zero, float(error), 1 - rest / around if around else 1.0


def fad(
    a: Library | str | os.PathLike[str] | ArrayLike,
    b: Library | str | os.PathLike[str] | ArrayLike,
    *,
    filter_a: str | None = None,
    filter_b: str | None = None,
    model: str | Encoder | None = None,
    correct: bool = True,
    seed: int = 0,
    progress: Watched = None,
) -> Frechet:
    """The Fréchet distance of two sets of sounds in the space of an encoder.

    Parameters
    ----------
    a, b : Library, path or array of shape (n, dim)
        The reference, and what is compared with it: a library, a folder of sounds or one sound, or a file of vectors (.npy,
        .npz or .parquet, as of ``sonovec embed --level window``). Of a library its segments are taken; then a folder is
        pooled in the same way, by the library's encoder. Of two folders windows are compared.
    filter_a, filter_b : str, optional
        Only tracks of the library that match.
    model : str or Encoder, optional
        The encoder of folders, where no library names it; by default that of `sonovec.load`.
    correct : bool
        Also extrapolate to infinitely many vectors.
    seed : int
    progress : True, callable or Job, optional
        See `sonovec.Job`.

    Returns
    -------
    Frechet

    Raises
    ------
    PassportError
        The vectors were made by different encoders.
    UsageError
        A source cannot be read, or has fewer than two vectors.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> fad(rng.standard_normal((500, 4)), rng.standard_normal((500, 4)) + [2, 0, 0, 0]).distance
    4.07
    """
    with running(progress) as job, ExitStack() as stack:
        opened = [_opened(each, stack) for each in (a, b)]
        first = next((each for each in opened if _is_library(each)), None)
        encoder = None if first is None or all(map(_is_library, opened)) else first.encoder
        seconds = None if first is None else first.spaces()["main"].segment_seconds
        sets = [
            _set(each, name, where, encoder, model, seconds, job)
            for each, name, where in zip(opened, ("a", "b"), (filter_a, filter_b), strict=True)
        ]
        one, other = sets
        check_comparable(one, other)
        for each in sets:
            if len(each.vectors) < FEWEST:
                raise UsageError(
                    f"{each.name}: {len(each.vectors)} vectors that are not silent; a covariance needs {FEWEST} or more"
                )
        job.report(Progress("comparing"))
        distance = frechet_distance(one.vectors, other.vectors)
        corrected = error = fit = None
        if correct and len(other.vectors) >= FEWEST_CORRECTED:
            corrected, error, fit = extrapolated(one.vectors, other.vectors, seed, job=job)
    passport = one.passport or other.passport
    level = "windows" if other.seconds is None and one.seconds is None else f"segments of {seconds:g} s"
    return Frechet(
        distance,
        corrected,
        error,
        fit,
        one.name,
        other.name,
        len(one.vectors),
        len(other.vectors),
        one.vectors.shape[1],
        level,
        None if passport is None else passport.model,
        one.left_out,
        other.left_out,
        tuple(_notes(one, other, correct, fit)),
        (*one.failures, *other.failures),
    )


def _notes(one: VectorSet, other: VectorSet, correct: bool, fit: float | None) -> list[str]:
    dim = one.vectors.shape[1]
    notes = [
        f"{each.name}: {len(each.vectors)} vectors of {dim} numbers: their covariance has no inverse, and the "
        "distance is much too high; compare only sets of one size"
        for each in (one, other)
        if len(each.vectors) <= dim
    ]
    if fit is not None and fit < GOOD_FIT:
        notes.append(
            f"the line of the correction fits badly (r² {fit:.2f}): the corrected distance is no better than the plain one"
        )
    if correct and len(other.vectors) < FEWEST_CORRECTED:
        notes.append(f"{other.name}: the correction needs {FEWEST_CORRECTED} vectors or more")
    if (one.seconds is None) != (other.seconds is None):
        notes.append("segments of a library are compared with vectors of a file; these should be segments too")
    return notes


def _is_library(source: object) -> bool:
    from sonovec.library.library import Library

    return isinstance(source, Library)


def _opened(source: Any, stack: ExitStack) -> Any:
    """A library for what names one, a path for other texts, and else what was given."""
    from sonovec.library.library import Library

    if not isinstance(source, str | os.PathLike):
        return source
    text = os.fspath(source)
    path = path_of(text)
    if "://" in text:
        return stack.enter_context(Library(text))
    is_sounds = path.suffix in FILES or not path.exists() or (path.is_file() and path.suffix != ".db")
    return path if is_sounds or not is_library(path) else stack.enter_context(Library(path))


def _set(
    source: Any, name: str, where: str | None, encoder: Encoder | None, model: Any, seconds: float | None, job: Job
) -> VectorSet:
    if _is_library(source):
        return of_library(source, where)
    if where is not None:
        raise UsageError(f"filter_{name}={where!r} is for a library; leave it out")
    if not isinstance(source, Path):
        return of_array(source, name)
    if source.suffix in FILES:
        return of_file(source)
    if encoder is None:
        from sonovec.embedding.encoder import load

        encoder = load(model or "default") if isinstance(model, str | None) else model
    return of_sounds(source, encoder, seconds, lambda done: job.report(Progress("embedding", done, None, "files")))
