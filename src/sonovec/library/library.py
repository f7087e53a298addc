"""The library: what users hold. It opens the store, the ledger and the encoder when they are needed."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.waveform import Waveform
from sonovec.embedding.encoder import Encoder, Sound, check_range, load
from sonovec.embedding.passport import Passport
from sonovec.embedding.pooling import pool
from sonovec.errors import AudioError, LibraryError, PassportError, SonovecError, UsageError
from sonovec.library import sound_tags
from sonovec.library.filters import Filter, In, parse
from sonovec.library.identity import content_hash
from sonovec.library.ingest import Ingest
from sonovec.library.ledger import Ledger
from sonovec.library.location import Location, parse_location
from sonovec.library.lock import Lock
from sonovec.library.metadata import read_metadata
from sonovec.library.open import open_store
from sonovec.library.outcomes import Entry
from sonovec.library.records import TRACK_FIELDS, LibraryConfig, Segment, Track
from sonovec.library.report import Progress, Prune, Report
from sonovec.library.search import Hit, Query, TextSearch, search, search_tags, some, sound_in
from sonovec.library.store import Store
from sonovec.models import registry, storage
from sonovec.paths import absolute, data_dir, display, from_text, known_texts, to_text, why_not_writable

SEGMENT_SECONDS = 10.0
#: How the names begin of what a library in a folder may hold before it is complete.
OWN_NAMES = ("ledger.", "tracks.lance", "segments.lance", ".library-", "damaged")


class Library:
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
    that is made anew with the same settings is opened again. A library that cannot be written can be searched.

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
    >>> hit.path == str(paths[0]), round(hit.score, 4)
    (True, 1.0)
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
        if segment_seconds is not None and not segment_seconds > 0:
            raise UsageError(f"segment_seconds={segment_seconds} is no length; give seconds, such as 10")
        self.location: Location = (
            parse_location(path_or_name) if uri is None else parse_location(uri, name=str(path_or_name))
        )
        self._token = token
        self._model = model
        self._weights = weights
        self._segment_seconds = segment_seconds
        self._options = options
        self._seen: LibraryConfig | None = None

    def __repr__(self) -> str:
        return f"Library({str(self.location)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the store and the ledger; both open again when they are needed."""
        for name in ("_store", "_ledger"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()

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
        if config is not None and "encoder" in self.__dict__:  # another process made the library meanwhile
            self._check_passport(self.encoder, config)
        self._seen = config
        return self._store

    def _refuse_other(self, config: LibraryConfig | None) -> NoReturn:
        assert self._seen is not None
        again = f"open it again: sonovec.Library({str(self.location)!r})"
        if config is None:
            raise LibraryError(f"{self.location}: was deleted since it was opened; to make a new one, {again}")
        differences = _passport(self._seen).differences(_passport(config)) or [
            (name, getattr(self._seen, name), getattr(config, name))
            for name in ("segment_seconds", "options", "model", "dim")
            if getattr(self._seen, name) != getattr(config, name)
        ]
        told = "; ".join(f"{name} was {was!r} and is {now!r}" for name, was, now in differences)
        raise PassportError(f"{self.location}: was made anew with other settings since it was opened ({told}); {again}")

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
        return self._ledger

    def tracks(self, filter: str | None = None, limit: int | None = None, offset: int = 0) -> list[Track]:
        """Tracks, all or those that match a filter such as ``"year >= 1990 and genre = 'Jazz'"``; without vectors.

        Raises
        ------
        UsageError
            If the filter names an unknown field or cannot be read.
        LibraryError
            If there is no library here.
        """
        store = self._existing_store()
        return list(store.tracks(self._parse(filter), limit, offset))

    # -- filling it

    def add(
        self,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        metadata: str | os.PathLike[str] | None = None,
        prune: Prune = False,
        confirm: Callable[[Path, int], bool] | None = None,
        reread: bool = False,
        progress: Callable[[Progress], None] | None = None,
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
        progress : callable, optional
            Called with a `Progress` from time to time.

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
        """
        if prune not in (True, False, "all"):
            raise UsageError(f"prune={prune!r} is unknown; give one of: True, False, 'all'")
        given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
        roots = [_absolute(path) for path in given]
        if not roots:
            raise UsageError("no paths to index; give files or folders")
        rows = None if metadata is None else read_metadata(metadata, self._users_columns())
        if rows is not None:
            rows.resolve(roots)
        self._refuse_foreign_folder()
        self._refuse_read_only()
        encoder = self.encoder
        if rows is not None and encoder.tags and sound_tags.COLUMN in rows.columns:
            raise UsageError(
                f"metadata {display(rows.path)}: the column {sound_tags.COLUMN!r} is what the encoder hears; call yours "
                f"{'my_' + sound_tags.COLUMN!r}"
            )
        remedy = "wait for it or stop it; searching works meanwhile"
        with Lock(self._ledger_path.with_suffix(".lock"), f"{self.location}: cannot index", remedy):
            config = self._config_for(encoder)  # under the lock: until here another process could make the library
            if rows is not None:
                self._store.add_columns({name: kind for name, kind in rows.columns.items() if name not in TRACK_FIELDS})
            if encoder.tags:
                self._store.add_columns({sound_tags.COLUMN: str})
            ingest = Ingest(
                self._store,
                self._ledger,
                encoder,
                segment_seconds=config.segment_seconds,
                metadata=rows,
                own=self._is_own(),
                reread=reread,
                progress=progress,
            )
            options = {"paths": [to_text(root) for root in roots], "prune": prune, "model": config.model}
            return ingest.run(roots, prune=prune, confirm=confirm, options=options)

    def _users_columns(self) -> dict[str, type]:
        if self._store.config() is None:
            return {}
        return {name: kind for name, kind in self._store.columns().items() if name not in TRACK_FIELDS}

    def _is_own(self) -> Callable[[Path], bool]:
        """What tells this library's own files, which may lie among the sounds."""
        place = Path(self.location.address)
        if self.location.kind == "lance":
            return lambda path: path.name == place.name and path == place
        beside = tuple(f"{name}." for name in (place.name, self._ledger_path.with_suffix("").name))
        lite = self.location.kind == "milvus-lite"
        return lambda path: lite and f"{path.name}.".startswith(beside) and path.parent == place.parent

    # -- asking it

    def search(
        self,
        query: Sound | NDArray[np.floating],
        limit: int = 10,
        *,
        start: float = 0.0,
        end: float | None = None,
        filter: str | None = None,
        level: str = "track",
    ) -> list[Hit]:
        """Find what sounds like `query`, best first.

        Parameters
        ----------
        query : path, Waveform, (samples, rate), or array of shape (dim,)
            A sound; a file that is indexed, also one that is gone from disk, is searched for by its stored vectors, as
            is the id of a track; an array is a vector. A path may be the text of a hit's path.
        limit : int
            At most this many hits, one for each track. A query that is in the library finds itself.
        start, end : float
            Search for these seconds of the query.
        filter : str, optional
            Only tracks that match, such as ``"duration < 30 and path contains 'rain'"``.
        level : {"track", "segment"}
            Rank by the likeness of the whole sounds, or of the best pair of parts (a short sound in long ones).

        Returns
        -------
        list of Hit

        Raises
        ------
        LibraryError
            If there is no library here.
        AudioError
            If the query cannot be read.
        UsageError
            If an argument is wrong.
        """
        store = self._existing_store()
        where = self._parse(filter)
        return search(store, self._query(query, start, end), limit, where, level)

    def search_text(self, text: str, limit: int = 10, *, filter: str | None = None, level: str = "track") -> TextSearch:
        """Find what sounds as the words say, best first.

        With an encoder that knows words (CLAP) by its vectors; with one that scores classes of sound (YAMNet, EfficientAT,
        PANNs, AST) by the tags that the words name, as they were stored when the tracks were indexed.

        Parameters
        ----------
        text : str
            Such as ``"glass breaking"``.
        limit, filter, level
            See `search`; tags belong to whole tracks, so ``level="segment"`` needs an encoder that knows words.

        Returns
        -------
        TextSearch
            Its ``hits``, and how they were found. Where there are none, its ``reason`` tells a filter that matches no
            track from tags that were heard in none.

        Raises
        ------
        UsageError
            If the library's encoder knows neither words nor tags, or the words name no tag that it knows.
        """
        if not text.strip():
            raise UsageError("text is empty; give words, such as 'glass breaking'")
        store = self._existing_store()
        where = self._parse(filter)
        if sound_tags.COLUMN in store.columns():
            if level != "track":
                raise UsageError(f"level={level!r}: tags belong to whole tracks; give level='track'")
            found = search_tags(store, text, limit, where, self._classes)
            return found if found.hits else replace(found, reason=self.why_no_hits(filter, found.tags or [text]))
        if not self.encoder.knows_words:
            raise UsageError(
                f"{self.location}: its encoder {self._require_config().model!r} knows neither words nor tags; index with "
                "one that does: sonovec index FOLDER -l NEW --model laion/clap-htsat-unfused (or yamnet, for its tags)"
            )
        query = self._vector_query(self.encoder.embed_text([text])[0])
        hits = search(store, query, limit, where, level)
        return TextSearch(hits, "words", reason=None if hits else self.why_no_hits(filter))

    def why_no_hits(self, filter: str | None = None, tags: Sequence[str] = ()) -> str:
        """One line that says why a search, with that filter and for those tags, found nothing.

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
            return f"heard nowhere in {among}: {some(tags)}"
        return f"no track matches the filter {filter!r}"

    def _classes(self) -> tuple[str, ...]:
        """Tags that the encoder knows; none where it is not on this machine: it is not fetched only for their names."""
        config = self._require_config()
        try:
            if isinstance(self._model, Encoder):
                return self._model.tags
            here = self._weights is not None or storage.is_here(config.model)
            return self._stored_encoder(config).tags if here else ()
        except SonovecError:
            return ()

    def _query(self, query: Sound | NDArray[np.floating], start: float, end: float | None) -> Query:
        if isinstance(query, np.ndarray):
            if start or end is not None:
                raise UsageError(f"start={start}, end={end}: a vector has no seconds; leave them out, or give a sound")
            return self._vector_query(query)
        if not isinstance(query, Waveform | tuple):
            name = os.fspath(query)
            query = from_text(name)
            stored = self._stored_query(_absolute(query), name, start, end)
            if stored is not None:
                return stored
        embedding = self.encoder.embed(query, start, end)
        return Query.of_embedding(embedding, self._require_config().segment_seconds)

    def _vector_query(self, vector: NDArray[np.floating]) -> Query:
        dim = self._require_config().dim
        if vector.shape != (dim,) or not np.isfinite(vector).all():
            raise UsageError(
                f"a vector of shape {vector.shape} cannot be searched for; give finite numbers of shape ({dim},), "
                "or a sound as (samples, rate)"
            )
        clip = np.asarray(vector, np.float32)
        return Query(clip, clip[None], None)

    def _stored_query(self, path: Path, text: str, start: float, end: float | None) -> Query | None:
        """The stored vectors of an indexed file, unless it has changed on disk or a part of it is asked for."""
        exists = path.exists()
        if exists and (start or end is not None):
            return None
        content = self._content_of(path, exists) or (None if exists else text)
        if content is None:
            return None
        track = self._store.get([content], vectors=True).get(content)
        segments = self._store.segments([content]).get(content)
        if track is None or not segments:
            if exists:
                return None
            raise AudioError(f"{display(path)}: no such file, and no indexed track of that path or id; check the name")
        if not start and end is None:
            return Query.of_segments(segments, track.vector)
        return self._part_of(path, segments, start, end)

    def _part_of(self, path: Path, segments: list[Segment], start: float, end: float | None) -> Query:
        """Some seconds of a file that is gone, as well as its segments know them."""
        check_range(start, end)
        config = self._require_config()
        asked = [n for n, s in enumerate(segments) if s.end > start and (end is None or s.start < end)]
        if not asked:
            raise AudioError(f"{display(path)}: no sound from {start} to {end} s; it ends at {segments[-1].end:.2f} s")
        chosen = [segments[n] for n in asked]
        weights = sound_in(segments, Passport.from_json(config.passport), config.segment_seconds)[asked]
        return Query.of_segments(chosen, pool(np.stack([part.vector for part in chosen]), weights))

    def _content_of(self, path: Path, exists: bool) -> str | None:
        """Id of the track that a path holds, by this machine's ledger or else by the store."""
        try:
            entry = self._entry_of(path, exists)
        except LibraryError as error:  # what the ledger would save is to read the file, and no more
            logging.getLogger("sonovec").warning(f"the search goes on without the ledger: {error}")
            return content_hash(path) if exists else self._content_at(path)
        if entry is not None and entry.content_hash:
            return entry.content_hash
        return None if exists else self._content_at(path)

    def _entry_of(self, path: Path, exists: bool) -> Entry | None:
        """The ledger's row of a path, unless the file has changed since."""
        with self._ledger_to_read() as ledger:
            if ledger is None:
                return None
            if not exists:
                return ledger.lookup(path)
            stat = path.stat()
            return ledger.known(path, size=stat.st_size, mtime_ns=stat.st_mtime_ns, ctime_ns=stat.st_ctime_ns)

    def _content_at(self, path: Path) -> str | None:
        """Id of the track that was indexed under a path, by the store."""
        texts = known_texts(path)
        held = {track.path: track.id for track in self._store.tracks(In("path", texts))}
        return next((held[text] for text in texts if text in held), None)

    # -- what it is made of

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder of this library.

        Raises
        ------
        PassportError
            If other settings were asked for than those that the library was made with.
        """
        config = self._opened().config()
        if isinstance(self._model, Encoder):
            encoder = self._model
        elif config is None:
            encoder = load(self._model or registry.ALIAS, weights=self._weights, **self._options)  # type: ignore[arg-type]
        else:
            encoder = self._stored_encoder(config)
        if config is not None:
            self._check_passport(encoder, config)
        return encoder

    @property
    def advice(self) -> str | None:
        """What to run to move on, for a library that was made with what once was the default encoder; None for others."""
        config = self._opened().config()
        if config is None or config.model not in registry.FORMER_DEFAULTS:
            return None
        told: list[object] = []
        with suppress(LibraryError), self._ledger_to_read() as ledger:
            told = [run.options.get("paths") for run in ledger.runs()] if ledger else []
        paths = sorted({display(from_text(str(path))) for paths in told if isinstance(paths, list) for path in paths})
        return (
            f"{self.location}: made with {config.model!r}, which was the default encoder once, and it keeps it; to move on "
            f"to {registry.DEFAULT!r}: sonovec index {shlex.join(paths) or 'PATH'} -l NEW"
        )

    def _stored_encoder(self, config: LibraryConfig) -> Encoder:
        passport = _passport(config)
        if self._model is not None and registry.resolve(str(self._model)) != config.model:
            self._refuse(config, [("model", config.model, self._model)])
        settings: dict[str, object] = {
            "hop": passport.hop / passport.rate,
            "tail": passport.tail,
            "precision": passport.precision,
            **config.options,
        }
        return load(config.model, weights=self._weights, **{**settings, **self._options})  # type: ignore[arg-type]

    def _check_passport(self, encoder: Encoder, config: LibraryConfig) -> None:
        stored = _passport(config)
        if stored != encoder.passport:
            self._refuse(config, stored.differences(encoder.passport))

    def _refuse(self, config: LibraryConfig, differences: list[tuple[str, object, object]]) -> None:
        told = "; ".join(f"{name} is {theirs!r} there and {mine!r} here" for name, theirs, mine in differences)
        raise PassportError(
            f"{self.location}: made with another encoder ({told}); leave the option out to use the library's own "
            f"({config.model}), or index into another library: sonovec index PATH -l NEW"
        )

    def _config_for(self, encoder: Encoder) -> LibraryConfig:
        """The library's config; makes the library if there is none."""
        store = self._opened()
        config = store.config()
        if config is None:
            config = LibraryConfig(
                dim=encoder.dim,
                passport=encoder.passport.to_json(),
                segment_seconds=self._segment_seconds or SEGMENT_SECONDS,
                model=encoder.card.name,
                options=dict(encoder.options),
            )
            store.create(config)
        elif self._segment_seconds not in (None, config.segment_seconds):
            self._refuse(config, [("segment_seconds", config.segment_seconds, self._segment_seconds)])
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

    def _parse(self, filter: str | None) -> Filter | None:
        return None if filter is None else parse(filter, self._store.columns())

    @cached_property
    def _store(self) -> Store:
        return open_store(self.location, token=self._token)

    @cached_property
    def _ledger(self) -> Ledger:
        return Ledger(self._ledger_path, read_only=self._read_only_for() is not None)

    @contextmanager
    def _ledger_to_read(self) -> Iterator[Ledger | None]:
        """The ledger, or None where there is none.

        One that this user may not write is opened for this one look: whoever may write it could change it.
        """
        if not self._ledger_path.exists():
            yield None
        elif self._read_only_for() is None:
            yield self._ledger
        else:
            with Ledger(self._ledger_path, read_only=True) as ledger:
                yield ledger

    def _read_only_for(self) -> str | None:
        """Why this user cannot write the library, or None."""
        root = Path(self.location.address)
        ledger = self._ledger_path
        folders = {"lance": [root, *root.glob("*.lance/*/")], "milvus-lite": [root.parent, root], "milvus": []}
        reasons = map(why_not_writable, [ledger.parent, *folders[self.location.kind]])
        closed = os.strerror(errno.EACCES) if ledger.exists() and not os.access(ledger, os.W_OK) else None
        return next(filter(None, reasons), closed)

    def _refuse_read_only(self) -> None:
        reason = self._read_only_for()
        if reason is None:
            return
        remedy = "it can be searched as it is; to add sounds, get the right to write it, or index into another library"
        if self._seen is None:
            remedy = "give another place"
        raise LibraryError(f"{self.location}: cannot be written ({reason}); {remedy}: sonovec index PATH -l NEW")

    @property
    def _ledger_path(self) -> Path:
        """Beside the vectors where they are files; for a server's library on this machine, as files are."""
        address = self.location.address
        if self.location.kind == "lance":
            return Path(address, "ledger.sqlite")
        if self.location.kind == "milvus-lite":
            return Path(address).with_suffix(".ledger.sqlite")
        key = hashlib.blake2b(address.encode(), digest_size=6).hexdigest()
        return data_dir() / "ledgers" / f"{self.location.name}-{key}.sqlite"

    def _refuse_foreign_folder(self) -> None:
        """A folder that holds other things does not become a library; one that was begun and not finished does."""
        folder = Path(self.location.address)
        if self._opened().config() is not None or self.location.kind != "lance" or not folder.is_dir():
            return
        if not all(path.name.startswith(OWN_NAMES) for path in folder.iterdir()):
            raise UsageError(
                f"{display(folder)}: is no library and holds other files; give a new folder, such as "
                f"-l {display(folder / 'library')}"
            )


def _passport(config: LibraryConfig) -> Passport:
    return Passport.from_json(config.passport)


def _absolute(path: str | os.PathLike[str]) -> Path:
    """The path from the root, with ``~`` as the user's home."""
    return absolute(Path(path).expanduser())
