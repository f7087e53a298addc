"""How the weights were made by which tempos are decided: play songs, hear their onsets, fit, judge.

    python -m training.tempo --work work --out src/sonovec/music/tempo.npz

It needs groove/, pop909/ and train/ below `--data` (or SONOVEC_DATA), and what `bench/songs.py` needs. It can be stopped at any
time: the same command goes on with what is missing. Of groove it takes the train split, of pop909 songs 1 to 360: the others are
for judging alone.
"""

from __future__ import annotations

import csv
import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import songs
from bench.songs import Score
from sonovec.music.onsets import CURVE_RATE, OnsetCurve, Onsets
from sonovec.music.part import RATE
from sonovec.music.periodicity import Heard
from training import sampler

SEED = 15
TRAINED_SONGS = range(1, 361)
#: Seconds of a song that are heard.
LENGTH = 36.0
#: General MIDI programs by channel of pop909 (melody, bridge, piano), and kits of drums.
PROGRAMS = {
    0: (0, 4, 5, 11, 22, 24, 25, 26, 40, 48, 56, 65, 66, 68, 71, 73, 75, 80, 81, 82),
    1: (0, 4, 6, 11, 16, 19, 24, 25, 26, 27, 48, 49, 50, 61, 80, 88, 89),
    2: (0, 1, 2, 3, 4, 5, 6, 7, 11, 16, 18, 24, 25, 26, 27, 46, 48, 50),
    songs.DRUMS: (0, 8, 16, 24, 25, 32, 40),
}
#: A varied song is played faster or slower by up to so many octaves.
STRETCH = 0.45
#: Sets of train/ without music: of speech, whose clips are joined, and of places.
SPEECH, PLACES = (
    ("kathleen", "picovoice_intent"),
    ("blanket", "bird_whizz", "dsurround", "doggy_daycare", "wbot", "calendaria"),
)
ARRHYTHMIC = 160
#: Cuts of each recording that are trained on, beside the whole; seconds.
SHORT = (4.0, 20.0)


@dataclass(frozen=True)
class Lesson:
    """Onset curves of a recording, and its tempo; 0 where it has none."""

    name: str
    kind: str
    bpm: float
    curve: OnsetCurve


# -- what is played


def plans(data: Path) -> Iterator[tuple[str, bool, Any]]:
    """Kinds of songs, whether they are varied, and which: any beginning of them is a mix of all kinds."""
    rng = random.Random(SEED)
    numbers, rows = list(TRAINED_SONGS), songs.groove_rows(data, ["train"])
    rng.shuffle(numbers)
    rng.shuffle(rows)
    made: list[tuple[str, bool, list[Any]]] = [
        ("groove", False, list(rows)),
        ("pop", False, list(numbers)),
        ("drums", False, numbers[::-1]),
        ("pop", True, list(numbers)),
        ("drums", True, numbers[100:] + numbers[:100]),
        ("groove", True, rows[::-1]),
    ]
    for place in range(max(len(items) for _, _, items in made)):
        yield from ((kind, varied, items[place]) for kind, varied, items in made if place < len(items))


def score_of(data: Path, kind: str, varied: bool, item: Any, rows: Sequence[Any]) -> Score:
    """A part of a song, or a varied one: faster or slower, by other instruments."""
    rng = random.Random(f"{kind} {varied} {item}")
    score = songs.groove_score(data, item) if kind == "groove" else songs.pop_score(data, item)
    if kind == "drums":
        score = songs.with_drums(score, songs.drums_for(score, rows, data, seed=int(varied)))
    if varied:
        programs = {channel: rng.choice(programs) for channel, programs in PROGRAMS.items()}
        score = songs.with_programs(songs.stretch(score, 2 ** rng.uniform(-STRETCH, STRETCH)), programs)
    end = score.events[-1].second
    if end > LENGTH + 4:
        bpm = score.bpm
        score = songs.cut(score, rng.uniform(0, end - LENGTH), LENGTH)
        score = replace(score, bpm=bpm) if kind == "groove" else score
    return replace(score, name=f"{kind}-{score.name}-v{int(varied)}")


# -- what is heard


def hear(samples: NDArray[np.float32]) -> OnsetCurve:
    """Onset curves of samples at `RATE`."""
    onsets = Onsets()
    onsets.push(samples)
    return onsets.finish()


def read(path: Path) -> NDArray[np.float32]:
    """Mono samples of a file at `RATE`."""
    import soundfile
    import soxr

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(samples.mean(axis=1), rate, RATE), np.float32)


def changed(samples: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """The same at another level, with noise, a slope of the spectrum, or from MP3: by its name."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    kind = rng.choice(["noise", "mp3", "slope", "level"])
    if kind == "noise":
        power = np.mean(samples**2) / 10 ** rng.uniform(0.8, 3)
        noise = _sloped(rng.standard_normal(len(samples)), rng)
        samples = samples + noise * np.sqrt(power / np.mean(noise**2))
    elif kind == "slope":
        samples = _sloped(samples, rng)
    elif kind == "mp3":
        samples = _mp3(samples)
    return np.asarray(samples * 10 ** rng.uniform(-1.5, 0), np.float32)


def _sloped(samples: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float32]:
    """The same with a slope of the spectrum of up to 6 dB an octave either way."""
    from scipy.fft import irfft, next_fast_len, rfft

    length = next_fast_len(len(samples), real=True)
    slope = (np.maximum(np.fft.rfftfreq(length, 1 / RATE), 60.0) / 1000) ** rng.uniform(-1, 0.7)
    changed = irfft(rfft(np.asarray(samples, np.float32), length) * slope.astype(np.float32), length)
    return np.asarray(changed[: len(samples)], np.float32)


def _mp3(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    import io

    import soundfile

    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="MP3")
    file.seek(0)
    return np.asarray(soundfile.read(file, dtype="float32")[0])


def keep(path: Path, kind: str, bpm: float, curve: OnsetCurve) -> None:
    """Write a lesson."""
    np.savez(
        path, kind=kind, bpm=bpm, curves=curve.curves.astype(np.float16), powers=curve.powers, seconds=curve.seconds
    )


def listen(data: Path, work: Path) -> None:
    """Play and hear songs, as they are and changed, as far as that is missing."""
    into = work / "curves"
    into.mkdir(parents=True, exist_ok=True)
    sounds = sampler.bank(work / "sounds", [p for c in range(3) for p in PROGRAMS[c]], PROGRAMS[songs.DRUMS])
    rows = songs.groove_rows(data, ["train"])
    for kind, varied, item in plans(data):
        mark = zlib.crc32(f"{kind} {varied} {item}".encode())
        if (into / f"{mark:08x}-b.npz").exists():
            continue
        score = score_of(data, kind, varied, item, rows)
        samples = sampler.play(score, sounds, mark)
        name = f"{kind}-v{int(varied)}"
        keep(into / f"{mark:08x}-a.npz", name, score.bpm, hear(samples))
        keep(into / f"{mark:08x}-b.npz", name, score.bpm, hear(changed(samples, score.name)))


def listen_to_arrhythmic(data: Path, into: Path) -> None:
    """Hear what has no tempo: speech, places, noise, and hits and notes at random moments."""
    with (data / "train" / "index.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    paths = {name: [data / "train" / row["path"] for row in rows if row["set"] == name] for name in (*SPEECH, *PLACES)}
    paths["notes"] = [data / "train" / row["path"] for row in rows if row["set"] == "philharmonia"]
    for number in range(ARRHYTHMIC):
        path = into / f"none-{number:03d}-a.npz"
        if not path.exists():
            keep(path, "none", 0.0, hear(arrhythmic(number, paths)))


def arrhythmic(number: int, paths: dict[str, list[Path]]) -> NDArray[np.float32]:
    """A recording without a tempo."""
    rng = np.random.default_rng(number)
    count = int(rng.uniform(8, LENGTH) * RATE)
    kind = number % 8
    if kind < 2:
        chosen = rng.permutation(np.array(paths[SPEECH[kind]], object))[:12]
        return np.concatenate([read(path) for path in chosen])[:count]
    if kind < 5:
        names = [path for name in PLACES for path in paths[name]]
        samples = read(names[rng.integers(len(names))])
        first = int(rng.integers(max(1, len(samples) - count)))
        return samples[first : first + count]
    noise = _sloped(rng.standard_normal(count), rng)
    quiet = np.asarray(noise / np.abs(noise).max() * 10 ** rng.uniform(-3, -0.3), np.float32)
    if kind == 5:
        return quiet
    sounds = [read(paths["notes"][rng.integers(len(paths["notes"]))]) for _ in range(8)]
    samples = quiet * np.float32(10 ** rng.uniform(-3, -1))
    mean = rng.uniform(0.15, 1.5)
    at = rng.uniform(0, 1)
    while (first := int(at * RATE)) < count:
        sound = _hit(rng) if kind == 6 else sounds[rng.integers(len(sounds))]
        part = sound[: count - first]
        samples[first : first + len(part)] += part * np.float32(rng.uniform(0.2, 1))
        at += float(rng.exponential(mean)) + 0.03
    return np.asarray(samples / max(1.0, float(np.abs(samples).max())), np.float32)


def _hit(rng: np.random.Generator) -> NDArray[np.float32]:
    """A drum: a tone that falls, and noise."""
    at = np.arange(int(0.3 * RATE)) / RATE
    tone = np.sin(2 * np.pi * rng.uniform(50, 300) * at) * np.exp(-at * rng.uniform(8, 40))
    noise = rng.standard_normal(len(at)) * np.exp(-at * rng.uniform(10, 100)) * rng.uniform(0, 1)
    return np.asarray((tone + noise) / 2, np.float32)


# -- fitting


def lessons(folder: Path) -> Iterator[Lesson]:
    """What was heard."""
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as kept:
            curve = OnsetCurve(kept["curves"].astype(np.float32), float(kept["seconds"]), kept["powers"])
            yield Lesson(path.stem, str(kept["kind"]), float(kept["bpm"]), curve)


@dataclass
class Table:
    """Features (n, grid, features), tempos (n,), kinds and names."""

    rows: NDArray[np.float32]
    bpm: NDArray[np.float64]
    kinds: NDArray[np.str_]
    names: NDArray[np.str_]


def table(folder: Path, kept: Path) -> Table:
    """Features of all lessons and of a cut of each; those of before are taken from `kept`."""
    known: dict[str, NDArray[np.float32]] = {}
    if kept.exists():
        with np.load(kept) as file:
            known = dict(zip(file["names"].tolist(), file["rows"], strict=True))
    rows, bpm, kinds, names = [], [], [], []
    for lesson in lessons(folder):
        rng = np.random.default_rng(zlib.crc32(lesson.name.encode()))
        count = int(rng.uniform(*SHORT) * CURVE_RATE)
        cuts = [("", lesson.curve)]
        if lesson.name.endswith("-b") or lesson.kind == "none":
            there = lesson.curve.curves.shape[1]
            cuts += (
                [("~", lesson.curve.part(first := int(rng.integers(there - count)), first + count))]
                if there > count
                else []
            )
        for mark, curve in cuts:
            name = lesson.name + mark
            heard = None if name in known else Heard(curve)
            if name in known or (heard is not None and heard.windows):
                rows.append(heard.features() if heard else known[name])
                bpm.append(lesson.bpm)
                kinds.append(lesson.kind)
                names.append(name)
    made = Table(np.stack(rows), np.array(bpm), np.array(kinds), np.array(names))
    np.savez(kept, rows=made.rows, names=made.names)
    return made
