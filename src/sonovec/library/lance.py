"""A library in a folder: LanceDB, one process writing and any number reading."""

from __future__ import annotations

import json
import logging
import math
import os
import re
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import LibraryError
from sonovec.library import columns
from sonovec.library.filters import And, Compare, Contains, Filter, In, IsNull, Not, Or, StartsWith, normal
from sonovec.library.records import RESERVED, TRACK_FIELDS, LibraryConfig, Value
from sonovec.library.store import SEGMENT_FIELDS, ZERO, Hit, Location, Row, decode_config
from sonovec.paths import atomic, display

CONFIG = "library.json"
#: Under this name the field `id` of each table keeps a copy of the config.
COPY = b"sonovec.config"
TABLES: Mapping[str, Mapping[str, type]] = {"tracks": {ZERO: bool, **TRACK_FIELDS}, "segments": SEGMENT_FIELDS}

#: From this many rows on an approximate index is worth the time to build it.
INDEX_ROWS = 50_000
PROBES, REFINE = 20, 4
#: Each write makes a fragment and a version; this many are put together in passing.
WRITES_BEFORE_COMPACTION = 100
#: Old versions are kept this long, for processes that are reading them.
KEEP_VERSIONS = timedelta(hours=1)
ATTEMPTS = 5

#: Names that Lance gives to columns of its own: a table that has one of them can be neither read nor searched. Earlier
#: versions of sonovec let users call a column so.
LANCE_NAMES = frozenset(
    {"_rowid", "_rowaddr", "_rowoffset", "_row_created_at_version", "_row_last_updated_at_version", "_distance"}
)

_LOG = logging.getLogger(__name__)


class LanceBackend:
    """One library in one folder: two Lance tables and a small file with the config."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._folder = Path(location.address)
        self._tables: dict[str, LanceTable] = {}
        self._database: Any = None

    def config(self) -> LibraryConfig | None:
        """The config, or None where no library is; tables that have lost their config are an error."""
        try:
            text = (self._folder / CONFIG).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            self._refuse_rows()
            return None
        except OSError as error:
            raise LibraryError(f"{self._folder}: cannot be read ({error.strerror}); check its rights") from error
        try:
            config = decode_config(text, self._location)
        except LibraryError as error:
            if not isinstance(error.__cause__, ValueError):  # it is of another version, and whole
                raise
            raise self._without_config(f"is damaged ({error.__cause__})") from error
        table = self._table("tracks")
        copy = config_copy(table)
        if table.dim() != config.dim or (copy is not None and decode_config(copy, self._location) != config):
            raise self._without_config("is of another library than the vectors")
        return config

    def _refuse_rows(self) -> None:
        """Rows without a config are of unknown vectors: to take them over would mix two kinds."""
        if any(table.count() for table in self._existing_tables()):
            raise self._without_config("is missing, which says what the vectors are")

    def _without_config(self, fault: str) -> LibraryError:
        remedy = "put it back from a backup, or index into another library: sonovec index PATH -l NEW"
        if any(map(config_copy, self._existing_tables())):
            remedy = f"bring it back with: {repair_command(self._folder)}"
        return LibraryError(f"{self._folder}: {CONFIG} {fault}; {remedy}")

    def _existing_tables(self) -> list[LanceTable]:
        return [self._table(name) for name in TABLES if manifests(self._folder / f"{name}.lance")]

    def refusal(self, fields: Mapping[str, Value]) -> str | None:
        """Everything can be kept."""

    def stamp(self) -> object:
        """Which file the config is: a library that is made anew has another."""
        try:
            found = (self._folder / CONFIG).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def create(self, config: LibraryConfig) -> None:
        """Make the tables, then keep the config: a library with a config is complete."""
        for name in TABLES:
            self.create_table(name, config)
        try:
            write_config(self._folder, config)
        except OSError as error:
            raise LibraryError(
                f"{self._folder}: cannot be written ({error.strerror}); {_remedy(str(error), self._folder)}"
            ) from error

    def create_table(self, name: str, config: LibraryConfig) -> None:
        """Make an empty table, in place of one that a run that was killed has left."""
        import pyarrow as pa

        # The copy of the config is for the day on which its file is lost.
        id = pa.field("id", pa.string(), nullable=False, metadata={COPY: _encode(config)})
        vector = pa.field("vector", pa.list_(pa.float32(), config.dim))
        with _errors(self._folder):
            self._open().create_table(name, schema=pa.schema([id, vector, *_fields(TABLES[name])]), mode="overwrite")
        self._tables.pop(name, None)

    def columns(self) -> dict[str, type]:
        """The user's own columns."""
        own = (field for field in self.tracks().schema() if field.name not in RESERVED | TRACK_FIELDS.keys())
        return {field.name: _TYPES[str(field.type)] for field in own}

    def add_columns(self, columns: Mapping[str, type]) -> None:
        """Add columns that are not there yet; existing rows hold null in them."""
        have = self.columns()
        new = {name: kind for name, kind in columns.items() if name not in have}
        if new:
            with _errors(self._folder):
                self.tracks().table.add_columns(_fields(new))

    def tracks(self) -> LanceTable:
        """The table of tracks."""
        return self._table("tracks")

    def segments(self) -> LanceTable:
        """The table of segments."""
        return self._table("segments")

    def close(self) -> None:
        """Nothing is held open between calls."""
        self._tables.clear()
        self._database = None

    def _open(self) -> Any:
        if self._database is None:
            # It warns on stderr of what its authors will change; errors are raised, and shown all the same.
            os.environ.setdefault("LANCEDB_LOG", "error")
            import lancedb

            # An interval of zero: what another process wrote is seen at once.
            self._database = lancedb.connect(str(self._folder), read_consistency_interval=timedelta(0))
        return self._database

    def _table(self, name: str) -> LanceTable:
        if name not in self._tables:
            with _errors(self._folder):
                for newest in manifests(self._folder / f"{name}.lance")[:1]:
                    check_manifest(newest)
                table = self._open().open_table(name)
                self._rename_lances(table)
                self._tables[name] = LanceTable(self._folder, table)
        return self._tables[name]

    def _rename_lances(self, table: Any) -> None:
        """Give a column of the user's another name where it has one of Lance's; its values stay."""
        names = table.schema.names
        for name in sorted(LANCE_NAMES.intersection(names)):
            better = columns.free(name, names)
            try:
                table.alter_columns({"path": name, "rename": better})
            except (RuntimeError, OSError, ValueError) as error:
                raise LibraryError(
                    f"{self._folder}: its column {name!r} has a name that LanceDB keeps for itself and cannot be renamed "
                    f"({' '.join(str(error).split())[:200]}); open the library once where it can be written: "
                    f"sonovec doctor -l {self._folder}"
                ) from error
            _LOG.warning(
                "%s: the column %r has a name of LanceDB's own and is now called %r", self._folder, name, better
            )


def write_config(folder: Path, config: LibraryConfig) -> None:
    """Keep the config of a library in its folder."""
    with atomic(folder / CONFIG) as temporary:
        temporary.write_text(_encode(config), encoding="utf-8")


def config_copy(table: LanceTable) -> str | None:
    """The copy of the config that a table keeps; None in those that were made before there were copies."""
    copy = (table.schema().field("id").metadata or {}).get(COPY)
    return None if copy is None else copy.decode()


def manifests(table: Path) -> list[Path]:
    """The versions of the table in a folder, the newest first."""
    return sorted((table / "_versions").glob("*.manifest"), key=_version, reverse=True)


def check_manifest(path: Path) -> None:
    """Raise OSError for one that was cut short or emptied: Lance takes zeros for an empty table, and panics over others."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:  # it was cleared up meanwhile
        return
    start = int.from_bytes(content[-16:-8], "little")
    length = int.from_bytes(content[start : start + 4], "little")
    if not content.endswith(b"LANC") or start + 4 + length > len(content) - 16:
        raise OSError(f"{path.parent.parent.name}/_versions/{path.name} is not whole")


def _version(manifest: Path) -> int:
    """Lance counts down in the names, so that the newest comes first in a list; it once counted up."""
    number = int(manifest.stem) if manifest.stem.isdigit() else 0
    return (1 << 64) - 1 - number if number >> 63 else number


def repair_command(folder: Path) -> str:
    """What to run to look for damage and mend it."""
    return f"sonovec doctor -l {shlex.quote(display(folder))} --repair"


def _encode(config: LibraryConfig) -> str:
    return json.dumps(asdict(config), indent=1)


class LanceTable:
    """One Lance table; see `sonovec.library.store.Table`."""

    def __init__(self, folder: Path, table: Any) -> None:
        self.table = table
        self._folder = folder
        self._writes = 0

    def schema(self) -> Any:
        """The Arrow schema as it is now."""
        with _errors(self._folder):
            return self.table.schema

    def dim(self) -> int:
        """Length of the vectors."""
        return int(self.schema().field("vector").type.list_size)

    def upsert(self, rows: Sequence[Row]) -> None:
        """Write whole rows; those of the same `id` are replaced."""
        import pyarrow as pa

        schema = self.schema()
        columns = {field.name: _column([row.get(field.name) for row in rows], field.type) for field in schema}
        data = pa.table(columns, schema=schema)
        with _errors(self._folder):
            self._retry(
                lambda: (
                    self.table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(data)
                )
            )
        self._writes += 1
        if self._writes % WRITES_BEFORE_COMPACTION == 0:
            self.optimize()

    def delete(self, where: Filter) -> None:
        """Remove the rows that match."""
        condition = to_sql(where)
        with _errors(self._folder):
            # A delete of nothing would make a version of its own.
            if self.table.count_rows(condition):
                self._retry(lambda: self.table.delete(condition))

    def rows(
        self, where: Filter | None, columns: Sequence[str], limit: int | None = None, offset: int = 0
    ) -> Iterator[Row]:
        """Rows that match, in the order of the table."""
        with _errors(self._folder):
            query = self.table.search().select(list(columns)).offset(offset)
            query = query if where is None else query.where(to_sql(where))
            # Lance's own word for all rows is a limit of as many as there are.
            batches = query.limit(self.table.count_rows() if limit is None else limit).to_batches()
            for batch in batches:
                names = batch.schema.names
                values = [_values(batch.column(name)) for name in names]
                for row in zip(*values, strict=True):
                    yield dict(zip(names, row, strict=True))

    def search(
        self, vectors: NDArray[np.float32], limit: int, where: Filter | None, columns: Sequence[str]
    ) -> list[list[Hit]]:
        """For each vector the nearest rows that match, and their cosine similarity."""
        condition = None if where is None else to_sql(where)
        return [self._search_one(vector, limit, condition, list(columns)) for vector in vectors]

    def _search_one(
        self, vector: NDArray[np.float32], limit: int, condition: str | None, columns: list[str]
    ) -> list[Hit]:
        with _errors(self._folder):
            query = self._query(vector, limit, condition, columns).minimum_nprobes(PROBES).maximum_nprobes(0)
            found = query.refine_factor(REFINE).to_arrow().to_pylist()
            if len(found) < limit and self._indexed():
                # An index walks past rows when few of them match; then a scan is cheap.
                query = self._query(vector, limit, condition, columns).bypass_vector_index()
                found = query.to_arrow().to_pylist()
        return [(row, _score(row.pop("_distance"))) for row in found]

    def _query(self, vector: NDArray[np.float32], limit: int, condition: str | None, columns: list[str]) -> Any:
        query = self.table.search(vector, vector_column_name="vector").distance_type("cosine").limit(limit)
        query = query.select([*columns, "_distance"])
        return query if condition is None else query.where(condition, prefilter=True)

    def _indexed(self) -> bool:
        return any("vector" in index.columns for index in self.table.list_indices())

    def read(self) -> int:
        """Read all that is in the table, and count its rows.

        Raises
        ------
        LibraryError
            Something of it cannot be read.
        """
        with _errors(self._folder):
            expected = int(self.table.count_rows())
            batches = self.table.search().select(self.table.schema.names).limit(expected).to_batches()
            found = sum(len(batch) for batch in batches)
            if found != expected:
                raise OSError(f"{found} of {expected} rows can be read")
        return expected

    def broken_indices(self) -> list[str]:
        """Names of the indices by which nothing can be found."""
        with _errors(self._folder):
            names = [str(index.name) for index in self.table.list_indices()]
        try:
            self.search(np.ones((1, self.dim()), np.float32), 1, None, ["id"])
        except LibraryError:
            return names
        return []

    def count(self) -> int:
        """Number of rows."""
        with _errors(self._folder):
            return int(self.table.count_rows())

    def optimize(self) -> None:
        """Compact, and build or extend the index where the size calls for it."""
        with _errors(self._folder):
            if self.count() >= INDEX_ROWS and not self._indexed():
                self._retry(
                    lambda: self.table.create_index(
                        metric="cosine", vector_column_name="vector", index_type="IVF_HNSW_SQ"
                    )
                )
            self._retry(lambda: self.table.optimize(cleanup_older_than=KEEP_VERSIONS))

    def _retry(self, write: Any) -> None:
        """Repeat a write that lost a race with another process's."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                write()
                return
            except (RuntimeError, OSError) as error:
                if "conflict" not in str(error).lower() or attempt == ATTEMPTS:
                    raise
                time.sleep(0.05 * 2**attempt)


def _score(distance: float | None) -> float:
    """Cosine similarity; the distance of a vector of zeros is no number, and its score is 0."""
    return 0.0 if distance is None or math.isnan(distance) else min(1.0, max(-1.0, 1.0 - distance))


def _fields(columns: Mapping[str, type]) -> list[Any]:
    import pyarrow as pa

    arrow = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
    return [pa.field(name, arrow[kind]) for name, kind in columns.items()]


_TYPES: Mapping[str, type] = {"bool": bool, "int64": int, "double": float, "string": str}


def _column(values: list[Any], kind: Any) -> Any:
    import pyarrow as pa

    if not pa.types.is_fixed_size_list(kind):
        return pa.array(values, kind)
    flat = np.ascontiguousarray(np.stack(values), np.float32).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), kind.list_size)


def _values(column: Any) -> list[Any]:
    import pyarrow as pa

    if not pa.types.is_fixed_size_list(column.type):
        return list(column.to_pylist())
    return list(column.flatten().to_numpy().reshape(len(column), -1))


def to_sql(condition: Filter) -> str:
    """A filter in Lance's SQL; text becomes literals and names are quoted, nothing is pasted.

    Examples
    --------
    >>> to_sql(Compare("artist", "=", "O'Brien"))
    "coalesce(`artist` = 'O''Brien', false)"
    >>> to_sql(And((IsNull("year"), Or((IsNull("artist"), Not(Or((IsNull("title"), IsNull("genre")))))))))
    '(NOT `title` IS NULL AND NOT `genre` IS NULL OR `artist` IS NULL) AND `year` IS NULL'
    """
    return _compile(normal(condition))[0]


def _compile(condition: Filter) -> tuple[str, int]:
    """SQL of a normal form, and how many levels down Lance's parser goes for it."""
    match condition:
        case Or(parts):
            return _join(" OR ", map(_compile, parts))
        case And(parts):
            return _join(" AND ", map(_factor, parts))
        case Not(part):
            return f"NOT {_leaf(part)}", 0
    return _leaf(condition), 0


def _factor(condition: Filter) -> tuple[str, int]:
    """The same within an `And`, which binds first."""
    sql, levels = _compile(condition)
    return (f"({sql})", levels + 1) if isinstance(condition, Or) else (sql, levels)


def _join(word: str, parts: Iterable[tuple[str, int]]) -> tuple[str, int]:
    """Join with the deepest first: the parser goes one level down for all others, and at most fifty in all."""
    (first, levels), *others = sorted(parts, key=itemgetter(1), reverse=True)
    return word.join([first, *(sql for sql, _ in others)]), max([levels, *(more + 1 for _, more in others)])


def _leaf(condition: Filter) -> str:
    match condition:
        case Compare(field, op, value):
            return f"coalesce(`{field}` {op} {_literal(value)}, false)"
        case In(field, values):
            return f"coalesce(`{field}` IN ({', '.join(map(_literal, values))}), false)" if values else "false"
        case Contains(field, text):
            return f"coalesce(strpos(`{field}`, {_literal(text)}) > 0, false)"
        case StartsWith(field, text):
            return f"coalesce(starts_with(`{field}`, {_literal(text)}), false)"
        case IsNull(field):
            return f"`{field}` IS NULL"
    raise AssertionError(f"no SQL for {condition!r}")


def _literal(value: bool | int | float | str) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"cast({value!r} AS double)" if isinstance(value, float) else repr(value)


#: Errors of Rust's that have no class to import.
_PANICS = ("RustPanic", "PanicException")


@contextmanager
def _errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if not isinstance(error, RuntimeError | OSError | ValueError) and type(error).__name__ not in _PANICS:
            raise
        text = said_by_lance(error)
        raise LibraryError(f"{folder}: {_remedy(text, folder)} ({text[:200]})") from error


def said_by_lance(error: BaseException) -> str:
    """The message of an error of Lance on one line, without where in its own source it failed."""
    return re.sub(r",? \S+\.rs:\d+:\d+", "", " ".join(str(error).split()))


_REMEDIES = (
    (("no space left", "file too large", "quota"), "the disk is full; free some space and run the same command again"),
    (("permission denied", "read-only"), "cannot be written; check its rights"),
)
_DAMAGED = "a part of it is missing or damaged; bring back what can be read with: {command}"


def _remedy(text: str, folder: Path) -> str:
    lower = text.lower()
    damaged = _DAMAGED if folder.is_dir() else "was deleted or moved while it was in use; open it again where it is"
    remedy = next((remedy for symptoms, remedy in _REMEDIES if any(s in lower for s in symptoms)), damaged)
    return remedy.format(command=repair_command(folder))
