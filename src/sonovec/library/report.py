"""What an index run did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from sonovec.brief import Brief
from sonovec.library.outcomes import Counts

#: Whether files that are gone are removed, and whether all of them.
Prune = bool | Literal["all"]


@dataclass(repr=False)
class Report(Brief):
    """What an index run did.

    Attributes
    ----------
    counts : Counts
        found = indexed + unchanged + skipped + failed, always.
    failures : list of (path, reason)
        Files that could not be indexed, by their path as text (`sonovec.paths.to_text`); the rest of the run went on.
    notes : list of (path, note)
        Files that were indexed, with something that a user should know, such as a truncated end.
    copies : int
        Files among the skipped whose content the library holds under another path.
    skipped : dict of str to int
        How many files were skipped for each kind of reason; the ledger has the reason of each, see `Library.outcomes`.
    moved : int
        Files that the library held under another path, which is gone; their vectors were kept.
    left_out : list of (path, reason)
        Files and folders among the skipped that may hold sound: what systems and programs hide, downloads that are not
        finished, libraries of sonovec.
    vanished : int
        Files that the library holds and that were deleted from disk, with `prune` those that were removed from it.
    withheld : list of (path, files)
        Roots, mount points and large folders of which nothing is there, with the number of files that the library holds
        below: they may be on a disk that is not mounted, and only ``prune="all"`` removes them.
    metadata_applied : int
        Rows of the metadata file that matched a file of this run.
    metadata_unused : list of str
        Rows of the metadata file that matched no file of this run.
    metadata_copies : list of (path, path)
        Files with a row that are a copy of another file, and that file. The row is kept with the copy, and is the track's
        when the copy takes the other file's place.
    heard : int
        Tracks that were there already and were heard by analysers that had not heard them, or had failed.
    audio_seconds, seconds : float
        Sound embedded, and time taken.
    run : int or None
        Its number in the ledger.
    """

    counts: Counts = field(default_factory=Counts)
    failures: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    copies: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    moved: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)
    vanished: int = 0
    pruned: bool = False
    withheld: list[tuple[str, int]] = field(default_factory=list)
    metadata_applied: int = 0
    metadata_unused: list[str] = field(default_factory=list)
    metadata_copies: list[tuple[str, str]] = field(default_factory=list)
    heard: int = 0
    audio_seconds: float = 0.0
    seconds: float = 0.0
    run: int | None = None

    def skip(self, reason: str) -> None:
        """Count a file that was skipped, by the kind of its reason: those that name another file are of one kind."""
        named = next((kind for kind in _NAMING if reason.startswith(kind)), None)
        self.skipped[reason if named is None else f"{named} another file"] += 1


#: How reasons begin that go on with the name of a file.
_NAMING = ("same content as", "the same as")
