"""Examples: the vectors of labelled stretches, with what is heard in each."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief
from sonovec.embedding.embedding import Failure
from sonovec.embedding.passport import Passport
from sonovec.errors import UsageError
from sonovec.jobs import Watched, running
from sonovec.learn import copies
from sonovec.learn.background import Background, background_of
from sonovec.learn.gathering import Gathered, Marks, Rows
from sonovec.learn.journal import Journal
from sonovec.learn.kept import gather
from sonovec.learn.labelled import Labelled, LabelSet
from sonovec.learn.sample import Sample
from sonovec.learn.stretches import Stretch, together
from sonovec.learn.targets import HEARD, NOT_HEARD, UNKNOWN
from sonovec.learn.trouble import Trouble, place_of
from sonovec.paths import display, to_text
from sonovec.words import counted, listed

if TYPE_CHECKING:
    from sonovec.embedding.encoder import Encoder
    from sonovec.library.library import Library

#: Rows of what no label covers that are kept of all recordings together.
MOST_REST = 20_000
#: What the clip vector of a stretch weighs beside all of its windows together.
CLIP = 0.5


@dataclass(frozen=True, eq=False, repr=False)
class Examples(Brief):
    """Vectors to learn from.

    Each labelled stretch gives one row for its clip vector and one for each of its windows; see `embed`.

    Attributes
    ----------
    vectors : array, shape (n, dim), float32
    targets : array, shape (n, n_classes), int8
        1 where the class is heard, 0 where it is not, -1 where nobody knows.
    classes : tuple of str
    groups : tuple of str, length n
        What must never be split over training and test.
    stretches : array, shape (n,), int64
        The labelled stretch that a row comes from: what figures count.
    paths : tuple of str, length n
    times : array, shape (n, 2), float64
        Seconds of the recording.
    weights : array, shape (n,), float32
        Of a stretch, the rows weigh 1 together.
    passport : Passport
    notes : tuple of str
        What was left out, and why.
    failures : tuple of str
        Recordings that were not found or could not be decoded, and why.
    """

    vectors: NDArray[np.float32]
    targets: NDArray[np.int8]
    classes: tuple[str, ...]
    groups: tuple[str, ...]
    stretches: NDArray[np.int64]
    paths: tuple[str, ...]
    times: NDArray[np.float64]
    weights: NDArray[np.float32]
    passport: Passport
    notes: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


def embed(
    labels: LabelSet,
    encoder: Encoder,
    *,
    background: str | os.PathLike[str] | Library | None = None,
    kept: Journal | None = None,
    progress: Watched = None,
) -> Examples:
    """Make examples of labels: each recording is decoded and embedded once.

    A labelled stretch gives a row for its clip vector, the mean of its windows, and a row for each window that hears it, by
    the rule of `sonovec.learn.overlap.overlap`; of a long stretch 60 windows are drawn. What no label covers gives rows of
    background where stretches were marked (`LabelSet.rest`). Windows of digital silence are no examples of anything.

    Parameters
    ----------
    labels : LabelSet
    encoder : Encoder
        Its hop is that of the windows.
    background : path or Library, optional
        Sounds in which none of the classes is heard: a folder, or a library, whose stored vectors are taken. What the
        labels are about is left out of it.
    kept : Journal, optional
        What recordings gave to a run that was killed, and will give to this one.
    progress : True, callable or Job, optional
        See `sonovec.Job`.

    Returns
    -------
    sonovec.learn.examples.Examples

    Raises
    ------
    UsageError
        No class has examples, or one has no examples of what it is not; a label begins behind the end of its recording; or
        labels contradict each other.
    PassportError
        The background is a library of another encoder.

    Examples
    --------
    >>> import tempfile, sonovec, sonovec.demo
    >>> from sonovec.learn import labels
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = sonovec.demo.write(folder, per_kind=2)
    >>> examples = embed(labels.read(folder), sonovec.load("logmel"))
    >>> len(examples.classes), len(set(examples.stretches)), set(examples.targets.ravel().tolist())
    (14, 28, {0, 1})
    """
    classes = tuple(labels.classes)
    if not classes:
        raise UsageError(f"{labels.origin}: no label names a class; label what the detector is to find")
    trouble, rows = Trouble(), _Rows(encoder.dim, len(classes))
    with running(progress) as job:
        original = copies.originals((label.path for label in labels.labels), job.check)
        stretches = together(_of_originals(labels.labels, original))
        recordings = _recordings(stretches)
        marks = {
            path: _marks([stretches[row] for row in own], classes, labels.rest) for path, own in recordings.items()
        }
        rest = Sample(MOST_REST, [0])
        for path, heard in gather(encoder, marks, job, "embedding", kept):
            if isinstance(heard, Failure):
                trouble.failed.append(heard.reason)
            else:
                own = {row: stretches[number].first for row, number in enumerate(recordings[path])}
                _look(own, marks[path], heard, trouble)
                for row, rows_of in heard.stretches.items():
                    verdicts = marks[path].verdicts[row]
                    rows.add_stretch(recordings[path][row], own[row], verdicts, heard.pooled[row], rows_of)
                if heard.rest is not None:
                    first = np.full(len(heard.rest.vectors), recordings[path][0])
                    rest.add(heard.rest.vectors, heard.rest.times, heard.rest.coverage, first)
        rows.add_rest(rest, stretches)
        found = None if background is None else background_of(background, encoder, list(recordings), job, kept)
    if found is not None:
        rows.add_background(found)
    notes = [*labels.notes, *_of_copies(original), *trouble.notes(), *(found.notes if found else ())]
    examples = Examples(
        **rows.columns(len(stretches)),
        classes=classes,
        passport=encoder.passport,
        notes=tuple(notes),
        failures=(*labels.failures, *trouble.failed),
    )
    _check(examples, labels.origin)
    return examples


def _of_originals(labels: Iterable[Labelled], original: Mapping[Path, Path]) -> Iterator[Labelled]:
    """Labels of copies as labels of the file that they are copies of: said once, in one group."""
    groups: dict[Path, str] = {}
    seen: set[object] = set()
    for label in labels:
        path = original.get(label.path, label.path)
        group = groups.setdefault(path, label.group or to_text(path))
        key = (path, label.start, label.end, label.name, label.verdict)
        if key not in seen:
            seen.add(key)
            yield replace(label, path=path, group=group)


def _recordings(stretches: Sequence[Stretch]) -> dict[Path, list[int]]:
    """The stretches of each recording."""
    found: dict[Path, list[int]] = {}
    for number, stretch in enumerate(stretches):
        found.setdefault(stretch.first.path, []).append(number)
    return found


def _marks(stretches: Sequence[Stretch], classes: Sequence[str], rest: bool) -> Marks:
    ends = [math.inf if each.first.end is None else each.first.end for each in stretches]
    verdicts = np.array([each.verdicts(classes) for each in stretches], np.int8)
    return Marks(np.array([each.first.start for each in stretches]), np.array(ends), verdicts, rest)


def _look(labels: Mapping[int, Labelled], marks: Marks, heard: Gathered, trouble: Trouble) -> None:
    """Note what is wrong with the labels of a recording."""
    for row, label in labels.items():
        trouble.check_end(label, heard.duration)
        if row in heard.quiet:
            trouble.quiet.append(place_of(label))
        if marks.telling[row] and row not in heard.stretches:
            trouble.silent.append(place_of(label))


class _Rows:
    """Rows of examples, as they come."""

    def __init__(self, dim: int, n_classes: int) -> None:
        self._n_classes = n_classes
        self._parts: dict[str, list[NDArray[Any]]] = {
            "vectors": [np.empty((0, dim), np.float32)],
            "targets": [np.empty((0, n_classes), np.int8)],
            "times": [np.empty((0, 2))],
            "weights": [np.empty(0, np.float32)],
            "stretches": [np.empty(0, np.int64)],
            "groups": [np.empty(0, object)],
            "paths": [np.empty(0, object)],
        }

    def add_stretch(
        self, number: int, label: Labelled, verdicts: NDArray[np.int8], clip: NDArray[np.float32], windows: Rows
    ) -> None:
        """Take a stretch: its clip vector, and its windows where there are several."""
        agreed = np.where((windows.targets == windows.targets[0]).all(axis=0), windows.targets[0], UNKNOWN)
        targets = np.where(verdicts == HEARD, HEARD, agreed)[None]
        times = np.array([[windows.times[:, 0].min(), windows.times[:, 1].max()]])
        self._add(clip[None], targets, times, [CLIP], number, label.group, to_text(label.path))
        if len(windows.vectors) > 1:
            weights = (1 - CLIP) * windows.coverage / windows.coverage.sum()
            self._add(
                windows.vectors, windows.targets, windows.times, weights, number, label.group, to_text(label.path)
            )

    def add_rest(self, rest: Sample, stretches: Sequence[Stretch]) -> None:
        """Take background of the labelled recordings; `rest` has for each row a stretch of its recording."""
        if columns := rest.columns():
            vectors, times, coverage, numbers = columns
            labels = [stretches[number].first for number in numbers.tolist()]
            groups, paths = [label.group for label in labels], [to_text(label.path) for label in labels]
            self._add(vectors, self._nothing(len(vectors)), times, coverage, -1, groups, paths)

    def add_background(self, found: Background) -> None:
        """Take background of other recordings, each a group of its own."""
        count = len(found.vectors)
        self._add(found.vectors, self._nothing(count), found.times, np.ones(count), -1, found.paths, found.paths)

    def _nothing(self, count: int) -> NDArray[np.int8]:
        return np.full((count, self._n_classes), NOT_HEARD, np.int8)

    def _add(self, vectors: NDArray[Any], *columns: Any) -> None:
        self._parts["vectors"].append(vectors)
        for parts, given in zip(list(self._parts.values())[1:], columns, strict=True):
            like = parts[0]
            parts.append(np.broadcast_to(np.asarray(given, like.dtype), (len(vectors), *like.shape[1:])))

    def columns(self, first: int) -> dict[str, Any]:
        """All rows; those of no stretch are counted each for itself, and numbered from `first` on."""
        found: dict[str, Any] = {name: np.concatenate(parts) for name, parts in self._parts.items()}
        alone = found["stretches"] < 0
        found["stretches"][alone] = first + np.arange(alone.sum())
        return {**found, **{name: tuple(found[name].tolist()) for name in ("groups", "paths")}}


def _check(examples: Examples, origin: str) -> None:
    """Refuse a class without examples, or without examples of what it is not."""
    told = "; ".join(examples.notes)
    for column, name in enumerate(examples.classes):
        there = examples.targets[:, column]
        if HEARD not in there:
            raise UsageError(f"{origin}: no example of {name!r} could be made ({told})")
        if NOT_HEARD not in there:
            raise UsageError(
                f"{origin}: nothing is an example of what {name!r} is not; label stretches of another class or of "
                "'background', or name a folder or a library of other sounds as background"
            )


def _of_copies(original: Mapping[Path, Path]) -> list[str]:
    if not original:
        return []
    named = listed([f"{display(copy)} is {display(first)}" for copy, first in original.items()])
    return [f"{counted(len(original), 'recording')} with the content of another, counted once, in one group: {named}"]
