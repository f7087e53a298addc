"""Look for what a crash or a power cut has damaged in a library, and bring back what can be read.

Lance writes a table as a row of versions, and each write makes a new one; the files of the latest may be empty after a
power cut, while the version before it is whole. Nothing is deleted here: what cannot be read is moved into the folder
`damaged` of the library. What is lost by that is embedded again by the next index run, since a run looks into the store
for every file.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from sonovec.errors import LibraryError
from sonovec.jobs import Job, Progress, Watched, current, running
from sonovec.library import consistency
from sonovec.library.backend import decode_config, encode_config
from sonovec.library.job_records import recorded
from sonovec.library.lance_backend import LanceBackend
from sonovec.library.lance_folder import CONFIG, COPY, SPACE, TABLES, create_table, spaces_in, table_path, write_config
from sonovec.library.lance_table import LanceTable, manifests, repair_command, said_by_lance
from sonovec.library.ledger import Ledger
from sonovec.library.library import Library
from sonovec.library.location import Location, lock_path
from sonovec.library.lock import Lock
from sonovec.library.migrations import FORMER, has_former_tables
from sonovec.library.open import open_store
from sonovec.library.outcomes import Entry
from sonovec.library.records import MAIN, LibraryConfig, Space
from sonovec.library.roots import Roots
from sonovec.library.store import Store
from sonovec.library.tables import all_tables
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

    path: Path
    rows: int
    copy: str | None = None
    space: str | None = None
    fault: str | None = None
    newer: Sequence[Path] = ()
    old: Sequence[Path] = ()
    indices: Sequence[str] = ()
    missing: bool = False
    lost: bool = False

    @property
    def name(self) -> str:
        return self.path.stem


def examine(library: Library, *, progress: Watched = None) -> list[Finding]:
    """Look for damage, and say what `repair` would do; nothing is changed. It may be watched: see `sonovec.Job`."""
    with running(progress):
        return _examined(library)


def _examined(library: Library) -> list[Finding]:
    remedy = f"mend it with: {repair_command(str(library.location))}"
    findings: list[Finding] = []
    if tables := _tables(library.location):
        findings += [_fault_of(table, remedy) for table in tables if table.fault is not None]
        config, fault = _config(library.location, tables)
        if fault is not None:
            findings.append(("config", "failed", f"{fault}; {remedy if config else BACKUP}"))
    if (fault := _ledger_fault(library)) is not None:
        findings.append(("ledger", "failed", f"{fault}; {remedy}"))
    if not findings and library.config is not None:
        with library._local.ledger_to_read() as ledger:
            state = consistency.examine(library._store, ledger)
        findings += [("library", "failed", f"{fault}; {remedy}") for fault in state.faults()]
        findings += [("library", "note", f"{remark}; {remedy}") for remark in state.remarks()]
    return findings


def repair(library: Library, *, progress: Watched = None) -> list[Finding]:
    """Bring back what can be read, and say what is lost. It may be watched, or cancelled: see `sonovec.Job`.

    Raises
    ------
    LibraryError
        There is no library, or it cannot be written.
    LibraryLockedError
        Another process is indexing into it.
    """
    with running(progress) as job:
        return _repaired(library, job)


def _repaired(library: Library, job: Job) -> list[Finding]:
    if library.location.kind != "lance" or not _is_library(Path(library.location.address)):
        library._require_config()
    library.close()
    reason = library._local.why_read_only()
    if reason is not None:
        raise LibraryError(f"{library.location}: cannot be written ({reason}); repair a copy that you may write")
    path = library._local.ledger_path
    with Lock(lock_path(library.location), f"{library.location}: cannot be repaired", "wait for it or stop it"):
        aside = _Aside(path.parent)
        findings = _repair_ledger(library, aside)
        changed = _repair_tables(library, aside)
        findings += changed
        if not any(state == "failed" for _, state, _ in findings):
            if library.location.kind == "lance":
                LanceBackend(library.location).upgrade()  # here, since to open it would wait for the lock
            with (
                open_store(library.location, token=library._token) as store,
                Ledger(path) as ledger,
                recorded(ledger, "repair", job),
            ):
                findings += _reconcile(store, ledger, bool(changed))
    return findings or [("repair", "ok", "nothing is damaged")]


def _repair_ledger(library: Library, aside: _Aside) -> list[Finding]:
    fault = _ledger_fault(library)
    if fault is None:
        return []
    path = library._local.ledger_path
    aside.take(*(path.with_name(path.name + ending) for ending in ("", "-wal", "-shm")))
    message = (
        f"{fault}; moved to {display(aside.folder)}; the next sonovec index writes a new one and embeds nothing again"
    )
    return [("ledger", "note", message)]


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
    for path in (*root.glob("*.lance/**/*"), *root.glob(f"{TABLES}/*.lance/**/*")):
        if not os.access(path, os.R_OK):
            raise LibraryError(f"{display(path)}: cannot be read; check its rights")
    paths, job = _layout(root), current()
    found = []
    for done, path in enumerate(paths):
        job.report(Progress("looking for damage", done, len(paths), "tables", note=path.stem))
        found.append(_look_at(path))
    return found


def _layout(root: Path) -> list[Path]:
    """Where the tables lie or should lie: those of the spaces that are known, and those that are there."""
    try:
        text = (root / CONFIG).read_bytes()
        former, others = json.loads(text).get("format") == 1, spaces_in(text)
    except (OSError, ValueError, TypeError, AttributeError):
        former, others = has_former_tables(root), {}
    if former:  # what lies beside its tables is of a migration that did not come to its end
        return [root / name for name in FORMER]
    main = Space(MAIN, 0, {}, 0.0, "")
    expected = [table_path(root, spec) for spec in all_tables([main, *others.values()])]
    return [*expected, *sorted(set((root / TABLES).glob("*.lance")).difference(expected))]


def _is_library(root: Path) -> bool:
    return any((root / name).exists() for name in (CONFIG, TABLES, *FORMER))


def _look_at(path: Path) -> _Table:
    """Find the newest version that can be read whole; the versions are read through links, one by one."""
    versions = manifests(path)
    if not versions:
        return _Table(path, 0, fault="it is missing", missing=True)
    newer: list[Path] = []
    reasons: list[str] = []
    for place, manifest in enumerate(versions):
        try:
            rows, copy, space, indices = _read(path, manifest)
        except LibraryError as error:
            if any(symptom in str(error).lower() for symptom in NO_DAMAGE):
                raise
            newer.append(manifest)
            reasons.append(f"the newest version cannot be read ({_reason(error)})")
            continue
        # Old versions that cannot be opened end the clearing up after each run.
        old = [older for older in versions[place + 1 :] if not _opens(path, older)]
        faults = reasons[:1]
        faults += ["an old version is damaged"] if old else []
        faults += ["an index is damaged"] if indices else []
        return _Table(path, rows, copy, space, "; ".join(faults) or None, newer, old, indices)
    return _Table(path, 0, fault=reasons[0], lost=True)


def _reason(error: LibraryError) -> str:
    """Lance's own message, with paths from the table on."""
    return re.sub(r"\S*/(?=\w+\.lance/)", "", said_by_lance(error.__cause__ or error))[:160]


def _read(path: Path, manifest: Path) -> tuple[int, str | None, str | None, Sequence[str]]:
    """Read a version whole: its rows, its copies of the config and of the space, and its indices that cannot be used."""
    with tempfile.TemporaryDirectory(prefix="sonovec-") as folder:
        table = _version(path, manifest, Path(folder))
        return table.read(), table.note(COPY), table.note(SPACE), table.broken_indices()


def _opens(path: Path, manifest: Path) -> bool:
    with tempfile.TemporaryDirectory(prefix="sonovec-") as folder:
        try:
            _version(path, manifest, Path(folder))
        except LibraryError:
            return False
    return True


def _version(path: Path, manifest: Path, scratch: Path) -> LanceTable:
    """Open one version of a table as if there were no other: Lance itself opens the newest first."""
    view = scratch / path.name
    (view / "_versions").mkdir(parents=True)
    try:
        for part in path.iterdir():
            if part.name != "_versions":
                (view / part.name).symlink_to(part)
        (view / "_versions" / manifest.name).symlink_to(manifest)
    except OSError as error:
        raise LibraryError(
            f"{scratch}: links cannot be made there ({error.strerror}), which the repair needs"
        ) from error
    return LanceTable(view, scratch, quiet=True)


def _fault_of(table: _Table, remedy: str) -> Finding:
    if table.lost:
        return "library", "failed", f"{table.name}: {table.fault}, nor can any before it; {BACKUP}"
    return "library", "failed", f"{table.name}: {table.fault}; {table.rows} rows can be brought back; {remedy}"


def _config(location: Location, tables: Sequence[_Table]) -> tuple[LibraryConfig | None, str | None]:
    """The library's config, and what is wrong with its file."""
    copy = next((table.copy for table in tables if table.copy), None)
    copied = decode_config(copy, location) if copy else None
    try:
        config = decode_config((Path(location.address) / CONFIG).read_bytes(), location)
    except FileNotFoundError:
        return copied, f"{CONFIG} is missing"
    except LibraryError as error:
        if not isinstance(error.__cause__, ValueError):  # it is of another version, and whole
            raise
        return copied, f"{CONFIG} is damaged ({error.__cause__})"
    if copied is not None and copied != config:
        return copied, f"{CONFIG} is of another library than the vectors"
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
        write_config(root, config, _spaces(tables))
        findings.append(("config", "note", f"{fault}; it was written again from the copy that the tables keep"))
    damaged = [table for table in tables if table.fault is not None]
    if config is not None and damaged:
        spaces = spaces_in((root / CONFIG).read_bytes())
        findings += [_mend(root, table, config, spaces, aside) for table in damaged]
        # By its id, objects that are open see that the tables are others now.
        write_config(root, replace(config, id=uuid.uuid4().hex), spaces)
    return findings


def _spaces(tables: Sequence[_Table]) -> dict[str, Space]:
    """The spaces beside the main one, by the copies that their tables keep."""
    found = (Space(**json.loads(table.space)) for table in tables if table.space)
    return {space.name: space for space in found}


def _mend(root: Path, table: _Table, config: LibraryConfig, spaces: Mapping[str, Space], aside: _Aside) -> Finding:
    folder = table.path
    if table.missing:
        specs = {spec.name: spec for spec in all_tables([config.main, *spaces.values()])}
        if table.name not in specs or config.format < LibraryConfig.format:
            return "library", "failed", f"{table.name}: {table.fault}; {BACKUP}"
        aside.take(folder)
        space = spaces.get(table.name.split(".")[0])
        notes = {COPY: encode_config(config)} if space is None else {SPACE: json.dumps(asdict(space))}
        create_table(root, specs[table.name], notes)
        return "library", "note", f"{table.name}: {table.fault}; an empty one was made"
    message = f"{table.name}: {table.fault}"
    if table.newer or table.old:
        aside.take(*table.newer, *table.old, folder / "_versions" / "latest_version_hint.json")
        message += f"; moved to {display(aside.folder)}"
    if table.newer:
        message += "; the last good version is back, and what was written after it is undone"
    mended = LanceTable(folder, root)
    if table.indices:
        mended.drop_indices(table.indices)
        mended.optimize()
        message += "; it was built again"
    return "library", "note", f"{message}; there are {mended.count()} rows"


# -- what the store and the ledger say of each other


def _reconcile(store: Store, ledger: Ledger, rolled_back: bool) -> list[Finding]:
    """Mend what does not agree, bring an older version in line with the ledger, and say what is lost."""
    findings: list[Finding] = []
    state = consistency.examine(store, ledger)
    findings += [("library", "note", done) for done in consistency.mend(store, ledger, state)]
    if not (rolled_back or state.incomplete):
        return findings
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


def _lost(entries: Sequence[Entry]) -> Iterator[Finding]:
    there, gone = (
        [display(e.path) for e in entries if os.access(e.path, os.F_OK) == exists] for exists in (True, False)
    )
    if there:
        message = "the vectors of {} files; the next sonovec index over them embeds them again: {}"
        yield "lost", "note", message.format(len(there), _some(there))
    if gone:
        yield "lost", "note", f"the vectors of {len(gone)} files that are no longer on disk: {_some(gone)}"


def _back(paths: Sequence[str]) -> Iterator[Finding]:
    if paths:
        message = "{} tracks that no row of the ledger holds: removed or replaced after that version, or just added: {}"
        yield "library", "note", message.format(len(paths), _some(paths))


def _some(names: Sequence[str]) -> str:
    more = f", and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _ledger_fault(library: Library) -> str | None:
    """What is wrong inside the ledger's file; one of another format, or one that may not be read, is not damaged."""
    if not library._local.ledger_path.exists():
        return None
    try:
        with Ledger(library._local.ledger_path, read_only=library._local.why_read_only() is not None) as ledger:
            return ledger.fault()
    except LibraryError as error:
        if type(error.__cause__) is sqlite3.DatabaseError:
            return f"{display(library._local.ledger_path)}: {error.__cause__}"
        raise
