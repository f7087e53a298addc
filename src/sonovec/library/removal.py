"""Remove tracks, or single files of theirs, from a library; the files themselves stay where they are.

As in every change, the ledger goes first: with the rows of the files it marks their contents as unsettled, in one
transaction. A removal that is killed after that leaves no track that is held by halves: the next index run, or the same
removal, finds the marks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sonovec.library.batches import batches
from sonovec.library.follow import Follower
from sonovec.library.given import Given
from sonovec.library.ledger import Ledger
from sonovec.library.report import Report
from sonovec.library.roots import Roots
from sonovec.library.store import Store

#: Tracks that are removed together.
TOGETHER = 1000


@dataclass(frozen=True)
class Removal:
    """What is to be removed, or was.

    Attributes
    ----------
    tracks : mapping of str to str
        Paths of the tracks that go, by their ids.
    files : sequence of Path
        Files of this machine that the ledger forgets, those of the tracks and single copies.
    kept : mapping of str to str
        Paths of the tracks of which one file is removed and others are held; they stay.
    """

    tracks: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)


def plan(
    store: Store, ledger: Ledger | None, shown: Callable[[str, str], str], whole: Iterable[str], files: Iterable[Path]
) -> Removal:
    """What goes with whole tracks, given by their ids, and with single files that the ledger holds.

    `shown` tells the path on this machine, of an id and what the library keeps for its path.
    """
    holders = {id: _holders(ledger, id) for id in whole}
    single: dict[str, set[Path]] = {}
    for path in files:
        content = _content_of(ledger, path)
        if content is not None and content not in holders:
            single.setdefault(content, set()).add(path)
    holders |= {id: paths for id, paths in single.items() if _holders(ledger, id) <= paths}
    kept = single.keys() - holders.keys()
    forgotten: set[Path] = set().union(*holders.values(), *(single[id] for id in kept))
    going, staying = ({id: shown(id, path) for id, path in store.paths(ids).items()} for ids in (holders, kept))
    return Removal(going, tuple(sorted(forgotten)), staying)


def is_held(ledger: Ledger | None, path: Path) -> bool:
    """Whether the library holds content for this file of this machine."""
    return _content_of(ledger, path) is not None


def _content_of(ledger: Ledger | None, path: Path) -> str | None:
    entry = None if ledger is None else ledger.lookup(path)
    return None if entry is None else entry.content_hash


def _holders(ledger: Ledger | None, id: str) -> set[Path]:
    return set() if ledger is None else {entry.path for entry in ledger.holders(id)}


def carry_out(removal: Removal, store: Store, ledger: Ledger, roots: Roots) -> None:
    """Remove what was planned; whoever calls it holds the library's lock."""
    run = ledger.begin_run({"remove": len(removal.tracks)})
    for ids in batches(removal.tracks, TOGETHER):
        ledger.mark(ids)
    for paths in batches(removal.files, TOGETHER):
        ledger.forget(paths)
    for ids in batches(removal.tracks, TOGETHER):
        store.delete(ids)
        ledger.settle(ids)
    given = Given(store, roots, None, ())
    Follower(store, ledger, roots, given, run, Report(), removed=removal.files).settle()
    ledger.end_run(run)
