"""A library in Milvus: a server, Zilliz Cloud, or one process on a Milvus Lite file.

Three collections hold a library called `sounds`: `sounds_tracks`, `sounds_segments` and `sounds_settings`. The fields
of a track lie in one JSON column, where a null is a key that is missing: servers older than 2.5 have no other way to
keep null, nor to add a column later.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from heapq import heapify, heappop, heappush
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import LibraryError, MissingExtraError
from sonovec.library.filters import And, Compare, Contains, Filter, In, IsNull, Not, Or, StartsWith, all_of, normal
from sonovec.library.lock import Lock
from sonovec.library.records import LibraryConfig, Value
from sonovec.library.store import BATCH, SEGMENT_FIELDS, TOKEN_VARIABLE, Hit, Location, Row, decode_config
from sonovec.paths import why_not_writable

CONNECT_SECONDS, CALL_SECONDS = 5.0, 120.0

#: Milvus gives no more rows than this for one vector, and keeps no more bytes of text in one field.
MAX_ROWS, MAX_TEXT = 16_384, 65_535

#: Bytes of rows in one request or answer: a server refuses messages of more than 64 MiB.
MAX_BYTES = 32 * 2**20

#: Vectors that one request searches for.
QUERIES = 64

#: A list longer than this is not sent as conditions on the JSON column but applied to the rows that come back.
MAX_VALUES = 100

#: An expression whose tree is higher than this is not sent. A server's parts pass it on as a message, which may nest a
#: hundred deep; that is reached at a height of 50.
MAX_HEIGHT = 40

#: Reads see all that this process wrote. To see all that others wrote as well a server waits 0.2 s each time, so that
#: is asked for when a collection is opened and when rows are counted.
SESSION, STRONG = "Session", "Strong"

_INDEX = {"index_type": "HNSW", "metric_type": "COSINE", "params": {"M": 16, "efConstruction": 200}}
_TYPES: Mapping[str, type] = {kind.__name__: kind for kind in (bool, int, float, str)}
_NATIVE: Mapping[type, str] = {str: "VARCHAR", int: "INT64", float: "DOUBLE", bool: "BOOL", dict: "JSON"}

#: Columns of each collection beside `id` and `vector`, and its dim where it is not the library's. The settings have no
#: vectors, but Milvus has no collection without.
_COLLECTIONS: Mapping[str, tuple[Mapping[str, type], int | None]] = {
    "tracks": ({"fields": dict}, None),
    "segments": (SEGMENT_FIELDS, None),
    "settings": ({"text": str}, 2),
}


class MilvusBackend:
    """One library on a server or in a Milvus Lite file; connects when it is first asked something."""

    def __init__(self, location: Location, token: str | None = None) -> None:
        try:
            import pymilvus  # noqa: F401

            if location.kind == "milvus-lite":
                import milvus_lite  # noqa: F401
        except ImportError as error:
            raise MissingExtraError(
                f"{location}: {error.name} is not installed; run: pip install 'sonovec[milvus]'"
            ) from error
        self._location = location
        self._token = token
        self._connection: _Connection | None = None
        self._lock: Lock | None = None
        self._tables: dict[str, MilvusTable] = {}

    def config(self) -> LibraryConfig | None:
        """The config, or None where no library is; rows that have lost their config are an error."""
        if self._location.kind == "milvus-lite" and not Path(self._location.address).exists():
            return None
        text = self._config_text()
        if text is None:
            self._refuse_rows()
            return None
        return decode_config(text, self._location)

    def _config_text(self) -> str | None:
        if not self._has("settings"):
            return None
        rows = list(self._table("settings").rows(In("id", ("config",)), ["text"]))
        return str(rows[0]["text"]) if rows else None

    def _has(self, collection: str) -> bool:
        return bool(self._connect()("has_collection", self._name(collection)))

    def _refuse_rows(self) -> None:
        """Rows without a config are of unknown vectors: to take them over would mix two kinds."""
        if any(self._table(name).count() for name in ("tracks", "segments") if self._has(name)):
            raise LibraryError(
                f"{self._location}: its settings are missing, which say what the vectors are; restore the collection "
                f"{self._name('settings')} from a backup, or index into another library: sonovec index PATH -l NEW"
            )

    def refusal(self, fields: Mapping[str, Value]) -> str | None:
        """The fields of a track lie in one column, which holds no more than a text does."""
        size = _size({name: value for name, value in fields.items() if value is not None})
        if size <= MAX_TEXT:
            return None
        longest = max(fields, key=lambda name: _size(fields[name]))
        return (
            f"its fields take {size} bytes and Milvus keeps {MAX_TEXT} of a track; shorten the column {longest!r} "
            f"({_size(fields[longest])} bytes), or index into a folder (LanceDB), which keeps any length"
        )

    def stamp(self) -> object:
        """The config as it is now, and which file holds it: a library that is made anew may have another."""
        if self._location.kind == "milvus":
            return self._config_text()
        try:
            return Path(self._location.address).stat().st_ino, self._config_text()
        except OSError:
            return None

    def create(self, config: LibraryConfig) -> None:
        """Make the collections, then keep the config: a library with a config is complete."""
        self._connect()
        # A server takes seconds to load each.
        with ThreadPoolExecutor(len(_COLLECTIONS)) as pool:
            list(pool.map(lambda name: self._create_collection(name, config.dim), _COLLECTIONS))
        self._set("config", json.dumps(asdict(config)))

    def columns(self) -> dict[str, type]:
        """The user's own columns."""
        rows = self._table("settings").rows(StartsWith("id", "column:"), ["id", "text"])
        return {row["id"].removeprefix("column:"): _TYPES[row["text"]] for row in rows}

    def add_columns(self, columns: Mapping[str, type]) -> None:
        """Remember the types of columns; the JSON column takes any."""
        # A row each, so that two machines that add columns do not undo each other's.
        for name, kind in columns.items():
            self._set(f"column:{name}", kind.__name__)

    def tracks(self) -> MilvusTable:
        """The table of tracks."""
        return self._table("tracks")

    def segments(self) -> MilvusTable:
        """The table of segments."""
        return self._table("segments")

    def close(self) -> None:
        """Close the connection; others can open a Milvus Lite file then."""
        self._tables.clear()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _name(self, collection: str) -> str:
        # A Lite file is one library, and stays it when the file is renamed.
        return f"{self._location.name if self._location.kind == 'milvus' else 'library'}_{collection}"

    def _set(self, id: str, text: str) -> None:
        self._table("settings").upsert([{"id": id, "text": text, "vector": np.ones(2, np.float32)}])

    def _table(self, name: str) -> MilvusTable:
        if name not in self._tables:
            connection = self._connect()
            if not self._has(name):
                raise LibraryError(f"{self._location}: there is no library; index into it first")
            connection("load_collection", self._name(name))
            self._tables[name] = MilvusTable(connection, self._name(name), _COLLECTIONS[name][0], self._dim_of(name))
            self._tables[name].count()
        return self._tables[name]

    def _connect(self) -> _Connection:
        if self._connection is None:
            if self._location.kind == "milvus-lite":
                self._lock = _lock(Path(self._location.address))
            try:
                self._connection = _Connection(self._location, self._token)
            except BaseException:
                self.close()
                raise
        return self._connection

    def _create_collection(self, name: str, dim: int) -> None:
        from pymilvus import DataType, MilvusClient

        connection = self._connect()
        columns, own_dim = _COLLECTIONS[name]
        if self._has(name):  # it is empty: of a run that was killed while it made the library, perhaps with another dim
            if self._dim_of(name) == (own_dim or dim):
                return
            connection("drop_collection", self._name(name))
            self._tables.pop(name, None)
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=512)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=own_dim or dim)
        for column, kind in columns.items():
            size = {"max_length": MAX_TEXT} if kind is str else {}
            schema.add_field(column, DataType[_NATIVE[kind]], **size)
        index = MilvusClient.prepare_index_params()
        index.add_index("vector", **_INDEX)
        connection("create_collection", self._name(name), schema=schema, index_params=index, consistency_level=SESSION)

    def _dim_of(self, name: str) -> int:
        fields = self._connect()("describe_collection", self._name(name))["fields"]
        return next(int(field["params"]["dim"]) for field in fields if field["name"] == "vector")


def _lock(path: Path) -> Lock:
    if path.is_file():
        raise LibraryError(f"{path}: a file that is not of Milvus Lite, which makes a folder; choose another name")
    reason = why_not_writable(path.parent) or why_not_writable(path)
    if reason is not None:
        raise LibraryError(
            f"{path}: cannot be written ({reason}), and Milvus Lite writes also where it only searches; copy it to a place "
            "that you may write; a library in a folder (LanceDB) can be searched where it is"
        )
    remedy = "wait for it or stop it; for many processes use a folder or a Milvus server"
    try:
        return Lock(path.with_name(path.name + ".lock"), f"{path}: Milvus Lite serves one process", remedy)
    except OSError as error:
        raise LibraryError(f"{path}: cannot be opened ({error.strerror}); check its rights") from error


class MilvusTable:
    """One collection; see `sonovec.library.store.Table`."""

    def __init__(self, connection: _Connection, name: str, columns: Mapping[str, type], dim: int) -> None:
        self._call = connection
        self._name = name
        self._vector_bytes = 4 * dim
        #: Columns of Milvus' own; all others are keys of the JSON column.
        self._native = frozenset(columns) - {"fields"} | {"id", "vector"}
        self._json = "fields" in columns

    def upsert(self, rows: Sequence[Row]) -> None:
        """Write whole rows; those of the same `id` are replaced."""
        for part in self._requests(map(self._encode, rows)):
            self._call("upsert", self._name, data=part)

    def _requests(self, rows: Iterable[Row]) -> Iterator[list[Row]]:
        part: list[Row] = []
        size = 0
        for row in rows:
            more = self._vector_bytes + _size(row.get("fields"))
            if part and size + more > MAX_BYTES:
                yield part
                part, size = [], 0
            part.append(row)
            size += more
        yield part

    def _encode(self, row: Row) -> Row:
        native = {name: value for name, value in row.items() if name in self._native}
        if not self._json:
            return native
        fields = {name: value for name, value in row.items() if name not in self._native and value is not None}
        return {**native, "fields": fields}

    def delete(self, where: Filter) -> None:
        """Remove the rows that match."""
        expression, exact = self._compile(where)
        if exact:
            self._call("delete", self._name, filter=expression)
            return
        for ids in self._ids(where):
            self._call("delete", self._name, ids=ids)

    def _ids(self, where: Filter) -> Iterator[list[str]]:
        found = [row["id"] for row in self.rows(where, ["id"])]
        return (found[start : start + BATCH] for start in range(0, len(found), BATCH))

    def rows(
        self, where: Filter | None, columns: Sequence[str], limit: int | None = None, offset: int = 0
    ) -> Iterator[Row]:
        """Rows that match, in the order of their ids."""
        return islice(self._rows(where, columns), offset, None if limit is None else offset + limit)

    def _rows(self, where: Filter | None, columns: Sequence[str]) -> Iterator[Row]:
        expression, exact = self._compile(where)
        names = {name for name in columns if name in self._native} | {"id"}
        if self._json and (not exact or not names.issuperset(columns)):
            names.add("fields")
        for found in self._found(expression, sorted(names)):
            row = self._decode(found)
            if exact or where is None or where.matches(row):
                yield {name: row.get(name) for name in columns}

    def _found(self, expression: str, names: list[str]) -> Iterator[Row]:
        """Page by id: Milvus answers with so many rows and no more, and its own iterator waits for all writers.

        A server may answer with fewer rows or with more, where they lie in several of its segments: the end is an empty
        page, and a page that does not fit into a message is asked for in smaller ones.
        """
        last = ""
        most = self._vector_bytes * ("vector" in names) + MAX_TEXT * ("fields" in names) + 1000
        limit = min(BATCH, MAX_BYTES // most)
        while True:
            try:
                page = self._page(expression, names, last, limit)
            except LibraryError as error:
                if "larger than max" not in str(error) or limit == 1:
                    raise
                limit = max(1, limit // 4)
                continue
            if not page:
                return
            yield from page
            last = page[-1]["id"]

    def _page(self, expression: str, names: list[str], after: str, limit: int) -> list[Row]:
        found: list[Row] = self._call(
            "query",
            self._name,
            filter=f"(id > {_literal(after)})" + (f" and {expression}" if expression else ""),
            output_fields=names,
            limit=limit,
            consistency_level=SESSION,
            **self._call.lowest_ids,
        )
        return found

    def _decode(self, found: Row) -> Row:
        row = {name: value for name, value in found.items() if name in self._native}
        if "vector" in row:
            row["vector"] = np.asarray(row["vector"], np.float32)
        return {**row, **found.get("fields", {})}

    def search(
        self, vectors: NDArray[np.float32], limit: int, where: Filter | None, columns: Sequence[str]
    ) -> list[list[Hit]]:
        """For each vector the nearest rows that match, and their cosine similarity."""
        if where is None or self._compile(where)[1]:
            return self._search(vectors, limit, where, columns)
        hits: list[list[Hit]] = [[] for _ in vectors]
        for ids in self._ids(where):
            found = self._search(vectors, limit, In("id", tuple(ids)), columns)
            hits = [sorted(a + b, key=lambda hit: -hit[1])[:limit] for a, b in zip(hits, found, strict=True)]
        return hits

    def _search(
        self, vectors: NDArray[np.float32], limit: int, where: Filter | None, columns: Sequence[str]
    ) -> list[list[Hit]]:
        hits = [
            hit
            for start in range(0, len(vectors), QUERIES)
            for hit in self._search_once(vectors[start : start + QUERIES], min(limit, MAX_ROWS), where, columns)
        ]
        if limit > MAX_ROWS:
            hits = [self._more(*pair, limit, where, columns) for pair in zip(vectors, hits, strict=True)]
        return hits

    def _search_once(
        self, vectors: NDArray[np.float32], limit: int, where: Filter | None, columns: Sequence[str]
    ) -> list[list[Hit]]:
        found = self._call(
            "search",
            self._name,
            data=list(vectors),
            limit=limit,
            filter=self._compile(where)[0],
            output_fields=sorted({"id", *columns}),
            search_params={"metric_type": "COSINE", "params": {"ef": min(2 * limit + 64, 2 * MAX_ROWS)}},
            consistency_level=SESSION,
        )
        return [[(self._decode(hit["entity"]), _score(hit["distance"])) for hit in hits] for hits in found]

    def _more(
        self, vector: NDArray[np.float32], hits: list[Hit], limit: int, where: Filter | None, columns: Sequence[str]
    ) -> list[Hit]:
        """Search on behind the most that one answer holds, by leaving out what was found."""
        seen = list(hits)
        while len(hits) == MAX_ROWS and len(seen) < limit:
            rest = all_of(where, Not(In("id", tuple(row["id"] for row, _ in seen))))
            (hits,) = self._search_once(vector[None], min(limit - len(seen), MAX_ROWS), rest, columns)
            seen += hits
        return seen

    def count(self) -> int:
        """Number of rows."""
        found = self._call("query", self._name, filter="", output_fields=["count(*)"], consistency_level=STRONG)
        return int(found[0]["count(*)"])

    def optimize(self) -> None:
        """Seal what was written, so that it gets its index; Milvus compacts by itself."""
        self._call("flush", self._name)

    def _compile(self, where: Filter | None) -> tuple[str, bool]:
        return ("", True) if where is None else to_milvus(where, self._native)


def _size(value: object) -> int:
    """Bytes that a value takes in the JSON column."""
    return len(json.dumps(value, ensure_ascii=False).encode())


def _score(similarity: float) -> float:
    return min(1.0, max(-1.0, float(similarity)))


class _Connection:
    """pymilvus with one line for each of its errors, and without its log."""

    def __init__(self, location: Location, token: str | None) -> None:
        self._location = location
        #: What makes the rows of a query with a limit those of the lowest ids, instead of the first that are found.
        self.lowest_ids = {"iterator": "True"} if location.kind == "milvus-lite" else {"reduce_stop_for_best": True}
        with self._errors():
            from pymilvus import MilvusClient

            _quiet(location.kind == "milvus-lite")
            self._client: Any = MilvusClient(location.address, token=token or "", timeout=CONNECT_SECONDS)

    def __call__(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self.said(getattr(self._client, method), *args, timeout=CALL_SECONDS, **kwargs)

    def said(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call, and say its errors as ours."""
        with self._errors():
            return call(*args, **kwargs)

    def close(self) -> None:
        """Close the connection, and Milvus Lite behind it, which would keep its files locked."""
        with suppress(Exception):
            self._client.close()
        if self._location.kind == "milvus-lite":
            from milvus_lite.server_manager import server_manager_instance

            server_manager_instance.release_server(self._location.address)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        from grpc import RpcError  # type: ignore[import-untyped]
        from pymilvus.exceptions import MilvusException

        try:
            yield
        except (MilvusException, RpcError, OSError, ValueError, TypeError) as error:
            text = " ".join(str(getattr(error, "message", "") or error).split())
            raise LibraryError(f"{self._location}: {self._remedy(text)} ({text[:200]})") from error

    def _remedy(self, text: str) -> str:
        lower = text.lower()
        remedies = _LITE_REMEDIES if self._location.kind == "milvus-lite" else _SERVER_REMEDIES
        return next((remedy for symptoms, remedy in remedies if any(s in lower for s in symptoms)), "Milvus failed")


_DISK = ("no space", "disk quota"), "the disk is full; free some space and run the same command again"
_SERVER_REMEDIES = (
    (
        ("auth", "token", "permission", "denied", "credential", "password"),
        f"the server refuses the token; give token='user:password' or set {TOKEN_VARIABLE}",
    ),
    (
        ("connect", "unavailable", "deadline", "timeout", "timed out", "illegal uri"),
        "the server cannot be reached; check the address and that Milvus runs there",
    ),
    _DISK,
)
_LITE_REMEDIES = (
    (("permission", "denied", "read-only"), "cannot be opened; check its rights"),
    (("open", "connect"), "Milvus Lite cannot open it; close other programs that use it, or choose another name"),
    _DISK,
)


def _quiet(lite: bool) -> None:
    """Switch off logs that repeat, with tracebacks and to stderr, what is raised as well or is of no concern."""
    # Milvus Lite serves from within the process, and pymilvus asks it for more than it knows.
    for name in ("pymilvus", "milvus_lite", *(["grpc._server"] if lite else [])):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def to_milvus(condition: Filter, native: frozenset[str] = frozenset()) -> tuple[str, bool]:
    r"""A filter in Milvus' language, and whether that is exact; text becomes literals, nothing is pasted.

    Milvus' `like` differs between versions in what it can express and escape, so a condition with `contains`, or with a
    long list, is sent as a weaker one, and one that nests very deep not at all; the caller applies the filter itself to
    what comes back.

    Parameters
    ----------
    condition : Filter
    native : frozenset of str
        Columns of the collection itself, which are never null; the others are keys of the column `fields`.

    Returns
    -------
    expression : str
        Matches every row that the filter matches; empty where that is all rows.
    exact : bool
        Whether it matches no others.

    Examples
    --------
    >>> print(*to_milvus(Compare("artist", "=", 'the "x"')))
    ((exists fields["artist"]) and (fields["artist"] == "the \"x\"")) True
    >>> print(*to_milvus(Contains("artist", "x")))
    (exists fields["artist"]) False
    """
    made = _compile(normal(condition), native)
    if made.height > MAX_HEIGHT:
        return "", False
    return ("" if made.text == _ALL.text else made.text), made.exact


_Word = Literal["and", "or"]


@dataclass(frozen=True)
class _Expression:
    """A piece of an expression: whether it is exact, and how high its tree is."""

    text: str
    exact: bool = True
    height: int = 1


#: Conditions that hold for every row and for none.
_ALL, _NONE = _Expression('(id >= "")'), _Expression('(id == "")')


def _compile(condition: Filter, native: frozenset[str]) -> _Expression:
    """A normal form; as `not` stands before leaves alone, a weaker leaf weakens the whole."""
    match condition:
        case And(parts):
            return _join([_compile(part, native) for part in parts], "and")
        case Or(parts):
            return _join([_compile(part, native) for part in parts], "or")
        case Not(Compare(field) | In(field) | Contains(field) | StartsWith(field) | IsNull(field) as leaf):
            return _leaf(leaf, field, field in native, False)
        case Compare(field) | In(field) | Contains(field) | StartsWith(field) | IsNull(field):
            return _leaf(condition, field, field in native, True)
    raise AssertionError(f"no Milvus expression for {condition!r}")


def _leaf(condition: Filter, field: str, native: bool, positive: bool) -> _Expression:
    name = field if native else f'fields["{field}"]'
    present = _ALL if native else _Expression(f"(exists {name})")
    absent = _NONE if native else _not(present)
    if isinstance(condition, IsNull):
        return absent if positive else present
    test = _test(condition, name, native)
    if test is None:
        return replace(present if positive else _ALL, exact=False)
    return _join([present, test], "and") if positive else _join([absent, _not(test)], "or")


def _not(part: _Expression) -> _Expression:
    return replace(part, text=f"(not {part.text})", height=part.height + 1)


def _test(condition: Filter, name: str, native: bool) -> _Expression | None:
    """What a leaf says about a value that is there, or None where Milvus cannot say it."""
    match condition:
        case Compare(_, op, value):
            return _Expression(f"({name} {'==' if op == '=' else op} {_literal(value)})")
        case In(_, values) if native:
            return _Expression(f"({name} in [{', '.join(map(_literal, values))}])")
        case In(_, values) if 0 < len(values) <= MAX_VALUES:
            # Milvus Lite has no lists for keys of a JSON column.
            return _join([_Expression(f"({name} == {_literal(value)})") for value in values], "or")
        case StartsWith(_, text) if end := _after(text):
            # A range, since `like` cannot escape in every version.
            bounds = _Expression(f"({name} >= {_literal(text)})"), _Expression(f"({name} < {_literal(end)})")
            return _join(bounds, "and")
    return None


def _after(prefix: str) -> str | None:
    """The first text behind all that start with the prefix, in the order of code points; None where there is none."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    # Surrogates are no characters.
    return stem[:-1] + chr(0xE000 if following == 0xD800 else following)


def _join(parts: Sequence[_Expression], word: _Word) -> _Expression:
    """Join two and two, the lowest first: Milvus' parsers go down one level for each pair, and not deep."""
    neutral, other = (_ALL, _NONE) if word == "and" else (_NONE, _ALL)
    exact = all(part.exact for part in parts)
    if any(part.text == other.text for part in parts):
        return replace(other, exact=exact)
    heap = [(part.height, n, part.text) for n, part in enumerate(parts) if part.text != neutral.text]
    heapify(heap)
    while len(heap) > 1:
        (_, _, a), (height, n, b) = heappop(heap), heappop(heap)
        heappush(heap, (height + 1, n, f"({a} {word} {b})"))
    return _Expression(heap[0][2], exact, heap[0][0]) if heap else replace(neutral, exact=exact)


_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})


def _literal(value: bool | int | float | str) -> str:
    # Not JSON for text: its \u escapes are not in the language.
    return f'"{value.translate(_ESCAPES)}"' if isinstance(value, str) else json.dumps(value)
