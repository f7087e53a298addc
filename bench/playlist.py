"""Orders of playlists against random and nearest-next ones, ways against straight lines, and the time that a list takes.

    python bench/playlist.py [--sets lmms,sonic_pi,...] [--lists 200]

Vectors are those of real sounds (DATA/train, a sample of some sets, by the built-in encoder), with tempos and keys drawn at
random, since those sounds have none. Of each size, lists of random sounds are ordered; what is printed is the length of the
order, in terms of a random one's, with a 95 % interval. Ways are measured by their largest step over their mean one.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Sequence

import common
import numpy as np
from numpy.typing import NDArray

import sonovec
from sonovec.library.playlist.courses import Courses
from sonovec.library.playlist.ordering import EXACT, length, nearest_next, order
from sonovec.library.playlist.songs import Song
from sonovec.library.playlist.steps import Steps, Weights
from sonovec.library.playlist.wishes import Wish
from sonovec.music.keys import Key
from sonovec.vectors import similarity, unit

SIZES = (8, 12, 20, 50, 100)
SOUNDS, WAYS, PLACES = 600, 60, 10


def sounds(sets: Sequence[str]) -> list[Song]:
    """Real vectors with invented tempos and keys."""
    with (common.data_folder() / "train" / "index.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] in sets and float(row["seconds"]) >= 1]
    generator = np.random.default_rng(0)
    chosen = [rows[n] for n in generator.permutation(len(rows))[:SOUNDS]]
    paths = [common.data_folder() / "train" / row["path"] for row in chosen]
    encoder = sonovec.load("default")
    songs = []
    for number, found in enumerate(encoder.embed_many(paths)):
        tempo, tonic = float(generator.uniform(70, 150)), int(generator.integers(12))
        key = Key(tonic, "major" if generator.integers(2) else "minor")
        songs.append(Song(str(number), str(number), {}, found.vector, tempo, key))
    return songs


def orders(songs: Sequence[Song], unrelated: float, lists: int) -> None:
    """Print what each way to order costs, in terms of a random order."""
    generator = np.random.default_rng(1)
    print("| tracks | lists | random | nearest-next | sonovec | sonovec over nearest-next | seconds a list |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for size in SIZES:
        count = lists if size <= 20 else lists // 4
        rows, spent = [], 0.0
        for _ in range(count):
            some = [songs[n] for n in generator.permutation(len(songs))[:size]]
            cost = Steps.of(some, unrelated).cost(Weights())
            began = time.perf_counter()
            found = order(cost, first=0)
            spent += time.perf_counter() - began
            random = length(cost, [0, *(1 + generator.permutation(size - 1)).tolist()])
            rows.append((length(cost, nearest_next(cost)) / random, length(cost, found) / random))
        near, ours = np.array(rows).T
        name = f"{size} (exact)" if size <= EXACT else str(size)
        ratio = interval(ours / near)
        print(f"| {name} | {count} | 1 | {interval(near)} | {interval(ours)} | {ratio} | {spent / count:.2f} |")


def ways(songs: Sequence[Song], unrelated: float) -> None:
    """Print how even the steps of ways are, against the tracks that are nearest to points on the straight line."""
    generator = np.random.default_rng(2)
    vectors = unit(np.stack([song.vector for song in songs]))
    straight, ours = [], []
    for _ in range(WAYS):
        a, b = generator.permutation(len(songs))[:2].tolist()
        straight.append(evenness(vectors[on_the_line(vectors, a, b)]))
        rest = [song for n, song in enumerate(songs) if n not in (a, b)]
        both = [songs[a], *rest, songs[b]]
        wish = Wish(seeds=["a"], to="b", weights=Weights(1, 0, 0))
        found = Courses(both, Steps.of(both, unrelated), [], unrelated, wish, 1, True).of(PLACES)
        ours.append(evenness(unit(np.stack([song.vector for song in found]))))
    print(f"\n| ways of {PLACES} tracks between {WAYS} random pairs | nearest to the straight line | sonovec |")
    print("| --- | --- | --- |")
    names = ("largest step over mean step", "sum of steps over the direct step", "share of ways that repeat a track")
    for name, one, other in zip(names, np.array(straight).T, np.array(ours).T, strict=True):
        print(f"| {name} | {interval(one)} | {interval(other)} |")


def on_the_line(vectors: NDArray[np.float64], a: int, b: int) -> list[int]:
    """The nearest tracks to points at even distances on the line; a track may come several times."""
    ways = np.linspace(0, 1, PLACES)[:, None]
    return [*similarity((1 - ways) * vectors[a] + ways * vectors[b], vectors).argmax(axis=1)]


def evenness(way: NDArray[np.float64]) -> tuple[float, float, float]:
    """The largest step over the mean one, the sum over the direct step, and whether a track comes again."""
    steps = np.sqrt(np.maximum(0, 2 - 2 * np.einsum("nd,nd->n", way[:-1], way[1:])))
    direct = np.linalg.norm(way[0] - way[-1])
    return float(steps.max() / steps.mean()), float(steps.sum() / direct), float(len(np.unique(way, axis=0)) < len(way))


def interval(values: NDArray[np.float64]) -> str:
    """A mean with its 95 % interval."""
    return f"{values.mean():.3f} ± {1.96 * values.std(ddof=1) / np.sqrt(len(values)):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default="lmms,sonic_pi,philharmonia,berklee")
    parser.add_argument("--lists", type=int, default=200)
    given = parser.parse_args()
    songs = sounds(given.sets.split(","))
    found = similarity(*2 * [np.stack([song.vector for song in songs])])
    unrelated = 1 - float(np.median(found[np.triu_indices(len(songs), 1)]))
    orders(songs, unrelated, given.lists)
    ways(songs, unrelated)


if __name__ == "__main__":
    main()
