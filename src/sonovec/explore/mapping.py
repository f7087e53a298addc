"""Maps of a library: fitted once, kept with it, and new tracks placed into them."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import short
from sonovec.errors import LibraryError, PassportError, UsageError
from sonovec.explore import alignment, map_files, project, trust
from sonovec.explore.neighbours import Floats32
from sonovec.explore.projection import watch
from sonovec.explore.record import Map
from sonovec.explore.record import placed as with_place
from sonovec.jobs import Job, Progress, Watched, running
from sonovec.library.records import MAIN
from sonovec.log import LOGGER
from sonovec.vectors import TINY, unit32

if TYPE_CHECKING:
    from sonovec.library.library import Library

#: Tracks that a projection is fitted to at most; the rest is placed.
SAMPLE = 20_000
DEFAULT = "tsne"
_PREFIX, _ENDING = "map-", ".npz"


def map(
    library: Library,
    method: str | None = None,
    dims: int | None = None,
    space: str | None = None,
    name: str | None = None,
    *,
    refit: bool = False,
    perplexity: float | None = None,
    neighbours: int | None = None,
    sample: int = SAMPLE,
    seed: int = 0,
    progress: Watched = None,
) -> Map:
    """The map of a library of that name: it is made if there is none, and tracks that it lacks are placed into it.

    A map is fitted once and kept with the library. So it does not jump: tracks that are added later get a place each, for
    itself, and those that are there stay where they are. `refit` fits it anew, and lays it onto the former one.

    Parameters
    ----------
    library : Library
    method : {"tsne", "pca", "umap"}, optional
        That of the map that is there, or else "tsne".
    dims : {2, 3}, optional
        Those of the map that is there, or else 2.
    space : str, optional
        That of the map that is there, or else the main one.
    name : str, optional
        Without it, the map is called as its method, and, where it is not usual, its dimensions and space: ``"tsne"``,
        ``"pca-3d"``, ``"umap-voice"``.
    refit : bool
        Fit the map anew, to all tracks that there are.
    perplexity : float, optional
        Of t-SNE: about how many neighbours count, 30 if it is not given; a third of the tracks at most.
    neighbours : int, optional
        Of UMAP, 15 if it is not given.
    sample : int
        A larger library is fitted by so many of its tracks, drawn by chance, and the others are placed.
    seed : int
        The same seed, tracks and machine give the same places.
    progress : True, callable or Job, optional
        Watch it, or cancel it; see `sonovec.Job`.

    Returns
    -------
    Map

    Raises
    ------
    UsageError
        If an argument is wrong, the space holds no vectors, or the map that is there was made otherwise.
    PassportError
        If the map that is there shows vectors of another passport than those that the space has now.
    LibraryError
        If there is no library here, or the map that is there is damaged.
    MissingExtraError
        If the package of the method is not installed.

    Notes
    -----
    t-SNE: van der Maaten and Hinton (2008), by openTSNE, started from the first principal components; a track is placed by
    its neighbours in the sample (Policar et al., 2021). UMAP: McInnes et al. (2018); a track is placed between its
    neighbours. PCA: Pearson (1901). All see vectors of length 1, so that distances are those of the cosine.

    Examples
    --------
    >>> import tempfile, sonovec, sonovec.demo
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> paths = sonovec.demo.write(Path(folder.name, "sounds"), per_kind=1)
    >>> library = sonovec.Library(Path(folder.name, "library"), model="logmel")
    >>> report = library.add(Path(folder.name, "sounds"))
    >>> found = map(library, method="pca")
    >>> found.name, found.places.shape == (len(paths), 2), found.placed
    ('pca', True, 0)
    >>> np.array_equal(map(library, name="pca").places, found.places)
    True
    >>> folder.cleanup()
    """
    settings = _settings(perplexity, neighbours, sample, seed)
    if method is not None or dims is not None:
        project.check(method or DEFAULT, dims or 2)
    wanted = _name(name, method, dims, space)
    with running(progress) as job:
        former = _former(library, wanted, refit)
        if former is None or refit:
            plan = former or _Usual
            return _fitted(
                library,
                wanted,
                method or plan.method,
                dims or plan.dims,
                space or plan.space,
                {**_kept_settings(former), **settings},
                sample,
                former,
                job,
            )
        _check_same(former, {"method": method, "dims": dims, "space": space, **settings})
        _check_passport(library, former)
        return _followed(library, former, job)


def _former(library: Library, name: str, refit: bool) -> Map | None:
    """The map that is there; one that is damaged is no obstacle to a refit."""
    try:
        return read(library, name)
    except LibraryError as error:
        if not refit or name not in maps(library):
            raise
        LOGGER.warning(f"{error.__cause__ or error}: the map {name!r} is made without the former one")
        return None


class _Usual:
    """What a map is where nothing else is said."""

    method, dims, space = DEFAULT, 2, MAIN


def read(library: Library, name: str) -> Map | None:
    """The map of a name as the library keeps it, or None; tracks that it lacks are not placed.

    Raises
    ------
    LibraryError
        It is damaged, or there is no library here.
    """
    content = library.attachment(f"{_PREFIX}{name}{_ENDING}")
    return None if content is None else map_files.from_bytes(content, f"{library.location}: the map {name!r}")


def maps(library: Library) -> list[str]:
    """The names of the maps that a library keeps.

    Raises
    ------
    LibraryError
        If there is no library here.
    """
    names = [each for each in library.attachments() if each.startswith(_PREFIX) and each.endswith(_ENDING)]
    return sorted(each.removeprefix(_PREFIX).removesuffix(_ENDING) for each in names)


def drop_map(library: Library, name: str) -> None:
    """Forget a map; tracks and vectors are not touched.

    Raises
    ------
    UsageError
        There is none of that name.
    """
    if name not in (names := maps(library)):
        raise UsageError(f"{library.location}: no map {name!r}; it has {', '.join(names) or 'none'}")
    library.attach(f"{_PREFIX}{name}{_ENDING}", None)


def _settings(perplexity: float | None, neighbours: int | None, sample: int, seed: int) -> dict[str, float]:
    """What was given, checked."""
    if perplexity is not None and not perplexity >= 1:
        raise UsageError(f"perplexity={perplexity}: give a number from 1 on, such as perplexity=30")
    if neighbours is not None and neighbours < 2:
        raise UsageError(f"neighbours={neighbours}: give a whole number from 2 on, such as neighbours=15")
    if sample < project.FEWEST:
        raise UsageError(f"sample={sample}: give a whole number from {project.FEWEST} on, such as sample={SAMPLE}")
    given = {"perplexity": perplexity, "neighbours": neighbours, "seed": seed}
    return {key: float(value) for key, value in given.items() if value is not None}


def _kept_settings(former: Map | None) -> Mapping[str, float]:
    """What a refit takes over where nothing else is asked for: what was asked for then may have been too much."""
    return {} if former is None or former.projection.notes else former.projection.settings


def _name(name: str | None, method: str | None, dims: int | None, space: str | None) -> str:
    if name is None:
        parts = [method or DEFAULT, *(["3d"] if dims == 3 else []), *([space] if space not in (None, MAIN) else [])]
        return "-".join(parts)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,59}", name):
        raise UsageError(
            f"name={name!r}: a map is called by letters, digits, dashes and underscores, a letter first, such as 'drums'"
        )
    return name


def _check_same(former: Map, asked: Mapping[str, object]) -> None:
    """Refuse another method, dimension, space or setting than those that the map was made with; a seed has no effect."""
    there = {
        "method": former.method,
        "dims": former.dims,
        "space": former.space,
        **({} if former.projection.notes else former.projection.settings),
    }
    for key, value in asked.items():
        if key != "seed" and value is not None and there.get(key, value) != value:
            raise UsageError(
                f"the map {former.name!r} was made with {key}={there[key]!r}, and {key}={value!r} is asked for; fit it anew "
                "with --refit (refit=True), or give another --name (name=...)"
            )


def _check_passport(library: Library, former: Map) -> None:
    there, now = former.passport, library.spaces()
    if former.space not in now:
        raise PassportError(
            f"the map {former.name!r} shows the space {former.space!r}, which is no longer in {library.location}; make a map "
            "of another with --space, or drop it"
        )
    here = now[former.space].passport
    if dict(there) != dict(here):
        shown = "; ".join(
            f"{key} was {short(there.get(key))} and is {short(here.get(key))}"
            for key in dict.fromkeys([*there, *here])
            if there.get(key) != here.get(key)
        )
        raise PassportError(
            f"the map {former.name!r} shows vectors of another passport than those of the space {former.space!r} now "
            f"({shown}); fit it anew with --refit (refit=True), or give another --name (name=...)"
        )


def _rows(library: Library, space: str) -> tuple[list[str], Floats32, NDArray[np.bool_]]:
    """Tracks, sorted by id, their vectors at length 1, and which have a direction: an order that no store decides."""
    ids, vectors = library.vectors(space).numpy()
    order = sorted(range(len(ids)), key=ids.__getitem__)
    vectors = vectors[order]
    finite = with_place(vectors)
    rows = unit32(np.where(finite[:, None], vectors, 0))
    return [ids[at] for at in order], rows, finite & (np.linalg.norm(rows, axis=1) > TINY)


def _fitted(
    library: Library,
    name: str,
    method: str,
    dims: int,
    space: str,
    settings: Mapping[str, float],
    most: int,
    former: Map | None,
    job: Job,
) -> Map:
    project.check(method, dims)
    settings = {"seed": 0.0, **settings}
    job.report(Progress("reading the vectors"))
    passport = _passport(library, space)
    ids, rows, there = _rows(library, space)
    if not ids:
        raise UsageError(f"{library.location}: the space {space!r} holds no vectors; index some sounds first")
    directed = np.flatnonzero(there)
    chosen = _drawn(directed, most, int(settings["seed"]))
    fitted = project.fit(rows[chosen], method, dims, settings, job)
    places = np.full((len(ids), dims), np.nan, np.float32)
    if len(fitted.sample):
        places[chosen] = fitted.sample_places
        rest = np.setdiff1d(directed, chosen)
    else:
        rest = directed
    places[rest] = project.place(fitted, rows[rest], job)
    laid = alignment.none(dims)
    if former is not None and former.dims == dims:
        ours, theirs = _both(ids, places, former)
        laid = alignment.procrustes(places[ours], former.places[theirs])
        places = laid.apply(places)
    reference = _drawn(directed, trust.MOST, int(settings["seed"]))
    measured = trust.measure(rows, places, reference, directed, watch(job, "measuring trust", len(directed)))
    found = Map(
        name=name,
        space=space,
        passport=passport,
        projection=fitted,
        alignment=laid,
        ids=ids,
        places=places,
        trustworthiness=_spread(measured.trustworthiness, directed, len(ids)),
        continuity=_spread(measured.continuity, directed, len(ids)),
        reference=reference,
        fitted=len(ids),
        made=time.time(),
    )
    kept = _keep(library, found)
    if former is not None and former.dims == dims:
        kept = replace(kept, moved=alignment.moved(places[ours], former.places[theirs]))
    return kept


def _passport(library: Library, space: str) -> Mapping[str, object]:
    spaces = library.spaces()
    if space not in spaces:
        raise UsageError(f"{library.location}: no space {space!r}; it has {', '.join(spaces)}")
    return spaces[space].passport


def _followed(library: Library, former: Map, job: Job) -> Map:
    """The map with the tracks that the library has now: those that are gone left out, those that are new placed."""
    job.report(Progress("reading the tracks"))
    ids, rows, there = _rows(library, former.space)
    if ids == list(former.ids):
        return replace(former, notes=_notes(former))
    at = {id: place for place, id in enumerate(ids)}
    known = [(at[id], place) for place, id in enumerate(former.ids) if id in at]
    ours, theirs = (np.array(each, np.intp) for each in zip(*known, strict=True)) if known else (_NONE, _NONE)
    new = np.setdiff1d(np.arange(len(ids)), ours)
    placed = new[there[new]]
    places = np.full((len(ids), former.dims), np.nan, np.float32)
    places[ours] = former.places[theirs]
    places[placed] = former.alignment.apply(project.place(former.projection, rows[placed], job))
    reference = np.array([at[former.ids[place]] for place in former.reference if former.ids[place] in at], np.intp)
    measured = trust.measure(rows, places, reference, placed, watch(job, "measuring trust", len(placed)))
    followed = replace(
        former,
        ids=ids,
        places=places,
        reference=reference,
        trustworthiness=_merged(former.trustworthiness[theirs], ours, measured.trustworthiness, placed, len(ids)),
        continuity=_merged(former.continuity[theirs], ours, measured.continuity, placed, len(ids)),
    )
    return replace(_keep(library, followed), placed=len(new))


_NONE = np.zeros(0, np.intp)


def _keep(library: Library, found: Map) -> Map:
    """Keep a map with its library; where that may not be written, say so."""
    notes = _notes(found)
    try:
        library.attach(f"{_PREFIX}{found.name}{_ENDING}", map_files.to_bytes(found))
    except LibraryError as error:
        note = f"the map was not kept, and a later call makes it anew: {error}"
        LOGGER.warning(note)
        notes = (*notes, note)
    return replace(found, notes=notes)


def _notes(found: Map) -> tuple[str, ...]:
    lost = int((~found.has_place).sum())
    silent = [f"{lost} of {len(found)} tracks have no place: their vectors have no direction, as of silence"]
    return (*found.projection.notes, *(silent if lost else []))


def _drawn(rows: NDArray[np.intp], most: int, seed: int) -> NDArray[np.intp]:
    """At most so many of the rows, by chance, in their order."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _both(ids: Sequence[str], places: Floats32, former: Map) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of the tracks that have a place on both maps, here and there."""
    at, shown, here = {id: row for row, id in enumerate(ids)}, former.has_place, with_place(places)
    both = [(at[id], row) for row, id in enumerate(former.ids) if shown[row] and id in at and here[at[id]]]
    pairs = np.array(both, np.intp).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _spread(values: Floats32, rows: NDArray[np.intp], count: int) -> Floats32:
    """Values of some rows among all; NaN for the others."""
    found = np.full(count, np.nan, np.float32)
    found[rows] = values
    return found


def _merged(old: Floats32, ours: NDArray[np.intp], new: Floats32, placed: NDArray[np.intp], count: int) -> Floats32:
    found = _spread(old, ours, count)
    found[placed] = new
    return found
