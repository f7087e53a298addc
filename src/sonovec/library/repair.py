"""Look for what a crash or a power cut has damaged in a library, and bring back what can be read.

Lance writes a table as a row of versions, and each write makes a new one; the files of the latest may be empty after a
power cut, while the version before it is whole. Nothing is deleted here: what cannot be read is moved into the folder
`damaged` of the library. What is lost by that is embedded again by the next index run, since a run looks into the store
for every file.
"""

from __future__ import annotations

import os
import re
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sonovec.errors import LibraryError
from sonovec.library.backend import decode_config
from sonovec.library.lance import (
    CONFIG,
    TABLES,
    LanceBackend,
    LanceTable,
    config_copy,
    manifests,
    repair_command,
    said_by_lance,
    write_config,
)
from sonovec.library.ledger import Ledger
from sonovec.library.library import Library
from sonovec.library.location import Location
from sonovec.library.lock import Lock
from sonovec.library.open import open_store
from sonovec.library.outcomes import Entry
from sonovec.library.place import read_only_for
from sonovec.library.records import LibraryConfig
from sonovec.library.roots import Roots
from sonovec.library.store import Store
from sonovec.paths import display

#: What was looked at, "ok", "note" (works, with a remark) or "failed", and what was seen or done.
Finding = tuple[str, str, str]

#: Where damaged files go.
DAMAGED = "damaged"
#: What keeps a table from being read that is whole.
NO_DAMAGE = ("permission denied", "too many open files", "no space left", "links cannot be made")
BACKUP = "put it back from a backup, or index into another library: sonovec index PATH -l NEW"
MOST_NAMED = 5


@dataclass(frozen=True)
class _Table:
    """What was found of a table: what its newest whole version holds, and the `newer` and `old` ones that cannot be read."""

    name: str
    rows: int
    copy: str | None = None
    fault: str | None = None
    newer: Sequence[Path] = ()
    old: Sequence[Path] = ()
    indices: Sequence[str] = ()
    missing: bool = False
    lost: bool = False


def examine(library: Library) -> list[Finding]:
    """Look for damage, and say what `repair` would do; nothing is changed."""
    remedy = f"mend it with: {repair_command(Path(str(library.location)))}"
    findings: list[Finding] = []
    if tables := _tables(library.location):
        findings += [_fault_of(table, remedy) for table in tables if table.fault is not None]
        kept, fault = _config(library.location, tables)
        if fault is not None:
            findings.append(("config", "failed", f"{fault}; {remedy if kept else BACKUP}"))
    if (fault := _ledger_fault(library)) is not None:
        findings.append(("ledger", "failed", f"{fault}; {remedy}"))
    if not findings and library.config is not None:
        with library._ledger_to_read() as ledger:
            parts = _incomplete(library._store, ledger)
        if parts:
            findings.append(("library", "failed", f"{len(parts)} tracks lack segments; {remedy}"))
    return findings


def repair(library: Library) -> list[Finding]:
    """Bring back what can be read, and say what is lost.

    Raises
    ------
    LibraryError
        There is no library, or it cannot be written.
    LibraryLockedError
        Another process is indexing into it.
    """
    if library.location.kind != "lance" or not _is_library(Path(library.location.address)):
        library._require_config()
    library.close()
    reason = read_only_for(library.location)
    if reason is not None:
        raise LibraryError(f"{library.location}: cannot be written ({reason}); repair a copy that you may write")
    path = library._ledger_path
    with Lock(path.with_suffix(".lock"), f"{library.location}: cannot be repaired", "wait for it or stop it"):
        aside = _Aside(path.parent)
        findings = _repair_ledger(library, aside)
        changed = _repair_tables(library, aside)
        findings += changed
        if not any(state == "failed" for _, state, _ in findings):
            with open_store(library.location, token=library._token) as store, Ledger(path) as ledger:
                findings += _reconcile(store, ledger, bool(changed))
    return findings or [("repair", "ok", "nothing is damaged")]


def _repair_ledger(library: Library, aside: _Aside) -> list[Finding]:
    fault = _ledger_fault(library)
    if fault is None:
        return []
    path = library._ledger_path
    aside.take(*(path.with_name(path.name + ending) for ending in ("", "-wal", "-shm")))
    told = (
        f"{fault}; moved to {display(aside.folder)}; the next sonovec index writes a new one and embeds nothing again"
    )
    return [("ledger", "note", told)]


class _Aside:
    """Where what is damaged goes, under its path within the library."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.folder = root / DAMAGED / time.strftime("%Y%m%d-%H%M%S")

    def take(self, *paths: Path) -> None:
        for path in filter(Path.exists, paths):
            target = self.folder / path.relative_to(self._root)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)


# -- Lance tables


def _tables(location: Location) -> list[_Table]:
    """What was found of the tables of a library in a folder; none where no library is."""
    root = Path(location.address)
    if location.kind != "lance" or not _is_library(root):
        return []
    for path in root.glob("*.lance/**/*"):
        if not os.access(path, os.R_OK):
            raise LibraryError(f"{display(path)}: cannot be read; check its rights")
    return [_look_at(root, name) for name in TABLES]


def _is_library(root: Path) -> bool:
    return any((root / name).exists() for name in (CONFIG, *(f"{table}.lance" for table in TABLES)))


def _look_at(root: Path, name: str) -> _Table:
    """Find the newest version that can be read whole; the versions are read through links, one by one."""
    versions = manifests(root / f"{name}.lance")
    if not versions:
        return _Table(name, 0, fault="it is missing", missing=True)
    newer: list[Path] = []
    reasons: list[str] = []
    for place, manifest in enumerate(versions):
        try:
            rows, copy, indices = _read(root, name, manifest)
        except LibraryError as error:
            if any(symptom in str(error).lower() for symptom in NO_DAMAGE):
                raise
            newer.append(manifest)
            reasons.append(f"the newest version cannot be read ({_reason(error)})")
            continue
        # Old versions that cannot be opened end the clearing up after each run.
        old = [older for older in versions[place + 1 :] if not _opens(root, name, older)]
        faults = reasons[:1]
        faults += ["an old version is damaged"] if old else []
        faults += ["an index is damaged"] if indices else []
        return _Table(name, rows, copy, "; ".join(faults) or None, newer, old, indices)
    return _Table(name, 0, fault=reasons[0], lost=True)


def _reason(error: LibraryError) -> str:
    """Lance's own message, with paths from the table on."""
    return re.sub(r"\S*/(?=\w+\.lance/)", "", said_by_lance(error.__cause__ or error))[:160]


def _read(root: Path, name: str, manifest: Path) -> tuple[int, str | None, Sequence[str]]:
    """Read a version whole: its number of rows, its copy of the config, and its indices that cannot be used."""
    with tempfile.TemporaryDirectory(prefix="sonovec-") as folder:
        table = _version(root, name, manifest, Path(folder))
        return table.read(), config_copy(table), table.broken_indices()


def _opens(root: Path, name: str, manifest: Path) -> bool:
    with tempfile.TemporaryDirectory(prefix="sonovec-") as folder:
        try:
            _version(root, name, manifest, Path(folder))
        except LibraryError:
            return False
    return True


def _version(root: Path, name: str, manifest: Path, scratch: Path) -> LanceTable:
    """Open one version of a table as if there were no other: Lance itself opens the newest first."""
    table = root / f"{name}.lance"
    view = scratch / table.name
    (view / "_versions").mkdir(parents=True)
    try:
        for part in table.iterdir():
            if part.name != "_versions":
                (view / part.name).symlink_to(part)
        (view / "_versions" / manifest.name).symlink_to(manifest)
    except OSError as error:
        raise LibraryError(
            f"{scratch}: links cannot be made there ({error.strerror}), which the repair needs"
        ) from error
    backend = LanceBackend(Location("lance", str(scratch), name))
    return backend.tracks() if name == "tracks" else backend.segments()


def _fault_of(table: _Table, remedy: str) -> Finding:
    if table.lost:
        return "library", "failed", f"{table.name}: {table.fault}, nor can any before it; {BACKUP}"
    return "library", "failed", f"{table.name}: {table.fault}; {table.rows} rows can be brought back; {remedy}"


def _config(location: Location, tables: Sequence[_Table]) -> tuple[LibraryConfig | None, str | None]:
    """The library's config, and what is wrong with its file."""
    copy = next((table.copy for table in tables if table.copy), None)
    kept = decode_config(copy, location) if copy else None
    try:
        config = decode_config((Path(location.address) / CONFIG).read_bytes(), location)
    except FileNotFoundError:
        return kept, f"{CONFIG} is missing"
    except LibraryError as error:
        if not isinstance(error.__cause__, ValueError):  # it is of another version, and whole
            raise
        return kept, f"{CONFIG} is damaged ({error.__cause__})"
    if kept is not None and kept != config:
        return kept, f"{CONFIG} is of another library than the vectors"
    return config, None


def _repair_tables(library: Library, aside: _Aside) -> list[Finding]:
    root = Path(library.location.address)
    tables = _tables(library.location)
    if lost := [_fault_of(table, "") for table in tables if table.lost]:
        return lost
    config, fault = _config(library.location, tables) if tables else (None, None)
    findings: list[Finding] = []
    if fault is not None:
        if config is None:
            return [("config", "failed", f"{fault}; {BACKUP}")]
        aside.take(root / CONFIG)
        write_config(root, config)
        findings.append(("config", "note", f"{fault}; it was written again from the copy that the tables keep"))
    damaged = [table for table in tables if table.fault is not None]
    if config is not None and damaged:
        findings += [_mend(root, table, config, aside) for table in damaged]
        os.utime(root / CONFIG)  # by its time, objects that are open see that the tables are others now
    return findings


def _mend(root: Path, table: _Table, config: LibraryConfig, aside: _Aside) -> Finding:
    folder = root / f"{table.name}.lance"
    backend = LanceBackend(Location("lance", str(root), root.name))
    if table.missing:
        aside.take(folder)
        backend.create_table(table.name, config)
        return "library", "note", f"{table.name}: {table.fault}; an empty one was made"
    told = f"{table.name}: {table.fault}"
    if table.newer or table.old:
        aside.take(*table.newer, *table.old, folder / "_versions" / "latest_version_hint.json")
        told += f"; moved to {display(aside.folder)}"
    if table.newer:
        told += "; the last good version is back, and what was written after it is undone"
    mended = backend.tracks() if table.name == "tracks" else backend.segments()
    for name in table.indices:
        mended.table.drop_index(name)
        told += "; it was dropped, and is built again by the next sonovec index"
    return "library", "note", f"{told}; there are {mended.count()} rows"


# -- what the store and the ledger say of each other


def _reconcile(store: Store, ledger: Ledger, rolled_back: bool) -> list[Finding]:
    """Remove tracks that are not whole, bring an older version in line with the ledger, and say what is lost."""
    findings: list[Finding] = []
    if parts := _incomplete(store, ledger):
        store.delete(parts)
        findings.append(("library", "note", f"{len(parts)} tracks lacked segments and were removed"))
    if not (rolled_back or parts):
        return []
    held = [entry for entry in ledger.entries() if entry.content_hash]
    paths: dict[str, list[Path]] = {}
    for entry in held:
        paths.setdefault(str(entry.content_hash), []).append(entry.path)
    roots = Roots.of(ledger)
    stored = {track.id: track.path for track in store.tracks()}
    moved = {id: paths[id][0] for id, path in stored.items() if id in paths and roots.local(path) not in paths[id]}
    store.update({id: {"path": roots.stored(path)} for id, path in moved.items()})
    return [
        *findings,
        *_lost([entry for entry in held if entry.content_hash not in stored]),
        *_back([display(roots.shown(path)) for id, path in stored.items() if held and id not in paths]),
    ]


def _incomplete(store: Store, ledger: Ledger | None) -> list[str]:
    held = () if ledger is None else ledger.entries()
    return store.incomplete({str(entry.content_hash): entry.n_segments for entry in held if entry.n_segments})


def _lost(entries: Sequence[Entry]) -> Iterator[Finding]:
    there, gone = (
        [display(e.path) for e in entries if os.access(e.path, os.F_OK) == exists] for exists in (True, False)
    )
    if there:
        told = "the vectors of {} files; the next sonovec index over them embeds them again: {}"
        yield "lost", "note", told.format(len(there), _some(there))
    if gone:
        yield "lost", "note", f"the vectors of {len(gone)} files that are no longer on disk: {_some(gone)}"


def _back(paths: Sequence[str]) -> Iterator[Finding]:
    if paths:
        told = "{} tracks that no row of the ledger holds: removed or replaced after that version, or just added: {}"
        yield "library", "note", told.format(len(paths), _some(paths))


def _some(names: Sequence[str]) -> str:
    more = f", and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _ledger_fault(library: Library) -> str | None:
    """What is wrong inside the ledger's file; one of another format, or one that may not be read, is not damaged."""
    if not library._ledger_path.exists():
        return None
    try:
        with Ledger(library._ledger_path, read_only=read_only_for(library.location) is not None) as ledger:
            return ledger.fault()
    except LibraryError as error:
        if type(error.__cause__) is sqlite3.DatabaseError:
            return f"{display(library._ledger_path)}: {error.__cause__}"
        raise
