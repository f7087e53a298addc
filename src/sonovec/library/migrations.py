"""Libraries of former formats become ones of this format, in place and by steps that a kill leaves repeatable.

Format 1 kept the vectors of tracks with their fields, and `sound_tags` as text. The new tables are made beside the old ones,
then the config changes in one step, and the old tables go last: so at any moment one of the two is whole and the config
says which. A library that cannot be written, or that another process holds for long, is opened as it is.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonovec.errors import LibraryError, LibraryLockedError
from sonovec.jobs import Progress, current
from sonovec.library import columns, sound_tags
from sonovec.library.backend import BATCH, decode_config, encode_config
from sonovec.library.columns import LISTENER, TRACK_COLUMNS, TRACK_FIELDS, USER, Column, Owner, heard_columns, scores_of
from sonovec.library.lance_folder import CONFIG, COPY, TABLES, create_table, table_path, write_config
from sonovec.library.lance_table import LanceTable, column_of, errors, field_of, manifests
from sonovec.library.location import Location, lock_path
from sonovec.library.lock import Lock
from sonovec.library.records import LibraryConfig, Space
from sonovec.library.tables import LABELS, PASSAGES, TRACKS, TableSpec, segments_of, vectors_of, with_columns
from sonovec.paths import why_not_writable

if TYPE_CHECKING:
    import pyarrow as pa

    from sonovec.library.milvus_backend import MilvusBackend

#: How long to wait for another process that migrates.
WAIT_SECONDS = 60.0
#: The tables of format 1, beside the config.
FORMER = ("tracks.lance", "segments.lance")

#: Names that Lance gives to columns of its own: a table that has one of them can be neither read nor searched. Format 1 once
#: let users call a column so.
LANCE_NAMES = frozenset(
    {"_rowid", "_rowaddr", "_rowoffset", "_row_created_at_version", "_row_last_updated_at_version", "_distance"}
)

_LOG = logging.getLogger(__name__)


def take_over(location: Location, config: LibraryConfig) -> FormerFolder | None:
    """Migrate the library in a folder, or, where that cannot be, give it as it is."""
    folder = Path(location.address)
    reason = next(filter(None, map(why_not_writable, [folder, *folder.glob("*.lance/*/")])), None)
    if reason is None:
        with suppress(LibraryLockedError):
            under_lock(location, lambda: migrate_folder(folder, config))
            return None
        reason = "another process indexes into it"
    _LOG.info(
        "%s: has the old format %d and cannot be written (%s); sonovec reads it without conversion",
        folder,
        config.format,
        reason,
    )
    return FormerFolder(folder, config)


def under_lock(location: Location, migrate: Callable[[], None]) -> None:
    """Migrate while nobody indexes; another process that migrates at this moment is waited for.

    Raises
    ------
    LibraryLockedError
        Another process held the library for longer than `WAIT_SECONDS`.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            with Lock(lock_path(location), f"{location}: cannot be migrated", "wait for it or stop it"):
                migrate()
                return
        except LibraryLockedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


# -- a folder


def migrate_folder(folder: Path, config: LibraryConfig) -> None:
    """Make the tables of this format beside the old ones, then write the config, then remove the old ones.

    The caller holds the lock. A migration that was killed is done again from the start, or only finished.
    """
    # It may have changed while the lock was waited for.
    now = decode_config((folder / CONFIG).read_bytes(), Location("lance", str(folder), folder.name))
    if now.format == config.format:
        _LOG.info("%s: is brought from format %d to format %d", folder, now.format, LibraryConfig.format)
        made = replace(now, format=LibraryConfig.format, id=uuid.uuid4().hex)
        _rename_lances(folder)
        build(folder, made, folder)
        write_config(folder, made)
    remove_former(folder)


def remove_former(folder: Path) -> None:
    """Remove the tables of format 1; what cannot be removed is left for the next time."""
    for name in FORMER:
        shutil.rmtree(folder / name, ignore_errors=True)


def build(source: Path, config: LibraryConfig, target: Path, vectors: bool = True) -> None:
    """Make the tables in `target` from those of format 1 in `source`; without `vectors` those of tracks alone."""
    shutil.rmtree(target / TABLES, ignore_errors=True)
    space, notes = config.main, {COPY: encode_config(config)}
    with errors(source):
        old = _dataset(source / FORMER[0])
        extra = _extra_columns(old)
        tracks = create_table(target, TRACKS, notes)
        if extra:
            tracks.add_columns(extra)
        _fill(tracks, _without_vectors(old, [*TRACK_COLUMNS, *extra]))
        for spec in (PASSAGES, LABELS):
            create_table(target, spec, notes)
        if vectors:
            _copy(old, create_table(target, vectors_of(space), notes))
            _copy(_dataset(source / FORMER[1]), create_table(target, segments_of(space), notes))


def _dataset(path: Path) -> Any:
    return LanceTable(path, path.parent).dataset


def _copy(old: Any, table: LanceTable) -> None:
    """Copy the columns of a table; those that it lacks are null."""
    import pyarrow as pa

    schema = table.schema().remove_metadata()
    lacking = [field for field in schema if field.name not in old.schema.names]
    names = [name for name in schema.names if name in old.schema.names]

    def whole(batch: pa.RecordBatch) -> pa.RecordBatch:
        for field in lacking:
            batch = batch.append_column(field, pa.nulls(len(batch), field.type))
        return batch.select(schema.names).cast(schema)

    _fill(table, map(whole, old.to_batches(columns=names)))


def _fill(table: LanceTable, batches: Iterator[pa.RecordBatch]) -> None:
    import lance
    import pyarrow as pa

    current().report(Progress("bringing the library to the present format", note=table.path.stem))
    schema = table.schema()
    whole = (pa.RecordBatch.from_arrays(batch.columns, schema=schema) for batch in batches)
    lance.write_dataset(pa.RecordBatchReader.from_batches(schema, whole), str(table.path), mode="append")
    table.optimize()


def _extra_columns(old: Any) -> list[Column]:
    """The columns beside those of the core: the user's, and what an encoder heard, which is text in format 1."""
    names = [name for name in old.schema.names if name not in {"id", "vector", "zero", *TRACK_FIELDS}]
    found = [replace(column_of(old.schema.field(name)), owner=USER) for name in names]
    if sound_tags.COLUMN in names and _is_heard(old):
        found = [column for column in found if column.name != sound_tags.COLUMN]
        found += _former_columns()
    return found


def _former_columns() -> list[Column]:
    """What an encoder heard in format 1: tags and scores; means and shares of time come when the tracks are heard again."""
    return heard_columns(Owner(LISTENER))[:2]


def _is_heard(old: Any) -> bool:
    """Whether each text in `sound_tags` is one that an encoder's tags make; the user may have a column of that name."""
    texts = (text for batch in old.to_batches(columns=[sound_tags.COLUMN]) for text in batch.column(0).to_pylist())
    return are_heard(texts)


def are_heard(texts: Iterable[str | None]) -> bool:
    """Whether each of some texts is one that an encoder's tags make.

    Examples
    --------
    >>> are_heard([None, "Dog 0.934; Bark 0.810"]), are_heard(["dogs, cats"])
    (True, False)
    """
    return all(text is None or sound_tags.reads_whole(text) for text in texts)


def _without_vectors(old: Any, wanted: list[Column]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    heard = {column.name for column in wanted if column.kind == list[str]}
    names = ["id", *(column.name for column in wanted if column.name in old.schema.names)]
    for batch in old.to_batches(columns=names):
        made = dict(zip(batch.schema.names, batch.columns, strict=True))
        for name in heard & made.keys():
            lists = [sound_tags.lists(text) for text in made[name].to_pylist()]
            made[name] = pa.array([items for items, _ in lists], pa.list_(pa.string()))
            made[scores_of(name)] = pa.array([scores for _, scores in lists], pa.list_(pa.float64()))
        fields = [pa.field("id", pa.string(), nullable=False), *map(field_of, wanted)]
        yield pa.RecordBatch.from_arrays([made[field.name] for field in fields], schema=pa.schema(fields))


def _rename_lances(folder: Path) -> None:
    """Give a column of the user's another name where it has one of Lance's; its values stay."""
    with errors(folder):
        old = _dataset(folder / FORMER[0])
        names = old.schema.names
        for name in sorted(LANCE_NAMES.intersection(names)):
            better = columns.free(name, names)
            old.alter_columns({"path": name, "name": better})
            _LOG.warning("%s: the column %r has a name of Lance's own and is now called %r", folder, name, better)


# -- Milvus


def migrate_milvus(backend: MilvusBackend, config: LibraryConfig) -> None:
    """The same in Milvus, where the collection of segments stays as it is.

    The caller holds the lock. A migration that was killed is done again from the start, or only finished.
    """
    old, columns = backend.former_tracks(), backend.columns()
    texts = (row[sound_tags.COLUMN] for row in old.rows(None, [sound_tags.COLUMN]))
    listens = columns.get(sound_tags.COLUMN) is not None and are_heard(
        text if text is None or isinstance(text, str) else None for text in texts
    )
    heard = _former_columns() if listens else []
    extra = {column.name: column for column in [*columns.values(), *heard] if column.name not in TRACK_FIELDS}
    specs = [with_columns(TRACKS, list(extra.values())), vectors_of(config.main), PASSAGES, LABELS]
    for spec in specs:
        backend.drop_table(spec)
    backend.create_tables(specs)
    rows = old.rows(None, ["id", "vector", "zero", *(TRACK_FIELDS.keys() | columns.keys())])
    while batch := list(islice(rows, BATCH)):
        vectors = [{name: row.pop(name) for name in ("vector", "zero")} | {"id": row["id"]} for row in batch]
        if listens:
            for row in batch:
                tags, scores = sound_tags.lists(row[sound_tags.COLUMN])
                row.update({sound_tags.COLUMN: tags, scores_of(sound_tags.COLUMN): scores})
        backend.table(vectors_of(config.main)).upsert([{**row, "zero": bool(row["zero"])} for row in vectors])
        backend.table(TRACKS).upsert(batch)
    backend.add_columns(heard)
    backend.set("config", encode_config(replace(config, format=LibraryConfig.format, id=uuid.uuid4().hex)))
    backend.drop_former()


class FormerFolder:
    """A library of format 1 that is read as it is: its vectors in place, and its tracks in a copy of their fields."""

    def __init__(self, folder: Path, config: LibraryConfig) -> None:
        if taken := sorted(LANCE_NAMES.intersection(_dataset(folder / FORMER[0]).schema.names)):
            raise LibraryError(
                f"{folder}: its column {taken[0]!r} has a name that Lance keeps for itself and cannot be renamed; open the "
                f"library once where it can be written: sonovec doctor -l {folder}"
            )
        self._folder = folder
        self._copy = tempfile.TemporaryDirectory(prefix="sonovec-")
        build(folder, config, Path(self._copy.name), vectors=False)
        space: Space = config.main
        self._in_place: Mapping[str, str] = {vectors_of(space).name: FORMER[0], segments_of(space).name: FORMER[1]}

    def path(self, spec: TableSpec) -> Path:
        """Where a table lies."""
        if spec.name in self._in_place:
            return self._folder / self._in_place[spec.name]
        return table_path(Path(self._copy.name), spec)

    def close(self) -> None:
        """Remove the copy."""
        self._copy.cleanup()


def has_former_tables(folder: Path) -> bool:
    """Whether tables of format 1 lie in a folder."""
    return any(manifests(folder / name) for name in FORMER)
