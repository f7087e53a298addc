"""What analysers heard in tracks: into columns, passages and the ledger; and tracks that some have not heard yet."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from sonovec.analysis import listening
from sonovec.analysis.analyser import Analyser, Spoken
from sonovec.analysis.listening import Listening
from sonovec.audio.stream import open_mono
from sonovec.errors import AudioError
from sonovec.jobs import Job, Progress
from sonovec.library.columns import Column, Owner
from sonovec.library.identity import content_hash
from sonovec.library.ledger import Ledger
from sonovec.library.outcomes import Analysis, Entry
from sonovec.library.records import Passage, Value
from sonovec.library.report import Report
from sonovec.library.store import Store
from sonovec.library.stretches import passages
from sonovec.log import as_failure
from sonovec.paths import display, to_text

#: Tracks that are heard and written together.
TOGETHER = 64


@dataclass(frozen=True)
class Heard:
    """What analysers heard in one track."""

    analyses: Sequence[Analysis] = ()
    fields: Mapping[str, Value] = field(default_factory=dict)
    spoken: Mapping[str, Sequence[Spoken]] = field(default_factory=dict)  # by what gave it

    @property
    def notes(self) -> list[str]:
        """Why analysers gave nothing."""
        return [each.reason for each in self.analyses if each.reason]


def heard_of(kinds: Iterable[type[Analyser]], found: Mapping[str, listening.Heard]) -> Heard:
    """What a library keeps of what was heard; a field that was not found, or that failed, is empty."""
    fields: dict[str, Value] = {each.name: None for kind in kinds for each in kind.fields}
    spoken: dict[str, Sequence[Spoken]] = {}
    for name, each in found.items():
        if each.findings is not None:
            fields |= each.findings.columns
            spoken[str(Owner(name, each.version))] = each.findings.passages
    return Heard([Analysis(name, each.version, each.reason) for name, each in found.items()], fields, spoken)


def columns_of(kinds: Iterable[type[Analyser]]) -> list[Column]:
    """The columns that analysers fill, which they own."""
    return [
        Column(each.name, each.kind, Owner(kind.name, kind.version), each.index)
        for kind in kinds
        for each in kind.fields
    ]


def record(store: Store, ledger: Ledger, heard: Mapping[str, Heard], *, anew: Iterable[str] = ()) -> None:
    """Write what was heard in tracks whose columns are written: their passages, then the ledger."""
    now = time.time()
    found = [
        Passage(track, each.start, each.end, each.text, source, now, each.language)
        for track, what in heard.items()
        for source, several in what.spoken.items()
        for each in several
    ]
    if found:
        passages(store).put(found)
    ledger.record_analyses({track: what.analyses for track, what in heard.items()}, anew=anew)


class CatchUp:
    """Lets analysers hear tracks of the library that they have not heard, in this version; nothing is embedded."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        kinds: Sequence[type[Analyser]],
        report: Report,
        *,
        isolate: bool,
        jobs: int,
        job: Job,
    ) -> None:
        self._store, self._ledger, self._kinds, self._report = store, ledger, kinds, report
        self._isolate, self._jobs, self._job = isolate, jobs, job
        self._seconds: dict[str, float] = {}  # of sound that was heard, by content

    def run(self, paths: Sequence[Path]) -> None:
        """Hear what is held under `paths`."""
        lacking = self._lacking(paths)
        with ThreadPoolExecutor(self._jobs) as pool:
            while batch := list(islice(lacking, TOGETHER)):
                heard = {}
                self._tell()
                waiting = [pool.submit(self._hear, each) for each in batch]
                for (entry, _), future in zip(batch, waiting, strict=True):
                    what = self._job.wait_for(future, self._tell)
                    notes = what.notes if isinstance(what, Heard) else [what]
                    self._report.notes += [(to_text(entry.path), note) for note in notes]
                    if isinstance(what, Heard):
                        heard[str(entry.content_hash)] = what
                there = self._store.existing(heard)
                heard = {content: what for content, what in heard.items() if content in there}
                self._store.update({content: what.fields for content, what in heard.items()})
                record(self._store, self._ledger, heard)
                self._report.heard += len(heard)

    def _tell(self) -> None:
        heard = sum(list(self._seconds.values()))
        self._job.report(Progress("listening to tracks that were there", self._report.heard, None, "tracks", heard))

    def _lacking(self, paths: Sequence[Path]) -> Iterator[tuple[Entry, list[type[Analyser]]]]:
        """Files that are there, each content once, and the analysers that it lacks."""
        done: set[str] = set()
        for path in paths:
            for entry in self._ledger.entries(under=path):
                content = entry.content_hash
                if content is None or content in done:
                    continue
                have = self._ledger.analyses(content)
                lacks = [
                    kind for kind in self._kinds if kind.name not in have or have[kind.name].version != kind.version
                ]
                if lacks and entry.path.is_file():
                    done.add(content)
                    yield entry, lacks

    def _hear(self, task: tuple[Entry, list[type[Analyser]]]) -> Heard | str:
        entry, kinds = task
        hearing = Listening(kinds)
        try:
            with open_mono(entry.path, None, isolate=self._isolate) as stream:
                stream.tap = hearing.begin(stream.info)
                for _ in stream:
                    self._job.check()
                    self._seconds[str(entry.content_hash)] = stream.source_frames / stream.info.rate
            heard = heard_of(kinds, hearing.finish())
            if content_hash(entry.path, self._job.check) != entry.content_hash:
                raise AudioError(f"{display(entry.path)}: changed while it was being read; index again")
        except Exception as error:  # noqa: BLE001 - it is this file's alone
            return str(as_failure(display(entry.path), error))
        return heard
