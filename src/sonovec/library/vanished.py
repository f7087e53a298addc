"""What the ledger holds and the disk does not: files that were deleted, and places that may only be out of reach.

A disk that is not mounted looks like one whose files were all deleted. So what may come back is told apart from what
people delete in passing.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from sonovec.library.ledger import Ledger
from sonovec.library.outcomes import Entry

#: A folder that held so many files, and of which nothing is left, is not taken for deleted.
MANY = 10


@dataclass(frozen=True)
class Vanished:
    """Rows of files that are gone.

    Attributes
    ----------
    deleted : list of Entry
        Files that were deleted by all appearances.
    withheld : dict of Path to list of Entry
        Files below places that may come back: a root of which nothing is left; a mount point whose disk is not there, or
        is empty; a folder of which nothing is left that held `MANY` files, or that held several and is still there, empty,
        as a mount point is without its disk.
    """

    deleted: list[Entry] = field(default_factory=list)
    withheld: dict[Path, list[Entry]] = field(default_factory=dict)


def find(
    ledger: Ledger,
    roots: Sequence[Path],
    run: int,
    unreadable: Iterable[Path],
    check: Callable[[], None] = lambda: None,
) -> Vanished:
    """Look for the files of the ledger that lie under `roots` and are gone.

    Parameters
    ----------
    ledger : Ledger
    roots : sequence of Path
        Folders and files, absolute.
    run : int
        The run that has just looked through the roots; what it met is not looked for again.
    unreadable : iterable of Path
        Folders and files that are there and could not be read; nothing below them counts as gone.
    check : callable
        Called with each row, and may raise what ends the look.
    """
    closed = frozenset(unreadable)
    tops = [root for root in sorted(set(roots)) if not any(parent in roots for parent in root.parents)]
    chain = cache(lambda folder: _chain(folder, tops))
    held = cache(ledger.held_under)
    lost: Counter[Path] = Counter()
    gone: list[tuple[Entry, Path]] = []
    for root in tops:
        for entry in ledger.entries(under=root, missed_by=run):
            check()
            folder = root if entry.path == root else entry.path.parent
            if closed.isdisjoint([*chain(folder), entry.path]) and _is_gone(entry.path):
                lost[folder] += entry.held
                gone.append((entry, folder))
    lost = _totals(lost, chain)
    vanished = Vanished()
    mounted = cache(os.path.ismount)
    may_return = cache(lambda folder: _may_return(folder, held(folder), roots))
    for entry, folder in gone:
        bare = next((each for each in chain(folder) if 0 < lost[each] == held(each)), None)
        if entry.mount is not None and not mounted(entry.mount):
            place = entry.mount if entry.mount in chain(folder) else bare or folder
        elif bare is not None and may_return(bare):
            place = bare
        else:
            vanished.deleted.append(entry)
            continue
        vanished.withheld.setdefault(place, []).append(entry)
    return vanished


def _chain(folder: Path, tops: Sequence[Path]) -> list[Path]:
    """The folders from one of the topmost roots down to a folder."""
    line = [*reversed(folder.parents), folder]
    return [each for each in line if any(each.is_relative_to(top) for top in tops)]


def _totals(counts: Counter[Path], chain: Callable[[Path], list[Path]]) -> Counter[Path]:
    """Counts of folders with all that lies below them."""
    totals: Counter[Path] = Counter()
    for folder, count in counts.items():
        for each in chain(folder):
            totals[each] += count
    return totals


def _may_return(folder: Path, files: int, roots: Sequence[Path]) -> bool:
    """Whether a folder of which nothing is left may be a disk that is not there."""
    if files >= MANY or os.path.ismount(folder) or any(root.is_relative_to(folder) for root in roots):
        return True
    try:
        with os.scandir(folder) as inside:
            return files > 1 and next(inside, None) is None
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def is_there(path: Path) -> bool:
    """Whether a path exists; one that cannot be looked at counts as there, so that it is never pruned."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _is_gone(path: Path) -> bool:
    """A link without its target is not gone: what it points to may come back."""
    return not is_there(path) and not path.is_symlink()


def mount_of(folder: str | os.PathLike[str]) -> Path:
    """Give the mount point that a folder really lies below, whatever links lead to it."""
    real = Path(os.path.realpath(folder))
    return next((each for each in (real, *real.parents) if os.path.ismount(each)), Path(real.anchor))
