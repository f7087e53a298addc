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
from sonovec.vectors import cosines, nearest_others


def vectors(model: str, weights: str | None, precision: str, clips: list[Path]) -> np.ndarray:
    encoder = sonovec.load(model, weights=weights, precision=precision)
    print(f"{model} in {encoder.passport.precision}")
    return np.stack([result.vector for result in encoder.embed_many(clips)])


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
    alike = cosines(exact, low)
    changed = (nearest_others(exact) != nearest_others(low)).mean()
    print(f"{len(clips)} clips: lowest cosine {alike.min():.6f}, median {np.median(alike):.6f}")
    print(f"nearest neighbour changed: {changed:.2%}")


if __name__ == "__main__":
    main()
