"""Write the tempo and the key of tracks into the tags of their files; the tracks follow, and nothing is embedded again.

The file gets other bytes, so its track gets another id. For each file: the new file is made beside the old one and proven;
the track is written again under its new id, which is marked as unsettled; the new file takes the old one's place; the
ledger's row follows. A run that is killed in between leaves a track without a row, which the next run takes if the file has
that content, and else removes; see `sonovec.library.follow`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sonovec.audio.tags.file_name import claims_of
from sonovec.audio.tags.read import Tags, read_tags
from sonovec.audio.tags.writing.pieces import NotWrittenError, Said
from sonovec.audio.tags.writing.write import write_tags
from sonovec.brief import Brief
from sonovec.jobs import Job, Progress
from sonovec.library.follow import Follower
from sonovec.library.given import Given
from sonovec.library.identity import content_hash
from sonovec.library.ledger import Ledger
from sonovec.library.outcomes import Entry, Outcome
from sonovec.library.records import Track
from sonovec.library.rekeying import copy_track
from sonovec.library.report import Report
from sonovec.library.roots import Roots
from sonovec.library.store import Store
from sonovec.music.columns import FILE_KEY, FILE_TEMPO
from sonovec.music.sure import sure
from sonovec.paths import to_text

UNIT = "files"


@dataclass(repr=False)
class TagsWritten(Brief):
    """What was written into the tags of files.

    Attributes
    ----------
    written : list of (path, tempo, key)
        Files that have tags now which they lacked, with beats a minute and key; None for what was not written.
    left : list of (path, note)
        Files that lack a tag and were left as they are, with the reason.
    unsure : int
        Files that lack tempo and key, of which neither was heard surely.
    there : int
        Files whose tags say already what would be written.
    seconds : float
        Time taken.
    """

    written: list[tuple[str, float | None, str | None]] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    unsure: int = 0
    there: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class TagWriting:
    """One run over files and folders of a library; whoever runs it holds the library's lock."""

    store: Store
    ledger: Ledger
    roots: Roots
    job: Job

    def run(self, paths: Sequence[Path]) -> TagsWritten:
        """Write what is missing, file by file."""
        began, done = time.monotonic(), TagsWritten()
        entries = list(self._entries(paths))
        run = self.ledger.begin_run({"write_tags": [to_text(path) for path in paths]})
        try:
            for number, entry in enumerate(entries):
                self.job.report(Progress("writing tags", number, len(entries), UNIT))
                self._write(entry, run, done)
        finally:
            given = Given(self.store, self.roots, None, paths)
            Follower(self.store, self.ledger, self.roots, given, run, Report()).settle()
            self.ledger.end_run(run)
        self.store.optimize(lambda table: self.job.check())
        done.seconds = time.monotonic() - began
        return done

    def _entries(self, paths: Sequence[Path]) -> Iterator[Entry]:
        seen: set[Path] = set()
        for path in paths:
            for entry in self.ledger.entries(under=path):
                if entry.held and entry.path not in seen:
                    seen.add(entry.path)
                    yield entry

    def _write(self, entry: Entry, run: int, done: TagsWritten) -> None:
        track = self.store.get([str(entry.content_hash)]).get(str(entry.content_hash))
        if track is None:
            return
        heard = sure(track.fields)
        missing = _missing(entry, track, heard)
        if missing == Said():
            done.there += heard != Said()
            done.unsure += heard == Said()
            return
        try:
            said = self._written(entry, track, missing, run)
        except NotWrittenError as error:
            done.left.append((to_text(entry.path), str(error)))
            return
        if said == Said():
            done.there += 1
        else:
            done.written.append((to_text(entry.path), said.tempo, said.key))

    def _written(self, entry: Entry, track: Track, missing: Said, run: int) -> Said:
        status = entry.path.stat() if entry.path.exists() else None
        if status is None:
            raise NotWrittenError("it is not there")
        as_it_was = entry.is_of(status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        # New rights or another link change a time and nothing else.
        if not as_it_was and content_hash(entry.path, self.job.check) != entry.content_hash:
            raise NotWrittenError("it has changed since it was indexed; index it first")
        new = ""

        def ready(temporary: Path) -> None:
            nonlocal new
            new = content_hash(temporary, self.job.check)
            self._copy(track, new, read_tags(temporary))

        said = write_tags(entry.path, tempo=missing.tempo, key=missing.key, check=self.job.check, ready=ready)
        if new:
            self.ledger.record_many(run, [_outcome(entry, new)], unsettled=[new])
        return said

    def _copy(self, track: Track, new: str, file_tags: Tags) -> None:
        if next(self.ledger.holders(new), None) is not None and self.store.existing([new]):
            return  # of a copy of the file, which has the same bytes now
        self.ledger.mark([new])
        self.store.delete([new])  # what a run left that was killed
        columns = self.store.columns()
        fields = {name: file_tags[name] for name in (FILE_TEMPO, FILE_KEY) if name in file_tags and name in columns}
        copy_track(self.store, track.id, new, fields)
        self.ledger.record_analyses({new: self.ledger.analyses(track.id).values()})


def _missing(entry: Entry, track: Track, heard: Said) -> Said:
    """Of what is sure that which the library does not know to be in the file; its name is no tag."""
    named = claims_of(entry.path)
    return Said(
        heard.tempo if track.fields.get(FILE_TEMPO) is None or "bpm" in named else None,
        heard.key if track.fields.get(FILE_KEY) is None or "key" in named else None,
    )


def _outcome(entry: Entry, content: str) -> Outcome:
    """The row of a file that has other bytes now; what happened to it in the last run stays said."""
    status = entry.path.stat()
    former = Outcome(**{name: getattr(entry, name) for name in Outcome.__dataclass_fields__})
    return replace(
        former,
        content_hash=content,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
    )
