"""What smaller vectors cost, by encoder: python bench/compress.py --data DATA --cache FOLDER [--encoder NAME=WEIGHTS ...].

ESC-10 is searched, and everything is fitted to clips of the training set: sounds that no library here has. Vectors are
embedded once and kept in the cache. Each encoder gets the table of `sonovec compress --report`, a picture and a JSON file in
the cache, and the lines for its card (`ModelCard.compression`).
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

#: Encoders whose weights are at hand, with the file in DATA/weights.
ENCODERS = {"sonovec-1": None, "efficientat-mn04": "mn04_as_mAP_432.pt", "yamnet": "yamnet.tflite"}
#: Training clips, drawn by chance.
FITTED = 3_000
#: What stands in a card, with how often it is smaller; the last is re-ranked.
CARD = ("float16", "int8", "256+int8", "128+int8", "64+int8", "binary", "pq-128", "pq-64", "pq-32", "pq-16")


def embedded(encoder: str, weights: Path | None, data: Path, cache: Path, fitted: int) -> dict[str, np.ndarray]:
    """The vectors of both sets, with their paths."""
    file = cache / f"{encoder}.npz"
    if not file.exists():
        import sonovec

        rows = list(csv.DictReader((data / "train" / "index.csv").open(encoding="utf-8")))
        random.Random(0).shuffle(rows)
        sets = {
            "esc": sorted(data.glob("esc10/*/*.ogg")),
            "train": [data / "train" / row["path"] for row in rows[:fitted]],
        }
        loaded = sonovec.load(encoder, weights=weights)
        made = {}
        for name, paths in sets.items():
            pairs = zip(paths, loaded.embed_many(paths), strict=True)
            found = [(str(path), one.vector) for path, one in pairs if hasattr(one, "vector")]
            made[name] = np.stack([vector for _, vector in found])
            made[f"{name}_paths"] = np.array([path for path, _ in found])
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(file, **made)
    return dict(np.load(file))


def library_of(folder: Path, encoder: str, vectors: np.ndarray, paths: Sequence[str]) -> str:
    """A library that holds these vectors."""
    from sonovec.library.open import open_store
    from sonovec.library.records import LibraryConfig, Segment, Track

    with open_store(folder) as store:
        store.create(LibraryConfig(vectors.shape[1], {"model": encoder}, 10.0, encoder))
        store.put_many(
            (Track(f"{n:032x}", vector, {"path": path}), [Segment(0, 0.0, 5.0, 1.0, vector)])
            for n, (vector, path) in enumerate(zip(vectors, paths, strict=True))
        )
    return str(folder)


def main() -> None:
    """Measure every encoder, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--encoder", action="append", choices=sorted(ENCODERS))
    parser.add_argument("--fitted", type=int, default=FITTED)
    arguments = parser.parse_args()
    from sonovec import Library
    from sonovec.explore import report
    from sonovec.explore.compress_chart import draw

    for encoder in arguments.encoder or ENCODERS:
        file = ENCODERS[encoder]
        weights = None if file is None else arguments.data / "weights" / file
        vectors = embedded(encoder, weights, arguments.data, arguments.cache, arguments.fitted)
        with TemporaryDirectory() as folder:
            places = [
                library_of(Path(folder, name), encoder, vectors[name], vectors[f"{name}_paths"].tolist())
                for name in ("esc", "train")
            ]
            with Library(places[0]) as searched, Library(places[1]) as fitted:
                found = report(searched, fit_on=fitted, labels="folder", queries=400)
        draw(found, arguments.cache / f"{encoder}.png")
        (arguments.cache / f"{encoder}.json").write_text(json.dumps(found.to_json(), indent=1), encoding="utf-8")
        print(f"\n{encoder}: {found.searched} sounds searched, fitted to {found.fitted} others")
        for row in found.rows:
            shares = (row.recall_1, row.recall_10, row.reranked_10, row.mean_average_precision, row.probe)
            told = ["" if share is None else f"{share:.4f}" for share in shares]
            sizes = [
                "" if size is None else f"{size:.0f}" for size in (row.bytes, row.disk_bytes, row.queries_per_second)
            ]
            print("\t".join([row.where, row.to, *sizes, *told, "knee" if row.knee else row.reason or ""]))
        by_name = {row.to: row for row in found.rows if row.where == "space" and row.recall_10 is not None}
        curve = {name: round(by_name[name].recall_10, 3) for name in CARD if name in by_name}
        again = {
            f"{name} re-ranked": round(by_name[name].reranked_10, 3) for name in ("binary", "pq-16") if name in by_name
        }
        print(f"compression={ {**curve, **again} }")


if __name__ == "__main__":
    main()
