"""Sets of vectors to be compared: of a library, of the sounds of a folder, or of a file of vectors."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sonovec.embedding.embedding import Failure
from sonovec.embedding.files import sidecar
from sonovec.embedding.passport import Passport
from sonovec.errors import PassportError, UsageError
from sonovec.library.binding import passport_of
from sonovec.library.records import MAIN
from sonovec.paths import display, from_text

if TYPE_CHECKING:
    from sonovec.embedding.encoder import Encoder
    from sonovec.library.library import Library

#: What vectors can be taken from.
Source = "Library | str | os.PathLike[str] | ArrayLike"
FILES = (".npy", ".npz", ".parquet")


@dataclass(frozen=True, eq=False)
class VectorSet:
    """Vectors with what they are of.

    Attributes
    ----------
    name : str
    vectors : array, shape (n, dim), float64
        Finite, and none of them all zeros.
    passport : Passport or None
        None where nobody said what made them.
    seconds : float or None
        Of the segments that a library pools, where the vectors are those of segments; None for windows.
    left_out : int
        Vectors of silence, and those with a number that is not finite.
    failures : list of (str, str)
        Files that could not be embedded, and why.
    """

    name: str
    vectors: NDArray[np.float64]
    passport: Passport | None
    seconds: float | None
    left_out: int
    failures: Sequence[tuple[str, str]] = ()


def of_array(
    vectors: ArrayLike, name: str, passport: Passport | None = None, seconds: float | None = None
) -> VectorSet:
    """A set of rows.

    Raises
    ------
    UsageError
        They are not an array (n, dim) of numbers.
    """
    try:
        rows = np.asarray(vectors, np.float64)
    except (TypeError, ValueError):
        rows = np.empty(0)
    if rows.ndim != 2 or not rows.shape[1]:
        raise UsageError(f"{name}: holds no vectors; give an array (n, dim), a row for each")
    told = np.isfinite(rows).all(axis=1) & rows.any(axis=1)
    return VectorSet(name, rows[told], passport, seconds, int((~told).sum()))


def of_library(library: Library, filter: str | None = None, space: str = MAIN) -> VectorSet:
    """The segments of the tracks of a library that match a filter."""
    found = library.spaces().get(space)
    if found is None:
        raise UsageError(f"{library.location}: has no space {space!r}; it has: {', '.join(library.spaces())}")
    level = found.level
    ids, vectors = library.vectors(space, level).numpy()
    if filter is not None:
        chosen = {track.id for track in library.tracks(filter)}
        vectors = vectors[np.array([id in chosen for id in ids], bool)]
    return of_array(vectors, str(library.location), passport_of(found), found.segment_seconds)


def of_file(path: Path) -> VectorSet:
    """The vectors of a file as `sonovec embed -o` writes it (.npy, .npz or .parquet), or of another NumPy file.

    Raises
    ------
    UsageError
        It cannot be read, or holds no vectors.
    """
    try:
        vectors, passport = _READERS[path.suffix](path)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(
            f"{display(path)}: cannot be read as vectors ({error}); write it by sonovec embed -o"
        ) from error
    return of_array(vectors, display(path), Passport.from_json(passport) if passport else None)


def _npy(path: Path) -> tuple[ArrayLike, Mapping[str, Any] | None]:
    beside = sidecar(path)
    told = json.loads(beside.read_text("utf-8")).get("passport") if beside.is_file() else None
    return np.load(path, allow_pickle=False), told


def _npz(path: Path) -> tuple[ArrayLike, Mapping[str, Any] | None]:
    with np.load(path, allow_pickle=False) as arrays:
        told = json.loads(str(arrays["passport"])) if "passport" in arrays else None
        return arrays["vectors"], told


def _parquet(path: Path) -> tuple[ArrayLike, Mapping[str, Any] | None]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except pa.ArrowException as error:
        raise ValueError(str(error)) from None
    told = (table.schema.metadata or {}).get(b"sonovec.passport")
    vectors = table.column("vector").combine_chunks()
    rows = vectors.flatten().to_numpy().reshape(len(vectors), -1)
    return rows, json.loads(told) if told else None


_READERS: Mapping[str, Callable[[Path], tuple[ArrayLike, Mapping[str, Any] | None]]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".parquet": _parquet,
}


def of_sounds(path: Path, encoder: Encoder, seconds: float | None, tell: Callable[[int], None]) -> VectorSet:
    """The windows of all sounds of a folder, or of one file, or segments of so many seconds.

    Raises
    ------
    UsageError
        There is no such file or folder, or no sound in it can be read.
    """
    from sonovec.audio.scan import Found, scan

    if not path.exists():
        raise UsageError(f"{display(path)}: no such file or folder")
    files = [item.path for item in scan([path]) if isinstance(item, Found)]
    rows: list[NDArray[np.float32]] = []
    failures: list[tuple[str, str]] = []
    made = encoder.embed_many(files) if seconds is None else encoder.pool_many(files, seconds)
    for done, result in enumerate(made):
        tell(done)
        if isinstance(result, Failure):
            failures.append((display(result.path or path), result.reason))
        elif hasattr(result, "windows"):
            rows.append(result.windows)
        else:
            rows.append(np.stack([part.vector for part in result.parts]))
    if not rows:
        raise UsageError(f"{display(path)}: no sound in it can be embedded")
    found = of_array(np.concatenate(rows), display(path), encoder.passport, seconds)
    return VectorSet(found.name, found.vectors, found.passport, seconds, found.left_out, failures)


def is_library(path: Path) -> bool:
    """Whether a library lies there."""
    from sonovec.library.library import Library

    with Library(path) as library:
        return library.config is not None


def check_comparable(a: VectorSet, b: VectorSet) -> None:
    """Refuse sets whose vectors mean different things.

    Raises
    ------
    PassportError
        They were made by different encoders, or in different ways.
    UsageError
        They have another number of dimensions.
    """
    if a.passport is not None and b.passport is not None and not a.passport.is_comparable(b.passport):
        shown = "; ".join(
            f"{name} is {mine!r} and {theirs!r}" for name, mine, theirs in a.passport.differences(b.passport)
        )
        raise PassportError(f"{a.name} and {b.name}: {shown}; embed both in the same way")
    if a.vectors.shape[1] != b.vectors.shape[1]:
        raise UsageError(
            f"{a.name} has vectors of {a.vectors.shape[1]} numbers and {b.name} of {b.vectors.shape[1]}; embed both with "
            "one encoder"
        )


def path_of(source: str | os.PathLike[str]) -> Path:
    """The path that a source names."""
    return from_text(os.fspath(source)).expanduser()
