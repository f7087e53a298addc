"""Hubs, precision and speed of recommending: python bench/recommend.py [hubs] [seeds] [speed] [--library FOLDER].

`hubs`: ESC-10 and the training clips are put into the library at --library, unless they are there. Each clip asks for its 10
nearest. The skew of how often each clip comes up (k-occurrence), and the precision at 10 on ESC-10, are told of plain cosine
similarity and of the ranking that `Library.recommend` makes of it, with 95 % intervals by the bootstrap over clips, paired.
`seeds`: two clips of different classes of ESC-10 ask together, by the mean of their vectors and by rank fusion.
`speed`: libraries of --sizes with vectors interpolated between real ones, and columns of music. Wall-clock and processor time
of a request, seeds in the library, beside a plain search of the same library.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import common
import numpy as np

import sonovec
from sonovec.library.columns import USER, Column
from sonovec.library.open import open_store
from sonovec.library.recommend.fusion import fused
from sonovec.library.recommend.hubs import corrected, crowding
from sonovec.library.recommend.recommending import POOL
from sonovec.library.records import Segment, Track
from sonovec.music.keys import Key
from sonovec.vectors import unit32

K = 10
PAIRS, REQUESTS, DRAWS = 500, 40, 1000
AT_ONCE, ARTISTS = 2000, 500


def main() -> None:
    """Read the arguments and print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("parts", nargs="*", default=["hubs", "seeds", "speed"])
    arguments.add_argument("--library", type=Path, default=Path("recommend-library"), help="made where there is none")
    arguments.add_argument("--clips", type=common.positive, help="take only so many training clips, at random")
    arguments.add_argument("--sizes", type=common.positive, nargs="+", default=[5_000, 100_000])
    given = arguments.parse_args()
    library = filled(given.library, given.clips)
    ids, vectors = library.vectors().numpy()
    order = np.argsort(ids)
    ids, units = [ids[n] for n in order], unit32(vectors[order])
    if "hubs" in given.parts or "seeds" in given.parts:
        paths = library.paths_of(ids)
        classes = np.array([class_of(paths[id]) for id in ids])
        if "hubs" in given.parts:
            hubs(units, classes)
        if "seeds" in given.parts:
            seeds(units, classes)
    if "speed" in given.parts:
        print("\n| tracks | request | wall, median | wall, 95 % | processor, median |\n| --- | --- | --- | --- | --- |")
        for size in given.sizes:
            speed(library, units, size)


def filled(place: Path, clips: int | None) -> sonovec.Library:
    """The library of ESC-10 and the training clips."""
    library, data = sonovec.Library(place), common.data_folder()
    if library.config is None:
        with (data / "train" / "index.csv").open(encoding="utf-8") as file:
            rows = [data / "train" / row["path"] for row in csv.DictReader(file)]
        if clips is not None:
            rows = [rows[n] for n in np.sort(np.random.default_rng(0).permutation(len(rows))[:clips])]
        library.add([*sorted((data / "esc10").glob("*/*.ogg")), *rows], progress=True)
    return library


def class_of(path: str) -> str:
    """The class of a clip of ESC-10; empty for others."""
    return Path(path).parent.name if Path(path).parent.parent.name == "esc10" else ""


Rank = Callable[[np.ndarray, np.ndarray], np.ndarray]


def plain(query: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The places of the nearest of some vectors by cosine similarity."""
    return np.argsort(-(rows @ query), kind="stable")[:K]


def scaled(query: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The same as `Library.recommend` ranks its candidates."""
    similar = rows @ query
    pool = np.sort(np.argsort(-similar, kind="stable")[:POOL])
    crowded = crowding(np.concatenate([rows[pool], query[None]]))
    values = corrected(similar[pool][None].astype(np.float64), crowded[-1:], crowded[:-1])[0]
    return pool[np.argsort(-values, kind="stable")[:K]]


def nearest(units: np.ndarray, rank: Rank) -> np.ndarray:
    """The nearest others of each clip, (n, K)."""
    found = np.empty((len(units), K), int)
    for n in range(len(units)):
        others = np.delete(np.arange(len(units)), n)
        found[n] = others[rank(units[n], units[others])]
    return found


def skew_of(found: np.ndarray, count: int) -> float:
    """The skew of how often each comes up."""
    occurrence = np.bincount(found.ravel(), minlength=count).astype(float)
    centred = occurrence - occurrence.mean()
    return float((centred**3).mean() / centred.std() ** 3)


def hubs(units: np.ndarray, classes: np.ndarray) -> None:
    """Print skew and precision before and after."""
    labelled = np.flatnonzero(classes != "")
    own, names = units[labelled], classes[labelled]
    print(f"{len(units)} clips, {len(labelled)} of them of ESC-10; k = {K}\n")
    print("| ranking | skew of k-occurrence | most often | never | P@10 on ESC-10 |\n| --- | --- | --- | --- | --- |")
    hits = {}
    for name, rank in {"cosine similarity": plain, "recommend": scaled}.items():
        found = nearest(units, rank)
        occurrence = np.bincount(found.ravel(), minlength=len(units))
        hits[name] = (names[nearest(own, rank)] == names[:, None]).mean(axis=1)
        low, high = interval(hits[name])
        print(
            f"| {name} | {skew_of(found, len(units)):.3f} | {occurrence.max()} | {(occurrence == 0).mean():.1%} | "
            f"{hits[name].mean():.4f} ({low:.4f} to {high:.4f}) |",
            flush=True,
        )
    change = hits["recommend"] - hits["cosine similarity"]
    low, high = interval(change)
    print(f"\nP@10 changed by {change.mean():+.4f} ({low:+.4f} to {high:+.4f}, paired)")


def interval(values: np.ndarray) -> tuple[float, float]:
    """A 95 % interval of the mean."""
    draw = np.random.default_rng(0)
    means = [values[draw.integers(len(values), size=len(values))].mean() for _ in range(DRAWS)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def seeds(units: np.ndarray, classes: np.ndarray) -> None:
    """Print what two seeds of different classes find together."""
    labelled = np.flatnonzero(classes != "")
    draw, good, both = np.random.default_rng(0), {}, {}
    for _ in range(PAIRS):
        one, other = draw.choice(labelled, 2, replace=False)
        if classes[one] == classes[other]:
            continue
        rest = np.setdiff1d(labelled, [one, other])
        rows = units[rest]
        crowded = crowding(units[[*rest, one, other]])
        similar = (units[[one, other]] @ rows.T).astype(np.float64)
        mean = unit32((units[one] + units[other])[None])[0]
        answers = {
            "mean of the vectors": np.argsort(-(rows @ mean), kind="stable")[:K],
            "rank fusion": np.argsort(-fused(corrected(similar, crowded[-2:], crowded[:-2])), kind="stable")[:K],
        }
        for name, places in answers.items():
            shares = [(classes[rest[places]] == classes[seed]).mean() for seed in (one, other)]
            good.setdefault(name, []).append(sum(shares))
            both.setdefault(name, []).append(min(shares) > 0)
    print("\n| two seeds of different classes | first 10 are of one of the classes | both classes come up |")
    print("| --- | --- | --- |")
    for name, values in good.items():
        print(f"| {name} | {np.mean(values):.1%} | {np.mean(both[name]):.1%} |")


def speed(real: sonovec.Library, units: np.ndarray, size: int) -> None:
    """Print what a request costs in a library of so many tracks."""
    assert real.config is not None
    with TemporaryDirectory() as folder:
        place = Path(folder, "library")
        made_of = real.config
        began = time.perf_counter()
        with open_store(place) as store:
            store.create(made_of, [Column(name, kind, USER) for name, kind in COLUMNS.items()])
            draw = np.random.default_rng(0)
            for start in range(0, size, AT_ONCE):
                store.put_many(items(units, draw, start, min(AT_ONCE, size - start)))
            store.optimize()
        print(f"{size:,} tracks: made in {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        with sonovec.Library(place) as library:
            ids = sorted(track.id for track in library.tracks(limit=REQUESTS * 4))
            for name, ask in requests(library).items():
                tell(size, name, ask, ids)


COLUMNS: dict[str, type] = {"tempo": float, "key": str, "energy": float}


def items(units: np.ndarray, draw: np.random.Generator, start: int, count: int) -> list[tuple[Track, list[Segment]]]:
    """Tracks whose vectors lie between two real ones, with columns of music."""
    pairs, shares = draw.integers(len(units), size=(count, 2)), draw.random((count, 1)).astype(np.float32) * 0.5
    vectors = (1 - shares) * units[pairs[:, 0]] + shares * units[pairs[:, 1]]
    found = []
    for n, vector in enumerate(vectors):
        fields = {
            "path": f"/music/{start + n}.flac",
            "title": f"Title {start + n}",
            "artist": f"Artist {draw.integers(ARTISTS)}",
            "duration": 200.0,
            "tempo": round(float(np.clip(draw.normal(115, 25), 40, 220)), 1),
            "key": str(Key(int(draw.integers(12)), "minor" if draw.random() < 0.4 else "major")),
            "energy": float(draw.random()),
        }
        id = f"{draw.integers(2**62):016x}{draw.integers(2**62):016x}"
        found.append((Track(id, vector, fields), [Segment(0, 0.0, 10.0, 1.0, vector)]))
    return found


def requests(library: sonovec.Library) -> dict[str, Callable[[list[str]], Any]]:
    """What is asked for, given some ids of tracks."""
    return {
        "`search`, 20 hits": lambda ids: library.search(ids[0], 20),
        "one seed": lambda ids: library.recommend(ids[0]),
        "three seeds, one disliked": lambda ids: library.recommend(ids[:3], dislike=ids[3]),
        "`--tempo-like --octaves`": lambda ids: library.recommend(ids[0], tempo_like=True, octaves=True),
        "`--tempo-like --key-compatible`": lambda ids: library.recommend(ids[0], tempo_like=True, key_compatible=True),
        "`--artist-limit 1`": lambda ids: library.recommend(ids[0], artist_limit=1),
    }


def tell(size: int, name: str, ask: Callable[[list[str]], Any], ids: list[str]) -> None:
    """Print a row."""
    wall, processor = [], []
    for n in range(-2, REQUESTS):  # the first ones open tables
        some = ids[4 * max(n, 0) : 4 * max(n, 0) + 4]
        began, used = time.perf_counter(), time.process_time()
        assert ask(some)
        if n >= 0:
            wall.append(1000 * (time.perf_counter() - began))
            processor.append(1000 * (time.process_time() - used))
    late = np.quantile(wall, 0.95)
    print(
        f"| {size:,} | {name} | {np.median(wall):.0f} ms | {late:.0f} ms | {np.median(processor):.0f} ms |", flush=True
    )


if __name__ == "__main__":
    main()
