"""What a threshold of places finds, and how often it is wrong: python bench/places.py [--kinds train|esc10] [--models ...].

One sound of each kind is the query; others of the kind are laid over a background, 6 dB louder than it, and the same query is
asked of an hour of background without them. For several thresholds, in deviations above what the background scores at its
median (see `sonovec.library.places`), the share of the sounds that are found and the false places in an hour are printed.
Thresholds are chosen by the training audio; ESC-10 shows what they do to sounds that had no part in it.
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
from sonovec.library.places import LEAST_DEVIATION, MOST_COSINE, OVERLAP
from sonovec.vectors import unit32

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
THRESHOLDS = (4, 5, 6, 7, 8, 9, 10, 12)


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


def measure(encoder: sonovec.Encoder, source: str) -> dict[int, dict[str, float]]:
    """For each threshold the share found and the false places an hour."""
    rng = np.random.default_rng(0)
    sounds = background(rng)
    fine = encoder.with_hop(encoder.window.length / encoder.rate / OVERLAP)
    hour = stretch(sounds, SECONDS)
    stored = encoder.embed((hour, RATE)).parts(10.0)
    sample = np.stack([part.vector for part in stored])
    quiet = fine.embed((hour, RATE))
    result = {each: {"found": 0, "of": 0, "false": 0, "hours": 0} for each in THRESHOLDS}
    for paths in kinds(source).values():
        chosen = [event(path) for path in paths[:: max(1, len(paths) // MOST_OF_KIND)][:MOST_OF_KIND]]
        query = encoder.embed((chosen[0], RATE)).windows
        median, deviation = spread(sample, query)
        false = (scale(quiet.windows, query) - median) / deviation
        planted = []
        for each in chosen[1:]:
            mixed = stretch(sounds, 2 * AROUND + len(each) / RATE)
            begin = int(AROUND * RATE)
            mixed[begin : begin + len(each)] += each.astype(np.float32)
            heard = fine.embed((mixed, RATE))
            middles = heard.times.mean(axis=1)
            inside = (middles > AROUND) & (middles < AROUND + len(each) / RATE)
            inside |= np.abs(middles - AROUND - len(each) / RATE / 2) <= np.diff(heard.times[:2, 0])[0]
            planted.append(
                ((scale(heard.windows, query) - median) / deviation).max(axis=1)[inside].max(initial=-np.inf)
            )
        for threshold, counts in result.items():
            over = false.max(axis=1) >= threshold
            counts["found"] += int(np.sum(np.array(planted) >= threshold))
            counts["of"] += len(planted)
            counts["false"] += int(over[0]) + int(np.sum(over[1:] & ~over[:-1]))
            counts["hours"] += 1
    return result


def scale(vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Cosines on Fisher's scale."""
    return np.arctanh(np.clip(unit32(vectors) @ unit32(query).T, -MOST_COSINE, MOST_COSINE))


def spread(vectors: np.ndarray, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The median and the deviation of what a library scores."""
    scores = scale(vectors, query)
    median = np.median(scores, axis=0)
    return median, np.maximum(1.4826 * np.median(np.abs(scores - median), axis=0), LEAST_DEVIATION)


def table(results: Mapping[str, dict[int, dict[str, float]]]) -> str:
    """The figures as a table in Markdown."""
    lines = ["| deviations | " + " | ".join(f"{name}: found | false an hour" for name in results) + " |"]
    lines.append("| --- |" + " --- | --- |" * len(results))
    for threshold in THRESHOLDS:
        cells = [
            f"{100 * found['found'] / found['of']:.0f} % | {found['false'] / found['hours']:.1f}"
            for found in (result[threshold] for result in results.values())
        ]
        lines.append(f"| {threshold} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", choices=["train", "esc10"], default="train")
    parser.add_argument("--models", nargs="+", default=["default"], metavar="NAME[=WEIGHTS]")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results = {}
    for model in arguments.models:
        name, _, weights = model.partition("=")
        results[name] = measure(sonovec.load(name, weights=weights or None), arguments.kinds)
    print(json.dumps(results) if arguments.json else table(results))


if __name__ == "__main__":
    main()
