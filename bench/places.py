"""What a threshold of places finds, and how often it is wrong: python bench/places.py [--kinds train|esc10] [--model NAME].

One sound of each kind is the query; others of the kind are laid over a background, 6 dB louder than it, and the same query is
asked of an hour of background without them. For several thresholds, in deviations above what the background scores at its
median (see `sonovec.library.places`), the share of the sounds that are found and the false places in an hour are printed.
Thresholds are chosen by the training audio; ESC-10 shows what they do to other sounds.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import common
import numpy as np

import sonovec
from sonovec.audio.stream import load
from sonovec.library.places import OVERLAP, fisher, spread

RATE = 44_100
SECONDS = 3_600
#: Words in the names of training sounds that are heard as one kind.
KINDS = (
    "dog_bark",
    "glass",
    "doorslam",
    "car_horn",
    "whistle",
    "gunfire",
    "explosion",
    "clap",
    "scream",
    "horse",
    "siren",
    "thunder",
)
BACKGROUND = ("kathleen", "quietsleep", "blanket", "philharmonia", "lmms", "unknown_horizons", "picovoice_intent")
MOST_OF_KIND, LONGEST, AROUND = 13, 2.0, 5.0
LOUDER = 2.0
THRESHOLDS = (6, 8, 10, 12)


def index() -> list[dict[str, str]]:
    """The rows of the training audio."""
    with (common.data_folder() / "train" / "index.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def kinds(source: str) -> dict[str, list[Path]]:
    """Files of each kind."""
    root = common.data_folder()
    if source == "esc10":
        return {
            folder.name: sorted(folder.iterdir()) for folder in sorted((root / "esc10").iterdir()) if folder.is_dir()
        }
    rows = index()
    return {
        kind: [root / "train" / row["path"] for row in rows if kind in row["source_name"].lower().replace(" ", "_")]
        for kind in KINDS
    }


def background(rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Sounds of other kinds, one after another, at one loudness."""
    rows = [
        row for row in index() if row["set"] in BACKGROUND and not any(k in row["source_name"].lower() for k in KINDS)
    ]
    while True:
        samples = load(common.data_folder() / "train" / rows[rng.integers(len(rows))]["path"], RATE).samples[
            : 20 * RATE
        ]
        if len(samples) and samples.any():
            yield 0.05 * samples / np.sqrt(np.mean(samples**2))


def stretch(sounds: Iterator[np.ndarray], seconds: float) -> np.ndarray:
    """So many seconds of background."""
    pieces, missing = [], int(seconds * RATE)
    while missing > 0:
        pieces.append(next(sounds)[:missing])
        missing -= len(pieces[-1])
    return np.concatenate(pieces).astype(np.float32)


def event(path: Path) -> np.ndarray:
    """The first seconds of a sound, from where it begins."""
    samples = load(path, RATE).samples
    begin = int(np.flatnonzero(np.abs(samples) > 0.05 * np.abs(samples).max(initial=1e-9))[0]) if samples.any() else 0
    samples = samples[begin : begin + int(LONGEST * RATE)]
    return LOUDER * 0.05 * samples / max(np.sqrt(np.mean(samples**2)), 1e-6)


def measure(encoder: sonovec.Encoder, source: str) -> dict[str, dict[str, list[int]]]:
    """For each kind, for each threshold: how many were found, of how many, and the false places in an hour."""
    rng = np.random.default_rng(0)
    sounds = background(rng)
    fine = encoder.with_hop(encoder.window.length / encoder.rate / OVERLAP)
    hour = stretch(sounds, SECONDS)
    sample = np.stack([part.vector for part in encoder.embed((hour, RATE)).parts(10.0)])
    quiet = fine.embed((hour, RATE)).windows
    result = {}
    for kind, paths in kinds(source).items():
        chosen = [event(path) for path in paths[:: max(1, len(paths) // MOST_OF_KIND)][:MOST_OF_KIND]]
        query = encoder.embed((chosen[0], RATE)).windows
        median, deviation = spread(sample, query)
        false = ((fisher(quiet, query) - median) / deviation).max(axis=1)
        best = [
            ((fisher(planted(fine, sounds, each), query) - median) / deviation).max(initial=-1) for each in chosen[1:]
        ]
        result[kind] = {
            str(threshold): [int(np.sum(np.array(best) >= threshold)), len(best), runs(false >= threshold)]
            for threshold in THRESHOLDS
        }
    return result


def planted(fine: sonovec.Encoder, sounds: Iterator[np.ndarray], sound: np.ndarray) -> np.ndarray:
    """Vectors of the windows whose middle is within a sound, or nearest to its middle, laid over a background."""
    seconds = len(sound) / RATE
    mixed = stretch(sounds, 2 * AROUND + seconds)
    begin = int(AROUND * RATE)
    mixed[begin : begin + len(sound)] += sound.astype(np.float32)
    heard = fine.embed((mixed, RATE))
    middles = heard.times.mean(axis=1)
    inside = (middles > AROUND) & (middles < AROUND + seconds)
    inside[np.abs(middles - AROUND - seconds / 2).argmin()] = True
    return heard.windows[inside]


def runs(mask: np.ndarray) -> int:
    """How many stretches of a mask are true."""
    return int(mask[0]) + int(np.sum(mask[1:] & ~mask[:-1]))


def table(result: Mapping[str, Mapping[str, list[int]]]) -> str:
    """The figures as a table in Markdown; last come the share that was found, and the mean of the false places."""
    lines = ["| found, false an hour | " + " | ".join(f"{each} deviations" for each in THRESHOLDS) + " |"]
    lines.append("| --- |" + " --- |" * len(THRESHOLDS))
    for kind, by_threshold in result.items():
        cells = [f"{found} of {count}, {false}" for found, count, false in by_threshold.values()]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    totals = []
    for threshold in map(str, THRESHOLDS):
        found, count, false = np.sum([by_threshold[threshold] for by_threshold in result.values()], axis=0)
        middle = np.median([by_threshold[threshold][2] for by_threshold in result.values()])
        totals.append(f"{100 * found / count:.0f} %, {false / len(result):.1f} (median {middle:g})")
    return "\n".join([*lines, f"| all | {' | '.join(totals)} |"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", choices=["train", "esc10"], default="train")
    parser.add_argument("--model", default="default")
    parser.add_argument("--weights")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    result = measure(sonovec.load(arguments.model, weights=arguments.weights), arguments.kinds)
    print(json.dumps(result) if arguments.json else table(result))


if __name__ == "__main__":
    main()
