"""What is lost when a clip is cut short, and whether what is missing of a window is padded, dropped or repeated.

    python bench/padding.py --sounds train --models default yamnet=yamnet.tflite -o padding.json
    python bench/padding.py --draw padding.json --pictures docs/pictures

Each clip is cut to a number of windows of the encoder, from where it begins to sound. The cut is then searched for among all
whole clips. For each length and policy: the cosine of cut and whole, how often the whole clip is found first, how many of
the whole clip's 10 nearest others are among the cut's 10 nearest, and the mean average precision of its class where the
sounds have classes. The last figure says whether short sounds attract each other: in a library that is half whole and half
cut, the share of cut clips among the 10 nearest of a cut one, which is one half where the length does not matter.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import common
import numpy as np

import sonovec
from sonovec.audio.stream import load
from sonovec.embedding.embedding import Embedding
from sonovec.evaluation.metrics import retrieval
from sonovec.vectors import unit

#: Lengths of a cut, in windows.
CUTS = (0.1, 0.25, 0.5, 1, 1.25, 1.5, 2, 2.5, 3)
POLICIES = ("pad", "drop", "repeat")
#: Seconds of a whole clip at most, windows that it has at least, and clips of one set of the training audio at most.
LONGEST, LEAST_WINDOWS, MOST_OF_SET = 10.0, 3, 60
NEAREST = 10
MEASURES = ("cosine", "first", "recall", "map", "short")


def clips(source: str, seconds: float) -> tuple[list[Path], list[str]]:
    """Files of clips that are long enough, and their classes, which the training audio does not have."""
    root = common.data_folder()
    if source == "esc10":
        found = sorted((root / "esc10").glob("*/*.ogg"))
        return found, [path.parent.name for path in found]
    by_set = defaultdict(list)
    with (root / "train" / "index.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if float(row["seconds"]) >= seconds:
                by_set[row["set"]].append(root / "train" / row["path"])
    return [path for paths in by_set.values() for path in paths[:: math.ceil(len(paths) / MOST_OF_SET)]], []


def sounding(path: Path, rate: int) -> np.ndarray:
    """A clip from where it begins to sound."""
    samples = load(path, rate).samples
    loud = np.flatnonzero(np.abs(samples) > 0.05 * np.abs(samples).max(initial=1e-9))
    return samples[loud[0] if len(loud) else 0 :][: int(LONGEST * rate)]


def cut(samples: np.ndarray, windows: float, length: int, policy: str) -> np.ndarray:
    """The first so many windows of a clip; repeated until the last window is full, if that is the policy."""
    some = samples[: round(windows * length)]
    return np.resize(some, math.ceil(windows) * length) if policy == "repeat" else some


def differs(windows: float, policy: str) -> bool:
    """Whether a policy gives other vectors than padding: a full window needs none, and one that is alone is never dropped."""
    return policy == "pad" or (windows % 1 > 0 and (windows > 1 or policy != "drop"))


def vectors(encoder: sonovec.Encoder, sounds: Iterator[np.ndarray]) -> np.ndarray:
    """Clip vectors of unit length."""
    rows = []
    for result in encoder.embed_many((sound, encoder.rate) for sound in sounds):
        assert isinstance(result, Embedding), result.reason
        rows.append(result.vector)
    return unit(np.stack(rows))


def nearest(scores: np.ndarray) -> np.ndarray:
    """The 10 nearest others of each row of a square of scores."""
    others = scores.copy()
    np.fill_diagonal(others, -np.inf)
    return np.argsort(-others, axis=1, kind="stable")[:, :NEAREST]


def measured(short: np.ndarray, whole: np.ndarray, labels: Sequence[str]) -> dict[str, float | None]:
    """What searches for cut clips among whole ones give."""
    scores = short @ whole.T
    own = np.diag(scores)
    of_whole, of_short = nearest(whole @ whole.T), nearest(scores)
    shared = [len(set(a) & set(b)) / NEAREST for a, b in zip(of_whole.tolist(), of_short.tolist(), strict=True)]
    is_short = np.random.default_rng(0).permutation(len(whole)) < len(whole) // 2
    mixed = np.where(is_short[:, None], short, whole)
    attracted = is_short[nearest(short @ mixed.T)[is_short]].mean()
    return {
        "cosine": float(np.median(own)),
        "first": float(np.mean((scores > own[:, None]).sum(axis=1) == 0)),
        "recall": float(np.mean(shared)),
        "map": retrieval(whole, labels, queries=short)[0].value if labels else None,
        "short": float(attracted / ((is_short.sum() - 1) / (len(whole) - 1)) / 2),
    }


def measure(model: str, weights: str | None, source: str) -> dict[str, object]:
    """All figures of one encoder on one set of sounds."""
    encoder = sonovec.load(model, weights=weights)
    dropping = sonovec.load(model, weights=weights, tail="drop")
    length = encoder.window.length
    paths, labels = clips(source, (LEAST_WINDOWS + 0.1) * length / encoder.rate)
    heard = [sounding(path, encoder.rate) for path in paths]
    most = 2.0 if source == "esc10" else LEAST_WINDOWS
    kept = [place for place, samples in enumerate(heard) if len(samples) >= most * length]
    heard, labels = [heard[place] for place in kept], [labels[place] for place in kept if labels]
    whole = vectors(encoder, iter(heard))
    rows = []
    for windows in (each for each in CUTS if each <= most):
        for policy in (each for each in POLICIES if differs(windows, each)):
            used = dropping if policy == "drop" else encoder
            short = vectors(used, (cut(samples, windows, length, policy) for samples in heard))
            rows.append({"windows": windows, "policy": policy, **measured(short, whole, labels)})
            print(source, model, rows[-1], flush=True)
    whole_map = retrieval(whole, labels)[0].value if labels else None
    return {
        "model": encoder.card.name,
        "sounds": source,
        "clips": len(heard),
        "window": length / encoder.rate,
        "map": whole_map,
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sounds", nargs="+", choices=["train", "esc10"], default=["train", "esc10"])
    parser.add_argument("--models", nargs="+", default=["default"], metavar="NAME[=WEIGHTS]")
    parser.add_argument("-o", "--output", type=Path, default=Path("padding.json"))
    arguments = parser.parse_args()
    results = []
    for source in arguments.sounds:
        for model in arguments.models:
            name, _, weights = model.partition("=")
            results.append(measure(name, weights or None, source))
            arguments.output.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
