"""A library in a folder: Lance tables, one process writing and any number reading."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from sonovec.errors import LibraryError
from sonovec.library import migrations
from sonovec.library.backend import decode_config, encode_config
from sonovec.library.columns import TRACK_FIELDS, Column
from sonovec.library.lance_folder import (
    ATTACHMENTS,
    CONFIG,
    COPY,
    SPACE,
    create_table,
    existing_tables,
    spaces_in,
    table_path,
    write_config,
)
from sonovec.library.lance_table import LanceTable, remedy, repair_command
from sonovec.library.location import Location
from sonovec.library.records import MAIN, LibraryConfig, Space, Value
from sonovec.library.tables import TRACKS, TableSpec, all_tables, segments_of, tables_of, vectors_of
from sonovec.paths import atomic


class LanceBackend:
    """One library in one folder: a Lance dataset for each table, and a small file with the config and the spaces."""

    most_text: int | None = None
    keeps_codes = True

    def __init__(self, location: Location) -> None:
        self._location = location
        self._folder = Path(location.address)
        self._tables: dict[str, LanceTable] = {}
        self._former: migrations.FormerFolder | None = None
        self._stamped: tuple[object, str] | None = None

    def config(self) -> LibraryConfig | None:
        """The config, or None where no library is; tables that have lost their config are an error."""
        config = self._read_config()
        if config is None:
            self._refuse_rows()
            return None
        if config.format < LibraryConfig.format:
            self._former = migrations.take_over(self._location, config)
            config = self._read_config() or config
        elif migrations.has_former_tables(self._folder):  # of a migration that was killed at its end
            migrations.remove_former(self._folder)
        self._check_tables(config)
        return config

    def upgrade(self) -> None:
        """Bring a library of a former format, which was opened as it is, to this one; the caller holds the lock."""
        config = self._read_config()
        if config is not None and config.format < LibraryConfig.format:
            migrations.migrate_folder(self._folder, config)
        self.close()

    def complete(self) -> None:
        """Add columns that segments lack in a library of a former version, null in every row; no row is written."""
        config = self._read_config()
        assert config is not None
        spec = segments_of(config.main)
        table = self._table(spec)
        if lacking := [column for column in spec.columns if not table.has(column.name)]:
            table.add_columns(lacking)

    def _read_config(self) -> LibraryConfig | None:
        text = self._config_text()
        if text is None:
            return None
        try:
            return decode_config(text, self._location)
        except LibraryError as error:
            if not isinstance(error.__cause__, ValueError):  # it is of another version, and whole
                raise
            raise self._without_config(f"is damaged ({error.__cause__})") from error

    def _config_text(self) -> bytes | None:
        try:
            return (self._folder / CONFIG).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise LibraryError(f"{self._folder}: cannot be read ({error.strerror}); check its rights") from error

    def _check_tables(self, config: LibraryConfig) -> None:
        table = self.table(vectors_of(config.main))
        copy = table.note(COPY)
        if table.dim() != config.dim or (copy is not None and decode_config(copy, self._location) != config):
            raise self._without_config("is of another library than the vectors")

    def _refuse_rows(self) -> None:
        """Rows without a config are of unknown vectors: to take them over would mix two kinds."""
        if any(table.count() for table in existing_tables(self._folder)):
            raise self._without_config("is missing, which says what the vectors are")

    def _without_config(self, fault: str) -> LibraryError:
        remedy = "put it back from a backup, or index into another library: sonovec index PATH -l NEW"
        if any(table.note(COPY) for table in existing_tables(self._folder)):
            remedy = f"bring it back with: {repair_command(self._folder)}"
        return LibraryError(f"{self._folder}: {CONFIG} {fault}; {remedy}")

    def refusal(self, fields: Mapping[str, Value]) -> str | None:
        """Everything can be kept."""

    def stamp(self) -> object:
        """The id in the config, which is read again when its file has changed."""
        try:
            found = (self._folder / CONFIG).stat()
        except OSError:
            return None
        file = found.st_ino, found.st_mtime_ns, found.st_size
        if self._stamped is None or self._stamped[0] != file:
            try:
                id = json.loads(self._config_text() or "{}").get("id")
            except (ValueError, AttributeError):
                return None
            if not id:  # of a former format
                return file
            self._stamped = file, str(id)
        return self._stamped[1]

    def create(self, config: LibraryConfig, columns: Sequence[Column]) -> None:
        """Make the tables, that of tracks with further columns, then keep the config: a library with a config is complete."""
        for spec in all_tables([config.main]):
            self._create_table(spec, {COPY: encode_config(config)})
        self.add_columns(columns)
        self._keep(config, {})

    def _keep(self, config: LibraryConfig, spaces: Mapping[str, Space]) -> None:
        try:
            write_config(self._folder, config, spaces)
        except OSError as error:
            raise LibraryError(
                f"{self._folder}: cannot be written ({error.strerror}); {remedy(str(error), self._folder)}"
            ) from error

    def _create_table(self, spec: TableSpec, notes: Mapping[bytes, str]) -> None:
        create_table(self._folder, spec, notes)
        self._tables.pop(spec.name, None)

    def columns(self) -> dict[str, Column]:
        """The columns of tracks."""
        have = self._table(TRACKS).columns()
        return {name: have[name] for name in (*TRACK_FIELDS, *(name for name in have if name not in TRACK_FIELDS))}

    def add_columns(self, columns: Sequence[Column]) -> None:
        """Add columns that are not there yet; existing rows hold null in them."""
        have = self.columns()
        if new := [column for column in columns if column.name not in have]:
            self._table(TRACKS).add_columns(new)

    def spaces(self) -> dict[str, Space]:
        """The spaces, the main one first."""
        config, text = self._read_config(), self._config_text()
        if config is None or text is None:
            return {}
        return {MAIN: config.main, **spaces_in(text)}

    def add_space(self, space: Space) -> None:
        """Make the tables of a space, then keep it."""
        for spec in tables_of(space):
            self._create_table(spec, {SPACE: json.dumps(asdict(space))})
        self._keep_spaces({**self.spaces(), space.name: space})

    def drop_space(self, name: str) -> None:
        """Forget a space, then drop its tables; what a kill leaves of them is removed when such a space is added."""
        spaces = self.spaces()
        space = spaces.pop(name)
        self._keep_spaces(spaces)
        for spec in tables_of(space):
            self._tables.pop(spec.name, None)
            shutil.rmtree(table_path(self._folder, spec), ignore_errors=True)

    def _keep_spaces(self, spaces: Mapping[str, Space]) -> None:
        config = self._read_config()
        assert config is not None
        self._keep(config, {name: space for name, space in spaces.items() if name != MAIN})

    def table(self, spec: TableSpec) -> LanceTable:
        """Open a table."""
        return self._table(spec)

    def attachments(self) -> list[str]:
        """The names of what is kept beside the tables."""
        return sorted(path.name for path in (self._folder / ATTACHMENTS).glob("[!.]*"))

    def attachment(self, name: str) -> bytes | None:
        """What is kept under a name, or None."""
        path = self._folder / ATTACHMENTS / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LibraryError(f"{path}: cannot be read ({error.strerror}); check its rights") from error

    def attach(self, name: str, content: bytes) -> None:
        """Keep some bytes under a name, in place of what is there: as a whole or not at all."""
        path = self._folder / ATTACHMENTS / name
        try:
            path.parent.mkdir(exist_ok=True)
            with atomic(path) as temporary:
                temporary.write_bytes(content)
        except OSError as error:
            raise LibraryError(
                f"{path}: cannot be written ({error.strerror}); {remedy(str(error), self._folder)}"
            ) from error

    def detach(self, name: str) -> None:
        """Forget what is kept under a name."""
        (self._folder / ATTACHMENTS / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing is held open between calls."""
        self._tables.clear()
        if self._former is not None:
            self._former.close()
            self._former = None

    def _table(self, spec: TableSpec) -> LanceTable:
        if spec.name not in self._tables:
            path = table_path(self._folder, spec) if self._former is None else self._former.path(spec)
            self._tables[spec.name] = LanceTable(path, self._folder)
        return self._tables[spec.name]
