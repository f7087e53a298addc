"""How what a library in a folder costs grows with its size: python bench/growth.py [--before PATH_OF_FORMER_SRC].

A library is grown to each size in turn, with vectors of 512 numbers in clusters, two segments a track, and tags as an
encoder of AudioSet's classes gives them; then each operation is timed, and the median is told. With --before the same is done
with the sources in another folder, such as a checkout of an earlier version, and both tables come from one run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
DIM, CLUSTERS, CLASSES = 512, 200, 527
SIZES = (2_000, 20_000, 100_000)
AT_ONCE = 2_000
#: What a run of `sonovec index` commits together.
ADDED = 64
HOUR = 3_600
#: Milliseconds after which an operation is not asked again.
LONG = 30_000


class Side:
    """A library, made and asked by whatever version of sonovec is on the path."""

    def __init__(self, folder: Path) -> None:
        from sonovec.library import search, sound_tags
        from sonovec.library.filters import parse
        from sonovec.library.records import LibraryConfig, Segment, Track

        try:
            from sonovec.library.open import open_store
        except ImportError:
            from sonovec.library.store import open_store
        self.search, self.sound_tags, self.parse = search, sound_tags, parse
        self.segment, self.track = Segment, Track
        self.store = open_store(folder)
        self.store.create(LibraryConfig(dim=DIM, passport={}, segment_seconds=10.0, model="bench"))
        self.lists = hasattr(sound_tags, "named")
        if self.lists:
            from sonovec.library.columns import Owner, heard_columns

            self.store.declare(heard_columns(Owner("encoder", "1")))
        else:
            self.store.add_columns({"sound_tags": str})
        self.random = np.random.default_rng(0)
        self.centres = self.random.standard_normal((CLUSTERS, DIM)).astype(np.float32)
        chances = 1 / np.arange(1, CLASSES + 1)
        self.chances = chances / chances.sum()
        self.count = 0

    def vectors(self, n: int) -> np.ndarray:
        noise = self.random.standard_normal((n, DIM)).astype(np.float32)
        return self.centres[self.random.integers(CLUSTERS, size=n)] + 0.7 * noise

    def tags(self) -> dict[str, Any]:
        classes = dict.fromkeys(self.random.choice(CLASSES, self.random.integers(3, 20), p=self.chances).tolist())
        scores = sorted(self.random.random(len(classes)).tolist(), reverse=True)
        pairs = [(f"Class {number}", score) for number, score in zip(classes, scores, strict=True)]
        if not self.lists:
            return {"sound_tags": self.sound_tags.write(pairs)}
        names, scores = [name for name, _ in pairs], [round(score, 3) for _, score in pairs]
        found = {"sound_tags": names, "sound_tags_scores": scores}
        # Versions from this one on keep more numbers, and the tags of segments.
        return {name: found.get(name, scores) for name in getattr(self.sound_tags, "COLUMNS", found)}

    def heard(self, fields: dict[str, Any]) -> dict[str, Any]:
        """What a segment is made with beside its vector: the tags of its track, where this version keeps them."""
        if not hasattr(self.sound_tags, "COLUMNS"):
            return {}
        names, scores = fields["sound_tags"], fields["sound_tags_scores"]
        return {"tags": dict(zip(names[:10], scores[:10], strict=True))}

    def items(self, n: int, segments: int = 2) -> Iterator[tuple[Any, list[Any]]]:
        for _ in range(n):
            rows = self.vectors(segments + 1)
            fields = {
                "path": f"/music/{self.count}.flac",
                "year": self.count % 100,
                "duration": 10.0 * segments,
                **self.tags(),
            }
            heard = self.heard(fields)
            parts = [self.segment(i, i * 10.0, i * 10.0 + 10, 1.0, rows[i], **heard) for i in range(segments)]
            yield self.track(f"{self.random.integers(2**62):032x}", rows[-1], fields), parts
            self.count += 1

    def grow(self, size: int) -> None:
        while self.count < size:
            self.store.put_many(self.items(min(AT_ONCE, size - self.count)))
        self.store.optimize()

    def add(self) -> None:
        items = list(self.items(ADDED))
        began = time.perf_counter()
        self.store.existing([track.id for track, _ in items])
        self.store.put_many(items)
        self.store.optimize()
        self.took = time.perf_counter() - began

    def ask(self, level: str, where: str | None, parts: int = 2, limit: int = 10) -> None:
        rows = self.vectors(parts)
        times = np.array([(i, i + 1.0) for i in range(parts)])
        query = self.search.Query(rows.mean(axis=0), rows, times)
        condition = None if where is None else self.parse(where, self.store.columns())
        began = time.perf_counter()
        found = self.search.search(self.store, query, limit, condition, level)
        self.took = time.perf_counter() - began
        assert found

    def ask_tags(self, text: str, where: str | None = None) -> None:
        condition = None if where is None else self.parse(where, self.store.columns())
        began = time.perf_counter()
        found = self.search.search_tags(self.store, text, 10, condition, lambda: ())
        if hasattr(self.sound_tags, "COLUMNS"):
            from sonovec.library.moments import in_time

            found = in_time(self.store, text, found)
        self.took = time.perf_counter() - began
        assert found.hits

    def look_up(self) -> None:
        ids = self.store.ids()[:: max(1, self.count // 32)][:32]
        began = time.perf_counter()
        assert len(self.store.existing(ids)) == len(ids)
        self.took = time.perf_counter() - began


def operations(side: Side) -> dict[str, tuple[Callable[[], None], int]]:
    """What is timed, and how often."""
    half, few = "year < 50", "year = 7"
    return {
        f"add {ADDED} tracks": (side.add, 7),
        "look up 32 ids": (side.look_up, 9),
        "search": (lambda: side.ask("track", None), 15),
        "search, half of the tracks match": (lambda: side.ask("track", half), 9),
        "search, one in a hundred matches": (lambda: side.ask("track", few), 9),
        "segment search": (lambda: side.ask("segment", None), 9),
        "segment search, half match": (lambda: side.ask("segment", half), 5),
        "search by the commonest tag": (lambda: side.ask_tags("Class 0"), 5),
        "search by a rare tag": (lambda: side.ask_tags("Class 400"), 5),
    }


def median(side: Side, run: Callable[[], None], times: int) -> float:
    """The median in milliseconds, without a first run that opens tables, unless that takes very long."""
    run()
    took = [1000 * side.took]
    while len(took) <= times and sum(took) < LONG:
        run()
        took.append(1000 * side.took)
    return statistics.median(took[1:] or took)


def measure(sizes: list[int]) -> dict[str, dict[str, float]]:
    """For each operation its milliseconds by the size of the library."""
    found: dict[str, dict[str, float]] = {}
    with TemporaryDirectory() as folder:
        side = Side(Path(folder, "library"))
        for size in sizes:
            began = time.perf_counter()
            side.grow(size)
            print(f"{size} tracks: grown in {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
            for name, (run, times) in operations(side).items():
                found.setdefault(name, {})[str(size)] = median(side, run, times)
                print(f"{size} tracks: {name}: {found[name][str(size)]:.1f} ms", file=sys.stderr, flush=True)
        side.store.close()
    with TemporaryDirectory() as folder:
        side = Side(Path(folder, "library"))
        side.store.put_many(side.items(2, HOUR))
        for parts in (10, HOUR):
            name = f"segment search by {parts} parts in 2 tracks of an hour, in 1 s segments"
            found[name] = {"2": median(side, lambda parts=parts: side.ask("segment", None, parts), 3)}
            print(f"{name}: {found[name]['2']:.1f} ms", file=sys.stderr, flush=True)
    return found


def other(src: Path, sizes: list[int]) -> dict[str, dict[str, float]]:
    """The same with the sources in another folder, in a process of its own."""
    command = [sys.executable, __file__, "--json", "--sizes", *map(str, sizes)]
    run = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(src)}, stdout=subprocess.PIPE, check=True)
    return json.loads(run.stdout)


def table(sides: dict[str, dict[str, dict[str, float]]], sizes: list[int]) -> str:
    """The figures as a table in Markdown; the last columns are ratios."""
    names = [f"{size:,} {name}".strip() for name in sides for size in sizes]
    lines = ["| ms | " + " | ".join([*names, "largest to smallest"]) + " |"]
    lines.append("| --- |" + " --- |" * (len(names) + 1))
    for operation in next(iter(sides.values())):
        cells, ratios = [], []
        for found in sides.values():
            figures = found[operation]
            cells += [f"{figures[str(size)]:.1f}" if str(size) in figures else "" for size in sizes]
            if len(figures) > 1:
                ratios.append(f"{figures[str(sizes[-1])] / figures[str(sizes[0])]:.1f} x")
            else:
                cells[-len(sizes)] = f"{figures['2']:.0f}"
        lines.append(f"| {operation} | {' | '.join([*cells, ', '.join(ratios)])} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="the folder `src` of a former version")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="tracks; 2 sizes or more, rising")
    parser.add_argument("--json", action="store_true", help="the figures of the sources on the path alone")
    arguments = parser.parse_args()
    if arguments.json:
        print(json.dumps(measure(arguments.sizes)))
        return
    sides = {} if arguments.before is None else {"before": other(arguments.before, arguments.sizes)}
    sides["after" if sides else ""] = other(ROOT / "src", arguments.sizes)
    print(table(sides, arguments.sizes))


if __name__ == "__main__":
    main()
