"""How the weights were made by which tempos are decided: play songs, hear their onsets, fit, judge.

    python -m training.tempo --work work --out src/sonovec/music/tempo.npz

It needs groove/, pop909/ and train/ below `--data` (or SONOVEC_DATA), and what `bench/songs.py` needs. It can be stopped at
any time: the same command goes on with what is missing. Of groove it takes the train split, of pop909 songs 1 to 360: the
others are for judging alone.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import songs
from bench.common import data_folder
from bench.songs import Score
from sonovec.music import octaves
from sonovec.music.octaves import LAYERS
from sonovec.music.onsets import CURVE_RATE, OnsetCurve, Onsets
from sonovec.music.part import RATE
from sonovec.music.periodicity import GRID, Heard
from training import sampler

SEED = 15
TRAINED_SONGS = range(1, 361)
#: Seconds of a song that are heard.
LENGTH = 36.0
#: Least seconds of a performance of drums.
LEAST = 8.0
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


# -- what is played


def performances(data: Path) -> list[dict[str, str]]:
    """Of groove's train split, those that are long enough."""
    return [row for row in songs.groove_rows(data, ["train"]) if float(row["duration"]) >= LEAST]


def plans(data: Path) -> Iterator[tuple[str, bool, Any]]:
    """Kinds of songs, whether they are varied, and which: any beginning of them is a mix of all kinds."""
    rng = random.Random(SEED)
    numbers, rows = list(TRAINED_SONGS), performances(data)
    rng.shuffle(numbers)
    rng.shuffle(rows)
    made: list[tuple[str, bool, list[Any]]] = [
        ("groove", False, list(rows)),
        ("pop", False, list(numbers)),
        ("drums", False, list(numbers)),
        ("pop", True, list(numbers)),
        ("drums", True, list(numbers)),
        ("groove", True, rows[::-1]),
    ]
    for place in range(max(len(items) for _, _, items in made)):
        yield from ((kind, varied, items[place]) for kind, varied, items in made if place < len(items))


def lesson_name(kind: str, varied: bool, item: Any) -> str:
    """The name of what is heard of a song of `plans`."""
    song = f"{item:03d}" if isinstance(item, int) else item["id"].replace("/", "_")
    return f"{kind}-v{int(varied)}-{song}"


@lru_cache(maxsize=2)
def _pop_score(data: Path, number: int) -> Score:
    return songs.pop_score(data, number)


def score_of(data: Path, kind: str, varied: bool, item: Any, rows: Sequence[Any]) -> Score:
    """A part of a song, or a varied one: faster or slower, by other instruments."""
    rng = random.Random(f"{kind} {varied} {item}")
    score = songs.groove_score(data, item) if kind == "groove" else _pop_score(data, item)
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


def listen(data: Path, work: Path, count: int | None = None) -> None:
    """Play and hear songs, or the first ones, as they are and changed, as far as that is missing."""
    into = work / "curves"
    into.mkdir(parents=True, exist_ok=True)
    sounds = sampler.bank(work / "sounds", [p for c in range(3) for p in PROGRAMS[c]], PROGRAMS[songs.DRUMS])
    rows = songs.groove_rows(data, ["train"])
    for kind, varied, item in islice(plans(data), count):
        name = lesson_name(kind, varied, item)
        if (into / f"{name}-b.npz").exists():
            continue
        score = score_of(data, kind, varied, item, rows)
        samples = sampler.play(score, sounds, zlib.crc32(name.encode()))
        keep(into / f"{name}-a.npz", f"{kind}-v{int(varied)}", score.bpm, hear(samples))
        keep(into / f"{name}-b.npz", f"{kind}-v{int(varied)}", score.bpm, hear(changed(samples, name)))


def listen_to_arrhythmic(data: Path, into: Path) -> None:
    """Hear what has no tempo: speech, places, noise, and hits and notes at random moments."""
    into.mkdir(parents=True, exist_ok=True)
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


def describe(folder: Path, into: Path) -> None:
    """Features of all lessons, and of a cut of each that was changed, as far as they are missing."""
    into.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.glob("*.npz")):
        if (into / path.name).exists():
            continue
        with np.load(path) as kept:
            curve = OnsetCurve(kept["curves"].astype(np.float32), float(kept["seconds"]), kept["powers"])
        rng = np.random.default_rng(zlib.crc32(path.stem.encode()))
        count, there = int(rng.uniform(*SHORT) * CURVE_RATE), curve.curves.shape[1]
        cuts = {"": curve}
        if there > count and (path.stem.endswith("-b") or path.stem.startswith("none")):
            first = int(rng.integers(there - count))
            cuts["~"] = curve.part(first, first + count)
        heard = {path.stem + mark: Heard(each) for mark, each in cuts.items()}
        np.savez(into / path.name, **{name: each.features() for name, each in heard.items() if each.windows})


@dataclass
class Table:
    """Features (n, grid, features), tempos (n,), 0 where there is none, and names."""

    rows: NDArray[np.float32]
    bpm: NDArray[np.float64]
    names: NDArray[np.str_]


def table(curves: Path, described: Path) -> Table:
    """All lessons that are described."""
    rows, bpm, names = [], [], []
    for path in sorted(described.glob("*.npz")):
        with np.load(curves / path.name) as kept:
            tempo = float(kept["bpm"])
        with np.load(path) as heard:
            for name in heard.files:
                rows.append(heard[name])
                bpm.append(tempo)
                names.append(name)
    return Table(np.stack(rows), np.array(bpm), np.array(names))


#: Units of the two layers; networks whose probabilities are averaged; passes over the table; learning rate, decay, dropout.
UNITS, NETWORKS, EPOCHS, BATCH = (32, 16), 3, 12, 32
RATE_OF_LEARNING, DECAY, DROPOUT = 4e-3, 3e-2, 0.1
#: Principal components of the features that the networks see; the first layer has them inside in the end.
COMPONENTS = 112
#: A tempo of the grid is right by as much as it is near to the truth, down to none at this distance (natural logarithm).
BLUR = 0.035
#: Parts of the cross-validation, which sets the temperature: drummers, and songs, by their number.
FOLDS = 5
#: What lessons of each kind weigh together.
SHARES = {"groove": 0.5, "pop": 0.2, "drums": 0.2, "none": 0.1}
#: Octaves over which the density of tempos is smoothed, and the most that a varied lesson weighs.
SMOOTH, MOST = 0.12, 2.0
#: Least seconds of what the cross-validation tells of, and confidences that it tells of.
JUDGED, CONFIDENCES = 7.9, (0.9, 0.95, 0.97, 0.98, 0.99)
#: Place of the feature that tells the length, and the distance within which a tempo of the grid is right.
SECONDS, ABOUT = -2, 0.05


def targets(bpm: NDArray[np.float64]) -> NDArray[np.float32]:
    """Probability of each tempo of the grid and of none, (n, len(GRID) + 1)."""
    apart = np.abs(np.log(GRID / np.maximum(bpm, 1.0)[:, None]))
    shares = np.concatenate([np.maximum(0, 1 - apart / BLUR), (bpm == 0)[:, None]], axis=1)
    return np.asarray(shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-9), np.float32)


def kinds(lesson: Table) -> NDArray[np.str_]:
    """Such as "groove-v0", or "none"."""
    return np.array(
        [name.split("-")[0] if name.startswith("none") else name[: name.index("-v") + 3] for name in lesson.names]
    )


def weights(lesson: Table) -> NDArray[np.float32]:
    """What each lesson weighs.

    Songs that are made faster or slower teach what a tempo sounds like, but not how common it is. So they weigh as much as
    their tempo is commoner among the songs of their kind that were not varied than among the varied ones.
    """
    kind, octave = kinds(lesson), np.log2(np.maximum(lesson.bpm, 1.0))
    made = np.ones(len(kind))
    for name, share in SHARES.items():
        natural, varied = octave[kind == f"{name}-v0"], kind == f"{name}-v1"
        if len(natural) and varied.any():
            ratio = _density(octave[varied], natural) / _density(octave[varied], octave[varied])
            made[varied] = np.minimum(ratio, MOST)
        some = np.char.startswith(kind, name)
        made[some] *= share * len(made) / max(1e-9, float(made[some].sum()))
    return np.asarray(made, np.float32)


def _density(at: NDArray[np.float64], tempos: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(-0.5 * ((at[:, None] - tempos) / SMOOTH) ** 2).mean(axis=1))


def folds_of(names: NDArray[np.str_]) -> NDArray[np.int64]:
    """The part of the cross-validation that a lesson belongs to: all of a drummer, or of a song, to the same."""
    numbers = [re.search(r"\d+", name.split("-")[-2]) for name in names]
    return np.array([int(number.group()) % FOLDS if number else 0 for number in numbers])


def fit(lesson: Table, seeds: Sequence[int] = range(NETWORKS), epochs: int = EPOCHS) -> dict[str, NDArray[Any]]:
    """Weights of the networks of `sonovec.music.octaves`."""
    import torch

    wanted, part, weight = targets(lesson.bpm), folds_of(lesson.names), torch.from_numpy(weights(lesson))
    kept = wanted.sum(axis=1) > 0.5  # the grid has no tempo above 310
    mean = lesson.rows.mean(axis=(0, 1))
    scale = lesson.rows.std(axis=(0, 1)) + 1e-3
    even = np.clip((lesson.rows - mean) / scale, -5, 5)
    _, axes = np.linalg.eigh(np.cov(even[:, ::7].reshape(-1, even.shape[2]).T))
    axes = axes[:, -COMPONENTS:].astype(np.float32)
    inputs, goals = torch.from_numpy(even @ axes), torch.from_numpy(wanted)
    del even
    scores = torch.zeros(goals.shape)
    for fold in range(FOLDS):
        network = _fitted(inputs, goals, weight, np.flatnonzero(kept & (part != fold)), seeds[0], epochs)
        with torch.no_grad():
            scores[part == fold] = network(inputs[part == fold])
        print(f"fold {fold}", flush=True)
    temperature = _temperature(scores[kept], goals[kept], weight[kept])
    print(f"temperature {temperature:.2f}")
    judge(lesson, (scores / temperature).softmax(dim=1).numpy().astype(np.float64))
    networks = [_fitted(inputs, goals, weight, np.flatnonzero(kept), seed, epochs) for seed in seeds]
    return {"mean": mean, "scale": scale, "temperature": np.array(temperature), **_weights(networks, axes)}


def _fitted(inputs: Any, goals: Any, weight: Any, rows: NDArray[np.int64], seed: int, epochs: int) -> Any:
    """A network that was fitted to some lessons."""
    import torch

    torch.manual_seed(seed)
    network = _network(inputs.shape[2])
    batches = -(-len(rows) // BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE_OF_LEARNING, weight_decay=DECAY)
    falling = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE_OF_LEARNING, total_steps=epochs * batches)
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        for some in np.array_split(rng.permutation(rows), batches):
            missed = -(goals[some] * network(inputs[some]).log_softmax(dim=1)).sum(dim=1)
            loss = (missed * weight[some]).sum() / weight[some].sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            falling.step()
    return network.eval()


def judge(lesson: Table, chances: NDArray[np.float64]) -> None:
    """Print how often the likeliest tempo is right, and that of some confidence, of whole songs that were not varied."""
    long = np.expm1(lesson.rows[:, 0, SECONDS]) >= JUDGED
    plain = np.array([name.endswith(("v0", "none")) for name in kinds(lesson)]) & (lesson.bpm > 0)
    some = np.flatnonzero(plain & long & ~np.char.endswith(lesson.names, "~"))
    near = np.array([np.convolve(row[:-1], np.ones(2 * octaves.SAME + 1), "same") for row in chances[some]])
    best = GRID[near.argmax(axis=1)]
    sure, right = near.max(axis=1), np.abs(np.log(best / lesson.bpm[some])) < ABOUT
    kind = kinds(lesson)[some]
    for name in dict.fromkeys(kind):
        print(f"{name}: {100 * right[kind == name].mean():.1f} % of {(kind == name).sum()}")
    for least in CONFIDENCES:
        told = right[sure >= least]
        print(f"confidence {least}: {100 * len(told) / len(right):.0f} % of all, right {100 * told.mean():.1f} %")


def _network(features: int) -> Any:
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(features, UNITS[0]), nn.Linear(*UNITS)
            self.score, self.none = nn.Linear(UNITS[1], 1), nn.Linear(2 * UNITS[1], 1)
            self.dropout = nn.Dropout(DROPOUT)

        def forward(self, inputs: Any) -> Any:
            hidden = self.dropout(self.first(inputs).relu())
            hidden = self.second(hidden).relu()
            pooled = torch.cat([hidden.amax(dim=1), hidden.mean(dim=1)], dim=1)
            return torch.cat([self.score(hidden)[..., 0], self.none(pooled)], dim=1)

    return Network()


def _temperature(scores: Any, goals: Any, weight: Any) -> float:
    """By which scores (n, grid + 1) are divided so that their probability says most of the goals."""
    tried = np.exp(np.linspace(np.log(0.5), np.log(3), 30))

    def missed(temperature: float) -> float:
        return float(-((goals * (scores / temperature).log_softmax(dim=1)).sum(dim=1) * weight).sum())

    return float(min(tried, key=missed))


def _weights(networks: Sequence[Any], axes: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    made = {}
    for name in LAYERS:
        layers = [getattr(network, name) for network in networks]
        weights = np.stack([layer.weight.detach().numpy().T for layer in layers])
        made[f"{name}_weights"] = (axes @ weights if name == "first" else weights).astype(np.float16)
        made[f"{name}_offsets"] = np.stack([layer.bias.detach().numpy() for layer in layers]).astype(np.float32)
    return made


def main() -> None:
    """Play, hear, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for what is made on the way")
    parser.add_argument("--out", type=Path, required=True, help="file for the weights")
    parser.add_argument("--data", type=Path, help="folder with groove/, pop909/ and train/; default: SONOVEC_DATA")
    parser.add_argument("--songs", type=int, help="take only so many songs")
    parser.add_argument("--only-fit", action="store_true", help="fit on what is there, without making what is missing")
    told = parser.parse_args()
    data = told.data or data_folder()
    if not told.only_fit:
        listen_to_arrhythmic(data, told.work / "curves")
        listen(data, told.work, told.songs)
    describe(told.work / "curves", told.work / "features")
    made = fit(table(told.work / "curves", told.work / "features"))
    np.savez_compressed(told.out, **made)
    print(f"{told.out}: {told.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
