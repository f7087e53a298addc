"""Write a library into a folder of Parquet files with a manifest, to keep it or to share it without the audio."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sonovec import __version__
from sonovec.errors import LibraryError, UsageError
from sonovec.jobs import Job, Progress
from sonovec.library.columns import TRACK_FIELDS
from sonovec.library.lance_table import field_of
from sonovec.library.manifest import File, Manifest, file_of, sha256
from sonovec.library.records import MAIN
from sonovec.library.roots import PATH, Roots, alias_in
from sonovec.library.store import Store
from sonovec.library.tables import TAGS, TRACKS, TableSpec, segments_of, vectors_of
from sonovec.paths import display, from_text

if TYPE_CHECKING:
    import pyarrow as pa

_LOG = logging.getLogger(__name__)

#: Rows of a group in a file: what a reader holds at once.
GROUP = 1000


def export(store: Store, roots: Roots, folder: Path, job: Job) -> Manifest:
    """Write all tables of a library, one batch at a time; the folder appears when it is complete.

    Raises
    ------
    UsageError
        The folder exists and is not empty, or cannot be written.
    LibraryError
        The library was changed meanwhile, so that its tables do not fit together.
    """
    config = store.config()
    assert config is not None
    columns = [column for name, column in store.declared().items() if name not in TRACK_FIELDS]
    spaces = [space for name, space in store.spaces().items() if name != MAIN and space.source is None]
    for space in store.spaces().values():
        if space.source is not None:
            _LOG.warning(
                "%s: the compressed space %r is left out; make it again after the import: sonovec compress LIBRARY --to %s",
                *(store.location, space.name, space.passport.get("to")),
            )
    with _new_folder(folder) as temporary:
        manifest = Manifest(config, spaces, columns, {}, __version__)
        total = sum(store.table(spec).count() for spec in manifest.tables)
        files: dict[str, File] = {}
        for spec in manifest.tables:
            done = sum(file.rows for file in files.values())
            job.report(Progress("exporting", done, total, "rows", note=spec.name))
            files[file_of(spec)] = _write(store, spec, roots, temporary / file_of(spec), job)
        if files[file_of(TRACKS)].rows != files[file_of(vectors_of(config.main))].rows:
            raise LibraryError(f"{store.location}: was changed while it was exported; run it again")
        manifest = Manifest(config, spaces, columns, files, __version__)
        manifest.write(temporary)
    return manifest


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into, which gets its name at the end, or is removed after an error."""
    try:
        if folder.exists() and not (folder.is_dir() and next(folder.iterdir(), None) is None):
            raise UsageError(f"{display(folder)}: exists already; give a new folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name[:32]}-", dir=folder.parent))
    except OSError as error:
        raise UsageError(f"{display(folder)}: cannot be written ({error.strerror}); give another place") from error
    try:
        inside = temporary / "export"  # made with the rights that the user's umask gives, as `mkdtemp` is not
        inside.mkdir()
        yield inside
        if folder.exists():
            folder.rmdir()
        inside.rename(folder)
    except OSError as error:
        raise UsageError(f"{display(folder)}: cannot be written ({error.strerror}); give another place") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(store: Store, spec: TableSpec, roots: Roots, path: Path, job: Job) -> File:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, stored = schema_of(spec), store.table(spec)
    names = [name for name in schema.names if stored.has(name)]
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in stored.batches(None, names):
            job.check()
            table = pa.Table.from_batches([batch])
            if spec.name == segments_of(store.space()).name:
                table = _with_tags(table)
            table = table.select(schema.names)
            if spec.name == TRACKS.name:
                table = _shareable(table, roots)
            writer.write_table(table.cast(schema), row_group_size=GROUP)
            rows += len(batch)
    return File(rows, path.stat().st_size, sha256(path, job.check))


def _with_tags(table: pa.Table) -> pa.Table:
    """Segments with their tags; those that a former version stored have none, which every store keeps as an empty text."""
    import pyarrow as pa

    if TAGS not in table.column_names:
        return table.append_column(TAGS, pa.array([""] * len(table), pa.string()))
    place = table.schema.get_field_index(TAGS)
    return table.set_column(place, TAGS, table[TAGS].cast(pa.string()).fill_null(""))


def schema_of(spec: TableSpec) -> pa.Schema:
    """The columns of a table's file."""
    import pyarrow as pa

    vector = [] if spec.dim is None else [pa.field("vector", pa.list_(pa.float32(), spec.dim))]
    return pa.schema([pa.field("id", pa.string()), *vector, *map(field_of, spec.columns)])


def _shareable(table: pa.Table, roots: Roots) -> pa.Table:
    """Paths by the aliases of roots, also those that a former version kept as they are on this machine."""
    import pyarrow as pa

    place = table.schema.get_field_index(PATH)
    texts = table.column(place).to_pylist()
    stored = [text if text is None or alias_in(text) else roots.stored(from_text(text)) for text in texts]
    return table.set_column(place, PATH, pa.array(stored, pa.string()))
