"""The sound of examples, decoded once for a whole run, and the windows that are cut from it."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.stream import open_mono
from sonovec.jobs import Job, Progress
from sonovec.paths import from_text

if TYPE_CHECKING:
    from sonovec.embedding.encoder import Encoder
    from sonovec.learn.examples import Examples


@dataclass(frozen=True)
class _Span:
    """Consecutive seconds of a recording, and where its samples lie in the file."""

    path: str
    start: float
    end: float
    place: int = 0


class Sounds:
    """Samples of all rows of examples, mono at the encoder's rate, in a temporary file of their own.

    A row is what the encoder embedded: the samples of its times, padded with zeros to a window. It can be moved towards the
    next row, where the two overlap or touch, belong to one stretch and hold the same classes.

    Parameters
    ----------
    examples : Examples
    encoder : Encoder
    folder : Path
        Where the temporary file lies; it is gone when the sounds are closed.
    job : Job
    """

    def __init__(self, examples: Examples, encoder: Encoder, folder: Path, job: Job) -> None:
        self.rate, self.length = encoder.rate, encoder.window.length
        self._room = _room(examples)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it is closed with the sounds
        try:
            spans = self._decode(_spans(examples, self._room), encoder.isolate, job)
        except BaseException:
            self._file.close()
            raise
        self._samples = np.memmap(self._file, np.float32, mode="r") if any(s.end > s.start for s in spans) else None
        self._starts, self._counts = self._places(examples, spans)

    def _decode(self, spans: list[_Span], isolate: bool, job: Job) -> list[_Span]:
        placed, digest, written, heard = [], hashlib.blake2b(digest_size=16), 0, 0.0
        for number, span in enumerate(spans):
            job.report(Progress("decoding", number, len(spans), "stretches", heard, span.path))
            placed.append(_Span(span.path, span.start, span.end, written))
            wanted = round((span.end - span.start) * self.rate)
            with open_mono(from_text(span.path), self.rate, span.start, span.end, isolate=isolate) as stream:
                samples = np.concatenate([np.empty(0, np.float32), *stream])[:wanted]
            samples = np.pad(samples, (0, wanted - len(samples)))
            self._file.write(samples.tobytes())
            digest.update(samples.tobytes())
            written += wanted
            heard += span.end - span.start
        self._file.flush()
        self.digest = digest.hexdigest()
        return placed

    def _places(self, examples: Examples, spans: list[_Span]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where each row begins in the file, and how many samples it has."""
        by_path: dict[str, list[_Span]] = {}
        for span in spans:
            by_path.setdefault(span.path, []).append(span)
        starts = []
        for path, (start, _) in zip(examples.paths, examples.times, strict=True):
            (span,) = [each for each in by_path[path] if each.start <= start < each.end]
            starts.append(span.place + round((start - span.start) * self.rate))
        seconds = examples.times[:, 1] - examples.times[:, 0]
        return np.array(starts), np.clip(np.rint(seconds * self.rate), 1, self.length).astype(np.int64)

    def row(self, row: int, moved: float = 0.0) -> tuple[NDArray[np.float32], float]:
        """The samples of a row, (length,), and the share of them that is sound; `moved` by a share of its room, 0 to 1."""
        assert self._samples is not None
        start = self._starts[row] + round(moved * self._room[row] * self.rate)
        samples = np.array(self._samples[start : start + self._counts[row]])
        return np.pad(samples, (0, self.length - len(samples))), len(samples) / self.length

    def close(self) -> None:
        """Let go of the file."""
        self._samples = None
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _room(examples: Examples) -> NDArray[np.float64]:
    """Seconds by which each row can be moved towards the next one."""
    room = np.zeros(len(examples.paths))
    order = sorted(
        range(len(room)), key=lambda row: (examples.stretches[row], examples.paths[row], examples.times[row, 0])
    )
    for row, after in pairwise(order):
        alike = examples.stretches[row] == examples.stretches[after] and examples.paths[row] == examples.paths[after]
        meet = examples.times[after, 0] <= examples.times[row, 1] + 1e-6
        if alike and meet and np.array_equal(examples.targets[row], examples.targets[after]):
            room[row] = max(0.0, examples.times[after, 1] - examples.times[row, 1])
    return room


def _spans(examples: Examples, room: NDArray[np.float64]) -> list[_Span]:
    """What has to be decoded: the rows with their room, joined where they overlap."""
    ends = examples.times[:, 1] + room
    order = sorted(range(len(room)), key=lambda row: (examples.paths[row], examples.times[row, 0]))
    spans: list[_Span] = []
    for row in order:
        path, start, end = examples.paths[row], float(examples.times[row, 0]), float(ends[row])
        last = spans[-1] if spans else None
        if last is not None and last.path == path and start <= last.end:
            spans[-1] = _Span(path, last.start, max(last.end, end))
        else:
            spans.append(_Span(path, start, end))
    return spans
