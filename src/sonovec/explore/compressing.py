"""Make a smaller copy of a space of a library: a space of its own, with its own passport, that follows its source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief
from sonovec.errors import PassportError, UsageError
from sonovec.explore import compress_fit, compress_kinds
from sonovec.jobs import Job, Progress, Watched, running
from sonovec.library.codes import bytes_of
from sonovec.library.projections import Projection, fingerprint
from sonovec.library.records import COMPRESSION, MAIN, Space

if TYPE_CHECKING:
    from sonovec.library.library import Library

#: Version of what fits: a space of another is not filled on.
VERSION = "1"
#: Vectors that a projection is fitted to, at most: those of segments, where the space has them.
MOST_FITTED = 20_000


@dataclass(frozen=True, repr=False)
class Compressed(Brief):
    """A compressed space that was made, or brought up to date.

    Attributes
    ----------
    space, source : str
    to : str
    dim : int
        Numbers of a vector.
    dtype : str
        How each is kept.
    bytes, source_bytes : int
        Of a vector here, and in the source.
    tracks : int
        That were compressed now.
    present : int
        That were there already.
    fitted : int
        Vectors that it was fitted to; 0 where nothing had to be learned, or the space was there.
    """

    space: str
    source: str
    to: str
    dim: int
    dtype: str
    bytes: int
    source_bytes: int
    tracks: int
    present: int
    fitted: int

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def compress(
    library: Library,
    to: str | int,
    *,
    whiten: bool = False,
    space: str = MAIN,
    name: str | None = None,
    fit_on: Library | None = None,
    seed: int = 0,
    progress: Watched = None,
) -> Compressed:
    """Make a space of smaller vectors of a library's tracks and segments; the source is not touched.

    The new space follows its source: what is indexed later is compressed too. ``library.search(sound, space=name)`` searches
    it, and ``rerank="main"`` scores what it finds by the full vectors. What was fitted is stored with the library, and not
    fitted again. A call that was killed is finished by the same call.

    Parameters
    ----------
    library : Library
    to : str or int
        ``64`` or ``"128"`` numbers of a principal component analysis; ``"pca-95%"``, as many as hold 95 % of the variance;
        ``"float16"``, ``"int8"``, ``"binary"`` (the sign of each number of the turned vector) or ``"pq-16"`` (product
        quantisation to 16 bytes); or two of these, ``"128+int8"``.
    whiten : bool
        Give every kept direction the same variance. It changes what is near; see `report`.
    space : str
        The source.
    name : str, optional
        Of the new space; without it such as ``main_128_int8``.
    fit_on : Library, optional
        Fit to the vectors of another library of the same passport.
    seed : int
    progress : True, callable or Job, optional
        Watch it, or cancel it; see `sonovec.Job`.

    Returns
    -------
    Compressed

    Raises
    ------
    UsageError
        `to` is unknown, or asks for more directions than the vectors span; the name is taken by another space; the store
        does not keep such numbers (Milvus keeps float32 alone).
    PassportError
        `fit_on` has vectors of another kind.
    LibraryError
        There is no library here.

    Examples
    --------
    >>> import tempfile, sonovec, sonovec.demo
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> paths = sonovec.demo.write(Path(folder.name, "sounds"), per_kind=1)
    >>> library = sonovec.Library(Path(folder.name, "library"), model="logmel")
    >>> report = library.add(Path(folder.name, "sounds"))
    >>> small = compress(library, "int8")
    >>> small.space, small.source_bytes // small.bytes, small.tracks == len(paths)
    ('main_int8', 4, True)
    >>> library.search(paths[0], limit=1, space=small.space, rerank="main", include_self=True)[0].score
    1.0
    >>> folder.cleanup()
    """
    kind = compress_kinds.parse(str(to))
    source = source_of(library, space)
    compress_kinds.check(kind, source.dim)
    called = name or compress_kinds.name_of(kind, space, whiten)
    with running(progress) as job:
        passport = _passport(kind, source, whiten, seed)
        there = library.spaces().get(called)
        content, fitted = None, 0
        if there is not None and _is_that(there, passport):
            wanted = there
        else:
            if there is not None:
                raise UsageError(
                    f"{library.location}: has a space {called!r} already, made in another way; give another name, such as "
                    f"--name {called[:37]}_2, or drop it first: sonovec library drop-space {library.location} {called}"
                )
            projection, fitted = _fitted(library, kind, source, whiten, fit_on, seed, job)
            dim = source.dim if projection.matrix is None else projection.matrix.shape[1]
            content = _file(projection)
            if content is not None:
                passport = {**passport, "projection": fingerprint(content)}
            options: Mapping[str, object] = {"to": kind.text, "whiten": whiten}
            wanted = replace(
                source, name=called, dim=dim, passport=passport, model=COMPRESSION, options=options, dtype=kind.dtype
            )
        done = library.add_compressed(wanted, content, progress=job.part("compressing"))
    sizes = bytes_of(wanted.dtype, wanted.dim), bytes_of(source.dtype, source.dim)
    return Compressed(called, space, kind.text, wanted.dim, wanted.dtype, *sizes, done.compressed, done.present, fitted)


def source_of(library: Library, name: str) -> Space:
    """The space of a name, of which smaller vectors can be made.

    Raises
    ------
    UsageError
        There is no such space, or it is a compressed one.
    """
    spaces = library.spaces()
    if name not in spaces:
        raise UsageError(f"{library.location}: no space {name!r}; it has {', '.join(spaces)}")
    if (source := spaces[name].source) is not None:
        raise UsageError(
            f"{library.location}: the space {name!r} is compressed already, and what is lost stays lost; compress its "
            f"source: --space {source}"
        )
    return spaces[name]


def _passport(kind: compress_kinds.Kind, source: Space, whiten: bool, seed: int) -> dict[str, object]:
    made_of = fingerprint(json.dumps(dict(source.passport), sort_keys=True).encode())
    how = {"to": kind.text, "whiten": whiten, "seed": seed}
    return {"analyser": COMPRESSION, "version": VERSION, "source": source.name, "of": made_of, **how}


def _is_that(space: Space, passport: Mapping[str, object]) -> bool:
    return {name: value for name, value in space.passport.items() if name != "projection"} == passport


def _file(projection: Projection) -> bytes | None:
    arrays = projection.mean, projection.matrix, projection.codebooks
    return None if all(array is None for array in arrays) else projection.to_bytes()


def _fitted(
    library: Library,
    kind: compress_kinds.Kind,
    source: Space,
    whiten: bool,
    fit_on: Library | None,
    seed: int,
    job: Job,
) -> tuple[Projection, int]:
    learns = kind.needs_fit or whiten
    if fit_on is not None:
        if not learns:
            raise UsageError(f"--fit-on: --to {kind.text} learns nothing from sounds; leave --fit-on out")
        check_alike(library, source, fit_on)
    job.report(Progress("reading vectors"))
    rows = sample_of(fit_on or library, source.name)
    job.report(Progress("fitting", 0, len(rows), "vectors"))
    found = compress_fit.fit(kind, rows, whiten=whiten, seed=seed, check=job.check)
    return found, len(rows) if learns else 0


def check_alike(library: Library, source: Space, other: Library) -> None:
    """Refuse to fit to vectors of another kind.

    Raises
    ------
    PassportError, UsageError
    """
    theirs = source_of(other, source.name)
    if theirs.passport != source.passport:
        raise PassportError(
            f"{other.location}, space {source.name!r}: its vectors are of another kind than those of {library.location} "
            f"({theirs.model} there, {source.model} here, or other settings); give a library that was indexed in the same way"
        )


def sample_of(library: Library, space: str) -> NDArray[np.float32]:
    """Vectors to fit to: of segments where there are any, else of tracks, from all over the library."""
    found = library.sample(MOST_FITTED, space)
    return found if len(found) else library.sample(MOST_FITTED, space, "track")
