"""What the music head is taught with: rendered songs and drums, recorded instruments and loops, and sounds that are no music.

Each has a group; what is of one group is either learnt from or held out.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.stream import load
from training.corpus import RATE, group
from training.excerpts import ENSEMBLES, Event, arranged, drummed, events_of, rendered

#: Of a hundred groups, so many are held out. The eight that the encoder's own training held out are among them.
HELD_OUT_PERCENT = 20
#: Seconds of rendered songs and drums, and the most of a recording.
SONG, BEAT, RECORDING = 10.0, 10.0, 10.0
#: Sets with instruments, loops and music.
MUSICAL = frozenset({
    "lmms", "sonic_pi", "philharmonia", "berklee", "freedoom", "red_eclipse", "valyria_tear", "modern_alarm_clock",
    "repixture", "antum_sounds", "quietsleep",
})  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """A sound by its name; `samples` makes it, (n,) at `RATE`."""

    name: str
    group: str
    samples: Callable[[], NDArray[np.float32]]

    @property
    def held_out(self) -> bool:
        """Whether it is measured on."""
        return int(hashlib.sha256(self.group.encode()).hexdigest(), 16) % 100 < HELD_OUT_PERCENT


def rng_of(name: str) -> np.random.Generator:
    """What a piece draws from, whatever the order."""
    return np.random.default_rng(int(hashlib.sha256(name.encode()).hexdigest()[:16], 16))


class Pieces:
    """All pieces below a folder of data."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def kinds(self) -> dict[str, list[Piece]]:
        """Every piece by its kind, each in an order that is always the same."""
        musical, others = self._recordings()
        return {"songs": self._songs(), "beats": self._beats(), "instruments": musical, "others": others}

    def _songs(self) -> list[Piece]:
        numbers = sorted(path.name for path in (self._data / "pop909").iterdir() if path.is_dir())
        names = list(ENSEMBLES)
        return [
            Piece(f"pop909/{number}/{who}", f"pop909/{number}", partial(self._song, number, who))
            for i, number in enumerate(numbers)
            for who in [names[i % len(names)]]
        ]

    def _song(self, number: str, ensemble: str) -> NDArray[np.float32]:
        folder, who, rng = self._data / "pop909" / number, ENSEMBLES[ensemble], rng_of(f"{number}/{ensemble}")
        beats = np.loadtxt(folder / "beat_midi.txt", usecols=0, ndmin=1)
        played, rate = arranged(events_of(folder / f"{number}.mid"), beats, who, SONG, rng)
        if who.drums and (style := str(rng.choice(who.drums))):
            rows = [row for row in self._drums if row["style"].startswith(style) and row["beat_type"] == "beat"]
            row = rows[int(rng.integers(len(rows)))]
            played += drummed(self._performance(row), float(row["bpm"]), rate, SONG, int(rng.choice(who.kits)))
        return rendered(played, SONG)

    @cached_property
    def _drums(self) -> list[dict[str, str]]:
        with (self._data / "groove" / "info.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def _performance(self, row: dict[str, str]) -> list[Event]:
        return events_of(self._data / "groove" / row["midi_filename"])

    def _beats(self) -> list[Piece]:
        rows = [row for row in self._drums if row["beat_type"] == "beat" and float(row["duration"]) > BEAT]
        return [Piece(f"groove/{row['id']}", f"groove/{row['session']}", partial(self._beat, row)) for row in rows[::3]]

    def _beat(self, row: dict[str, str]) -> NDArray[np.float32]:
        bpm = float(row["bpm"])
        kit = int(rng_of(row["id"]).choice((0, 8, 16, 24, 25, 32, 40)))
        return rendered(drummed(self._performance(row), bpm, bpm / 60, BEAT, kit), BEAT)

    def _recordings(self) -> tuple[list[Piece], list[Piece]]:
        with (self._data / "train" / "index.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        rows = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]
        found = [Piece(f"train/{row['path']}", group(row), partial(self._recording, row["path"])) for row in rows]
        return (
            [each for row, each in zip(rows, found, strict=True) if row["set"] in MUSICAL],
            [each for row, each in zip(rows, found, strict=True) if row["set"] not in MUSICAL],
        )

    def _recording(self, path: str) -> NDArray[np.float32]:
        return np.asarray(load(self._data / "train" / path, RATE).samples[: round(RECORDING * RATE)], np.float32)
