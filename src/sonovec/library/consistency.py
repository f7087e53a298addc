"""Whether the tables of a library agree with each other and with the ledger, and how to bring them in line.

Counted are duplicates (rows that repeat an id), orphans (rows of a track that is not there), tracks that are not whole,
ghosts (tracks that no path holds), and indices that are missing or far behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sonovec.jobs import Progress, current
from sonovec.library.backend import BATCH
from sonovec.library.batches import batches
from sonovec.library.filters import In
from sonovec.library.ledger import Ledger
from sonovec.library.outcomes import Outcome
from sonovec.library.roots import Roots
from sonovec.library.store import Store
from sonovec.library.tables import TRACKS, TableSpec, all_tables, segments_of, vectors_of
from sonovec.library.vanished import is_there
from sonovec.paths import display

MOST_NAMED = 5


@dataclass
class State:
    """What does not agree. `orphans` has the tracks that are not there by table, `ghosts` the paths of tracks by their id."""

    duplicates: dict[str, int] = field(default_factory=dict)
    orphans: dict[str, set[str]] = field(default_factory=dict)
    incomplete: list[str] = field(default_factory=list)
    ghosts: dict[str, Path] = field(default_factory=dict)
    stale: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def faults(self) -> Iterator[str]:
        """A line for each kind of fault that `mend` mends."""
        if self.duplicates:
            yield f"{sum(self.duplicates.values())} duplicates ({', '.join(self.duplicates)})"
        if self.orphans:
            gone: set[str] = set().union(*self.orphans.values())
            yield f"{len(gone)} orphans: tracks that are gone have rows in {', '.join(self.orphans)}"
        if self.incomplete:
            yield f"{len(self.incomplete)} tracks lack segments or vectors"
        if self.ghosts:
            first = display(next(iter(self.ghosts.values())))
            yield f"{len(self.ghosts)} ghosts: tracks that no file of the ledger holds, such as {first}"

    def remarks(self) -> Iterator[str]:
        """A line for what is only slow."""
        if self.stale:
            stale = "; ".join(f"{table}: {', '.join(columns)}" for table, columns in self.stale.items())
            yield f"stale indices ({stale}): searches are slower than they could be"


def examine(store: Store, ledger: Ledger | None) -> State:
    """Look through all tables; nothing is changed."""
    state = State()
    tables = all_tables(store.spaces().values())
    for done, spec in enumerate(tables):
        current().report(Progress("looking for what does not agree", done, len(tables), "tables", note=spec.name))
        health = store.table(spec).health()
        if health.duplicates:
            state.duplicates[spec.name] = health.duplicates
        if health.stale:
            state.stale[spec.name] = health.stale
    ids = set(store.ids())
    for spec in tables[1:]:
        key = key_of(spec)
        found = {value for batch in store.table(spec).batches(None, [key]) for value in batch.column(0).to_pylist()}
        if gone := found - ids:
            state.orphans[spec.name] = gone
    state.incomplete = _incomplete(store, ids, ledger)
    if ledger is not None and store.location.kind != "milvus":  # a server's tracks may be those of another machine
        state.ghosts = dict(_ghosts(store, ledger))
    return state


def mend(store: Store, ledger: Ledger, state: State) -> Iterator[str]:
    """Bring the tables in line, and tell what was done; the caller holds the library's lock."""
    specs = {spec.name: spec for spec in all_tables(store.spaces().values())}
    for name, count in state.duplicates.items():
        yield f"{name}: {count} duplicates were removed"
    for name in dict.fromkeys([*state.duplicates, *state.stale]):
        store.table(specs[name]).mend()
    for name, columns in state.stale.items():
        yield f"{name}: the indices of {', '.join(columns)} were built"
    for name, gone in state.orphans.items():
        for ids in batches(sorted(gone), BATCH):
            store.table(specs[name]).delete(In(key_of(specs[name]), tuple(ids)))
        yield f"{name}: rows of {len(gone)} tracks that are gone were removed"
    if state.incomplete:
        store.delete(state.incomplete)
        yield f"{len(state.incomplete)} tracks lacked segments and were removed; the next sonovec index embeds them again"
    replaced = [id for id, path in state.ghosts.items() if (entry := ledger.lookup(path)) is not None and entry.held]
    unrecorded = {id: path for id, path in state.ghosts.items() if id not in replaced}
    if replaced:
        store.delete(replaced)
        yield f"{len(replaced)} tracks whose file has other content now were removed"
    if unrecorded:
        run = ledger.begin_run({"repair": True})
        ledger.record_many(run, [Outcome(path, "unchanged", content_hash=id) for id, path in unrecorded.items()])
        ledger.end_run(run)
        yield (
            f"{len(unrecorded)} tracks that no file held have a row in the ledger again; --prune removes what is gone: "
            + ", ".join(display(path) for path in list(unrecorded.values())[:MOST_NAMED])
        )


def key_of(spec: TableSpec) -> str:
    """The column that says of which track a row is."""
    return "track" if any(column.name == "track" for column in spec.columns) else "id"


def _incomplete(store: Store, ids: set[str], ledger: Ledger | None) -> list[str]:
    """Tracks without their clip vector, or with fewer or more segments than the ledger says, or with a gap among them."""
    entries = () if ledger is None else ledger.entries()
    expected = {str(entry.content_hash): entry.n_segments for entry in entries if entry.n_segments}
    return [*incomplete(store, ids, expected)]


def incomplete(store: Store, ids: set[str], expected: Mapping[str, int]) -> Iterator[str]:
    """Of some tracks those that are not whole; of one that is not `expected` none may be missing before the last."""
    space = store.space()
    found: dict[str, list[int]] = {}
    for batch in store.table(segments_of(space)).batches(None, ["track", "index"]):
        for track, index in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            found.setdefault(track, []).append(index)
    have = {id for batch in store.table(vectors_of(space)).batches(None, ["id"]) for id in batch.column(0).to_pylist()}
    for id in sorted(ids):
        indices = set(found.get(id, []))
        if id not in have or indices != set(range(expected.get(id, max(indices, default=0) + 1))):
            yield id


def _ghosts(store: Store, ledger: Ledger) -> Iterator[tuple[str, Path]]:
    """Tracks that no row holds; one whose file is there is recorded by the next run, which may have been killed."""
    held = {entry.content_hash for entry in ledger.entries() if entry.held}
    if not held:
        return
    roots = Roots.of(ledger)
    for batch in store.table(TRACKS).batches(None, ["id", "path"]):
        for id, text in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            path = None if text is None else roots.local(text)
            if id not in held and path is not None:  # those of other machines' roots are theirs
                entry = ledger.lookup(path)
                if not is_there(path) or (entry is not None and entry.held):
                    yield id, path
