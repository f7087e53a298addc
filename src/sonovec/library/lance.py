"""A library in a folder: LanceDB, one process writing and any number reading."""

from __future__ import annotations

import json
import logging
import math
import os
import re
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
from sonovec.library.records import RESERVED, TRACK_FIELDS, LibraryConfig
from sonovec.library.store import SEGMENT_FIELDS, ZERO, Hit, Location, Row, decode_config
from sonovec.paths import atomic

CONFIG = "library.json"

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
        """The config, or None where no library is."""
        try:
            return decode_config((self._folder / CONFIG).read_bytes(), self._location)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise LibraryError(f"{self._folder}: cannot be read ({error.strerror}); check its rights") from error

    def create(self, config: LibraryConfig) -> None:
        """Make the tables, then keep the config: a library with a config is complete."""
        import pyarrow as pa

        vector = pa.field("vector", pa.list_(pa.float32(), config.dim))
        for name, fields in (("tracks", {ZERO: bool, **TRACK_FIELDS}), ("segments", SEGMENT_FIELDS)):
            schema = pa.schema([pa.field("id", pa.string(), nullable=False), vector, *_fields(fields)])
            with _errors(self._folder):
                self._open().create_table(name, schema=schema, exist_ok=True)
        try:
            with atomic(self._folder / CONFIG) as temporary:
                temporary.write_text(json.dumps(asdict(config), indent=1), encoding="utf-8")
        except OSError as error:
            raise LibraryError(
                f"{self._folder}: cannot be written ({error.strerror}); {_remedy(str(error))}"
            ) from error

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


@contextmanager
def _errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, OSError, ValueError) as error:
        text = re.sub(r",? \S+\.rs:\d+:\d+", "", " ".join(str(error).split()))  # where in its own source it failed
        raise LibraryError(f"{folder}: {_remedy(text)} ({text[:200]})") from error


_REMEDIES = (
    (("no space left", "file too large", "quota"), "the disk is full; free some space and run the same command again"),
    (("permission denied", "read-only"), "cannot be written; check its rights"),
    (("not found", "no such file"), "a part of the library is missing; index into another library"),
)


def _remedy(text: str) -> str:
    lower = text.lower()
    return next((remedy for symptoms, remedy in _REMEDIES if any(s in lower for s in symptoms)), "the store failed")
