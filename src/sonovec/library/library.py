"""The library: what users hold. It opens the store, the ledger and the encoder when they are needed."""

from __future__ import annotations

import logging
import math
import os
import re
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self, TypeVar

from sonovec.embedding.pooling import check_seconds
from sonovec.errors import LibraryError, PassportError, UsageError
from sonovec.jobs import Job, Progress, Watched, running
from sonovec.library import naming, place, sound_tags
from sonovec.library.backend import Effort
from sonovec.library.binding import Binding, check_comparable, check_same, passport_of
from sonovec.library.columns import LISTENER, TRACK_FIELDS, USER, Column, Kind, Owner, heard_columns
from sonovec.library.filters import Filter, In, parse
from sonovec.library.hits import Hits
from sonovec.library.ledger import Ledger
from sonovec.library.local import LocalFiles
from sonovec.library.location import Location, parse_location
from sonovec.library.moments import in_time
from sonovec.library.once import Opening, once
from sonovec.library.open import open_store
from sonovec.library.queries import Asked, Queries, expanded, files_of, is_vector
from sonovec.library.records import MAIN, Label, LibraryConfig, Passage, Space, Track, Value
from sonovec.library.roots import PATH, Root
from sonovec.library.search import Hit, Query, TextSearch, folded_text, search, search_tags, some
from sonovec.library.store import Store
from sonovec.models.defaults import DEFAULT, FORMER_DEFAULTS, SPACES
from sonovec.paths import absolute, display, from_text, to_text

# Imported where it is used: a search by what is stored needs neither what embeds nor what writes.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame

    from sonovec.analysis.analyser import Analyser
    from sonovec.embedding.encoder import Encoder
    from sonovec.embedding.source import Sound
    from sonovec.library.compressed import CompressedReport
    from sonovec.library.description import Description
    from sonovec.library.duplicates import Duplicates
    from sonovec.library.importing import Imported
    from sonovec.library.job_records import JobRecord
    from sonovec.library.manifest import Manifest
    from sonovec.library.metadata import Metadata
    from sonovec.library.outcomes import Entry, Run, Status
    from sonovec.library.places import PlaceSearch
    from sonovec.library.playlist.lists import Playlist
    from sonovec.library.playlist.loops import LoopSearch
    from sonovec.library.recommend.ratings import Rating, Verdict
    from sonovec.library.recommend.result import Recommendations
    from sonovec.library.recommend.weights import Weights
    from sonovec.library.removal import Removal
    from sonovec.library.report import Prune, Report
    from sonovec.library.said import SaidSearch
    from sonovec.library.statistics import Statistics
    from sonovec.library.stored_vectors import StoredVectors
    from sonovec.library.stretches import Stretches
    from sonovec.library.tag_writing import TagsWritten

MOST_EFFORT = 100

_LOG = logging.getLogger(__name__)

Row = TypeVar("Row")


class Library(Opening):
    """A named collection of tracks in a vector store, with its ledger.

    Parameters
    ----------
    path_or_name : path or str
        A folder (LanceDB, the default), a path ending in ``.db`` (Milvus Lite), a server's library as
        ``http://host:19530/name``, or, with `uri`, the library's name on that server.
    uri : str, optional
        A Milvus server or Zilliz Cloud.
    token : str, optional
        ``user:password`` or an API key; otherwise taken from ``SONOVEC_MILVUS_TOKEN``.
    model : str or Encoder, optional
        What turns sound into vectors. A library keeps the one it was made with, and a new one takes the default.
    weights : path, optional
        See `sonovec.load`.
    segment_seconds : float
        Length of the parts that are searched, for a new library; never less than one window.
    **options
        Passed to `sonovec.load`.

    Notes
    -----
    An object may be held for long: what other processes write is seen. If the library is deleted, or made anew with other
    settings, every method says so (`LibraryError`, `PassportError`), since vectors of two kinds cannot be compared; one
    that is made anew with the same settings is opened again. A library that cannot be written can be searched. Threads may
    share an object: all that they embed goes through one engine, and they may search while one of them, or another
    process, indexes.

    Examples
    --------
    >>> import tempfile, sonovec, sonovec.demo
    >>> folder = tempfile.TemporaryDirectory()
    >>> paths = sonovec.demo.write(Path(folder.name, "sounds"), per_kind=1)
    >>> library = sonovec.Library(Path(folder.name, "library"))
    >>> report = library.add(Path(folder.name, "sounds"))
    >>> report.counts.indexed == len(paths) == len(library.tracks())
    True
    >>> hit = library.search(paths[0], limit=1)[0]
    >>> hit.path == str(paths[0]), 0 < hit.score < 1
    (False, True)
    >>> library.search(paths[0], limit=1, include_self=True)[0].score
    1.0
    >>> folder.cleanup()
    """

    def __init__(
        self,
        path_or_name: str | os.PathLike[str],
        uri: str | None = None,
        *,
        token: str | None = None,
        model: str | Encoder | None = None,
        weights: str | os.PathLike[str] | None = None,
        segment_seconds: float | None = None,
        **options: object,
    ) -> None:
        super().__init__()
        if segment_seconds is not None:
            check_seconds("segment_seconds", segment_seconds)
        self.location: Location = (
            parse_location(path_or_name) if uri is None else parse_location(uri, name=str(path_or_name))
        )
        self._token = token
        self._local = LocalFiles(self.location)
        self._binding = Binding(self.location, model, weights, segment_seconds, options)
        self._binding.check()
        self._seen: LibraryConfig | None = None
        self._space_encoders: dict[str, Encoder] = {}
        self._is_retagged = False

    def __repr__(self) -> str:
        return f"Library({str(self.location)!r})"

    def _repr_html_(self) -> str:
        from sonovec.library.notebook import library_html

        return library_html(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the store and the ledger; both open again when they are needed."""
        self._local.close()
        if "_store" in self.__dict__:
            self.__dict__.pop("_store").close()

    def _opened(self) -> Store:
        """The store of the library that this object has known from the start.

        One that was made anew with the same settings since is opened again; one with others, whose vectors are of
        another kind, is refused.
        """
        if not self._store.is_current():
            self.close()
        config = self._store.config()
        if self._seen is not None and config != self._seen:
            self._refuse_other(config)
        made_meanwhile = config is not None and self._seen is None and "encoder" in self.__dict__
        if config is not None and made_meanwhile:
            check_comparable(self.location, config.main, self.encoder)
        self._seen = config
        return self._store

    def _refuse_other(self, config: LibraryConfig | None) -> NoReturn:
        assert self._seen is not None
        again = f"open it again: sonovec.Library({str(self.location)!r})"
        if config is None:
            raise LibraryError(f"{self.location}: was deleted since it was opened; to make a new one, {again}")
        differences = passport_of(self._seen.main).differences(passport_of(config.main)) or [
            (name, getattr(self._seen, name), getattr(config, name))
            for name in ("segment_seconds", "options", "model", "dim")
            if getattr(self._seen, name) != getattr(config, name)
        ]
        shown = "; ".join(f"{name} was {was!r} and is {now!r}" for name, was, now in differences)
        raise PassportError(
            f"{self.location}: was made anew with other settings since it was opened ({shown}); {again}"
        )

    # -- what is in it

    def __len__(self) -> int:
        return self._existing_store().count()[0]

    @property
    def config(self) -> LibraryConfig | None:
        """What was fixed when the library was made, or None where there is none yet."""
        return self._opened().config()

    @property
    def ledger(self) -> Ledger:
        """A row for every file ever seen, on this machine."""
        self._opened()
        return self._local.ledger

    def __iter__(self) -> Iterator[Track]:
        """All tracks, read as they are asked for."""
        return self._tracks(None)

    def __contains__(self, sound: object) -> bool:
        """Whether a file, as it is now, or the id of a track is in the library."""
        return isinstance(sound, str | os.PathLike) and self._queries(MAIN).holds(sound)

    def tracks(
        self, filter: str | None = None, limit: int | None = None, offset: int = 0, *, vectors: bool = False
    ) -> list[Track]:
        """Tracks, all or those that match a filter such as ``"year >= 1990 and genre = 'Jazz'"``.

        With `vectors`, each has its clip vector, shape (dim,), float32; else `Track.vector` is empty.

        Raises
        ------
        UsageError
            If the filter names an unknown field or cannot be read.
        LibraryError
            If there is no library here.
        """
        return list(self._tracks(filter, limit, offset, vectors))

    def _tracks(
        self, filter: str | None, limit: int | None = None, offset: int = 0, vectors: bool = False
    ) -> Iterator[Track]:
        """Tracks with the paths that they have on this machine."""
        found, shown = self._existing_store().tracks(self._parse(filter), limit, offset, vectors), self._local.shown()
        return (replace(track, fields={**track.fields, PATH: shown(track.id, track.path)}) for track in found)

    def to_pandas(self, filter: str | None = None, *, vectors: bool = False) -> DataFrame:
        """Tracks as a table of Pandas: a row for each, by its id, and their columns, of Pandas' types that know gaps.

        Parameters
        ----------
        filter : str, optional
            As of `tracks`.
        vectors : bool
            Add the column ``vector``, an array of shape (dim,) in each row.

        Raises
        ------
        MissingExtraError
            If Pandas is not installed.
        UsageError, LibraryError
            As of `tracks`.
        """
        from sonovec.library.frames import frame

        return frame(self._tracks(filter, vectors=vectors), self.columns(), vectors)

    def duplicates(self, filter: str | None = None, *, progress: Watched = None) -> Duplicates:
        """Recordings that are there several times, by fingerprint and by content; nothing is removed.

        Other encodings, levels, cuts and starts of a recording are found, and speeds that differ by up to 5 %. Which to keep
        is judged by length, by the column ``bandwidth`` where that analyser has run, by codec and by bit rate.

        Parameters
        ----------
        filter : str, optional
            Only among tracks that match.
        progress : True, callable or Job, optional
            Watch it, or cancel it; see `sonovec.Job`.

        Returns
        -------
        Duplicates
            Its `groups`, the track to keep first, the `overlaps` of tracks that are parts of others, and how many tracks
            are `unknown` for want of a fingerprint, which ``library.analyse(["fingerprint"])`` makes.

        Raises
        ------
        UsageError
            If the filter names an unknown field or cannot be read.
        LibraryError
            If there is no library here.
        """
        from sonovec.library import duplicates

        with running(progress) as job, self._local.ledger_to_read() as ledger:
            job.report(Progress("reading the tracks"))
            return duplicates.find(self.tracks(filter, vectors=True), ledger.entries() if ledger else (), job)

    def short_paths(self) -> Callable[[str], str]:
        """What tells, of the text of a track's path, the path below its root; where there are several, after the alias."""
        return self._local.roots().short

    def columns(self) -> dict[str, Column]:
        """The columns of its tracks by name: those that every library has, those of analysers, and the user's own.

        Raises
        ------
        LibraryError
            If there is no library here.
        """
        return self._existing_store().declared()

    # -- its spaces, passages and labels

    def spaces(self) -> dict[str, Space]:
        """The kinds of vectors that the library holds, the main one first, by name.

        Raises
        ------
        LibraryError
            If there is no library here.
        """
        return self._existing_store().spaces()

    def tracks_in_spaces(self) -> dict[str, int]:
        """How many tracks have vectors in each space."""
        from sonovec.library.spaces import counts_of

        return counts_of(self.spaces(), self._store)

    def drop_space(self, name: str) -> None:
        """Remove a space with its vectors; tracks, and the other spaces, are not touched.

        Raises
        ------
        UsageError
            If there is no such space, or it is the main one.
        LibraryLockedError
            If another process is indexing into this library.
        """
        self._require_config()
        self._refuse_place()
        with running(None) as job, self._writing("drop-space", job, "cannot be changed"):
            self._store.upgrade()
            self._store.drop_space(name)
        self._space_encoders.pop(name, None)

    def sample(self, limit: int, space: str = MAIN, level: str = "segment") -> NDArray[np.float32]:
        """Vectors of at most `limit` segments or tracks from all over a space, always the same, shape (n, dim).

        Raises
        ------
        UsageError
            If there is no such space.
        """
        return self._existing_store().sample(limit, space, level)

    def ids(self, space: str = MAIN) -> list[str]:
        """Ids of the tracks that have vectors in a space, in an order that stays the same until something is written."""
        from sonovec.library.tables import vectors_of

        store = self._existing_store()
        return store.table(vectors_of(store.space(space))).ids(None)

    def index_state(self, space: str = MAIN, level: str = "track") -> tuple[int, int | None]:
        """How many vectors a space holds, and how many of them its approximate index knows; None where there is no index.

        A search compares the query with each vector that no index knows.

        Raises
        ------
        UsageError
            If there is no such space, or it holds no segments.
        """
        from sonovec.library.tables import segments_of, vectors_of

        store = self._existing_store()
        found = store.space(space)
        if level == "segment" and found.level == "track":
            raise UsageError(f"the space {space!r} holds no segments; give level='track'")
        table = store.table(segments_of(found) if level == "segment" else vectors_of(found))
        return table.count(), table.indexed()

    def add_compressed(
        self, space: Space, projection: bytes | None = None, *, progress: Watched = None
    ) -> CompressedReport:
        """Make a compressed space, and fill it; `sonovec.explore.compress` fits what it needs and calls this.

        Where a space of that name and passport is there, what it lacks is added, so that a call that was killed is finished
        by the next. From then on, whatever is written into its source is written into it too.

        Parameters
        ----------
        space : Space
            Whose passport names its `source`.
        projection : bytes, optional
            The file of its projection; see `sonovec.library.projections`.
        progress : True, callable or Job, optional
            Watch it, or cancel it; see `sonovec.Job`.

        Raises
        ------
        UsageError
            The name is taken, or is no name; or the store does not keep such numbers.
        LibraryLockedError
            If another process is indexing into this library.
        """
        from sonovec.library.compressed import fill

        self._require_config()
        self._refuse_place()
        with running(progress) as job, self._writing("compress", job, "cannot be changed"):
            self._store.upgrade()
            if self._store.spaces().get(space.name) != space:
                self._store.add_compressed(space, projection)
            return fill(self._store, space.name, job)

    @property
    def passages(self) -> Stretches[Passage]:
        """Stretches of tracks with text, which can be searched for words; see `sonovec.library.stretches.Stretches`."""
        from sonovec.library import stretches

        return stretches.passages(self._existing_store(), self._parse)

    @property
    def labels(self) -> Stretches[Label]:
        """Stretches of tracks with a class, by a person or a detector; see `sonovec.library.stretches.Stretches`."""
        from sonovec.library import stretches

        return stretches.labels(self._existing_store(), self._parse)

    def vectors(self, space: str = MAIN, level: str = "track") -> StoredVectors:
        """All stored vectors of a space, read batch by batch.

        Parameters
        ----------
        space : str
        level : {"track", "segment"}
            One vector for each track, or one for each segment.

        Returns
        -------
        StoredVectors
            An iterable of Arrow record batches with the columns `id` (of segments `track`, `index`, `start` and `end` in
            seconds) and `vector`, a list of `dim` float32. Its `numpy` gives all of it as arrays.

        Raises
        ------
        UsageError
            If there is no such space or level.
        """
        from sonovec.library.stored_vectors import StoredVectors

        store = self._existing_store()
        store.vectors(space, level)  # what is wrong is said now, and not when the first batch is read
        return StoredVectors(partial(store.vectors, space, level), store.space(space).dim)

    def attachments(self) -> list[str]:
        """The names of what the library keeps beside its tables, such as its maps; see `attach`.

        Raises
        ------
        LibraryError
            If there is no library here.
        """
        return self._existing_store().attachments()

    def attachment(self, name: str) -> bytes | None:
        """What the library keeps under a name, or None; see `attach`."""
        return self._existing_store().attachment(name)

    def attach(self, name: str, content: bytes | None) -> None:
        """Keep some bytes with the library under a name, in place of what is there; None forgets it.

        They lie where the tables lie, also on a server, and whoever opens the library has them. The content is there as a
        whole or not at all, whenever the process ends.

        Parameters
        ----------
        name : str
            Letters, digits, dots, dashes and underscores, a letter first.
        content : bytes or None

        Raises
        ------
        UsageError
            If the name cannot be.
        LibraryError
            If there is no library here, or it may not be written.
        """
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]{0,99}", name):
            raise UsageError(
                f"{name!r}: give letters, digits, dots, dashes and underscores, a letter first, such as 'map'"
            )
        self.check_writable("copy it to a place that you may write")
        store = self._existing_store()
        if content is None:
            store.detach(name)
        else:
            store.attach(name, content)

    def paths_of(self, ids: Iterable[str]) -> dict[str, str]:
        """The paths of tracks on this machine, by id, as `sonovec.paths.to_text` writes them; unknown ids are left out."""
        shown = self._local.shown()
        return {id: shown(id, path) for id, path in self._existing_store().paths(ids).items()}

    def query_of(self, sound: Asked, start: float = 0.0, end: float | None = None, *, space: str = MAIN) -> Query:
        """The vectors of a sound in a space: those that are stored, where the library has it; see `search`."""
        return self._asked(sound, start, end, space)

    def check_writable(self, remedy: str) -> None:
        """Refuse a library that may not be written; one of a former format becomes one of the present format.

        Parameters
        ----------
        remedy : str
            What to do in place of it, for the message.

        Raises
        ------
        LibraryError
            There is no library here, or it may not be written.
        LibraryLockedError
            It has a former format, and another process is writing it.
        """
        config = self._require_config()
        if (reason := self._local.why_read_only()) is not None:
            raise LibraryError(f"{self.location}: cannot be written ({reason}); {remedy}")
        if config.format < LibraryConfig.format:
            with running(None) as job, self._writing("upgrade", job, "cannot be changed"):
                self._store.upgrade()

    # -- filling it

    def add(
        self,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        metadata: str | os.PathLike[str] | None = None,
        prune: Prune = False,
        confirm: Callable[[Path, int], bool] | None = None,
        reread: bool = False,
        progress: Watched = None,
        space: str = MAIN,
        analysers: Iterable[str | type[Analyser]] = (),
    ) -> Report:
        """Index files and folders. What is there already is left alone; what changed is replaced.

        A run that was interrupted or killed is taken up again by the same call: nothing that was committed is embedded
        a second time.

        Parameters
        ----------
        paths : path or iterable of paths
        metadata : path, optional
            A CSV with a column ``path`` and the user's own columns; they are stored with the tracks and can be
            filtered by.
        prune : bool or "all"
            Remove files from the library that lay under `paths` and are gone. A root, a mount point or a large folder of
            which nothing is left is withheld, since it may be on a disk that is not mounted; ``"all"`` removes its
            files too.
        confirm : callable, optional
            Asked, with the place and the number of its files, whether to remove what is withheld from ``prune=True``.
        reread : bool
            Read every file anew, also those whose size and times are as they were.
        progress : True, callable or Job, optional
            Watch the run, or cancel it: True draws a bar, a callable is given each `sonovec.Progress`. What is committed
            by the time of a cancel stays, and the same call takes the run up again. See `sonovec.Job`.
        space : str
            A space beside the main one: the vectors that it lacks of the tracks under `paths` are added to it, and nothing
            else is written. One that does not exist is made, with the model that this object was given; "voice", which
            knows who speaks, without one: by resemblyzer, in segments of 3 s.
        analysers : iterable of str or of subclasses of Analyser
            What else listens, such as ``["loudness"]``: each fills columns, spaces, passages and labels of its own, see
            `sonovec.analysis`. A file is decoded once for all of them and the encoder; tracks that are there already are
            heard by those that have not heard them or have failed, and not embedded again.

        Returns
        -------
        Report
            ``report.failures`` lists what could not be indexed, and why.

        Raises
        ------
        PassportError
            If the library was made with another encoder, or with other settings.
        LibraryLockedError
            If another process is indexing into this library.
        UsageError
            If an argument or the metadata file is wrong; nothing was written.
        Cancelled
            If `progress` is a job that was cancelled.
        """
        with running(progress) as job:
            roots = files_of(paths)
            kinds = [analysers] if isinstance(analysers, str | type) else list(analysers)
            return self._add(roots, metadata, prune, confirm, reread, space, kinds, job)

    def _add(
        self,
        roots: Sequence[Path],
        metadata: str | os.PathLike[str] | None,
        prune: Prune,
        confirm: Callable[[Path, int], bool] | None,
        reread: bool,
        space: str,
        analysers: Sequence[str | type[Analyser]],
        job: Job,
    ) -> Report:
        from sonovec.analysis import registry
        from sonovec.analysis.listening import suited
        from sonovec.library import rooting
        from sonovec.library.ingest import Ingest
        from sonovec.library.metadata import read_metadata

        if prune not in (True, False, "all"):
            raise UsageError(f"prune={prune!r} is unknown; give one of: True, False, 'all'")
        if not roots:
            raise UsageError("no paths to index; give files or folders")
        made = self._opened().config()
        if made is None and not any(map(os.path.lexists, roots)):
            missing = ", ".join(map(display, roots))
            raise UsageError(
                f"{missing}: no such file or folder; no library was made at {self.location}: check the path"
            )
        rows = None if metadata is None else read_metadata(metadata, self._users_columns())
        if rows is not None:
            rows.resolve(roots)
        self._refuse_place()
        kinds = registry.find(analysers)
        if space != MAIN:
            if metadata is not None or prune or kinds:
                raise UsageError(
                    f"space={space!r}: metadata, prune and analysers are of tracks; give them without a space"
                )
            return self._add_to_space(roots, space, reread, job)
        encoder = self.encoder
        if made is not None:
            check_same(self.location, made.main, encoder)
        kinds = suited(kinds, encoder.passport)
        with self._writing("index", job, "cannot index"):
            columns = _columns_of(rows, encoder, kinds)
            # Under the lock: until here another process could make the library.
            config = self._config_for(encoder, columns)
            self._make_room(columns, kinds)
            ingest = Ingest(
                self._store,
                self._local.ledger,
                rooting.declare(self._store, self._local.ledger, roots),
                encoder,
                segment_seconds=config.segment_seconds,
                analysers=kinds,
                metadata=rows,
                is_own=place.is_own(self.location),
                reread=reread,
                job=job,
            )
            options = {"paths": [to_text(root) for root in roots], "prune": prune, "model": config.model}
            return ingest.run(roots, prune=prune, confirm=confirm, options=options)

    def analyse(
        self,
        analysers: Iterable[str | type[Analyser]],
        *,
        progress: Watched = None,
    ) -> Report:
        """Let analysers hear the tracks that this machine has indexed and that they have not heard; nothing else is done.

        No folder is looked through. Analysers of segments hear the stored vectors, so that neither the files nor the
        encoder have to be there; the others hear the files that are.

        Parameters
        ----------
        analysers : iterable of str or of subclasses of Analyser
            See `add`.
        progress : True, callable or Job, optional
            See `add`.

        Returns
        -------
        Report
            `heard` says how many tracks were heard, and `notes` what failed.

        Raises
        ------
        LibraryError
            If there is no library here.
        LibraryLockedError
            If another process is indexing into this library.
        """
        from sonovec.analysis import registry
        from sonovec.analysis.listening import suited
        from sonovec.library.analyses import CatchUp, columns_of
        from sonovec.library.report import Report
        from sonovec.runtime.network import settle_jobs

        wanted = registry.find([analysers] if isinstance(analysers, str | type) else analysers)
        kinds = suited(wanted, passport_of(self._require_config().main))
        self._refuse_place()
        began, report = time.time(), Report()
        with running(progress) as job, self._writing("analyse", job, "cannot index"):
            self._store.upgrade()
            self._make_room(columns_of(kinds), kinds)
            CatchUp(
                self._store,
                self._local.ledger,
                lambda: self.encoder,
                kinds,
                report,
                began=began,
                isolate=self._binding.isolate,
                jobs=settle_jobs(self._binding.jobs),
                job=job,
            ).run([None])
            self._store.optimize()
        report.seconds = time.time() - began
        return report

    def fill(
        self,
        columns: Sequence[Column],
        values: Mapping[str, Mapping[str, Value]],
        run: str,
        *,
        clear: bool = False,
        progress: Watched = None,
    ) -> None:
        """Fill columns with what was worked out from the whole library, such as clusters; the ledger keeps which run it was.

        Parameters
        ----------
        columns : sequence of Column
            Of one owner; made where they are not there yet.
        values : mapping
            By the id of a track and the name of a column; other tracks keep what they have.
        run : str
            What made the values: it is recorded as the version in which the owner has heard these tracks.
        clear : bool
            Empty the columns of all other tracks first.
        progress : True, callable or Job, optional
            See `add`.

        Raises
        ------
        UsageError
            A column is somebody else's, or cannot take such a value.
        LibraryLockedError
            If another process is indexing into this library.
        """
        from sonovec.library.outcomes import Analysis

        self._require_config()
        self._refuse_place()
        with running(progress) as job, self._writing("fill", job, "cannot fill columns"):
            self._store.upgrade()
            self._store.declare(columns)
            names = [column.name for column in columns]
            others = [id for id in self._store.ids() if id not in values] if clear else []
            self._store.update({**{id: dict.fromkeys(names) for id in others}, **values})
            owner = columns[0].owner.name
            self._local.ledger.record_analyses({id: [Analysis(owner, run)] for id in values})

    def retag(
        self, paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], *, progress: Watched = None
    ) -> Report:
        """Embed files again whose tracks a former version indexed without their tags in time; other files are left alone.

        Columns of your own and those of analysers stay as they are.

        Parameters
        ----------
        paths : path or iterable of paths
        progress : True, callable or Job, optional
            See `add`.

        Returns
        -------
        Report
            ``report.counts.indexed`` says how many have their tags in time now.

        Raises
        ------
        LibraryError
            If there is no library here.
        LibraryLockedError
            If another process is indexing into this library.
        UsageError
            If the library's encoder scores no classes.
        """
        from sonovec.library.retag import Retagging

        roots = files_of(paths)
        space, encoder = self._require_config().main, self.encoder
        if not encoder.classes:
            raise UsageError(f"{self.location}: its encoder {space.model!r} scores no classes; leave --retag out")
        check_same(self.location, space, encoder)
        self._refuse_place()
        with running(progress) as job, self._writing("retag", job, "cannot index"):
            self._store.upgrade()
            self._store.declare(_columns_of(None, encoder, ()))
            is_own = place.is_own(self.location)
            run = Retagging(self._store, self._local.ledger, encoder, space, is_own=is_own, job=job)
            return run.run(roots)

    def write_tags(
        self, paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], *, progress: Watched = None
    ) -> TagsWritten:
        """Write the tempo and the key that were heard surely into the tags of files that have none.

        This writes into your files; nothing else in sonovec does. What a tag says already is never replaced. All other bytes
        of a file are copied as they are, and the new file takes the old one's place only after its sound was decoded and
        compared. The tracks follow with all that belongs to them; nothing is embedded again.

        Parameters
        ----------
        paths : path or iterable of paths
            Files and folders; the files below them that the library holds.
        progress : True, callable or Job, optional
            See `add`. A cancel leaves whole files, and the same call goes on.

        Returns
        -------
        TagsWritten
            ``left`` names the files that were left as they are, and why.

        Raises
        ------
        LibraryError
            If there is no library here.
        LibraryLockedError
            If another process is indexing into this library.
        UsageError
            If the library has no columns of music.
        """
        from sonovec.library.tag_writing import TagWriting
        from sonovec.music.columns import TEMPO

        roots = [absolute(path) for path in files_of(paths)]
        self._require_config()
        if TEMPO not in self.columns():
            raise UsageError(
                f"{self.location}: tempo and key were not heard; run `sonovec index PATH -l {self.location} --music` first"
            )
        self._refuse_place()
        with running(progress) as job, self._writing("write-tags", job, "cannot write tags"):
            self._store.upgrade()
            return TagWriting(self._store, self._local.ledger, self._local.roots(), job).run(roots)

    def _make_room(self, columns: Sequence[Column], kinds: Sequence[type[Analyser]]) -> None:
        """Have the columns that a run fills, and the spaces of analysers."""
        from sonovec.library import analyser_spaces

        analyser_spaces.check(self._store, kinds)
        self._store.declare(columns)
        analyser_spaces.prepare(self._store, self._local.ledger, kinds, passport_of(self._store.space()))

    def _add_to_space(self, paths: Sequence[Path], name: str, reread: bool, job: Job) -> Report:
        from sonovec.library.spaces import SpaceIngest, space_of

        config = self._require_config()
        is_new, binding, usual = name not in self._store.spaces(), self._binding, SPACES.get(name)
        if is_new and binding.model is None and usual is not None:
            seconds = binding.segment_seconds or usual.segment_seconds
            binding = replace(binding, model=usual.model, segment_seconds=seconds)
        if is_new and binding.model is None:
            raise UsageError(
                f"{self.location}: there is no space {name!r}; say which encoder it is for: sonovec index PATH "
                f"-l {self.location} --space {name} -m MODEL"
            )
        encoder = binding.new() if is_new else self.encoder_of(name)
        with self._writing("space", job, "cannot index"):
            self._store.upgrade()
            if name not in self._store.spaces():
                seconds = binding.segment_seconds or config.segment_seconds
                self._store.add_space(space_of(encoder, name, seconds))
            space = self._store.space(name)
            check_same(self.location, space, encoder)
            self._binding.check_segments(space)
            is_own = place.is_own(self.location)
            run = SpaceIngest(self._store, self._local.ledger, encoder, space, is_own=is_own, reread=reread, job=job)
            return run.run(paths)

    @contextmanager
    def _writing(self, kind: str, job: Job, cannot: str) -> Iterator[None]:
        """Hold the lock of who writes, with the job in the ledger; `cannot` is what another process then cannot do."""
        from sonovec.library.job_records import recorded

        with self._local.locked(cannot), recorded(self._local.ledger, kind, job):
            yield

    def jobs(self) -> list[JobRecord]:
        """What ran, or runs, on this library from this machine, the latest first; see `JobRecord`.

        Raises
        ------
        LibraryError
            If there is no library here.
        """
        return self._recorded(Ledger.jobs)

    def _recorded(self, read: Callable[[Ledger], Iterable[Row]]) -> list[Row]:
        """What this machine's ledger has; nothing where there is none."""
        self._require_config()
        with self._local.ledger_to_read() as ledger:
            return [] if ledger is None else list(read(ledger))

    def _users_columns(self) -> dict[str, Kind]:
        if self._store.config() is None:
            return {}
        return {name: column.kind for name, column in self._store.declared().items() if column.owner == USER}

    # -- its upkeep

    def show(self, track: str | os.PathLike[str]) -> Description:
        """All that is known of a track: its fields, segments, spaces, and what this machine's ledger says of it.

        Parameters
        ----------
        track : path or str
            A path, an id, or the first digits of an id, four or more.

        Raises
        ------
        UsageError
            There is no such track, or the digits begin several ids.
        LibraryError
            If there is no library here.
        """
        from sonovec.library.description import describe

        store = self._existing_store()
        with self._local.ledger_to_read() as ledger:
            found = describe(store, ledger, self._named(track, ledger))
        path = self._local.shown()(found.id, str(found.fields[PATH]))
        return replace(found, fields={**found.fields, PATH: path})

    def remove(
        self,
        tracks: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
        *,
        filter: str | None = None,
        dry_run: bool = False,
    ) -> Removal:
        """Remove tracks from the library; their files stay on the disk.

        Parameters
        ----------
        tracks : path or str, or iterable of those
            Paths, ids, or first digits of ids. The path of a file removes this file alone: its track stays as long as
            the library holds a copy of the file.
        filter : str, optional
            Also all tracks that match, such as ``"duration < 1"``.
        dry_run : bool
            Say what would be removed, and change nothing.

        Returns
        -------
        Removal

        Raises
        ------
        UsageError
            One is no track of the library; nothing was removed.
        LibraryLockedError
            If another process is indexing into this library.
        """
        from sonovec.library import removal

        store, where = self._existing_store(), self._parse(filter)
        names = [tracks] if isinstance(tracks, str | os.PathLike) else list(tracks)
        if not names and filter is None:
            raise UsageError('nothing to remove; give tracks, or a filter such as "duration < 1"')

        def planned() -> Removal:
            with self._local.ledger_to_read() as ledger:
                paths = {name: expanded(from_text(os.fspath(name))) for name in names}
                files = [path for path in paths.values() if removal.is_held(ledger, path)]
                ids = {self._named(name, ledger) for name, path in paths.items() if path not in files}
                return removal.plan(
                    store, ledger, self._local.shown(), ids.union(store.ids(where) if filter else ()), files
                )

        if dry_run:
            return planned()
        self._refuse_place()
        with running(None) as job, self._writing("remove", job, "cannot remove"):
            store.upgrade()
            found = planned()
            removal.carry_out(found, store, self._local.ledger, self._local.roots())
        return found

    def _named(self, track: str | os.PathLike[str], ledger: Ledger | None) -> str:
        name = os.fspath(track)
        return naming.track_of(self._store, self._local.roots(), ledger, expanded(from_text(name)), name)

    def history(self) -> list[Run]:
        """The runs on this library from this machine, the latest first, with what they counted.

        Raises
        ------
        LibraryError
            If there is no library here.
        """
        return self._recorded(Ledger.runs)

    def arrivals(self) -> dict[str, float]:
        """When each track came into the library, in seconds since 1970, by its id; those that other machines added lack.

        A track that is removed and indexed again has the time at which it came first.

        Raises
        ------
        LibraryError
            If there is no library here.
        """
        return dict(self._recorded(lambda ledger: ledger.arrivals().items()))

    def outcomes(self, status: Status, run: int | None = None) -> list[Entry]:
        """The files of which the latest run that met them made this, each with its `path`, `reason` and `run`.

        Parameters
        ----------
        status : {"indexed", "unchanged", "skipped", "failed"}
        run : int, optional
            Only files that no later run than this one has met; see `history`.

        Raises
        ------
        LibraryError
            If there is no library here.
        """
        return self._recorded(lambda ledger: ledger.entries(status, met_by=run))

    def statistics(self) -> Statistics:
        """What the library holds, in numbers: see `Statistics`.

        Raises
        ------
        LibraryError
            If there is no library here.
        """
        from sonovec.library.statistics import measure

        store = self._existing_store()
        with self._local.ledger_to_read() as ledger:
            return measure(self.location, store, ledger)

    def export(self, folder: str | os.PathLike[str], *, progress: Watched = None) -> Manifest:
        """Write the library into a new folder of Parquet files with a manifest, which `import_` reads.

        Tracks with all their fields, vectors of all spaces, passages and labels; no audio, and paths are those below the
        roots, without the folders of this machine. The vectors come back bit for bit. A batch is held at a time.

        Parameters
        ----------
        folder : path
            It must not exist, or be empty; it appears when it is complete.
        progress : True, callable or Job, optional
            See `add`.

        Returns
        -------
        Manifest
            What is in the files.

        Raises
        ------
        UsageError
            The folder is not empty, or cannot be written.
        LibraryError
            There is no library here, or it was changed meanwhile.
        LibraryLockedError
            Another process is indexing into this library.
        """
        from sonovec.library.exporting import export

        store = self._existing_store()
        with running(progress) as job:
            writable = self._local.why_read_only() is None
            with self._local.locked("cannot export") if writable else nullcontext():
                return export(store, self._local.roots(), expanded(folder), job)

    def import_(self, folder: str | os.PathLike[str], *, progress: Watched = None) -> Imported:
        """Read what `export` wrote: into a new library, or into one of the same passport.

        Checksums and passports are checked before anything is written. Tracks that the library has stay as they are, and
        the same call finishes an import that was killed. It works between all kinds of stores.

        Parameters
        ----------
        folder : path
        progress : True, callable or Job, optional
            See `add`.

        Returns
        -------
        Imported

        Raises
        ------
        PassportError
            The library was made with another encoder, or with other settings.
        LibraryError
            A file is missing, or differs from its checksum.
        UsageError
            The folder is no export, or a column of the library has another type.
        LibraryLockedError
            Another process is indexing into this library.
        """
        from sonovec.library.importing import Import, read_verified

        place = expanded(folder)
        self._opened()
        self._refuse_place()
        with running(progress) as job:
            manifest = read_verified(place, job)
            with self._writing("import", job, "cannot import"):
                work = Import(place, manifest, self._store, self._local.ledger, job)
                work.check()
                done = work.run()
                self._seen = self._store.config()
        return done

    # -- its roots

    def roots(self) -> list[Root]:
        """The folders that were indexed: their aliases, and where they lie on this machine.

        A library keeps the path of a track as ``alias:/what/lies/below``. Roots that only other machines know have no
        `folder`; `move_root` gives them one.
        """
        from sonovec.library import rooting

        store = self._existing_store()
        with self._local.ledger_to_read() as ledger:
            return rooting.listed(store, ledger)

    def move_root(self, root: str, folder: str | os.PathLike[str]) -> Root:
        """Say where a root lies on this machine now: it was moved, or only another machine knew it.

        Nothing is read and nothing is embedded. Other roots within it go along.

        Parameters
        ----------
        root : str
            Its alias, or the folder where it was.
        folder : path
            The folder where it is.

        Raises
        ------
        UsageError
            There is no such root; or the folder is none, is another root, or lies within the old one or around it.
        """
        from sonovec.library import rooting

        return self._change_root(
            "move-root", lambda: rooting.move(self._store, self._local.ledger, root, expanded(folder))
        )

    def rename_root(self, root: str, alias: str) -> Root:
        """Give a root of this machine another alias; other machines that have it then need `move_root`.

        Raises
        ------
        UsageError
            There is no such root on this machine; or the alias is taken, or cannot be one.
        """
        from sonovec.library import rooting

        return self._change_root("rename-root", lambda: rooting.rename(self._store, self._local.ledger, root, alias))

    def _change_root(self, kind: str, change: Callable[[], str]) -> Root:
        from sonovec.library.follow import Follower
        from sonovec.library.given import Given
        from sonovec.library.report import Report

        store = self._existing_store()
        self._refuse_place()
        with running(None) as job, self._writing(kind, job, "cannot change its roots"):
            store.upgrade()
            alias = change()
            roots, run = self._local.roots(), self._local.ledger.begin_run({"root": alias})
            given = Given(store, roots, None, ())
            Follower(store, self._local.ledger, roots, given, run, Report()).settle()
            self._local.ledger.end_run(run)
            return Root(alias, roots.folders[alias], self._local.ledger.held_under(roots.folders[alias]))

    # -- asking it

    def search(
        self,
        query: Asked,
        limit: int = 10,
        *,
        start: float = 0.0,
        end: float | None = None,
        filter: str | Filter | None = None,
        level: str = "track",
        space: str = MAIN,
        exact: bool = False,
        effort: float = 1.0,
        include_self: bool = False,
        all_versions: bool = False,
        said: str | None = None,
        rerank: str | None = None,
    ) -> Hits:
        """Find what sounds like `query`, best first.

        Parameters
        ----------
        query : path, Waveform, (samples, rate), Embedding, or array of shape (dim,)
            A sound, or what an encoder with the library's passport made of one. A file that is indexed, also one that is
            gone from disk, is searched for by its stored vectors, as is the id of a track or its first digits; an array is a
            vector. A path may be the text of a hit's path.
        limit : int
            At most this many hits, one for each recording.
        start, end : float
            Search for these seconds of the query.
        filter : str or Filter, optional
            Only tracks that match, such as ``"duration < 30 and path contains 'rain'"``.
        level : {"track", "segment"}
            Rank by the likeness of the whole sounds, or of the best pair of parts (a short sound in long ones).
        space : str
            The space whose vectors are compared; a sound is embedded by its encoder. Tracks that it lacks are not found.
        exact : bool
            Compare with every vector. Otherwise a large library answers by an approximate index.
        effort : float
            How much of that index is searched: 2 takes about twice as long and finds more of what `exact` finds.
        include_self : bool
            Also find the query itself: the track of the same content, which is left out otherwise, also where the query is a
            part of it or a copy that lies elsewhere.
        all_versions : bool
            A hit for each track. Otherwise tracks that are one recording, by their fingerprints, are one hit, that of the
            best of them, and the others are its `versions`.
        said : str, optional
            Only tracks in which someone says all of these words, in one passage, in any form and order, and what is between
            double quotation marks word for word. The sound ranks them; where it is said is each hit's `said`.
        rerank : str, optional
            A finer space, such as "main": `space` finds ten times as many candidates as are wanted, at least 100, and this
            one scores and ranks them. For compressed spaces; see `sonovec.explore.compress`.

        Returns
        -------
        Hits
            A list of `Hit`. Its `notes` say what there is to know of the answer, such as that the query is nearly silent;
            they are logged as warnings too.

        Raises
        ------
        LibraryError
            If there is no library here.
        AudioError
            If the query cannot be read.
        PassportError
            If the query is an embedding of another encoder, or of another hop.
        UsageError
            If an argument is wrong.
        """
        store = self._existing_store()
        where = self._parse(filter)
        asked = self._asked(query, start, end, space)
        finer = None if rerank is None else (rerank, self._asked_finer(query, start, end, space, rerank))
        how = Effort(exact, _checked_effort(effort))
        for note in asked.notes:
            _LOG.warning(note)
        if said is None:
            found = search(store, asked, limit, where, level, space, how, include_self, all_versions, finer)
        else:
            from sonovec.library.said import tracks_that_said

            those = tracks_that_said(store, said, where)
            within = In("id", tuple(those))
            found = search(store, asked, limit, within, level, space, how, include_self, all_versions, finer)
            found = [replace(hit, said=those[hit.id]) for hit in found]
        return Hits(self._here(found), asked.notes)

    def said(
        self,
        words: str,
        limit: int | None = 10,
        *,
        filter: str | None = None,
        limit_per_track: int | None = None,
        order: str = "score",
    ) -> SaidSearch:
        """Find where something was said, best first: passages, which ``sonovec index --transcribe`` and others write.

        Words are found in all their English forms, by the store's index of words. A passage scores the share of the words
        that it has, long words counting for more and another form (opened for open) for 0.9; where they are not said one
        behind the other as they were asked for, up to a quarter less. What says less than half is no hit. Words between
        double quotation marks must be said word for word.

        Parameters
        ----------
        words : str
            Such as ``"open the door"``, or ``'"open the door" please'``.
        limit : int, optional
            At most this many passages; None for all.
        filter : str, optional
            Only of tracks that match, such as ``"year >= 1990"``.
        limit_per_track : int, optional
        order : {"score", "time"}
            The best first, or by path and time.

        Returns
        -------
        SaidSearch
            Its ``hits`` have `start`, `end`, `text` and `score`. Where there are none, its ``reason`` says why.

        Raises
        ------
        LibraryError
            If there is no library here.
        UsageError
            If there is no word in `words`, or an argument is wrong.
        """
        from sonovec.library.said import find_said

        found = find_said(
            self._existing_store(),
            words,
            limit,
            where=self._parse(filter),
            limit_per_track=limit_per_track,
            order=order,
        )
        shown = self._local.shown()
        return replace(found, hits=[replace(hit, path=shown(hit.id, hit.path)) for hit in found.hits])

    def find_places(
        self,
        query: Asked,
        limit: int | None = None,
        *,
        start: float = 0.0,
        end: float | None = None,
        filter: str | None = None,
        space: str = MAIN,
        min_score: float | None = None,
        limit_per_track: int | None = None,
        order: str = "score",
        effort: float = 1.0,
        include_self: bool = False,
        progress: Watched = None,
    ) -> PlaceSearch:
        """Find every stretch, of all tracks, that sounds like `query`.

        The 300 stored segments that are most like the query are looked at. Where they are longer than the encoder's
        windows, their files are read again there, and only there, and compared window by window; so a short sound in a
        long recording is found with its own seconds. Stretches that touch are one place.

        Parameters
        ----------
        query, start, end, filter, space
            See `search`. Each window of the query that is not silent is looked for.
        limit : int, optional
            At most this many places; without it all.
        min_score : float, optional
            Cosine similarity that a place has at least. Without it, it is taken from the library: 8 deviations above what
            its segments score against the query at the median.
        limit_per_track : int, optional
        order : {"score", "time"}
            The best first, or by path and time.
        effort : float
            2 looks at twice as many segments.
        include_self : bool
            Also find the query's own stretch, of a file or track with the same content. Without it, the other stretches of
            that track are found.
        progress : True, callable or Job, optional
            Watch it, or cancel it; see `sonovec.Job`.

        Returns
        -------
        PlaceSearch
            Its `complete` says whether more effort may find more.

        Raises
        ------
        LibraryError, AudioError, UsageError
            See `search`; also if the space holds whole tracks alone.
        """
        from sonovec.library.places import find_places, query_of

        where = self._parse(filter)
        queries = self._queries(space)
        if (source := queries.space.source) is not None:
            raise UsageError(f"space={space!r}: places are found in a space of an encoder; give space={source!r}")
        encoder = None if queries.space.analyser else self.encoder_of(space)
        with running(progress) as job:
            asked = query_of(queries, encoder, query, start, end)
            for note in asked.notes:
                _LOG.warning(note)
            found = find_places(
                queries,
                encoder,
                asked,
                self._local.shown(),
                where=where,
                min_score=min_score,
                limit=limit,
                limit_per_track=limit_per_track,
                order=order,
                effort=_checked_effort(effort),
                own=None if include_self else (start, math.inf if end is None else end),
                progress=job.part("looking again"),
            )
        if not found.hits and not self.tracks(filter, limit=1):
            return replace(found, reason=self.why_no_hits(filter))
        return found

    def playlist(
        self,
        seeds: Asked | Sequence[Asked] = (),
        *,
        to: Asked | None = None,
        limit: int | None = None,
        minutes: float | None = None,
        arc: str | None = None,
        harmonic: bool = False,
        tempo: str | None = None,
        filter: str | None = None,
        artist_limit: int | None = None,
        history: str | os.PathLike[str] | None = None,
        grow: bool = False,
        min_score: float | None = None,
        with_seeds: bool = True,
        gapless: bool = False,
        weights: Mapping[str, float] | None = None,
        prefer: str = "heard",
        seed: int = 0,
        space: str = MAIN,
        progress: Watched = None,
    ) -> Playlist:
        """Choose tracks that belong together, and put them into the order with the smallest steps.

        With seeds, their nearest are taken, by the ranks that they have for each seed. Without arc, harmonic mixing and `to`,
        the order is a shortest path (a travelling-salesman problem) by the distances of sound, tempo and key.

        Parameters
        ----------
        seeds : path, id, Waveform, Embedding or vector, or several
            What the list is to sound like. Files and tracks are played too, and the list begins with the first; a file that
            is not in the library is embedded now.
        to : path or id, optional
            Go from the one seed to this track, in even steps of sound.
        limit : int, optional
            So many tracks; 20 if no other length is given.
        minutes : float, optional
            So long, as nearly as tracks allow.
        arc : str, optional
            How a column changes: ``"tempo=up"``, ``"energy=up-down"``, or values such as ``"tempo=90,128,100"``.
        harmonic : bool
            Each track mixes with the next by the Camelot wheel: the same key, a neighbour, or the relative one.
        tempo : str, optional
            Only tracks with such tempos: ``"118..126"``.
        filter : str, optional
            Only tracks that match, as in `search`.
        artist_limit : int, optional
            At most so many tracks of each artist that is known.
        history : path, optional
            A text file of what was played: none of that comes again, and the tracks of this list are added.
        grow : bool
            Take all that fits: what is more like a seed than 95 % of the library's pairs of tracks are like each other, or
            scores `min_score`.
        min_score : float, optional
            Cosine similarity that each track has with a seed at least.
        with_seeds : bool
            Play the seeds too.
        gapless : bool
            Give each track cue points: where its sound starts and ends.
        weights : mapping, optional
            How much `sound`, `tempo` and `key` count, 1 each otherwise.
        prefer : {"heard", "file"}
            Which tempo and key of a track counts: what was heard, or what its file says.
        seed : int
            Of the search for the order.
        space : str
            The space whose vectors are compared.
        progress : True, callable or Job, optional
            Watch it, or cancel it; see `sonovec.Job`.

        Returns
        -------
        Playlist
            Its `tracks`, each with its step from the one before; its `notes` say where it is less than what was asked for,
            and its `reason` which condition left nothing. `Playlist.write` writes M3U8, XSPF, JSPF and JSON.

        Raises
        ------
        LibraryError
            If there is no library here, or it lacks the columns that are needed; the message says what to run.
        UsageError
            If arguments are wrong, or contradict each other.
        AudioError
            If a seed cannot be read.
        """
        from sonovec.library.playlist import history as of_history
        from sonovec.library.playlist.arcs import Arc
        from sonovec.library.playlist.candidates import Pool
        from sonovec.library.playlist.making import make
        from sonovec.library.playlist.steps import Weights
        from sonovec.library.playlist.wishes import Wish, several
        from sonovec.music.tempi import parse_range

        file = None if history is None else expanded(history)
        wish = Wish(
            seeds=several(seeds),
            to=to,
            limit=limit,
            minutes=minutes,
            arc=None if arc is None else Arc.parse(arc),
            harmonic=harmonic,
            tempo=None if tempo is None else parse_range(tempo),
            grow=grow,
            min_score=min_score,
            artist_limit=artist_limit,
            played=frozenset() if file is None else of_history.read(file),
            with_seeds=with_seeds,
            gapless=gapless,
            weights=Weights.of(weights),
            prefer=prefer,
            seed=seed,
        )
        queries, where = self._queries(space), self._parse(filter)
        pool = Pool(queries, where, filter, self._local.shown(), wish)
        with running(progress) as job:
            made = make(pool, self._music_advice(), job)
        if file is not None and made.tracks:
            of_history.add(file, [(track.id, track.path) for track in made.tracks])
        return made

    def loops(
        self,
        query: Asked,
        limit: int = 20,
        *,
        start: float = 0.0,
        end: float | None = None,
        bars: int | None = None,
        tempo: float | None = None,
        key: str | None = None,
        max_stretch: float = 6.0,
        max_transpose: int = 2,
        filter: str | None = None,
        order: str = "score",
        prefer: str = "heard",
        space: str = MAIN,
        include_self: bool = False,
    ) -> LoopSearch:
        """Find loops, and parts of tracks, that fit to a sound or a part of it: in tempo and key, by whole bars.

        Parameters
        ----------
        query, start, end
            See `search`.
        limit : int
            At most this many, one of each track.
        bars : int, optional
            The query has so many bars of four beats, which tells its tempo; only parts of so many bars are found.
        tempo : float, optional
            Of the query, in beats a minute. Otherwise it is what `bars` tells, what the library knows, or what is heard.
        key : str, optional
            Of the query, such as ``"A minor"`` or ``"8A"``. Otherwise as the tempo; without any, keys do not matter.
        max_stretch : float
            Percent by which a loop is played faster or slower at most, to come to the tempo, its half or its double.
        max_transpose : int
            Semitones by which a loop is moved at most, until its key mixes. Loops without a key, such as drums, fit any.
        filter : str, optional
            As in `search`.
        order : {"score", "fit"}
            What sounds most like the query first, or what needs the least change.
        prefer, space, include_self
            See `playlist` and `search`.

        Returns
        -------
        LoopSearch
            Its ``hits`` say which seconds to take, and how they are stretched and transposed. Where there are none, its
            ``reason`` says which condition left nothing.

        Raises
        ------
        LibraryError
            If there is no library here, or it knows no tempos; the message says what to run.
        UsageError
            If arguments are wrong, or the tempo of the query is not known.
        AudioError
            If the query cannot be read.
        """
        from sonovec.library.playlist.loops import LoopWish, find_loops

        wish = LoopWish(
            start=start,
            end=end,
            bars=bars,
            tempo=tempo,
            key=key,
            max_stretch=max_stretch,
            max_transpose=max_transpose,
            order=order,
            prefer=prefer,
            limit=limit,
            include_self=include_self,
        )
        queries, where = self._queries(space), self._parse(filter)
        return find_loops(queries, query, wish, where, filter, self._local.shown(), self._music_advice())

    def _music_advice(self) -> str:
        """The command that hears the music of this library's tracks."""
        library = shlex.quote(display(str(self.location)))
        return f"sonovec index {self._indexed_paths()} -l {library} --music"

    def search_text(
        self,
        text: str,
        limit: int = 10,
        *,
        filter: str | None = None,
        level: str = "track",
        all_versions: bool = False,
    ) -> TextSearch:
        """Find what sounds as the words say, best first.

        With an encoder that knows words (CLAP) by its vectors; with one that scores classes of sound (YAMNet, EfficientAT,
        PANNs, AST) by the tags that the words name, as they were stored when the tracks were indexed: by the highest score
        that each has at any time of the track. The seconds of a hit are then those of the segment that fits the words best.

        Parameters
        ----------
        text : str
            Such as ``"glass breaking"``.
        limit, filter, level, all_versions
            See `search`; by tags whole tracks are ranked, so ``level="segment"`` needs an encoder that knows words.

        Returns
        -------
        TextSearch
            Its ``hits``, and how they were found. Where there are none, its ``reason`` tells a filter that matches no
            track from tags that were heard in none. Its ``advice`` says what to run where an earlier version has indexed
            tracks without their tags in time.

        Raises
        ------
        UsageError
            If the library's encoder knows neither words nor tags, or the words name no tag that it knows.
        """
        if not text.strip():
            raise UsageError("text is empty; give words, such as 'glass breaking'")
        store = self._existing_store()
        where = self._parse(filter)
        if store.columns().get(sound_tags.COLUMN) == list[str]:
            if level != "track":
                raise UsageError(f"level={level!r}: words rank whole tracks by their tags; give level='track'")
            tagged = partial(
                search_tags, store, text, where=where, classes=lambda: self._binding.classes(store.space())
            )
            found = in_time(store, text, tagged(limit) if all_versions else folded_text(store, limit, tagged))
            found = replace(found, hits=self._here(found.hits), advice=self._retag_advice())
            return found if found.hits else replace(found, reason=self.why_no_hits(filter, found.tags or [text]))
        if not self.encoder.knows_words:
            raise UsageError(
                f"{self.location}: its encoder {self._require_config().model!r} can use neither words nor tags; "
                "index with an "
                "encoder that can: sonovec index FOLDER -l NEW --model laion/clap-htsat-unfused (or yamnet, for its tags)"
            )
        query = self._queries(MAIN).of_vector(self.encoder.embed_text([text])[0])
        hits = self._here(search(store, query, limit, where, level, all_versions=all_versions))
        return TextSearch(hits, "words", reason=None if hits else self.why_no_hits(filter))

    def _retag_advice(self) -> str | None:
        from sonovec.library.retag import lacks_tags

        # To look takes a while in a large library; none of this version's runs takes the tags in time away again.
        self._is_retagged = self._is_retagged or not lacks_tags(self._store)
        if self._is_retagged:
            return None
        library = shlex.quote(display(str(self.location)))
        return (
            f"{self.location}: holds tracks of an earlier version, with the mean score of each tag alone: a short sound in a "
            f"long one is not found, and hits have no seconds; to mend it: sonovec index {self._indexed_paths()} "
            f"-l {library} --retag"
        )

    # -- recommending

    def recommend(
        self,
        seeds: Asked | Iterable[Asked],
        *,
        dislike: Asked | Iterable[Asked] = (),
        tempo: str | tuple[float, float] | None = None,
        tempo_like: bool = False,
        octaves: bool = False,
        key_compatible: bool = False,
        mood: str | Iterable[str] | None = None,
        energy: str | None = None,
        artist_limit: int | None = None,
        filter: str | None = None,
        limit: int = 20,
        weights: Weights | Mapping[str, float] | None = None,
        variety: float = 0.2,
        prefer: str = "heard",
        history: bool = True,
        who: str | None = None,
    ) -> Recommendations:
        """Recommend tracks that go with some seeds, the best first.

        Each seed ranks the tracks by likeness of sound, corrected for hubs, and the rankings are fused: what several seeds
        agree on comes first. Tempo, key, mood and energy are further terms, where the seeds have them. A song comes up once,
        however many versions of it there are, and of what is equally good that is taken which is least like the rest.

        Parameters
        ----------
        seeds : sound or list of sounds
            Each as `query` of `search`. One that is in the library costs no embedding; another is embedded, and its music is
            heard if a condition compares with it.
        dislike : sound or list of sounds
            They and what is near to them are not wanted.
        tempo : str or (slowest, fastest), optional
            Only tracks with a tempo in this range, such as ``"118..126"``, in beats a minute.
        tempo_like : bool
            Only tracks within 6 % of the tempo of a seed.
        octaves : bool
            With `tempo_like`: half and double the tempo is as good.
        key_compatible : bool
            Only tracks whose key mixes with that of a seed: the same, a neighbour on the Camelot wheel, or the relative one.
        mood : str or iterable of str, optional
            Only tracks in which this mood is heard, or all of these.
        energy : {"up", "down", "like"}, optional
            Only tracks with more energy than all seeds, with less, or with about as much as one of them.
        artist_limit : int, optional
            At most so many of one artist.
        filter : str, optional
            Only tracks that match; see `search`.
        limit : int
        weights : Weights or mapping, optional
            What the terms count for, such as ``{"tempo": 1, "mood": 0}``; see `sonovec.library.recommend.weights.Weights`.
        variety : float
            From 0, the order of the scores, to less than 1: how much a track loses that is like those before it.
        prefer : {"heard", "file"}
            Which tempo and key counts where both are known: the one that was heard, or the one that the file claims.
        history : bool
            What `rate` keeps has a say: tracks that are like liked ones gain a little, those that are like disliked ones
            lose, and disliked ones are left out.
        who : str, optional
            Whose ratings; without it those of everybody.

        Returns
        -------
        Recommendations
            Each explained by its `terms`, `why` and seconds. Where there are none, `reason` says which condition left
            nothing.

        Raises
        ------
        UsageError
            An argument is wrong, or the library has no column that a condition needs: the message says what to run.
        LibraryError, AudioError
            See `search`.

        Examples
        --------
        >>> import tempfile, sonovec, sonovec.demo
        >>> folder = tempfile.TemporaryDirectory()
        >>> paths = sonovec.demo.write(Path(folder.name, "sounds"), per_kind=2)
        >>> with sonovec.Library(Path(folder.name, "library"), model="logmel") as library:
        ...     _ = library.add(Path(folder.name, "sounds"))
        ...     found = library.recommend(paths[:2], limit=3)
        >>> len(found), found[0].terms["sound"].weight, str(paths[0]) in [each.path for each in found]
        (3, 1.0, False)
        >>> folder.cleanup()
        """
        from sonovec.library.recommend.asking import asked
        from sonovec.library.recommend.ratings import person
        from sonovec.library.recommend.recommending import Recommending
        from sonovec.library.recommend.weights import Weights
        from sonovec.library.recommend.wishes import wished

        wishes = wished(tempo, tempo_like, octaves, key_compatible, mood, energy, artist_limit, limit, variety, prefer)
        chosen_weights = Weights.of(weights)
        store, where = self._existing_store(), self._parse(filter)
        queries = self._queries(MAIN)
        given, unwanted = asked(seeds, dislike, queries, self._music_of if wishes.of_seeds else None)
        found = Recommending(
            store,
            given,
            unwanted,
            wishes,
            chosen_weights,
            where,
            self.location,
            None if who is None else person(who),
            history,
            "" if filter is None else f"the filter {filter!r}",
        ).run()
        for note in found.notes:
            _LOG.warning(note)
        shown = self._local.shown()
        found[:] = [
            replace(
                each,
                path=shown(each.id, each.path),
                versions=tuple(replace(one, path=shown(one.id, one.path)) for one in each.versions),
            )
            for each in found
        ]
        return found

    def rate(
        self,
        tracks: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        verdict: Verdict,
        *,
        who: str | None = None,
    ) -> list[Rating]:
        """Keep in the library that a person likes or dislikes some tracks, in place of what they said before.

        Parameters
        ----------
        tracks : path or id, or iterable of them
        verdict : {"liked", "disliked"}
        who : str, optional
            The person's name; by default that of the user.

        Returns
        -------
        list of Rating
            All that the person has said, the latest first.

        Raises
        ------
        UsageError
            A track is not in the library, or an argument is wrong; nothing was written.
        LibraryError
            The library cannot be written.
        """
        from sonovec.library.recommend.ratings import person, rate

        name = person(who)
        self.check_writable("recommending works without; to rate tracks, get the right to write it")
        rate(self._store, self._tracks_named(tracks), verdict, name)
        return self.ratings(who=name)

    def forget_ratings(
        self, tracks: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None = None, *, who: str | None = None
    ) -> list[Rating]:
        """Forget what a person said of some tracks, or of all; see `rate`."""
        from sonovec.library.recommend.ratings import forget, person

        name = person(who)
        self.check_writable("get the right to write it")
        named = None if tracks is None else [track.id for track in self._tracks_named(tracks)]
        forget(self._store, named, name)
        return self.ratings(who=name)

    def ratings(self, *, who: str | None = None) -> list[Rating]:
        """What a person said of tracks, or everybody without `who`, the latest first; see `rate`."""
        from sonovec.library.recommend.ratings import person, ratings

        return ratings(self._existing_store(), None if who is None else person(who), self._local.shown())

    def _tracks_named(self, tracks: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Track]:
        given = [tracks] if isinstance(tracks, str | os.PathLike) else list(tracks)
        with self._local.ledger_to_read() as ledger:
            ids = [self._named(each, ledger) for each in given]
        found = self._existing_store().get(ids)
        return [found[id] for id in dict.fromkeys(ids) if id in found]

    def _music_of(self, sound: Sound) -> Mapping[str, object]:
        """What the analyser of music hears in a sound; nothing where it says nothing."""
        from sonovec.embedding.source import source_of
        from sonovec.library.hearing import hear_source
        from sonovec.music.analyser import Music

        seconds = self._store.space().segment_seconds
        found = hear_source(source_of(sound), [Music], lambda: self.encoder, seconds, isolate=self._binding.isolate)
        findings = found[Music.name].findings
        return {} if findings is None else findings.columns

    def why_no_hits(self, filter: str | None = None, tags: Sequence[str] = (), said: str | None = None) -> str:
        """One line that says why a search, with that filter and for those tags or words that were said, found nothing.

        Raises
        ------
        LibraryError
            If there is no library here.
        UsageError
            If the filter cannot be read.
        """
        if not len(self):
            return "the library is empty"
        if tags and self.tracks(filter, limit=1):
            among = "the library" if filter is None else f"the tracks that match the filter {filter!r}"
            return f"these tags were not heard in {among}: {some(tags)}"
        if said is not None and self.tracks(filter, limit=1):
            return self.said(said, 1, filter=filter).reason or f"no other track says all of {said!r} in one passage"
        matching = "" if filter is None else f" matches the filter {filter!r}"
        if self.tracks(filter, limit=1):
            return f"no track but the query itself{matching}; include_self=True (--include-self) also gives that one"
        return f"no track{matching}"

    # -- what it is made of

    @once
    def encoder(self) -> Encoder:
        """The encoder of this library.

        Raises
        ------
        PassportError
            If other settings were asked for than those that the library was made with.
        """
        config = self._opened().config()
        return self._binding.new() if config is None else self._binding.of(config.main)

    def encoder_of(self, space: str = MAIN) -> Encoder:
        """The encoder of a space.

        Raises
        ------
        PassportError
            If other settings were asked for than those that the space was made with.
        UsageError
            If there is no such space.
        """
        if space == MAIN:
            return self.encoder
        with self.opening:
            if space not in self._space_encoders:
                found = self._existing_store().space(space)
                if found.source is not None:
                    raise UsageError(
                        f"{self.location}: the space {space!r} has no encoder: it is made of {found.source!r}; take "
                        f"encoder_of({found.source!r})"
                    )
                if (analyser := found.analyser) is not None:
                    raise UsageError(
                        f"{self.location}: the space {space!r} has no encoder; the analyser {analyser!r} fills it, with: "
                        f"sonovec index PATH -l {self.location} --analyser {analyser}"
                    )
                self._space_encoders[space] = self._binding.of(found)
            return self._space_encoders[space]

    @property
    def advice(self) -> str | None:
        """What to run to move on, for a library that was made with what once was the default encoder; None for others."""
        config = self._opened().config()
        if config is None or config.model not in FORMER_DEFAULTS:
            return None
        return (
            f"{self.location}: made with {config.model!r}, which was the default encoder once, and it keeps it; to move on "
            f"to {DEFAULT!r}: sonovec index {self._indexed_paths()} -l NEW"
        )

    def _indexed_paths(self) -> str:
        """What was indexed into the library on this machine, as arguments of a command."""
        indexed: list[object] = []
        with suppress(LibraryError), self._local.ledger_to_read() as ledger:
            indexed = [run.options.get("paths") for run in ledger.runs()] if ledger else []
        paths = {display(from_text(str(path))) for paths in indexed if isinstance(paths, list) for path in paths}
        return shlex.join(sorted(paths)) or "PATH"

    def _config_for(self, encoder: Encoder, columns: Sequence[Column]) -> LibraryConfig:
        """The library's config; makes the library, with some columns, if there is none."""
        store = self._opened()
        store.upgrade()
        config = store.config()
        if config is None:
            config = self._binding.new_config(encoder)
            store.create(config, columns)
        check_same(self.location, config.main, encoder)
        self._binding.check_segments(config.main)
        self._seen = store.config()
        return config

    def _require_config(self) -> LibraryConfig:
        config = self._opened().config()
        if config is None:
            raise LibraryError(
                f"{self.location}: no library here; make it with: sonovec index FOLDER -l {self.location}"
            )
        return config

    def _existing_store(self) -> Store:
        self._require_config()
        return self._store

    def _parse(self, filter: str | Filter | None) -> Filter | None:
        if filter is None or isinstance(filter, Filter):
            return filter
        return self._local.roots().translated(parse(filter, self._store.columns()))

    @once
    def _store(self) -> Store:
        return open_store(self.location, token=self._token)

    def _queries(self, space: str) -> Queries:
        found = self._existing_store().space(space)
        if self._binding.segment_seconds != found.segment_seconds:  # a space may have a length of its own
            self._binding.check_segments(self._store.space())
        return Queries(self._store, found, self._local.roots(), self._local.ledger_to_read, partial(self._heard, found))

    def _asked(self, sound: Asked, start: float, end: float | None, space: str) -> Query:
        """The vectors of a query in a space; of a compressed one, those of its source before they become codes."""
        found = self._existing_store().space(space)
        if found.source is None or (is_vector(sound) and _shape_of(sound) == (found.dim,)):
            return self._queries(space).query(sound, start, end)
        fine, projection = self._asked(sound, start, end, found.source), self._store.projection(found)
        return replace(fine, vector=projection.apply(fine.vector[None])[0], parts=projection.apply(fine.parts))

    def _asked_finer(self, sound: Asked, start: float, end: float | None, space: str, rerank: str) -> Query:
        """The query in the space that ranks."""
        if rerank == space:
            raise UsageError(
                f"rerank={rerank!r} is the space that is searched; give a finer one, such as rerank='main'"
            )
        if is_vector(sound) and _shape_of(sound) != (self._existing_store().space(rerank).dim,):
            raise UsageError(
                f"rerank={rerank!r}: a vector of shape {_shape_of(sound)} is not of that space; give one that is, or a sound"
            )
        return self._asked(sound, start, end, rerank)

    def _heard(self, space: Space, sound: Sound, start: float, end: float | None) -> Query:
        """A sound as what fills a space hears it."""
        if space.analyser is None:
            embedding = self.encoder_of(space.name).embed(sound, start, end)
            return Query.of_embedding(embedding, space.segment_seconds)
        from sonovec.embedding.source import source_of
        from sonovec.library import analyser_spaces

        source, seconds = source_of(sound, start, end), self._store.space().segment_seconds
        return analyser_spaces.query(
            self.location, space, source, lambda: self.encoder, seconds, isolate=self._binding.isolate
        )

    def _here(self, hits: list[Hit]) -> Hits:
        """Hits with the paths that they have on this machine."""
        shown = self._local.shown()
        return Hits(
            replace(
                hit,
                path=shown(hit.id, hit.path),
                said=hit.said and replace(hit.said, path=shown(hit.id, hit.path)),
                versions=tuple(replace(each, path=shown(each.id, each.path)) for each in hit.versions),
            )
            for hit in hits
        )

    def _refuse_place(self) -> None:
        self._local.refuse(self._opened().config() is not None)


def _shape_of(vector: object) -> tuple[int, ...]:
    """The shape of an array of any library."""
    return tuple(getattr(vector, "shape", ()))


def _checked_effort(effort: float) -> float:
    if not 0 < effort <= MOST_EFFORT:
        raise UsageError(f"effort={effort}: give a number above 0 and at most {MOST_EFFORT}, such as effort=2")
    return effort


def _columns_of(rows: Metadata | None, encoder: Encoder, analysers: Sequence[type[Analyser]]) -> list[Column]:
    """The columns that a run fills beside those that every library has: the user's own, the encoder's and the analysers'."""
    from sonovec.library.analyses import columns_of

    given = {} if rows is None else rows.columns
    users = [Column(name, kind, USER) for name, kind in given.items() if name not in TRACK_FIELDS]
    listener = Owner(LISTENER, f"{encoder.card.name} {encoder.card.revision}")
    return [*users, *(heard_columns(listener) if encoder.classes else []), *columns_of(analysers)]
