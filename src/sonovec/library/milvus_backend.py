"""A library in Milvus: a server, Zilliz Cloud, or one process on a Milvus Lite file.

Each table of a library called `sounds` is a collection, such as `sounds_main_tracks`, and `sounds_settings` keeps the config,
the columns and the spaces. `milvus_schema` says what of a track has a field of its own, and what lies in a JSON column.
"""

from __future__ import annotations

import base64
import json
import logging
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from sonovec.errors import LibraryError, MissingExtraError
from sonovec.library import migrations
from sonovec.library.backend import decode_config, encode_config
from sonovec.library.columns import KIND_NAMES, KINDS, TRACK_COLUMNS, USER, Column, Kind, Owner
from sonovec.library.filters import In, StartsWith
from sonovec.library.location import Location
from sonovec.library.lock import Lock
from sonovec.library.milvus_connection import Connection, import_pymilvus
from sonovec.library.milvus_schema import MAX_ITEMS, MAX_TEXT, Layout, indexed_fields, schema_of
from sonovec.library.milvus_table import NO_VECTOR, SESSION, MilvusTable, size_of
from sonovec.library.records import MAIN, LibraryConfig, Space, Value
from sonovec.library.tables import TRACKS, TableSpec, all_tables, tables_of, with_columns
from sonovec.paths import why_not_writable

_VECTOR_INDEX = {"index_type": "HNSW", "metric_type": "COSINE", "params": {"M": 16, "efConstruction": 200}}
_WORDS_INDEX = {"index_type": "SPARSE_INVERTED_INDEX", "metric_type": "BM25"}
_SCALAR_INDEX = {"index_type": "INVERTED"}
_SETTINGS = TableSpec("settings", (Column("text", str),))
#: Characters of an attachment in one row, well below what a text may have.
PART = 48_000
#: Format 1 kept the vectors of tracks with their fields, in the collection `tracks`; its other tables are as they were.
FORMER_TRACKS = "tracks"
_COLLECTIONS: Mapping[str, str] = {"tracks": "fields", "main.segments": "segments"}
_FORMER_KINDS: Mapping[str, Kind] = {kind.__name__: kind for kind in (bool, int, float, str)}

_LOG = logging.getLogger(__name__)


class MilvusBackend:
    """One library on a server or in a Milvus Lite file; connects when it is first asked something."""

    most_text: int | None = MAX_TEXT
    keeps_codes = False

    def __init__(self, location: Location, token: str | None = None) -> None:
        try:
            import_pymilvus()
            if location.kind == "milvus-lite":
                import milvus_lite  # noqa: F401
        except ImportError as error:
            raise MissingExtraError(
                f"{location}: {error.name} is not installed; run: pip install 'sonovec[milvus]'"
            ) from error
        self._location = location
        self._token = token
        self._connection: Connection | None = None
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
        config = decode_config(text, self._location)
        if config.format < LibraryConfig.format:
            migrations.under_lock(self._location, self.upgrade)
            config = decode_config(self._config_text() or text, self._location)
        elif self._has(FORMER_TRACKS):  # of a migration that was killed at its end
            self.drop_former()
        return config

    def upgrade(self) -> None:
        """Bring a library of a former format to this one; the caller holds the lock."""
        text = self._config_text()
        config = None if text is None else decode_config(text, self._location)
        if config is not None and config.format < LibraryConfig.format:
            migrations.migrate_milvus(self, config)

    def complete(self) -> None:
        """A collection keeps the fields that it was made with."""

    def _config_text(self) -> str | None:
        return self._setting("config") if self._has(_SETTINGS.name) else None

    def _setting(self, id: str) -> str | None:
        rows = list(self.table(_SETTINGS).rows(In("id", (id,)), ["text"]))
        return str(rows[0]["text"]) if rows else None

    def _settings(self, prefix: str) -> dict[str, str]:
        rows = self.table(_SETTINGS).rows(StartsWith("id", prefix), ["id", "text"])
        return {row["id"].removeprefix(prefix): row["text"] for row in rows}

    def _has(self, collection: str) -> bool:
        return bool(self._connect()("has_collection", self._name(collection)))

    def _refuse_rows(self) -> None:
        """Rows without a config are of unknown vectors: to take them over would mix two kinds."""
        names = ("tracks", "segments", _collection(TRACKS))
        if any(self._open(TableSpec(name, ()), name).count() for name in names if self._has(name)):
            raise LibraryError(
                f"{self._location}: its settings are missing, which say what the vectors are; restore the collection "
                f"{self._name('settings')} from a backup, or index into another library: sonovec index PATH -l NEW"
            )

    def refusal(self, fields: Mapping[str, Value]) -> str | None:
        """All fields of a track together are kept within the size of one text: what has no field of its own is one."""
        layout = self.table(TRACKS).layout
        for name, value in fields.items():
            if isinstance(value, list) and len(value) > MAX_ITEMS and name in layout.columns:
                return (
                    f"its column {name!r} has {len(value)} items and Milvus keeps {MAX_ITEMS} of a list; shorten it, or "
                    "index into a folder (LanceDB), which keeps any length"
                )
        size = size_of({name: value for name, value in fields.items() if value is not None})
        if size <= MAX_TEXT:
            return None
        longest = max(fields, key=lambda name: size_of(fields[name]))
        return (
            f"its fields take {size} bytes and Milvus keeps {MAX_TEXT} of a track; shorten the column {longest!r} "
            f"({size_of(fields[longest])} bytes), or index into a folder (LanceDB), which keeps any length"
        )

    def stamp(self) -> object:
        """The config as it is now, and which file holds it: a library that is made anew may have another."""
        if self._location.kind == "milvus":
            return self._config_text()
        try:
            return Path(self._location.address).stat().st_ino, self._config_text()
        except OSError:
            return None

    def create(self, config: LibraryConfig, columns: Sequence[Column]) -> None:
        """Make the collections, then keep the config: a library with a config is complete."""
        tracks, *others = all_tables([config.main])
        self.create_tables([_SETTINGS, with_columns(tracks, columns), *others])
        self.add_columns(columns)
        self.set("config", encode_config(config))

    def create_tables(self, specs: Sequence[TableSpec]) -> None:
        """Make collections that are not there yet; those of another length of vectors are made anew."""
        self._connect()
        # A server takes seconds to load each.
        with ThreadPoolExecutor(len(specs)) as pool:
            list(pool.map(self._create_collection, specs))

    def columns(self) -> dict[str, Column]:
        """The columns of tracks."""
        others = {name: _decode_column(name, text) for name, text in self._settings("column:").items()}
        return {**{column.name: column for column in TRACK_COLUMNS}, **others}

    def add_columns(self, columns: Sequence[Column]) -> None:
        """Remember columns; those that have no field of their own are kept in the JSON column, which takes any."""
        # A row each, so that two machines that add columns do not undo each other's.
        for column in columns:
            self.set(f"column:{column.name}", _encode_column(column))

    def spaces(self) -> dict[str, Space]:
        """The spaces, the main one first."""
        text = self._config_text()
        if text is None:
            return {}
        others = {name: Space(**json.loads(space)) for name, space in self._settings("space:").items()}
        return {MAIN: decode_config(text, self._location).main, **others}

    def add_space(self, space: Space) -> None:
        """Make the collections of a space, then keep it."""
        for spec in tables_of(space):
            self.drop_table(spec)  # of a space that was dropped, or a run that was killed
        self.create_tables(tables_of(space))
        self.set(f"space:{space.name}", json.dumps(asdict(space)))

    def drop_space(self, name: str) -> None:
        """Forget a space, then drop its collections."""
        space = self.spaces()[name]
        self.table(_SETTINGS).delete(In("id", (f"space:{name}",)))
        for spec in tables_of(space):
            self.drop_table(spec)

    def drop_table(self, spec: TableSpec) -> None:
        """Drop a collection, if it is there."""
        self._tables.pop(spec.name, None)
        if self._has(_collection(spec)):
            self._connect()("drop_collection", self._name(_collection(spec)))

    def table(self, spec: TableSpec) -> MilvusTable:
        """Open a collection."""
        if spec.name not in self._tables:
            self._tables[spec.name] = self._open(spec, _collection(spec))
        return self._tables[spec.name]

    def former_tracks(self) -> MilvusTable:
        """The collection of tracks of format 1, which has the vectors too."""
        return self._open(replace(TRACKS, dim=1), FORMER_TRACKS)

    def drop_former(self) -> None:
        """Drop it."""
        self._connect()("drop_collection", self._name(FORMER_TRACKS))

    def attachments(self) -> list[str]:
        """The names of what is kept beside the tables."""
        return sorted(self._settings("attachment:"))

    def attachment(self, name: str) -> bytes | None:
        """What is kept under a name, or None."""
        version = self._setting(f"attachment:{name}")
        if version is None:
            return None
        parts = self._settings(f"part:{version}:")
        return base64.b64decode("".join(parts[number] for number in sorted(parts)))

    def attach(self, name: str, content: bytes) -> None:
        """Keep some bytes under a name: texts, since rows hold no bytes; those of before go once the new ones are whole."""
        former, version = self._setting(f"attachment:{name}"), uuid.uuid4().hex
        text = base64.b64encode(content).decode()
        for number, start in enumerate(range(0, len(text), PART)):
            self.set(f"part:{version}:{number:08}", text[start : start + PART])
        self.set(f"attachment:{name}", version)
        self._drop_parts(former)

    def detach(self, name: str) -> None:
        """Forget what is kept under a name."""
        former = self._setting(f"attachment:{name}")
        self.table(_SETTINGS).delete(In("id", (f"attachment:{name}",)))
        self._drop_parts(former)

    def _drop_parts(self, version: str | None) -> None:
        if version is not None:
            self.table(_SETTINGS).delete(StartsWith("id", f"part:{version}:"))

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

    def set(self, id: str, text: str) -> None:
        """Keep a setting."""
        self.table(_SETTINGS).upsert([{"id": id, "text": text}])

    def _open(self, spec: TableSpec, collection: str) -> MilvusTable:
        connection = self._connect()
        if not self._has(collection):
            raise LibraryError(f"{self._location}: there is no library; index into it first")
        connection("load_collection", self._name(collection))
        table = MilvusTable(connection, self._name(collection), spec, self._layout(collection))
        table.count()
        return table

    def _connect(self) -> Connection:
        if self._connection is None:
            if self._location.kind == "milvus-lite":
                self._lock = _lock(Path(self._location.address))
            try:
                self._connection = Connection(self._location, self._token)
            except BaseException:
                self.close()
                raise
        return self._connection

    def _create_collection(self, spec: TableSpec) -> None:
        connection, name = self._connect(), _collection(spec)
        dim = spec.dim or len(NO_VECTOR)
        # One that is there is empty: of a run that was killed while it made the library, perhaps with another dim.
        if self._has(name) and self._layout(name).dim != dim:
            self.drop_table(spec)
        if not self._has(name):
            schema = schema_of(spec, dim, connection.is_modern)
            connection("create_collection", self._name(name), schema=schema, consistency_level=SESSION)
        self._make_indices(spec, name)
        connection("load_collection", self._name(name))

    def _make_indices(self, spec: TableSpec, collection: str) -> None:
        connection, name, layout = self._connect(), self._name(collection), self._layout(collection)
        needed: dict[str, Mapping[str, Any]] = {
            "vector": _VECTOR_INDEX,
            **({layout.words: _WORDS_INDEX} if layout.words else {}),
        }
        useful = dict.fromkeys(indexed_fields(spec, layout), _SCALAR_INDEX)
        have = connection("list_indexes", name)
        for field, options in {**needed, **useful}.items():
            if field in have:
                continue
            try:
                connection("create_index", name, _index(field, options))
            except LibraryError as error:
                if field in needed:
                    raise
                _LOG.info("%s: no index of the field %r: %s", self._location, field, error)

    def _layout(self, collection: str) -> Layout:
        return Layout.of(self._connect()("describe_collection", self._name(collection)))


def _index(field: str, options: Mapping[str, Any]) -> Any:
    from pymilvus import MilvusClient

    made = MilvusClient.prepare_index_params()
    made.add_index(field, **options)
    return made


def _collection(spec: TableSpec) -> str:
    return _COLLECTIONS.get(spec.name, spec.name.replace(".", "_"))


def _encode_column(column: Column) -> str:
    values = {"kind": KIND_NAMES[column.kind], "owner": column.owner.name, "version": column.owner.version}
    return json.dumps({**values, "index": column.index})


def _decode_column(name: str, text: str) -> Column:
    if text in _FORMER_KINDS:  # of format 1
        return Column(name, _FORMER_KINDS[text], USER)
    values = json.loads(text)
    return Column(name, KINDS[values["kind"]], Owner(values["owner"], values["version"]), values["index"])


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
