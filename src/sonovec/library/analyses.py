"""What analysers heard in tracks: into columns, passages, labels, spaces and the ledger; and tracks not heard yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from sonovec.analysis import listening
from sonovec.analysis.analyser import Analyser, Findings
from sonovec.analysis.listening import of_segments
from sonovec.audio.isolate import read_isolated_tags
from sonovec.audio.tags.read import read_tags
from sonovec.embedding.encoder import Encoder
from sonovec.embedding.source import Source
from sonovec.errors import AudioError
from sonovec.jobs import Job, Progress
from sonovec.library.analyser_spaces import item_of
from sonovec.library.binding import passport_of
from sonovec.library.columns import Column, Owner
from sonovec.library.hearing import hear_segments, hear_source
from sonovec.library.identity import content_hash
from sonovec.library.ledger import Ledger
from sonovec.library.outcomes import Analysis
from sonovec.library.records import Label, Passage, Value
from sonovec.library.report import Report
from sonovec.library.store import Store
from sonovec.library.stretches import labels, passages
from sonovec.log import as_failure
from sonovec.paths import display, to_text

#: Tracks that are heard and written together, unless that takes longer than so many seconds.
TOGETHER, COMMIT_SECONDS = 64, 2.0


@dataclass(frozen=True)
class Heard:
    """What analysers heard in one track: the values of their fields, what each gave, and why it is nothing if one failed."""

    fields: Mapping[str, Value] = field(default_factory=dict)
    given: Mapping[type[Analyser], Findings] = field(default_factory=dict)
    reasons: Mapping[type[Analyser], str] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """Why analysers gave nothing."""
        return list(self.reasons.values())

    @property
    def analyses(self) -> list[Analysis]:
        """The same for the ledger."""
        return [Analysis(kind.name, kind.version, self.reasons.get(kind)) for kind in self.given]


def heard_of(
    kinds: Iterable[type[Analyser]],
    found: Results,
    store: Store,
    before: Mapping[str, Value],
    file_tags: Mapping[str, Value],
) -> Heard:
    """What a library keeps of what was heard; a field that was not found, or whose analyser failed, is empty.

    `before` are the other fields of the track, `file_tags` what its file says of itself. An analyser that gave what the
    store cannot keep counts as failed.
    """
    fields: dict[str, Value] = {each.name: None for kind in kinds for each in kind.fields}
    fields |= {each.name: file_tags.get(each.name) for kind in kinds for each in kind.file_tags}
    given: dict[type[Analyser], Findings] = {}
    reasons: dict[type[Analyser], str] = {}
    for kind in kinds:
        findings, reason = found[kind.name].findings, found[kind.name].reason
        if findings is not None and (why := _refusal(store, {**before, **fields, **findings.columns}, findings)):
            findings, reason = None, f"{kind.name}: {why}"
        given[kind] = findings or Findings()
        fields |= given[kind].columns
        if reason is not None:
            reasons[kind] = reason
    return Heard(fields, given, reasons)


def _refusal(store: Store, fields: Mapping[str, Value], findings: Findings) -> str | None:
    texts = [*(each.text for each in findings.passages), *(each.name for each in findings.labels)]
    longest = max((len(text.encode()) for text in texts), default=0)
    if store.most_text is not None and longest > store.most_text:
        return f"gave a text of {longest} bytes, and this store keeps {store.most_text}; part it"
    return store.refusal(fields)


def columns_of(kinds: Iterable[type[Analyser]]) -> list[Column]:
    """The columns that analysers fill, which they own."""
    return [
        Column(each.name, each.kind, Owner(kind.name, kind.version), each.index)
        for kind in kinds
        for each in (*kind.fields, *kind.file_tags)
    ]


def record(store: Store, ledger: Ledger, heard: Mapping[str, Heard]) -> None:
    """Write what was heard in tracks whose columns are written, in place of what was heard before; then the ledger."""
    for kind in dict.fromkeys(kind for what in heard.values() for kind in what.given):
        _write(store, kind, {track: what.given[kind] for track, what in heard.items() if kind in what.given})
    if any(what.given for what in heard.values()):
        ledger.record_analyses({track: what.analyses for track, what in heard.items()})


def _write(store: Store, kind: type[Analyser], given: Mapping[str, Findings]) -> None:
    begins = kind.name + kind.between
    now, source = time.time(), begins + kind.version
    spoken = [(track, each) for track, findings in given.items() for each in findings.passages]
    noted = [(track, each) for track, findings in given.items() for each in findings.labels]
    passages(store).replace(
        given,
        begins,
        [Passage(track, e.start, e.end, e.text, source, now, e.language) for track, e in spoken],
    )
    labels(store).replace(
        given,
        begins,
        [Label(track, e.start, e.end, e.name, source, now, e.score) for track, e in noted],
    )
    for spec in kind.spaces:
        vectors = {track: findings.vectors.get(spec.name, ()) for track, findings in given.items()}
        store.put_vectors([item_of(track, each) for track, each in vectors.items() if len(each)], spec.name)


#: What came of each analyser, by name.
Results = Mapping[str, listening.Heard]


@dataclass(frozen=True)
class _Task:
    """A track and those that are to hear it."""

    path: Path
    content: str
    kinds: tuple[type[Analyser], ...]


@dataclass(frozen=True)
class CatchUp:
    """Lets analysers hear tracks of the library that they have not heard, in this version, or in which they failed before.

    A run `began` at a time, in seconds since 1970: where they failed since, they are not asked again. Nothing is embedded,
    and the encoder not asked for, but for analysers that hear the vectors of windows.
    """

    store: Store
    ledger: Ledger
    encoder: Callable[[], Encoder]
    kinds: Sequence[type[Analyser]]
    report: Report
    began: float
    isolate: bool
    jobs: int
    job: Job = field(default_factory=Job)
    _seconds: dict[str, float] = field(default_factory=dict)  # of sound that was heard so far, by content

    def run(self, paths: Sequence[Path | None]) -> None:
        """Hear what is held under `paths`; None stands for all that there is."""
        wanted = sum(1 for _ in self._lacking(paths)) if self.job.counts else None
        lacking, done, heard = self._lacking(paths), 0, 0.0

        def tell() -> None:
            total, seconds = None if wanted is None else max(done, wanted), heard + sum(list(self._seconds.values()))
            self.job.report(Progress("listening to tracks that were there", done, total, "tracks", seconds))

        with ThreadPoolExecutor(self.jobs) as pool:
            while batch := list(islice(lacking, TOGETHER)):
                found: dict[_Task, Results] = {}
                began = time.monotonic()
                waiting = [pool.submit(self._hear, task) for task in batch]
                try:
                    for task, future in zip(batch, waiting, strict=True):
                        results = self.job.wait_for(future, tell)
                        if isinstance(results, str):
                            self.report.notes.append((to_text(task.path), results))
                        else:
                            found[task] = results
                        if time.monotonic() - began > COMMIT_SECONDS:
                            self._commit(found)
                            found, began = {}, time.monotonic()
                        done, heard = done + 1, heard + self._seconds.pop(task.content, 0.0)
                        tell()
                except BaseException:
                    self.job.cancel()  # those that are at work see it between two blocks of sound
                    for future in waiting:
                        future.cancel()
                    raise
                self._commit(found)

    def _commit(self, found: Mapping[_Task, Results]) -> None:
        tracks = self.store.get(task.content for task in found)
        heard: dict[str, Heard] = {}
        for task, results in found.items():
            if task.content in tracks:
                theirs = {each.name for kind in task.kinds for each in (*kind.fields, *kind.file_tags)}
                fields = tracks[task.content].fields
                before = {name: value for name, value in fields.items() if name not in theirs}
                what = heard[task.content] = heard_of(task.kinds, results, self.store, before, self._file_tags(task))
                self.report.notes += [(to_text(task.path), note) for note in what.notes]
        self.store.update({content: what.fields for content, what in heard.items()})
        record(self.store, self.ledger, heard)
        self.report.heard += len(heard)

    def _file_tags(self, task: _Task) -> Mapping[str, Value]:
        """What the file says of itself, where an analyser keeps that."""
        if not any(kind.file_tags for kind in task.kinds):
            return {}
        return (read_isolated_tags if self.isolate else read_tags)(task.path)

    def _lacking(self, paths: Sequence[Path | None]) -> Iterator[_Task]:
        """What is to be heard, each content once, and by whom: of a file that is gone, by those that need no sound."""
        done: set[str] = set()
        for path in paths:
            for entry in self.ledger.entries(under=path):
                content = entry.content_hash
                if content is None or content in done:
                    continue
                have = self.ledger.analyses(content)
                lacks = [kind for kind in self.kinds if self._is_lacking(kind, have.get(kind.name))]
                if lacks and not entry.path.is_file():
                    lacks = of_segments(lacks)
                if lacks:
                    done.add(content)
                    yield _Task(entry.path, content, tuple(lacks))

    def _is_lacking(self, kind: type[Analyser], have: Analysis | None) -> bool:
        if have is None or have.version not in {kind.version, *kind.as_good}:
            return True
        return have.reason is not None and have.time < self.began

    def _hear(self, task: _Task) -> Results | str:
        """What analysers heard in a track, or why it cannot be heard."""
        try:
            return {**self._heard_anew(task), **self._heard_in_store(task)}
        except Exception as error:  # noqa: BLE001 - it is this file's alone
            return str(as_failure(display(task.path), error))

    def _heard_anew(self, task: _Task) -> Results:
        kinds = [kind for kind in task.kinds if kind not in of_segments(task.kinds)]
        if not kinds:
            return {}

        def watch(seconds: float) -> None:
            self.job.check()
            self._seconds[task.content] = seconds

        seconds = self.store.space().segment_seconds
        found = hear_source(Source(task.path), kinds, self.encoder, seconds, isolate=self.isolate, watch=watch)
        if content_hash(task.path, self.job.check) != task.content:
            raise AudioError(f"{display(task.path)}: changed while it was being read; index again")
        return found

    def _heard_in_store(self, task: _Task) -> Results:
        kinds = of_segments(task.kinds)
        if not kinds:
            return {}
        segments = self.store.segments([task.content]).get(task.content)
        if not segments:
            raise AudioError(f"{display(task.path)}: its vectors are not in the library; index again")
        return hear_segments(segments, passport_of(self.store.space()), kinds)
