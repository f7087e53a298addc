"""What lies where in the folder of a library: `library.json`, and a Lance dataset for each table."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from sonovec.library.lance_table import LanceTable, errors, manifests
from sonovec.library.records import LibraryConfig, Space
from sonovec.library.tables import TableSpec
from sonovec.paths import atomic

CONFIG = "library.json"
#: Where the tables lie in the folder.
TABLES = "tables"
#: Where what is kept beside the tables lies.
ATTACHMENTS = "attachments"
#: Under these names the field `id` of each table keeps a copy of the config and of its space.
COPY, SPACE = b"sonovec.config", b"sonovec.space"


def table_path(folder: Path, spec: TableSpec) -> Path:
    """Where a table of the library in a folder lies."""
    return folder / TABLES / f"{spec.name}.lance"


def create_table(folder: Path, spec: TableSpec, notes: Mapping[bytes, str]) -> LanceTable:
    """Make an empty table, in place of one that a run that was killed has left."""
    path = table_path(folder, spec)
    with errors(folder):
        if path.exists():
            shutil.rmtree(path)
        path.parent.mkdir(parents=True, exist_ok=True)
    return LanceTable.create(path, spec, folder, notes)


def existing_tables(folder: Path) -> list[LanceTable]:
    """The tables that lie in a folder, those of a former format included."""
    paths = [path for path in (*folder.glob("*.lance"), *(folder / TABLES).glob("*.lance")) if manifests(path)]
    return [LanceTable(path, folder) for path in paths]


def spaces_in(text: str | bytes) -> dict[str, Space]:
    """The spaces beside the main one that a config names."""
    return {name: Space(**values) for name, values in json.loads(text).get("spaces", {}).items()}


def write_config(folder: Path, config: LibraryConfig, spaces: Mapping[str, Space] | None = None) -> None:
    """Keep the config of a library in its folder, with its spaces beside the main one."""
    others = {name: asdict(space) for name, space in (spaces or {}).items()}
    with atomic(folder / CONFIG) as temporary:
        temporary.write_text(json.dumps({**asdict(config), "spaces": others}, indent=1), encoding="utf-8")
