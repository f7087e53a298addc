"""Whether pre-training helps a linear probe: python bench/pretraining.py ENCODER... [--size tiny] [--seeds 1].

Beside the encoders, which `sonovec pretrain` made, are random weights of the size. All weights are frozen. A sound is the
mean of the frames of one layer, and a logistic regression names it (`sonovec.evaluation.metrics`). The layer is chosen by the
digits of FSDD with the indices 5 to 9, and a regression on those from 10 on. What is printed are the official test digits, 0
to 4, by a regression on all from 5 on, and ESC-10 by its own five folds, with the same layer; ESC-10 chooses nothing. The
last rows are the log-mel statistics of sonovec, which have learned nothing.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import common
import numpy as np

import sonovec
from sonovec.evaluation.metrics import probe, probes
from sonovec.speech.pretraining import network

DIGIT = re.compile(r"(\d)_.*_(\d+)\.flac")
#: Digits below the first index are tested, and those below the second choose the layer.
TESTED, CHOOSING = 5, 10


def loaded(folder: str, layer: object) -> sonovec.Encoder:
    """An encoder that gives one of its layers, where it has some."""
    return sonovec.load(folder, **({} if layer is None else {"layer": layer}))


def vectors(encoder: sonovec.Encoder, paths: list[Path]) -> np.ndarray:
    """A vector for each sound."""
    return np.stack([each.vector for each in encoder.embed_many(paths)])


def right(known: np.ndarray, labels: np.ndarray, tested: np.ndarray) -> float:
    """Share of the tested sounds that a regression on the others names rightly."""
    found = probes(known, list(labels), {"clean": known}, folds=tested.astype(int))["clean"].predicted
    return float((np.array(found)[tested] == labels[tested]).mean())


def rows(name: str, layers: list[object], folder: str, digits: list[Path], clips: list[Path]) -> Iterator[str]:
    """A line of the table for an encoder."""
    named = [DIGIT.findall(path.name)[0] for path in digits]
    labels, index = np.array([digit for digit, _ in named]), np.array([int(number) for _, number in named])
    learned = index >= TESTED
    best: tuple[float, object, np.ndarray] = (-1.0, None, np.empty(0))
    told = []
    for layer in layers:
        known = vectors(loaded(folder, layer), digits)
        chosen = right(known[learned], labels[learned], index[learned] < CHOOSING)
        told.append(f"{layer}: {chosen:.1%}")
        if chosen > best[0]:
            best = chosen, layer, known
    tested = right(best[2], labels, index < TESTED)
    encoder = loaded(folder, best[1])
    classes, folds = [path.parent.name for path in clips], [int(path.name[0]) for path in clips]
    esc = probe(vectors(encoder, clips), classes, folds).value
    yield f"| {name} | {'' if best[1] is None else best[1]} | {best[0]:.1%} | {tested:.1%} | {esc:.1%} |"
    if len(told) > 1:
        yield f"<!-- {name}, by layer: {', '.join(told)} -->"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoders", nargs="*", type=Path)
    parser.add_argument("--size", default="tiny")
    parser.add_argument("--seeds", type=common.positive, default=1, help="random weights")
    parser.add_argument("--most", type=common.positive, default=50, help="digits with smaller indices alone")
    given = parser.parse_args()
    fsdd = sorted((common.data_folder() / "fsdd").glob("*.flac"))
    digits = [path for path in fsdd if int(DIGIT.findall(path.name)[0][1]) < given.most]
    clips = sorted((common.data_folder() / "esc10").glob("*/*.ogg"))
    if not (fsdd and clips):
        parser.error(f"no fsdd and esc10 in {common.data_folder()}; set SONOVEC_DATA to the folder that holds them")
    print("| encoder | layer | digits 5 to 9 | test digits | ESC-10 |\n| --- | --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as place:
        for seed in range(given.seeds):
            folder = Path(place, f"random-{seed}")
            network.random(given.size, seed).save(folder)
            given.encoders.append(folder)
        for folder in given.encoders:
            layers = list(range(1 + int(json.loads((folder / "config.json").read_text())["num_hidden_layers"])))
            for line in rows(folder.name, layers, str(folder), digits, clips):
                print(line, flush=True)
        for line in rows("log-mel statistics", [None], "logmel", digits, clips):
            print(line, flush=True)


if __name__ == "__main__":
    main()
