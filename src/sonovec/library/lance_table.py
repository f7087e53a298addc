"""One table of a library in a folder: a Lance dataset, with its indices."""

from __future__ import annotations

import logging
import math
import os
import re
import shlex
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import LibraryError
from sonovec.library import lance_lists
from sonovec.library.arrow_rows import rows_of
from sonovec.library.backend import USUAL, Effort, Health, Hit, Row
from sonovec.library.brute_force import compared
from sonovec.library.codes import HALF, PLAIN, SIGNS, stored_as
from sonovec.library.columns import Column, Kind, Owner, scores_of
from sonovec.library.filters import Filter
from sonovec.library.lance_lists import Lists
from sonovec.library.lance_sql import to_sql
from sonovec.library.tables import TableSpec
from sonovec.paths import display

if TYPE_CHECKING:
    import pyarrow as pa

#: From so many rows on a column that asks for an index has one.
SCALAR_ROWS = 1_000
#: From so many rows on an approximate index of the vectors is worth the time to build it, and it is trained anew when there
#: are so many times the rows that it was trained on.
INDEX_ROWS, GROWTH = 20_000, 4
#: An index is brought up to date when it lacks more rows than this, and more than this part of all: until then they are
#: scanned, so that a small write costs the same in a large table.
LACKING_ROWS, LACKING_PART = 1_000, 0.05
PROBES = 20
#: The index rounds vectors to 8 bits a number. So many times as many hits as are wanted are compared once more as they are
#: stored: the end of a long list matters less.
REFINE, REFINE_LONG, LONG = 4, 2, 100
#: Rows of a part of an index without a graph.
ROWS_A_PART = 4_096
#: Each write makes a fragment and a version. More than so many fragments of fewer rows than a tier are put together to ones
#: of that tier, so that a small write does not rewrite large fragments, and there are never very many.
TIERS, MOST_OF_TIER = (2_000, 20_000), 20
WRITES_BEFORE_TIDYING = 100
#: Old versions are kept this long, for processes that are reading them.
KEEP_VERSIONS = timedelta(hours=1)
ATTEMPTS = 8
#: Batches that a scan decodes at once; without a number it is one, on one core. Batches of vectors are too large for that.
READAHEAD = 4
#: Lists of text of so many rows are remembered, at some 200 bytes a row; those of more are read anew each time.
MOST_REMEMBERED = 1_000_000

#: Lance's own mark: of rows that several writers merge at once, none is written twice.
KEY: Mapping[bytes, str] = {b"lance-schema:unenforced-primary-key": "true"}
#: Under this name the configuration of a dataset keeps how many rows its vector index was trained on.
TRAINED = "sonovec.trained"
_OWNER, _VERSION, _INDEX = b"sonovec.owner", b"sonovec.version", b"sonovec.index"
#: The field `vector` keeps the number type here, where that is not float32.
_DTYPE = b"sonovec.dtype"
#: The index of vectors of a number type, and how they are compared; others have none, and are read and compared by us.
_VECTOR_INDICES: Mapping[str, tuple[str, str]] = {
    PLAIN: ("IVF_HNSW_SQ", "cosine"),
    HALF: ("IVF_HNSW_SQ", "cosine"),
    SIGNS: ("IVF_FLAT", "hamming"),
}
_INDEX_TYPES: Mapping[str, str] = {"scalar": "BTREE", "labels": "LABEL_LIST", "text": "INVERTED"}
#: Words are found as they are, in any language.
_TEXT: Mapping[str, bool] = {"stem": False, "remove_stop_words": False}

_LOG = logging.getLogger(__name__)
Answer = TypeVar("Answer")


class LanceTable:
    """One Lance dataset; see `sonovec.library.backend.Table`."""

    rough = True

    def __init__(self, path: Path, library: Path, quiet: bool = False) -> None:
        self.path = path
        self._library = library
        self._writes = 0
        self._lists: dict[str, tuple[int, list[Lists]]] = {}
        with errors(library):
            for newest in manifests(path)[:1]:
                check_manifest(newest)
            self._local = threading.local()
            self._local.dataset = _lance().dataset(str(path))
            self._session = self._local.dataset.session()
            self._broken = self._without_files()
        if self._broken and not quiet:
            _LOG.warning(
                "%s: files of indices are missing (%s): searches are slower; mend it with: %s",
                library, ", ".join(sorted(self._broken)), repair_command(library),
            )  # fmt: skip

    @classmethod
    def create(cls, path: Path, spec: TableSpec, library: Path, notes: Mapping[bytes, str]) -> LanceTable:
        """Make an empty table; the field `id` keeps the `notes`."""
        import pyarrow as pa

        id = pa.field("id", pa.string(), nullable=False, metadata={**KEY, **notes})
        vector = [] if spec.dim is None else [_vector_field(spec.dim, spec.dtype)]
        schema = pa.schema([id, *vector, *map(field_of, spec.columns)])
        with errors(library):
            made = _lance().write_dataset(schema.empty_table(), str(path), mode="create")
            for column, kind in spec.indices.items():
                if kind == "text":  # without it Lance does not search for words
                    made.create_scalar_index(column, _INDEX_TYPES[kind], **_TEXT)
        return cls(path, library)

    @property
    def dataset(self) -> Any:
        """The dataset as it is now, whoever wrote it last; each thread has an object of its own, with caches in common."""
        found = getattr(self._local, "dataset", None)
        if found is None:
            found = self._local.dataset = _lance().dataset(str(self.path), session=self._session)
        else:
            found.checkout_latest()
        return found

    def schema(self) -> pa.Schema:
        """The Arrow schema as it is now."""
        with errors(self._library):
            return self.dataset.schema

    def dim(self) -> int | None:
        """Length of the vectors, or None where there are none."""
        schema = self.schema()
        return int(schema.field("vector").type.list_size) if "vector" in schema.names else None

    def dtype(self) -> str:
        """Number type of the vectors."""
        schema = self.schema()
        notes = (schema.field("vector").metadata or {}) if "vector" in schema.names else {}
        return str(notes.get(_DTYPE, PLAIN.encode()).decode())

    def note(self, name: bytes) -> str | None:
        """One of the notes that the table was made with."""
        found = (self.schema().field("id").metadata or {}).get(name)
        return None if found is None else str(found.decode())

    def columns(self) -> dict[str, Column]:
        """All columns but `id` and `vector`."""
        fields = (field for field in self.schema() if field.name not in ("id", "vector"))
        return {field.name: column_of(field) for field in fields}

    def add_columns(self, columns: Sequence[Column]) -> None:
        """Add columns, null in every row."""
        self._write(lambda: self.dataset.add_columns([field_of(column) for column in columns]))

    def has(self, column: str) -> bool:
        """Whether the table keeps a column."""
        return column in self.schema().names

    # -- rows

    def upsert(self, rows: Sequence[Row]) -> None:
        """Write whole rows; those of the same `id` are replaced."""
        data = self._arrow(rows, self.schema().names)
        self._write(lambda: self._merge().when_not_matched_insert_all().execute(data))
        self._tidy_in_passing()

    def update(self, rows: Sequence[Row]) -> None:
        """Change some columns of rows that are there; the others are not read or written."""
        data = self._arrow(rows, [name for name in self.schema().names if name in rows[0]])
        self._write(lambda: self._merge().execute(data))
        self._tidy_in_passing()

    def _merge(self) -> Any:
        return self.dataset.merge_insert("id").when_matched_update_all()

    def _arrow(self, rows: Sequence[Row], names: Sequence[str]) -> pa.Table:
        import pyarrow as pa

        schema = pa.schema([self.schema().field(name) for name in names])
        columns = {field.name: _to_arrow([row.get(field.name) for row in rows], field.type) for field in schema}
        return pa.table(columns, schema=schema)

    def delete(self, where: Filter) -> None:
        """Remove the rows that match."""
        condition = to_sql(where)
        # A delete of nothing would make a version of its own.
        if self._asked(lambda scan: scan(columns=["id"], filter=condition, limit=1).to_table().num_rows):
            self._write(lambda: self.dataset.delete(condition))

    def rows(
        self, where: Filter | None, columns: Sequence[str], limit: int | None = None, offset: int = 0
    ) -> Iterator[Row]:
        """Rows that match, in the order of the table."""
        for batch in self.batches(where, columns, limit, offset):
            yield from rows_of(batch)

    def batches(
        self, where: Filter | None, columns: Sequence[str], limit: int | None = None, offset: int = 0
    ) -> Iterator[pa.RecordBatch]:
        """The same as Arrow batches."""
        with errors(self._library):
            scanner = self._scanner(
                columns=list(columns),
                filter=None if where is None else to_sql(where),
                limit=limit,
                offset=offset or None,
            )
            yield from scanner.to_batches()

    def sample(self, limit: int, columns: Sequence[str]) -> list[pa.RecordBatch]:
        """Rows that are equally far from each other."""
        with errors(self._library):
            dataset = self.dataset
            count = int(dataset.count_rows())
            places = np.unique(np.linspace(0, count - 1, min(limit, count)).astype(int)).tolist()
            return list(dataset.take(places, columns=list(columns)).to_batches()) if places else []

    def ids(self, where: Filter | None, limit: int | None = None) -> list[str]:
        """The ids of rows that match."""
        return [id for batch in self.batches(where, ["id"], limit) for id in batch.column("id").to_pylist()]

    def count(self) -> int:
        """Number of rows."""
        with errors(self._library):
            return int(self.dataset.count_rows())

    def indexed(self) -> int | None:
        """How many rows the index of the vectors knows."""
        with errors(self._library):
            found = self._indexed().get("vector")
        return None if found is None else found[1]

    # -- search

    def search(
        self,
        vectors: NDArray[np.float32],
        limit: int,
        where: Filter | None,
        columns: Sequence[str],
        effort: Effort = USUAL,
    ) -> list[list[Hit]]:
        """For each vector the nearest rows that match, and their cosine similarity."""
        most = min(limit, self.count())
        if most == 0:
            return [[] for _ in vectors]
        condition = None if where is None else to_sql(where)
        indexed = not effort.exact and "vector" in self._indexed()
        if not indexed and len(vectors) > 1 and vectors.dtype == np.float32:  # one pass for all of them
            asked = list(dict.fromkeys([*columns, "vector"]))
            return compared(self.batches(where, asked), vectors, most, columns)
        return [
            self._search_one(vector, most, condition, [*columns, "_distance"], effort, indexed) for vector in vectors
        ]

    def _search_one(
        self,
        vector: NDArray[np.float32],
        limit: int,
        condition: str | None,
        columns: list[str],
        effort: Effort,
        indexed: bool,
    ) -> list[Hit]:
        found = self._nearest(vector, limit, condition, columns, effort if indexed else None)
        if indexed and len(found) < limit:
            # An index walks past rows when few of them match; then a scan is cheap.
            found = self._nearest(vector, limit, condition, columns, None)
        score = _score if vector.dtype == np.float32 else _score_of_signs(8 * len(vector))
        return [(row, score(row.pop("_distance"))) for row in found]

    def _nearest(
        self, vector: NDArray[Any], limit: int, condition: str | None, columns: list[str], effort: Effort | None
    ) -> list[Row]:
        nearest: dict[str, object] = {
            "column": "vector",
            "q": _arrow(vector) if vector.dtype == np.float32 else vector,
            "k": limit,
            "metric": "cosine" if vector.dtype == np.float32 else "hamming",
            "use_index": False,
        }
        if effort is not None:
            nearest |= {"use_index": True, "nprobes": math.ceil(PROBES * effort.times)}
            if vector.dtype == np.float32 and not effort.rough:
                nearest["refine_factor"] = math.ceil((REFINE if limit < LONG else REFINE_LONG) * effort.times)
        found = self._asked(
            lambda scan: scan(columns=columns, nearest=nearest, filter=condition, prefilter=True).to_table()
        )
        return [row for batch in found.to_batches() for row in rows_of(batch)]

    def find(
        self, words: str, limit: int, where: Filter | None, columns: Sequence[str], every: Sequence[str] = ()
    ) -> list[Hit]:
        """Rows that hold any of the words, and of each text of `every` any word, the best first, by BM25."""
        column = next(name for name, kind in self._wanted().items() if kind == "text")
        asked = {
            "full_text_query": _all_of(every, column) if every else {"query": words, "columns": [column]},
            "filter": None if where is None else to_sql(where),
        }
        found = self._asked(
            lambda scan: scan(columns=[*columns, "_score"], limit=limit, prefilter=True, **asked).to_table()
        )
        return [(row, float(row.pop("_score"))) for row in found.to_pylist()]

    def scores(self, items: Sequence[str], column: str, where: Filter | None) -> tuple[pa.Array, NDArray[np.float64]]:
        """The ids of rows that match, and the scores of the items in their lists."""
        rows = None
        if where is not None:
            asked = {"columns": [], "filter": to_sql(where), "with_row_id": True}
            rows = self._asked(lambda scan: scan(**asked).to_table()["_rowid"].to_numpy())
        with errors(self._library):
            return lance_lists.scores(self._read_lists(column), items, rows)

    def items(self, column: str) -> set[str]:
        """All items that the lists of a column hold."""
        with errors(self._library):
            return {name for part in self._read_lists(column) for name in part.names}

    def _read_lists(self, column: str) -> Iterable[Lists]:
        """The lists of a column; they are remembered as long as the table stays as it is, and is not very large."""
        dataset = self.dataset
        if self._lists.get(column, (None,))[0] != dataset.version:
            found = lance_lists.read(self._scanner, column, scores_of(column) in dataset.schema.names)
            if self.count() > MOST_REMEMBERED:
                return found
            self._lists[column] = dataset.version, list(found)
        return self._lists[column][1]

    def _scanner(self, **arguments: Any) -> Any:
        if self._broken:
            arguments["use_scalar_index"] = False
        if "vector" not in arguments.get("columns", ()):
            arguments["batch_readahead"] = READAHEAD
        return self.dataset.scanner(**arguments)

    def _asked(self, ask: Callable[[Callable[..., Any]], Answer]) -> Answer:
        with errors(self._library):
            return ask(self._scanner)

    # -- indices and fragments

    def optimize(self) -> None:
        """Compact, and build or extend the indices where the size calls for it."""
        self._tidy()
        self._write(self._index_vectors)
        self._clear_up()

    def _tidy_in_passing(self) -> None:
        self._writes += 1
        if self._writes % WRITES_BEFORE_TIDYING == 0:
            self._tidy()
            self._clear_up()

    def _clear_up(self) -> None:
        """Remove old versions, once there are some that are older than they must be: to look for them takes time."""
        with suppress(FileNotFoundError):  # another process clears up
            ages = [time.time() - path.stat().st_mtime for path in manifests(self.path)[-1:]]
            if max(ages, default=0) < 2 * KEEP_VERSIONS.total_seconds():
                return
        self._write(lambda: self.dataset.cleanup_old_versions(older_than=KEEP_VERSIONS))

    def _tidy(self) -> None:
        """What is quick: fragments are put together, and the indices of columns brought up to date."""
        self._write(self._compact)
        self._write(self._index_columns)

    def _compact(self) -> None:
        least = 0
        for tier in TIERS:
            dataset = self.dataset
            sizes = [fragment.physical_rows for fragment in dataset.get_fragments()]
            if sum(least <= size < tier for size in sizes) > MOST_OF_TIER:
                dataset.optimize.compact_files(target_rows_per_fragment=tier)
            least = tier

    def _index_columns(self) -> None:
        dataset, rows = self.dataset, self.count()
        indexed, wanted = self._indexed(), self._wanted()
        for column, kind in wanted.items():
            if column not in indexed and (rows >= SCALAR_ROWS or kind == "text"):
                options = _TEXT if kind == "text" else {}
                dataset.create_scalar_index(column, _INDEX_TYPES[kind], replace=True, **options)
        known = [indexed[column] for column in wanted if column in indexed]
        behind = [name for name, count in known if self._lacks(count, rows)]
        if behind:
            dataset.optimize.optimize_indices(index_names=behind)

    def _index_vectors(self) -> None:
        dataset, rows = self.dataset, self.count()
        if rows < INDEX_ROWS or (kind := self._vector_index()) is None:
            return
        name, indexed = self._indexed().get("vector", (None, 0))
        if name is None or rows >= GROWTH * int(dataset.config().get(TRAINED, INDEX_ROWS)):
            began = time.monotonic()
            dataset.create_index("vector", kind[0], metric=kind[1], replace=True, **_parts(kind[0], rows))
            _LOG.info("%s: its index was built over %d vectors in %.1f s", self.path, rows, time.monotonic() - began)
            dataset.update_config({TRAINED: str(rows)})
        elif self._lacks(indexed, rows):
            dataset.optimize.optimize_indices(index_names=[name])

    def _vector_index(self) -> tuple[str, str] | None:
        return None if self.dim() is None else _VECTOR_INDICES.get(self.dtype())

    @staticmethod
    def _lacks(indexed: int, rows: int) -> bool:
        return rows - indexed > max(LACKING_ROWS, LACKING_PART * rows)

    def _wanted(self) -> dict[str, str]:
        """The columns that ask for an index, with its kind; those that were added later included."""
        return {
            **{name: column.index for name, column in self.columns().items() if column.index != "none"},
            "id": "scalar",
        }

    def _indexed(self) -> dict[str, tuple[str, int]]:
        """The columns that have an index that can be used, with its name and how many rows it knows."""
        found = self.dataset.describe_indices()
        return {
            each.field_names[0]: (str(each.name), int(each.num_rows_indexed))
            for each in found
            if each.name not in self._broken
        }

    def _without_files(self) -> set[str]:
        """Names of indices whose files someone has deleted."""
        there = self.path / "_indices"
        found = self.dataset.describe_indices()
        return {str(each.name) for each in found if not all((there / part.uuid).is_dir() for part in each.segments)}

    def drop_indices(self, names: Sequence[str]) -> None:
        """Forget indices; the next `optimize` builds them again."""
        with errors(self._library):
            for name in names:
                self._retry(lambda name=name: self.dataset.drop_index(name))  # type: ignore[misc]
        self._broken -= set(names)

    def health(self) -> Health:
        """Look for duplicates and for indices that are missing, broken or far behind."""
        import pyarrow.compute as pc

        rows, indexed = self.count(), self._indexed()
        ids = self._asked(lambda scan: scan(columns=["id"]).to_table()["id"])
        wanted = [*self._wanted(), *(["vector"] if rows >= INDEX_ROWS and self._vector_index() else [])]
        stale = [
            column for column in wanted if rows >= SCALAR_ROWS and self._lacks(indexed.get(column, ("", 0))[1], rows)
        ]
        broken = [str(index.field_names[0]) for index in self.dataset.describe_indices() if index.name in self._broken]
        return Health(rows - pc.count_distinct(ids).as_py(), tuple(dict.fromkeys([*broken, *stale])))

    def mend(self) -> None:
        """Remove duplicates, and bring the indices up to date."""
        self._write(self._remove_duplicates)
        self.optimize()

    def _remove_duplicates(self) -> None:
        found = self.dataset.to_table(columns=["id"], with_row_id=True)
        rows = dict(zip(found["id"].to_pylist(), found["_rowid"].to_pylist(), strict=True))  # the last of each id
        doomed = set(found["_rowid"].to_pylist()).difference(rows.values())
        if doomed:
            self.dataset.delete(f"_rowid IN ({', '.join(map(str, sorted(doomed)))})")

    def read(self) -> int:
        """Read all that is in the table, and count its rows.

        Raises
        ------
        LibraryError
            Something of it cannot be read.
        """
        with errors(self._library):
            expected = int(self.dataset.count_rows())
            found = sum(len(batch) for batch in self.dataset.to_batches())
            if found != expected:
                raise OSError(f"{found} of {expected} rows can be read")
        return expected

    def broken_indices(self) -> list[str]:
        """Names of the indices by which nothing can be found."""
        return [str(index.name) for index in self.dataset.describe_indices() if not self._works(index)]

    def _works(self, index: Any) -> bool:
        if index.name in self._broken:
            return False
        column = index.field_names[0]
        kind = self._wanted().get(column)
        try:
            if column == "vector":
                probe = np.ones(self.dim() or 0, np.uint8 if self.dtype() == SIGNS else np.float32)
                self._nearest(probe, 1, None, ["id"], Effort())
            elif kind == "text":
                self.find("sound", 1, None, ["id"])
            else:
                test = f"array_has(`{column}`, 'x')" if kind == "labels" else f"`{column}` = 'x'"
                self._asked(lambda scan: scan(columns=["id"], filter=test).to_table())
        except LibraryError:
            return False
        return True

    def _write(self, write: Callable[[], Any]) -> None:
        if self._broken:  # a write looks for the rows that it replaces by them
            self.drop_indices(sorted(self._broken))
        with errors(self._library):
            self._retry(write)

    @staticmethod
    def _retry(write: Callable[[], Any]) -> None:
        """Repeat a write that lost a race with another process's."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                write()
                return
            except (RuntimeError, OSError) as error:
                if "conflict" not in str(error).lower() or attempt == ATTEMPTS:
                    raise
                time.sleep(0.05 * 2**attempt)


def _all_of(texts: Sequence[str], column: str) -> Any:
    """The query for rows that hold any word of each text."""
    _lance()
    from lance.query import BooleanQuery, MatchQuery, Occur

    return BooleanQuery([(Occur.MUST, MatchQuery(text, column)) for text in texts])


def _arrow(vector: NDArray[np.float32]) -> pa.Array:
    """A vector as Lance takes it without conversion; its own way imports `numpy.ma`, which takes a while."""
    import pyarrow as pa

    return pa.Array.from_buffers(
        pa.float32(), len(vector), [None, pa.py_buffer(np.ascontiguousarray(vector, np.float32))]
    )


def _lance() -> Any:
    # It warns on stderr of what its authors will change; errors are raised, and shown all the same.
    os.environ.setdefault("LANCE_LOG", "error")
    import lance

    return lance


# -- columns and values in Arrow


def field_of(column: Column) -> pa.Field:
    """A column as a field of Arrow, whose metadata keep its owner and its index."""
    import pyarrow as pa

    kinds: Mapping[Kind, Any] = {
        bool: pa.bool_(),
        int: pa.int64(),
        float: pa.float64(),
        str: pa.string(),
        list[str]: pa.list_(pa.string()),
        list[float]: pa.list_(pa.float64()),
    }
    notes = {_OWNER: column.owner.name, _VERSION: column.owner.version, _INDEX: column.index}
    return pa.field(column.name, kinds[column.kind], metadata=notes)


def column_of(field: pa.Field) -> Column:
    """The inverse of `field_of`; a field without metadata, of an earlier format, is the user's."""
    notes = {name: value.decode() for name, value in (field.metadata or {}).items()}
    owner = Owner(notes.get(_OWNER, "user"), notes.get(_VERSION, ""))
    return Column(field.name, _kind_of(field.type), owner, notes.get(_INDEX, "none"))


def _kind_of(type: pa.DataType) -> Kind:
    import pyarrow as pa

    if pa.types.is_list(type):
        return list[str] if pa.types.is_string(type.value_type) else list[float]
    return {"bool": bool, "int64": int, "double": float, "string": str}[str(type)]


def _to_arrow(values: list[Any], kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if not pa.types.is_fixed_size_list(kind):
        return pa.array(values, kind)
    dtype = pa.array([], kind.value_type).to_numpy().dtype  # pyarrow's own name for it needs Pandas up to version 17
    flat = np.ascontiguousarray(np.stack(values), dtype).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), kind.list_size)


def _vector_field(dim: int, dtype: str) -> pa.Field:
    import pyarrow as pa

    notes = None if dtype == PLAIN else {_DTYPE: dtype}
    return pa.field("vector", pa.list_(pa.from_numpy_dtype(stored_as(dtype)), dim), metadata=notes)


def _score(distance: float | None) -> float:
    """Cosine similarity; the distance of a vector of zeros is no number, and its score is 0."""
    return 0.0 if distance is None or math.isnan(distance) else min(1.0, max(-1.0, 1.0 - distance))


def _score_of_signs(bits: int) -> Callable[[float | None], float]:
    """The cosine of two vectors of signs, by how many of them differ."""
    return lambda distance: 0.0 if distance is None else 1 - 2 * distance / bits


def _parts(kind: str, rows: int) -> dict[str, int]:
    """Into how many parts an index is cut, where Lance needs to be told."""
    return {"num_partitions": max(1, rows // ROWS_A_PART)} if kind == "IVF_FLAT" else {}


# -- files and errors


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


def repair_command(library: Path | str) -> str:
    """What to run to look for damage and mend it; a library is a folder, a file or a URI."""
    return f"sonovec doctor -l {shlex.quote(display(library))} --repair"


#: Errors of Rust's that have no class to import.
_PANICS = ("RustPanic", "PanicException")


@contextmanager
def errors(folder: Path) -> Iterator[None]:
    """Say errors of Lance over the library in a folder as ours, each on one line with what to do."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, RuntimeError | OSError | ValueError) and type(error).__name__ not in _PANICS:
            raise
        text = said_by_lance(error)
        raise LibraryError(f"{folder}: {remedy(text, folder)} ({text[:200]})") from error


def said_by_lance(error: BaseException) -> str:
    """The message of an error of Lance on one line, without where in its own source it failed."""
    return re.sub(r",? \S+\.rs:\d+:\d+", "", " ".join(str(error).split()))


_REMEDIES = (
    (("no space left", "file too large", "quota"), "the disk is full; free some space and run the same command again"),
    (("permission denied", "read-only"), "cannot be written; check its rights"),
)
_DAMAGED = "a part of it is missing or damaged; bring back what can be read with: {command}"


def remedy(text: str, folder: Path) -> str:
    """What a user can do about an error of Lance."""
    lower = text.lower()
    damaged = _DAMAGED if folder.is_dir() else "was deleted or moved while it was in use; open it again where it is"
    found = next((remedy for symptoms, remedy in _REMEDIES if any(s in lower for s in symptoms)), damaged)
    return found.format(command=repair_command(folder))
