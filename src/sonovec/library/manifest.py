"""The manifest of an exported library: what is in its files, and their checksums."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sonovec.errors import LibraryError, UsageError
from sonovec.library.columns import KIND_NAMES, KINDS, Column, Owner
from sonovec.library.records import LibraryConfig, Space
from sonovec.library.tables import TableSpec, all_tables, with_columns
from sonovec.paths import display

NAME = "manifest.json"
#: The format of exports. One that is newer is refused.
FORMAT = 1
BLOCK = 1 << 20


@dataclass(frozen=True)
class File:
    """One of the Parquet files: its rows, its size, and the SHA-256 of its content."""

    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What was exported.

    Attributes
    ----------
    config : LibraryConfig
        With the passport of the main space.
    spaces : sequence of Space
        Those beside the main one.
    columns : sequence of Column
        The columns of tracks that not every library has.
    files : mapping of str to File
        By name.
    version : str
        Of sonovec, that made it.
    """

    config: LibraryConfig
    spaces: Sequence[Space]
    columns: Sequence[Column]
    files: Mapping[str, File]
    version: str

    @property
    def tables(self) -> Sequence[TableSpec]:
        """The tables that the files hold; that of the tracks comes first."""
        tracks, *others = all_tables([self.config.main, *self.spaces])
        return with_columns(tracks, self.columns), *others

    def write(self, folder: Path) -> None:
        """Write it into the folder of the files."""
        config = {name: value for name, value in asdict(self.config).items() if name not in ("id", "format")}
        told = {
            "format": FORMAT,
            "sonovec": self.version,
            "config": config,
            "spaces": [asdict(space) for space in self.spaces],
            "columns": [_column_json(column) for column in self.columns],
            "counts": {name.removesuffix(".parquet"): file.rows for name, file in self.files.items()},
            "files": {name: asdict(file) for name, file in self.files.items()},
        }
        Path(folder, NAME).write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read it.

        Raises
        ------
        UsageError
            There is none, or it is of a later version.
        LibraryError
            It is damaged.
        """
        path = folder / NAME
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            if told["format"] > FORMAT:
                raise UsageError(
                    f"{display(path)}: has format {told['format']}, and this sonovec reads formats up to {FORMAT}; update "
                    f"sonovec (it was made by {told['sonovec']})"
                )
            return cls(
                LibraryConfig(**told["config"]),
                [Space(**space) for space in told["spaces"]],
                [_column(column) for column in told["columns"]],
                {name: File(**file) for name, file in told["files"].items()},
                told["sonovec"],
            )
        except OSError as error:
            raise UsageError(
                f"{display(folder)}: is not an exported library ({NAME}: {error.strerror}); give a folder that "
                "`sonovec export` has made"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise LibraryError(f"{display(path)}: is damaged ({error}); copy the export again") from error

    def verify(self, folder: Path, check: Callable[[], None]) -> None:
        """Read every file, and compare it with its checksum; `check` is called between blocks.

        Raises
        ------
        LibraryError
            One is missing, or is not what was exported.
        """
        for name in [file_of(spec) for spec in self.tables]:
            path = folder / name
            if name not in self.files or not path.is_file():
                raise LibraryError(f"{display(path)}: is missing; copy the export again")
            if sha256(path, check) != self.files[name].sha256:
                raise LibraryError(f"{display(path)}: differs from its checksum in {NAME}; copy the export again")


def file_of(spec: TableSpec) -> str:
    """The file of a table."""
    return f"{spec.name}.parquet"


def sha256(path: Path, check: Callable[[], None]) -> str:
    """The SHA-256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            check()
    return digest.hexdigest()


def _column_json(column: Column) -> dict[str, Any]:
    owner = {"owner": column.owner.name, "version": column.owner.version}
    return {"name": column.name, "kind": KIND_NAMES[column.kind], **owner, "index": column.index}


def _column(told: Mapping[str, Any]) -> Column:
    return Column(told["name"], KINDS[told["kind"]], Owner(told["owner"], told["version"]), told["index"])
