"""What `sonovec index --music` costs beside plain `sonovec index`, on the same files.

    python bench/music_speed.py ~/Music --rounds 3

Plain, each analyser of `--music` alone, and all of them take turns, each with a library of its own, on warm files. Times are
told as seconds of sound that are heard in a second, with the ratio to the plain run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import common

import sonovec
from sonovec.cli.index import MUSIC


def sides() -> dict[str, tuple[str, ...]]:
    """Analysers of each contender."""
    return {"plain": (), **{name: (name,) for name in MUSIC}, "--music": MUSIC}


def indexed(folder: Path, analysers: tuple[str, ...], model: str) -> tuple[float, float]:
    """Seconds of sound, and seconds that it took to index them into a new library."""
    with (
        TemporaryDirectory(prefix="sonovec-bench-") as scratch,
        sonovec.Library(Path(scratch) / "library", model=model) as made,
    ):
        made.encoder.prepare()
        began = time.perf_counter()
        report = made.add(folder, analysers=analysers)
        took = time.perf_counter() - began
    failed = [*report.failures, *report.notes]
    if failed and analysers:
        print(f"notes: {failed[:3]}")
    return report.audio_seconds, took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=common.data_folder() / "music")
    parser.add_argument("--rounds", type=common.positive, default=3)
    parser.add_argument("--model", default="default", help="the library's encoder")
    given = parser.parse_args()
    contenders = sides()
    for analysers in contenders.values():  # files into memory, networks into the cache
        indexed(given.folder, analysers, given.model)
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(given.rounds):
        for name, analysers in contenders.items():
            heard, took = indexed(given.folder, analysers, given.model)
            speeds[name].append(heard / took)
    medians = {name: statistics.median(each) for name, each in speeds.items()}
    told = {
        name: {"x real time": round(speed, 1), "times as long as plain": round(medians["plain"] / speed, 2)}
        for name, speed in medians.items()
    }
    print(json.dumps({"seconds of sound": round(heard), "rounds": given.rounds, **told}, indent=1))


if __name__ == "__main__":
    main()
