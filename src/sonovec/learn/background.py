"""Sounds in which none of the classes is heard: the vectors of a library, or of the files in a folder."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.scan import Found, scan
from sonovec.brief import Brief
from sonovec.embedding.embedding import Failure
from sonovec.errors import PassportError, UsageError
from sonovec.jobs import Job
from sonovec.learn.gathering import Marks
from sonovec.learn.journal import Journal
from sonovec.learn.kept import gather
from sonovec.learn.sample import Sample
from sonovec.learn.sources import library_at
from sonovec.library.binding import passport_of
from sonovec.library.identity import content_hash
from sonovec.library.records import MAIN
from sonovec.paths import display, to_text
from sonovec.words import counted

if TYPE_CHECKING:
    from sonovec.embedding.encoder import Encoder
    from sonovec.embedding.passport import Passport
    from sonovec.library.library import Library

#: Rows that are kept of a background.
MOST_ROWS = 20_000
#: What decides which.
SEED = [1]


@dataclass(frozen=True, eq=False, repr=False)
class Background(Brief):
    """Rows in which no class is heard.

    Attributes
    ----------
    vectors : array, shape (n, dim), float32
    paths : tuple of str, length n
    times : array, shape (n, 2), float64
    notes : tuple of str
        What was left out, and how many recordings there are.
    """

    vectors: NDArray[np.float32]
    paths: tuple[str, ...]
    times: NDArray[np.float64]
    notes: tuple[str, ...]


def background_of(
    place: str | os.PathLike[str] | Library,
    encoder: Encoder,
    labelled: Collection[Path],
    job: Job,
    kept: Journal | None = None,
) -> Background:
    """The background in a library or a folder, without the recordings that are labelled.

    Raises
    ------
    UsageError
        It holds nothing else.
    PassportError
        It is a library of another encoder.
    """
    library = library_at(place)
    name = display(os.fspath(place)) if library is None else str(library.location)  # type: ignore[arg-type]
    hashes = {content_hash(path, job.check) for path in labelled}
    if library is None:
        sample, notes = _of_files(Path(place), encoder, hashes, job, kept)  # type: ignore[arg-type]
    else:
        sample, notes = _of_library(library, encoder, hashes)
    if not (columns := sample.columns()):
        raise UsageError(f"background={name!r}: holds no sound but what is labelled; give another folder or library")
    vectors, paths, times = columns
    heard = f"{counted(len(vectors), 'row')} of {counted(len(set(paths)), 'recording')}"
    told = f"background: {heard} in {name}, in which no class is heard"
    return Background(
        np.asarray(vectors, np.float32), tuple(paths.tolist()), np.asarray(times, np.float64), (told, *notes)
    )


def _of_library(library: Library, encoder: Encoder, labelled: Collection[str]) -> tuple[Sample, list[str]]:
    """The vectors of its segments, which are there already."""
    _check(library, encoder.passport)
    paths = {track.id: track.path for track in library}
    sample = Sample(MOST_ROWS, SEED)
    for batch in library.vectors(level="segment"):
        ids = batch.column("track").to_pylist()
        rows = np.array([row for row, id in enumerate(ids) if id in paths and id not in labelled], np.int64)
        vectors = batch.column("vector").flatten().to_numpy().reshape(len(ids), -1)[rows]
        times = np.stack([batch.column(name).to_numpy()[rows] for name in ("start", "end")], axis=1)
        sample.add(vectors, np.array([paths[ids[row]] for row in rows.tolist()], object), times)
    return sample, []


def _check(library: Library, ours: Passport) -> None:
    """Refuse a library of another encoder; segments may be of other windows' hop."""
    theirs = replace(passport_of(library.spaces()[MAIN]), hop=ours.hop, tail=ours.tail)
    if not theirs.is_comparable(ours):
        name, there, here = theirs.differences(ours)[0]
        raise PassportError(
            f"background {library.location}: its vectors have {name}={there!r}, and those of the examples have {here!r}; "
            f"make a library with {ours.model!r}, or give a folder of sounds"
        )


def _of_files(
    folder: Path, encoder: Encoder, labelled: Collection[str], job: Job, kept: Journal | None
) -> tuple[Sample, list[str]]:
    if not folder.exists():
        raise UsageError(
            f"background={display(folder)!r}: no such file or folder; give a folder of sounds, or a library"
        )
    found = [item.path for item in scan([folder]) if isinstance(item, Found)]
    others = [path for path in found if content_hash(path, job.check) not in labelled]
    sample, failed = Sample(MOST_ROWS, SEED), 0
    for path, heard in gather(encoder, dict.fromkeys(others, Marks.none(0)), job, "embedding the background", kept):
        if isinstance(heard, Failure):
            failed += 1
        elif heard.rest is not None:
            count = len(heard.rest.vectors)
            sample.add(heard.rest.vectors, np.full(count, to_text(path), object), heard.rest.times)
    return sample, [f"background: {counted(failed, 'file')} left out, not decoded"] if failed else []
