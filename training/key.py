"""How the profiles by which keys are told were made: play songs, hear their chroma, fit, judge.

    python -m training.key --work work --out src/sonovec/music/key.csv

It needs groove/, pop909/ and train/ below `--data` (or SONOVEC_DATA), and what `bench/songs.py` needs. It can be stopped at
any time: the same command goes on with what is missing. Songs 1 to 360 of pop909 that keep their key are trained on: the
others are for judging alone. What fits is chosen by cross-validation over songs; the weights are the same for all twelve
tonics, so that a song in one key teaches all.
"""

from __future__ import annotations

import argparse
import csv
import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import common, songs
from sonovec.music.chroma import Chroma
from sonovec.music.key import MODES, Profiles, best, logits, probabilities
from sonovec.music.keys import Key, mirex_score, parse
from sonovec.music.part import RATE
from sonovec.music.tonality import LEAST_CLARITY
from training import sampler, tempo

Array = NDArray[np.float64]

#: Seconds of a song that are heard, and of the part of it that is heard beside.
LENGTH, SHORT = 150.0, (8.0, 60.0)
#: Recordings without a key: of drums; of speech, places and noises.
DRUMS, KEYLESS = 30, 50
FOLDS, SEED = 5, 15
#: Weights of the squares of the profiles that are tried. Smaller ones trust the faintest pitch classes, which noise changes.
PENALTIES = (3e-6, 1e-5, 3e-5, 1e-4)


@dataclass(frozen=True)
class Lesson:
    """What was heard of a recording, and its key; None where it has none."""

    name: str
    key: Key | None
    classes: Array
    sounding: int
    clarity: float


# -- what is heard


def hear(samples: NDArray[np.float32]) -> Chroma:
    """Chroma of samples at `RATE`."""
    chroma = Chroma()
    chroma.push(samples)
    chroma.finish()
    return chroma


def keep(path: Path, key: str | None, parts: Sequence[NDArray[np.float32]]) -> None:
    """Write what is heard in a recording and in parts of it."""
    heard = [hear(part) for part in parts]
    np.savez(
        path,
        key=key or "",
        classes=[each.classes for each in heard],
        sounding=[each.sounding for each in heard],
        clarity=[each.tuning.clarity for each in heard],
    )


def short(samples: NDArray[np.float32], rng: random.Random) -> NDArray[np.float32]:
    """A part, drawn."""
    count = int(rng.uniform(*SHORT) * RATE)
    first = rng.randrange(max(1, len(samples) - count))
    return samples[first : first + count]


def listen(data: Path, work: Path) -> None:
    """Play and hear songs, one half by the piano and one half changed, as far as that is missing."""
    into = work / "chroma"
    into.mkdir(parents=True, exist_ok=True)
    programs = tempo.PROGRAMS
    sounds = sampler.bank(work / "sounds", [p for c in range(3) for p in programs[c]], programs[songs.DRUMS])
    rows = songs.groove_rows(data, ["train"])
    numbers, rng = list(tempo.TRAINED_SONGS), random.Random(SEED)
    rng.shuffle(numbers)  # any beginning of them is a mix
    for place, number in enumerate(numbers):
        varied, rng = place % 2, random.Random(number)
        path = into / f"pop-{number:03d}-{varied}.npz"
        score = songs.pop_score(data, number)
        if path.exists() or score.key is None:
            continue
        score = songs.cut(score, 0, LENGTH)
        if varied:
            if rng.random() < 0.6:
                score = songs.with_drums(score, songs.drums_for(score, rows, data))
            score = songs.with_programs(score, {c: rng.choice(each) for c, each in programs.items()})
        samples = sampler.play(score, sounds, number)
        samples = tempo.changed(samples, path.stem) if varied else samples
        keep(path, score.key, [samples, short(samples, rng)])


def listen_to_keyless(data: Path, work: Path) -> None:
    """Hear drums alone, speech, places and noise."""
    into = work / "chroma"
    into.mkdir(parents=True, exist_ok=True)
    sounds = sampler.bank(work / "sounds", [], tempo.PROGRAMS[songs.DRUMS])
    chosen = random.Random(SEED).sample(songs.groove_rows(data, ["train"]), DRUMS)
    for number, row in enumerate(chosen):
        if not (path := into / f"drums-{number:03d}.npz").exists():
            score = songs.cut(songs.groove_score(data, row), 0, 40)
            keep(path, None, [sampler.play(score, sounds, number)])
    with (data / "train" / "index.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    paths = {
        name: [data / "train" / row["path"] for row in table if row["set"] == name]
        for name in (*tempo.SPEECH, *tempo.PLACES)
    }
    for number in range(KEYLESS):
        if not (path := into / f"none-{number:03d}.npz").exists():
            rng = np.random.default_rng(number)
            sets = tempo.SPEECH if number % 2 else tempo.PLACES
            files = rng.permutation(np.array(paths[sets[number // 2 % len(sets)]], object))[:10]
            samples = np.concatenate([tempo.read(each) for each in files])
            keep(path, None, [samples[: 40 * RATE]])


def lessons(folder: Path) -> Iterator[Lesson]:
    """What was heard so far."""
    for path in sorted(folder.glob("*.npz")):
        kept = np.load(path)
        key = parse(str(kept["key"])) if str(kept["key"]) else None
        for place, classes in enumerate(kept["classes"]):
            name = f"{path.stem}{'-part' * place}"
            yield Lesson(name, key, classes, int(kept["sounding"][place]), float(kept["clarity"][place]))


# -- fitting


def fit(classes: Array, truth: Sequence[Key], penalty: float) -> Profiles:
    """Profiles by multinomial logistic regression over all 24 keys, whose weights are rotated and not learnt apart.

    Parameters
    ----------
    classes : array, shape (n, 12)
    truth : sequence of Key
    penalty : float
        Weight of the squares of the profiles.
    """
    from scipy.optimize import minimize

    target = np.zeros((len(truth), 2, 12))
    for place, key in enumerate(truth):
        target[place, MODES.index(key.mode), key.tonic] = 1

    def loss(numbers: Array) -> tuple[float, Array]:
        profiles = _profiles(numbers)
        told = probabilities(logits(classes, profiles))
        wrong = (told - target) / len(truth)
        rotated = Profiles.rotated(classes)  # (n, 12 tonics, 12 degrees)
        slope = np.einsum("nmt,ntd->md", wrong, rotated)
        value = -np.log(np.maximum((told * target).sum(axis=(1, 2)), 1e-300)).mean()
        value += penalty * (profiles.weights**2).sum()
        return float(value), np.append((slope + 2 * penalty * profiles.weights).ravel(), wrong[:, 1].sum())

    found = minimize(loss, np.zeros(25), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return _profiles(found.x)


def _profiles(numbers: Array) -> Profiles:
    return Profiles(numbers[:24].reshape(2, 12), float(numbers[24]))


def cross_validated(tonal: Sequence[Lesson], penalty: float) -> Array:
    """Probabilities (n, 2, 12) of the keys of lessons, by profiles that know nothing of their songs."""
    classes, truth = _arrays(tonal)
    fold = np.array([zlib.crc32(lesson.name[:7].encode()) % FOLDS for lesson in tonal])
    told = np.zeros((len(tonal), 2, 12))
    for each in range(FOLDS):
        profiles = fit(classes[fold != each], [key for key, f in zip(truth, fold, strict=True) if f != each], penalty)
        told[fold == each] = probabilities(logits(classes[fold == each], profiles))
    return told


def _arrays(tonal: Sequence[Lesson]) -> tuple[Array, list[Key]]:
    classes = np.stack([lesson.classes / lesson.classes.sum() for lesson in tonal])
    return classes, [lesson.key for lesson in tonal if lesson.key]


def main() -> None:
    """Make the table."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, help="folder with groove/, pop909/ and train/; default: SONOVEC_DATA")
    made.add_argument("--work", type=Path, required=True, help="folder for sounds and what was heard of songs")
    made.add_argument("--out", type=Path, required=True, help="the table")
    made.add_argument("--only-fit", action="store_true", help="fit to what was heard so far")
    told = made.parse_args()
    data = told.data or common.data_folder()
    if not told.only_fit:
        listen_to_keyless(data, told.work)
        listen(data, told.work)
    heard = [lesson for lesson in lessons(told.work / "chroma") if lesson.classes.any()]
    tonal = [lesson for lesson in heard if lesson.key]
    losses = {}
    for penalty in PENALTIES:
        chances = cross_validated(tonal, penalty)
        truth = [lesson.key for lesson in tonal if lesson.key]
        right = np.array([chances[i, MODES.index(k.mode), k.tonic] for i, k in enumerate(truth)])
        losses[penalty] = float(-np.log(right).mean())
        for kind in ("-0", "-0-part", "-1", "-1-part"):
            some = [i for i, lesson in enumerate(tonal) if lesson.name[7:] == kind]
            answers = best(chances[some])
            exact = np.mean([a == truth[i] for a, i in zip(answers, some, strict=True)])
            score = np.mean([mirex_score(a, truth[i]) for a, i in zip(answers, some, strict=True)])
            print(f"penalty {penalty:g} {kind}: exact {exact:.3f}, MIREX {score:.3f}, of {len(some)}", flush=True)
        print(f"penalty {penalty:g}: loss {losses[penalty]:.4f}", flush=True)
    classes, truth = _arrays(tonal)
    profiles = fit(classes, truth, min(losses, key=losses.__getitem__))
    profiles.save(told.out)
    for lesson in heard:
        if lesson.key is None and lesson.clarity > LEAST_CLARITY:
            print(f"{lesson.name} has no key and a clarity of {lesson.clarity:.2f}")
    print(f"written: {told.out}")


if __name__ == "__main__":
    main()
