"""What a lower precision costs on real clips: lowest cosine with float32, and how many nearest neighbours change.

    python bench/precision.py efficientat-mn04 --weights mn04_as_mAP_432.pt --precision bf16

Reads ESC-10 in SONOVEC_DATA; the neighbours are those of clip vectors, by cosine.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

import sonovec


def vectors(model: str, weights: str | None, precision: str, clips: list[Path]) -> np.ndarray:
    encoder = sonovec.load(model, weights=weights, precision=precision)
    print(f"{model} in {encoder.passport.precision}")
    rows = np.stack([result.vector for result in encoder.embed_many(clips)])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def nearest(rows: np.ndarray) -> np.ndarray:
    similarity = rows @ rows.T
    np.fill_diagonal(similarity, -2)
    return similarity.argmax(axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--weights")
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--files", type=int, default=400)
    options = parser.parse_args()
    data = Path(os.environ.get("SONOVEC_DATA", "../shared/data"))
    clips = sorted(data.glob("esc10/*/*.ogg"))[:: max(1, 400 // options.files)]
    exact, low = (vectors(options.model, options.weights, name, clips) for name in ("f32", options.precision))
    cosines = (exact * low).sum(axis=1)
    changed = (nearest(exact) != nearest(low)).mean()
    print(f"{len(clips)} clips: lowest cosine {cosines.min():.6f}, median {np.median(cosines):.6f}")
    print(f"nearest neighbour changed: {changed:.2%}")


if __name__ == "__main__":
    main()
