"""Read what `sonovec.library.exporting` wrote into a library, new or of the same passport.

Everything is checked before anything is written. The vectors of a track are written before the track, so one that is there
is complete; what is there is left as it is. So an import that was killed is finished by the same call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonovec.errors import LibraryError, PassportError
from sonovec.jobs import Job, Progress
from sonovec.library.arrow_rows import values_of
from sonovec.library.backend import BATCH, Row
from sonovec.library.binding import passport_of
from sonovec.library.consistency import key_of
from sonovec.library.ledger import Ledger
from sonovec.library.manifest import Manifest, file_of
from sonovec.library.records import MAIN, Space
from sonovec.library.rooting import is_free
from sonovec.library.roots import PATH, alias_in
from sonovec.library.store import Store
from sonovec.library.tables import TableSpec, tables_of
from sonovec.paths import display

if TYPE_CHECKING:
    import pyarrow as pa

#: Bytes of vectors, and rows, that are written at once: a store looks through its table with each write.
BYTES, ROWS = 32 << 20, 16_000
#: Tracks by which a root is known again.
SAMPLE = 20


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes
    ----------
    tracks : int
        That were added.
    present : int
        That the library had already; they are as they were.
    aliases : mapping of str to str
        Roots of the export that have another alias in this library, since it had that of other files.
    failures : list of (path, reason)
        Tracks whose fields this kind of store cannot keep.
    """

    tracks: int = 0
    present: int = 0
    aliases: Mapping[str, str] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Import:
    """One import from `folder`, whose files were verified; whoever runs it holds the library's lock."""

    folder: Path
    manifest: Manifest
    store: Store
    ledger: Ledger
    job: Job

    def check(self) -> None:
        """Refuse to mix vectors.

        Raises
        ------
        PassportError
            The library has a main space, or another of the same name, that was made with other settings.
        """
        if self.store.config() is None:
            return
        there = self.store.spaces()
        for space in (self.manifest.config.main, *self.manifest.spaces):
            if space.name in there:
                _check_same(self.store, there[space.name], space)

    def run(self) -> Imported:
        """Write what the library lacks."""
        self._make_room()
        run = self.ledger.begin_run({"import": str(self.folder)})
        tracks, *others = self.manifest.tables
        failures = dict(self._refused(tracks))
        aliases = dict(self._aliases(tracks))
        for space in (self.manifest.config.main, *self.manifest.spaces):
            # The segments come first: a space holds a track when it has its clip vector.
            for spec in reversed(tables_of(space)):
                self._copy(spec, failures, partial(self.store.holds, space=space.name))
        for spec in others:
            if spec.dim is None:
                self._copy(spec, failures, self.store.existing)
        done = self._copy(tracks, failures, self.store.existing, lambda row: _moved(row, aliases))
        self.ledger.end_run(run)
        self.store.optimize(lambda table: self.job.check())
        present = self.manifest.files[file_of(tracks)].rows - done - len(failures)
        return Imported(done, present, aliases, list(failures.values()))

    def _make_room(self) -> None:
        if self.store.config() is None:
            self.store.create(self.manifest.config, self.manifest.columns)
        self.store.upgrade()
        self.store.declare(self.manifest.columns)
        for space in self.manifest.spaces:
            if space.name not in self.store.spaces():
                self.store.add_space(space)

    def _copy(
        self,
        spec: TableSpec,
        left_out: Iterable[str],
        present: Callable[[Iterable[str]], set[str]],
        change: Callable[[Row], Row] = lambda row: row,
    ) -> int:
        """Write the rows of tracks that are not `present` or `left_out`, and give how many."""
        key, written, total = key_of(spec), 0, self.manifest.files[file_of(spec)].rows
        table = self.store.table_to_write(spec)
        is_new = table.count() == 0
        for done, rows in self._rows(spec):
            self.job.report(Progress("importing", done, total, "rows", note=spec.name))
            without = {*left_out, *(() if is_new else present({row[key] for row in rows}))}
            wanted = [change(row) for row in rows if row[key] not in without]
            if wanted:
                table.upsert(wanted)
            written += len(wanted)
        return written

    def _rows(self, spec: TableSpec) -> Iterator[tuple[int, list[Row]]]:
        """The rows of a file, some at a time, each time with how many there were before."""
        import pyarrow.parquet as pq

        done = 0
        with pq.ParquetFile(self.folder / file_of(spec)) as file:
            for batch in file.iter_batches(min(ROWS, max(BATCH, BYTES // (4 * (spec.dim or 1))))):
                yield done, _rows_of(batch)
                done += len(batch)

    def _refused(self, tracks: TableSpec) -> Iterator[tuple[str, tuple[str, str]]]:
        """Ids of tracks that the store cannot keep, with their paths and the reasons."""
        for _, rows in self._rows(tracks):
            for row in rows:
                fields = {name: value for name, value in row.items() if name != "id"}
                if (reason := self.store.refusal(fields)) is not None:
                    yield row["id"], (str(row[PATH]), reason)

    def _aliases(self, tracks: TableSpec) -> Iterator[tuple[str, str]]:
        """Aliases that mean other files in the library, and what to call them there."""
        samples: dict[str, dict[str, str]] = {}
        for _, rows in self._rows(tracks):
            for row in rows:
                alias = alias_in(str(row[PATH]))
                if alias is not None and len(sample := samples.setdefault(alias, {})) < SAMPLE:
                    sample[str(row[PATH])] = row["id"]
        for alias, sample in samples.items():
            names = (alias if number == 1 else f"{alias}-{number}" for number in count(1))
            name = next(name for name in names if is_free(self.store, self.ledger, name, _renamed(sample, alias, name)))
            if name != alias:
                yield alias, name


def _check_same(store: Store, there: Space, given: Space) -> None:
    differences = passport_of(there).differences(passport_of(given))
    differences += [
        (name, getattr(there, name), getattr(given, name))
        for name in ("level", "segment_seconds")
        if getattr(there, name) != getattr(given, name)
    ]
    if differences:
        which = store.location if there.name == MAIN else f"{store.location}, space {there.name!r}"
        shown = "; ".join(
            f"{name} is {theirs!r} there and {mine!r} in the export" for name, theirs, mine in differences
        )
        raise PassportError(
            f"{which}: made with other settings ({shown}); import into another library: sonovec import IN -l NEW"
        )


def _rows_of(batch: pa.RecordBatch) -> list[Row]:
    columns = [values_of(column) for column in batch.columns]
    return [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*columns, strict=True)]


def _moved(row: Row, aliases: Mapping[str, str]) -> dict[str, Any]:
    alias = alias_in(str(row[PATH]))
    return {**row, PATH: aliases[alias] + row[PATH][len(alias) :]} if alias in aliases and alias else row


def _renamed(sample: Mapping[str, str], alias: str, name: str) -> dict[str, str]:
    return {name + text[len(alias) :]: id for text, id in sample.items()}


def read_verified(folder: Path, job: Job) -> Manifest:
    """The manifest of an export whose files are as they were written.

    Raises
    ------
    UsageError, LibraryError
        See `Manifest.read` and `Manifest.verify`.
    """
    manifest = Manifest.read(folder)
    try:
        manifest.verify(folder, job.check)
    except OSError as error:
        raise LibraryError(f"{display(folder)}: cannot be read ({error.strerror})") from error
    return manifest
