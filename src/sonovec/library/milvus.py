"""A library on a Milvus server, in Zilliz Cloud, or in a Milvus Lite file; through pymilvus.

Fields of tracks are dynamic fields, and a field that is null is not stored: servers before 2.5 know no null. The config and
the types of the user's own columns are rows of a third, tiny collection, so that any machine can open the library.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import LibraryError, MissingExtraError, UsageError
from sonovec.library.filters import And, Compare, Contains, Filter, In, IsNull, Not, Or, StartsWith
from sonovec.library.lock import Lock
from sonovec.library.records import TRACK_FIELDS, LibraryConfig
from sonovec.library.store import SEGMENT_FIELDS, TOKEN_VARIABLE, Hit, Location, Row

TIMEOUT_SECONDS = 10.0
PAGE = 1000
MAX_LIMIT = 16_384
#: Candidates that the index looks at for each search, at least, and for each hit that is asked for.
EF, EF_PER_HIT = 64, 4
INDEX = {"index_type": "HNSW", "metric_type": "COSINE", "params": {"M": 16, "efConstruction": 200}}


class MilvusBackend:
    """One library in Milvus: collections of tracks, of segments, and of settings."""

    def __init__(self, location: Location, token: str | None = None) -> None:
        self._location = location
        self._token = token
        self.lite = location.kind == "milvus-lite"
        self._prefix = "sonovec" if self.lite else location.name
        self._lock: Lock | None = None
        self._client: Any = None
        _import()

    def config(self) -> LibraryConfig | None:
        """The config, or None where no library is."""
        if self.lite and not Path(self._location.address).exists():
            return None
        values = self._setting("config")
        return None if values is None else LibraryConfig(**values)

    def create(self, config: LibraryConfig) -> None:
        """Make the collections, then keep the config: a library with a config is complete."""
        for name, dim, fields in (
            ("tracks", config.dim, {}),
            ("segments", config.dim, SEGMENT_FIELDS),
            ("settings", 2, {}),
        ):
            self._create_collection(f"{self._prefix}_{name}", dim, fields)
        self._set("config", asdict(config))

    def columns(self) -> dict[str, type]:
        """The columns of tracks, beside `id` and `vector`."""
        own = self._setting("columns") or {}
        return {**TRACK_FIELDS, **{name: _TYPES[kind] for name, kind in own.items()}}

    def add_columns(self, columns: Mapping[str, type]) -> None:
        """Add columns that are not there yet; existing rows hold null in them."""
        have = self.columns()
        new = {name: kind.__name__ for name, kind in columns.items() if name not in have}
        if new:
            self._set("columns", {**(self._setting("columns") or {}), **new})

    def tracks(self) -> MilvusTable:
        """The collection of tracks."""
        return MilvusTable(self, f"{self._prefix}_tracks", None)

    def segments(self) -> MilvusTable:
        """The collection of segments."""
        return MilvusTable(self, f"{self._prefix}_segments", SEGMENT_FIELDS)

    def close(self) -> None:
        """Close the connection, and let go of a Milvus Lite file."""
        if self._client is not None:
            with self.errors():
                self._client.close()
                if self.lite:
                    _release(self._location.address)
            self._client = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def client(self) -> Any:
        """The open connection."""
        if self._client is None:
            if self.lite and self._lock is None:
                self._lock = Lock(
                    Path(self._location.address + ".lock"),
                    f"{self._location}: cannot open, since Milvus Lite allows one process",
                    "wait for it or stop it; for many processes use a folder or a Milvus server",
                )
            try:
                with self.errors():
                    self._client = self._connect()
            except LibraryError:
                self.close()
                raise
        return self._client

    def _connect(self) -> Any:
        pymilvus = _import()
        if self.lite:
            client = pymilvus.MilvusClient(uri=self._location.address)
            for name in client.list_collections():  # a file that is opened again has them on disk only
                client.load_collection(name)
            return client
        return pymilvus.MilvusClient(uri=self._location.address, token=self._token or "", timeout=TIMEOUT_SECONDS)

    def _create_collection(self, name: str, dim: int, fields: Mapping[str, type]) -> None:
        types = _import().DataType
        client = self.client()
        with self.errors():
            if client.has_collection(name):
                return
            schema = client.create_schema(auto_id=False, enable_dynamic_field=True)
            schema.add_field("id", types.VARCHAR, is_primary=True, max_length=128)
            schema.add_field("vector", types.FLOAT_VECTOR, dim=dim)
            if "track" in fields:  # searched by, so it is worth a column of its own
                schema.add_field("track", types.VARCHAR, max_length=128)
            index = client.prepare_index_params()
            index.add_index("vector", **INDEX)
            client.create_collection(name, schema=schema, index_params=index, consistency_level="Strong")

    def _setting(self, name: str) -> dict[str, Any] | None:
        collection, client = f"{self._prefix}_settings", self.client()
        with self.errors():
            if not client.has_collection(collection):
                return None
            rows = client.query(collection, filter=f'id == "{name}"', output_fields=["json"], limit=1)
        return json.loads(rows[0]["json"]) if rows else None

    def _set(self, name: str, values: Mapping[str, object]) -> None:
        row = {"id": name, "vector": [1.0, 0.0], "json": json.dumps(values)}
        with self.errors():
            self.client().upsert(f"{self._prefix}_settings", [row])

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn what pymilvus raises into one line."""
        pymilvus = _import()
        try:
            yield
        except (pymilvus.MilvusException, OSError, ValueError) as error:
            text = " ".join(str(getattr(error, "message", "") or error).split())[:300]
            if "pattern" in text and "like" in text:
                raise UsageError(
                    f"{self._location}: this server cannot search inside text ({text}); use startswith, or Milvus 2.4 or "
                    "newer"
                ) from error
            raise LibraryError(f"{self._location}: {_remedy(text)} ({text})") from error


_REMEDIES = (
    (("auth", "unauthenticated", "token"), f"refused the token; give --token user:password or set {TOKEN_VARIABLE}"),
    (
        ("connect", "deadline", "unavailable", "timeout", "illegal uri", "name resolution"),
        "cannot be reached; check the address and that the Milvus server runs",
    ),
    (("no space",), "the disk is full; free some space and run the same command again"),
)


def _remedy(text: str) -> str:
    lower = text.lower()
    return next((remedy for symptoms, remedy in _REMEDIES if any(s in lower for s in symptoms)), "Milvus failed")


class MilvusTable:
    """One collection; see `sonovec.library.store.Table`."""

    def __init__(self, backend: MilvusBackend, name: str, types: Mapping[str, type] | None) -> None:
        self._backend = backend
        self._name = name
        self._types = types

    def upsert(self, rows: Sequence[Row]) -> None:
        """Write whole rows; those of the same `id` are replaced."""
        # Milvus Lite keeps a dynamic field that a new row leaves out; a server takes a null in one for a value.
        data = [
            {name: _plain(value) for name, value in row.items() if value is not None or self._backend.lite}
            for row in rows
        ]
        client = self._backend.client()
        with self._backend.errors():
            client.upsert(self._name, data)

    def delete(self, where: Filter) -> None:
        """Remove the rows that match."""
        client = self._backend.client()
        with self._backend.errors():
            client.delete(self._name, filter=to_milvus(where))

    def rows(
        self, where: Filter | None, columns: Sequence[str], limit: int | None = None, offset: int = 0
    ) -> Iterator[Row]:
        """Rows that match, in the order of their ids."""
        types = self._columns()
        client = self._backend.client()
        with self._backend.errors():
            condition = "" if where is None else to_milvus(where)
            pages = client.query_iterator(
                self._name, batch_size=PAGE, filter=condition, output_fields=self._stored(columns)
            )
        seen = 0
        try:
            while limit is None or seen < offset + limit:
                with self._backend.errors():
                    page = pages.next()
                if not page:
                    return
                for row in page:
                    seen += 1
                    if seen > offset and (limit is None or seen <= offset + limit):
                        yield _read(row, columns, types)
        finally:
            pages.close()

    def search(
        self, vectors: NDArray[np.float32], limit: int, where: Filter | None, columns: Sequence[str]
    ) -> list[list[Hit]]:
        """For each vector the nearest rows that match, and their cosine similarity."""
        limit = min(limit, MAX_LIMIT)
        types = self._columns()
        client = self._backend.client()
        with self._backend.errors():
            found = client.search(
                self._name,
                data=np.asarray(vectors, np.float32).tolist(),
                limit=limit,
                filter="" if where is None else to_milvus(where),
                output_fields=self._stored(columns),
                search_params={"metric_type": "COSINE", "params": {"ef": max(EF, EF_PER_HIT * limit)}},
            )
        return [
            [(_read(hit["entity"], columns, types), min(1.0, max(-1.0, float(hit["distance"])))) for hit in hits]
            for hits in found
        ]

    def count(self) -> int:
        """Number of rows."""
        client = self._backend.client()
        with self._backend.errors():
            return int(client.query(self._name, filter="", output_fields=["count(*)"])[0]["count(*)"])

    def optimize(self) -> None:
        """Milvus compacts and indexes by itself."""

    def _columns(self) -> Mapping[str, type]:
        return self._backend.columns() if self._types is None else self._types

    @staticmethod
    def _stored(columns: Sequence[str]) -> list[str]:
        return ["id", *(name for name in columns if name != "id")]


_TYPES: Mapping[str, type] = {kind.__name__: kind for kind in (bool, int, float, str)}


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _read(row: Mapping[str, Any], columns: Sequence[str], types: Mapping[str, type]) -> Row:
    """A row as it was written; a whole number may have come back for a float."""
    result: Row = {}
    for name in columns:
        value = row.get(name)
        if name == "vector":
            value = np.asarray(value, np.float32)
        elif value is not None and types.get(name) is float:
            value = float(value)
        result[name] = value
    return result


def to_milvus(condition: Filter) -> str:
    r"""A filter in Milvus's language; text becomes literals, nothing is pasted.

    What a comparison with a missing field gives differs between versions, so each is guarded by a look whether it is there.

    Examples
    --------
    >>> to_milvus(Compare("year", ">=", 1990))
    '((exists year) and (year >= 1990))'
    >>> to_milvus(StartsWith("title", "50%"))
    '((exists title) and (title like "50\\\\%%"))'
    """
    match condition:
        case Compare(field, op, value):
            return _guarded(field, f"{field} {'==' if op == '=' else op} {_literal(value)}")
        case In(field, values):
            return _guarded(field, f"{field} in [{', '.join(map(_literal, values))}]")
        case Contains(field, text):
            return _guarded(field, f"{field} like {_literal('%' + _pattern(text) + '%')}")
        case StartsWith(field, text):
            return _guarded(field, f"{field} like {_literal(_pattern(text) + '%')}")
        case IsNull(field):
            return f"(not (exists {field}))"
        case Not(part):
            return f"(not {to_milvus(part)})"
        case And(parts):
            return "(" + " and ".join(map(to_milvus, parts)) + ")"
        case Or(parts):
            return "(" + " or ".join(map(to_milvus, parts)) + ")"
    raise AssertionError(f"no Milvus expression for {condition!r}")


#: Columns that every row has; `exists` is for dynamic fields.
_ALWAYS = frozenset({"id", "track"})


def _guarded(field: str, condition: str) -> str:
    return f"({condition})" if field in _ALWAYS else f"((exists {field}) and ({condition}))"


def _pattern(text: str) -> str:
    return "".join("\\" + char if char in "%_\\" else char for char in text)


def _literal(value: bool | int | float | str) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)


def _release(path: str) -> None:
    """End the server of a Milvus Lite file in this process: closing the client leaves it running, and the file locked."""
    from milvus_lite.server_manager import server_manager_instance

    server_manager_instance.release_server(path)


def _import() -> Any:
    try:
        import pymilvus
    except ImportError:
        raise MissingExtraError("a library in Milvus needs pymilvus: pip install 'sonovec[milvus]'") from None
    # It logs what it also raises, with tracebacks, to the error stream.
    for name in list(logging.root.manager.loggerDict):
        if name.startswith(("pymilvus", "milvus_lite")):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return pymilvus
