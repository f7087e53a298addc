"""The training audio as one array of samples on disk, and which of it is held out."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.stream import load

RATE = 32000
#: Of a hundred groups of recordings, so many are held out to choose checkpoints by.
HELD_OUT_PERCENT = 8


@dataclass(frozen=True)
class Clip:
    """One recording: where its samples lie in the array, and whether it is held out."""

    path: str
    set: str
    start: int
    length: int
    held_out: bool

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.length / RATE


@dataclass(frozen=True)
class Corpus:
    """All recordings as int16 at 32 kHz, one behind the other."""

    samples: NDArray[np.int16]
    clips: tuple[Clip, ...]

    def part(self, held_out: bool) -> list[Clip]:
        """The clips that are trained on, or those that are held out."""
        return [clip for clip in self.clips if clip.held_out is held_out]

    def read(self, clip: Clip, start: int = 0, length: int | None = None) -> NDArray[np.float32]:
        """Samples of a clip, or of `length` samples of it from `start`, within -1 and 1."""
        stop = clip.length if length is None else min(clip.length, start + length)
        return self.samples[clip.start + start : clip.start + stop].astype(np.float32) / 32768


def group(row: dict[str, str]) -> str:
    """What is held out together: takes and variants of one sound, which differ in numbers and endings of the name.

    Examples
    --------
    >>> group({"set": "cdda", "path": "cdda/dog_bark_2.opus", "source_name": "dog_bark_2.ogg"})
    'cdda/dog_bark'
    """
    name = Path(row["source_name"] or row["path"]).stem.lower()
    return f"{row['set']}/{re.sub(r'[^a-z]+', '_', name).strip('_')}"


def held_out(name: str) -> bool:
    """Whether a group is held out; decided by its name alone, so that it stays so when recordings are added."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 100 < HELD_OUT_PERCENT


def open_corpus(data: Path, work: Path, most: int | None = None) -> Corpus:
    """Decode the recordings that `data`/train/index.csv lists into `work`, unless that was done; the first `most` evenly."""
    listing, array = work / "corpus.json", work / "corpus.i16"
    if not listing.exists():
        _decode(data / "train", listing, array, most)
    clips = tuple(Clip(**fields) for fields in json.loads(listing.read_text()))
    return Corpus(np.memmap(array, np.int16, "r"), clips)


def _decode(folder: Path, listing: Path, array: Path, most: int | None) -> None:
    with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows = rows[:: max(1, len(rows) // most)] if most else rows
    clips, position = [], 0
    with array.open("wb") as out, ThreadPoolExecutor() as pool:
        for row, samples in zip(
            rows, pool.map(lambda row: load(folder / row["path"], RATE).samples, rows), strict=True
        ):
            integers = np.clip(np.round(samples * 32767), -32768, 32767).astype(np.int16)
            out.write(integers.tobytes())
            clips.append(Clip(row["path"], row["set"], position, len(integers), held_out(group(row))))
            position += len(integers)
    listing.write_text(json.dumps([asdict(clip) for clip in clips]))
