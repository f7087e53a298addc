"""What folders hold: every file is decoded once, to learn where it is loud and how long it really is."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.scan import Found, scan
from sonovec.audio.stream import open_mono
from sonovec.embedding.silence import QUIET
from sonovec.errors import AudioError, UsageError
from sonovec.jobs import Job, Progress
from sonovec.learn.journal import Journal, key_of
from sonovec.paths import display, from_text, to_text
from sonovec.speech.recogniser import RATE
from sonovec.words import counted, listed

#: Samples of which a mean power is taken, and how many such in a row must be quiet to be left out.
FRAME, PAUSE = RATE // 10, 10
#: Samples that are decoded and drawn together: of a long file, 10 minutes.
CHAPTER = 600 * RATE


@dataclass(frozen=True)
class Chapter:
    """Consecutive sound of a file, and where it is loud.

    Attributes
    ----------
    path : str
        As `sonovec.paths.to_text` writes it.
    start, end : int
        In samples at 16 kHz.
    pieces : tuple of (int, int)
        First sample, counted from `start`, and number of samples of what is not silent.
    """

    path: str
    start: int
    end: int
    pieces: tuple[tuple[int, int], ...]

    @property
    def loud(self) -> int:
        """Samples in all pieces."""
        return sum(length for _, length in self.pieces)

    def read(self) -> NDArray[np.float32]:
        """Decode it, (end - start,).

        Raises
        ------
        AudioError
            If the file is not what it was.
        """
        with open_mono(from_text(self.path), RATE, self.start / RATE, self.end / RATE) as stream:
            samples = np.concatenate([np.empty(0, np.float32), *stream])[: self.end - self.start]
        if len(samples) + FRAME < self.end - self.start:  # a few samples hang on how a range is rounded
            raise AudioError(
                f"{display(from_text(self.path))}: is shorter than when the run began; put the file back, or begin anew "
                "with another -o"
            )
        return np.pad(samples, (0, self.end - self.start - len(samples)))


@dataclass
class Survey:
    """What was found.

    Attributes
    ----------
    chapters : list of Chapter
        Those that hold sound, in the order of the walk.
    files : int
        Files that they are of.
    samples, loud : int
        At 16 kHz: of these files, and what of it is not silent.
    silent, short, failed : list of str
        Files that are left out, for messages.
    """

    chapters: list[Chapter] = field(default_factory=list)
    files: int = 0
    samples: int = 0
    loud: int = 0
    silent: list[str] = field(default_factory=list)
    short: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    _digest: hashlib.blake2b = field(default_factory=lambda: hashlib.blake2b(digest_size=16))

    @property
    def digest(self) -> str:
        """Of all sound, in its order."""
        return self._digest.copy().hexdigest()

    def add(self, path: str, heard: dict[str, NDArray[np.generic]], least: int) -> None:
        """Take what is known of a file; pieces of fewer than `least` samples do not count."""
        self._digest.update(heard["digest"].tobytes())
        count, loud = int(heard["samples"]), heard["loud"].astype(bool)
        name = display(from_text(path).name)
        if not loud.any():
            self.silent.append(name)
            return
        chapters = [chapter for chapter in _chapters(path, count, loud, least) if chapter.pieces]
        if not chapters:
            self.short.append(name)
            return
        self.chapters += chapters
        self.files += 1
        self.samples += count
        self.loud += sum(chapter.loud for chapter in chapters)

    def notes(self, least: int) -> list[str]:
        """What was left out, and why."""
        lines = {
            f"{counted(len(self.failed), 'file')} cannot be decoded and left out": self.failed,
            f"{counted(len(self.silent), 'file')} with nothing above {QUIET:.0f} dBFS left out": self.silent,
            f"{counted(len(self.short), 'file')} without {least / RATE:.2f} s of sound left out": self.short,
        }
        told = [f"{line}: {listed(names)}" for line, names in lines.items() if names]
        if (quiet := self.samples - self.loud) >= RATE:
            minutes = f"{quiet / RATE / 60:.1f} of {self.samples / RATE / 60:.1f} minutes"
            told.append(
                f"{minutes} are silence of a second and more, or shorter than {least / RATE:.2f} s, and skipped"
            )
        return told


def survey(paths: Sequence[str | os.PathLike[str]], least: int, kept: Journal, job: Job) -> Survey:
    """Hear all files of folders once.

    Parameters
    ----------
    paths : sequence of path
        Files and folders.
    least : int
        Samples of the shortest piece that can be learned from.
    kept : Journal
        What a former call heard, by path, size and time; a file that is in it is not decoded again.
    job : Job

    Raises
    ------
    UsageError
        If nothing can be learned from.
    """
    found = Survey()
    reached = [item for item in scan(paths) if isinstance(item, Found) or item.failed]
    for number, item in enumerate(reached):
        name = display(item.path.name)
        job.report(Progress("listening", number, len(reached), "files", found.samples / RATE, name))
        if not isinstance(item, Found):
            found.failed.append(f"{name} ({item.reason})")
            continue
        path = to_text(item.path)
        key = key_of(path, item.size, item.mtime_ns)
        try:
            if key not in kept:
                kept.put(key, _heard(path))
            found.add(path, kept.get(key), least)
        except AudioError as error:
            found.failed.append(f"{name} ({str(error).removeprefix(display(item.path)).lstrip(': ')})")
    if not found.chapters:
        told = "; ".join(found.notes(least)) or "no audio files"
        raise UsageError(
            f"{', '.join(map(display, paths))}: nothing to learn from ({told}); give a folder of recordings"
        )
    return found


def _heard(path: str) -> dict[str, NDArray[np.generic]]:
    digest, count = hashlib.blake2b(digest_size=16), 0
    loud, rest = list[NDArray[np.bool_]](), np.empty(0, np.float32)
    with open_mono(from_text(path), RATE) as stream:
        for block in stream:
            digest.update(block.tobytes())
            count += len(block)
            rest = np.concatenate([rest, block])
            whole = len(rest) // FRAME * FRAME
            loud.append(_is_loud(rest[:whole].reshape(-1, FRAME)))
            rest = rest[whole:]
    if len(rest):
        loud.append(_is_loud(rest[None]))
    return {
        "digest": np.frombuffer(digest.digest(), np.uint8),
        "samples": np.array(count),
        "loud": np.concatenate([np.empty(0, bool), *loud]),
    }


def _is_loud(frames: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray(np.square(frames, dtype=np.float64).mean(axis=1) >= 10 ** (QUIET / 10))


def _chapters(path: str, count: int, loud: NDArray[np.bool_], least: int) -> Iterator[Chapter]:
    runs = _runs(loud)
    for start in range(0, count, CHAPTER):
        end = min(count, start + CHAPTER)
        cut = ((max(first * FRAME, start), min(last * FRAME, end)) for first, last in runs)
        yield Chapter(path, start, end, tuple((a - start, b - a) for a, b in cut if b - a >= least))


def _runs(loud: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First frame and end of what is loud, with the pauses that are too short to be left out.

    Examples
    --------
    >>> _runs(np.array([0, 1, 1, 0, 1] + [0] * 10 + [1], bool))
    [(1, 5), (15, 16)]
    """
    places = np.flatnonzero(loud)
    breaks = np.flatnonzero(np.diff(places) > PAUSE)
    firsts, lasts = places[[0, *(breaks + 1)]], places[[*breaks, -1]]
    return [(int(first), int(last) + 1) for first, last in zip(firsts, lasts, strict=True)]
