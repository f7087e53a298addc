"""How many answers a person gives until a detector is good: python bench/active_learning.py [--kinds KINDS].

The loop of `sonovec label`, with the true classes in place of the person. The sounds are indexed, and then the session's own
proposer asks about one after the other. Two tasks:

- one class: a person looks for one kind of sound, from one example of it. Measured by average precision.
- all classes: one example of each class is given, and each answer names the class. Measured by accuracy.

Each is measured on sounds that are not in the library that is labelled: the folds of ESC-10, and elsewhere halves by chance.
Settings were chosen by the training audio: `instruments` (Philharmonia's notes by instrument) and `effects` (other sets, by
words in the names of their files). ESC-10 shows what they do with other sounds.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import common
import numpy as np
from sklearn.metrics import average_precision_score

import sonovec
from sonovec.learn.pool import Pool, read
from sonovec.learn.proposer import Proposer
from sonovec.learn.standing import UNASKED, Standing
from sonovec.learn.strategies import TURNS
from sonovec.paths import from_text

#: Sets of the training audio that are heard as effects, and words in the names of files that name one kind of sound.
EFFECTS = (
    "berklee",
    "cdda",
    "sonic_pi",
    "lmms",
    "rse",
    "antum_sounds",
    "dsurround",
    "doggy_daycare",
    "repixture",
    "openclonk",
)
WORDS = (
    *("water", "glass", "door", "bell", "thunder", "footstep", "dog", "guitar", "piano", "synth", "snare", "bird"),
    *("explosion", "whistle", "rain", "tabla", "crow", "squeak", "rattle", "tape", "drill", "trashcan", "cymbal"),
    *("theremin", "kick", "shaker", "voice"),
)
#: A class of fewer sounds is not asked for; sounds without a class that are kept; classes that are looked for.
FEWEST, NAMELESS, MOST_CLASSES = 16, 800, 12
#: After so many answers the head is measured.
CHECKS = {"one class": (0, 2, 5, 10, 15, 20, 30, 40), "all classes": (0, 10, 20, 30, 40, 60, 80)}
STRATEGIES = tuple(TURNS)


@dataclass(frozen=True)
class Sounds:
    """Segments with their classes (empty: none that is looked for) and folds (-1: halves are drawn)."""

    pool: Pool
    labels: np.ndarray
    folds: np.ndarray


def folders(kinds: str) -> list[Path]:
    """What is indexed."""
    root = common.data_folder()
    if kinds == "esc10":
        return [root / "esc10"]
    return [root / "train" / name for name in (("philharmonia",) if kinds == "instruments" else EFFECTS)]


def sounds(kinds: str, pool: Pool) -> Sounds:
    """Those of a library, with their true classes."""
    paths = [from_text(pool.path(row)) for row in range(len(pool))]
    if kinds == "esc10":
        labels = np.array([path.parent.name for path in paths])
        return Sounds(pool, labels, np.array([int(path.name[0]) for path in paths]))
    names = _source_names()
    first = np.flatnonzero(pool.times[:, 0] == 0)
    labels = np.array([_kind(kinds, names[paths[row].name]) for row in first])
    counts = Counter(labels.tolist())
    labels[[counts[label] < FEWEST for label in labels]] = ""
    nameless = np.random.default_rng(0).permutation(np.flatnonzero(labels == ""))[NAMELESS:]
    kept = np.setdiff1d(np.arange(len(first)), nameless)
    return Sounds(part(pool, first[kept]), labels[kept], np.full(len(kept), -1))


def _source_names() -> dict[str, str]:
    with (common.data_folder() / "train" / "index.csv").open(encoding="utf-8") as file:
        return {Path(row["path"]).name: row["source_name"].lower() for row in csv.DictReader(file)}


def _kind(kinds: str, name: str) -> str:
    if kinds == "instruments":
        return Path(name).name.partition("_")[0]
    named = [word for word in WORDS if word in name]
    return named[0] if len(named) == 1 else ""


def part(pool: Pool, rows: np.ndarray) -> Pool:
    """Some rows of a pool."""
    return Pool(pool.tracks, pool.paths, pool.codes[rows], pool.times[rows], pool.vectors[rows])


def splits(given: Sounds, seeds: int) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Rows that are labelled, rows that are measured, and a seed."""
    for seed in range(seeds):
        if (given.folds < 0).all():
            order = np.random.default_rng(seed).permutation(len(given.labels))
            yield np.sort(order[::2]), np.sort(order[1::2]), seed
            continue
        for fold in np.unique(given.folds):
            yield np.flatnonzero(given.folds != fold), np.flatnonzero(given.folds == fold), seed


def ask(
    pool: Pool, truth: np.ndarray, first: Sequence[int], strategy: str, checks: Sequence[int], seed: int
) -> Iterator[Proposer | Any]:
    """The loop: give the true answer to each question, and what is known at each of some numbers of answers."""
    verdicts = np.full(truth.shape, UNASKED, np.int8)
    verdicts[list(first)] = truth[list(first)]
    proposer = Proposer(pool, truth.shape[1], strategy, seed=seed)
    for answers in range(checks[-1] + 1):
        standing = Standing(verdicts.copy())
        if answers in checks:
            yield proposer.head(standing)
        row = proposer.choose(standing, 1)[0].row
        verdicts[row] = truth[row]


def one_class(given: Sounds, strategy: str, seeds: int) -> np.ndarray:
    """Average precision, (runs, checks): a run for each class, split and seed."""
    classes = [name for name, count in sorted(Counter(given.labels.tolist()).items()) if name and count >= FEWEST]
    found = []
    for train, test, seed in splits(given, seeds):
        pool = part(given.pool, train)
        for number, name in enumerate(classes[:: max(1, len(classes) // MOST_CLASSES)]):
            truth = (given.labels[train] == name)[:, None].astype(np.int8)
            heard = given.labels[test] == name
            if not truth.any() or not heard.any():
                continue
            first = np.random.default_rng([seed, number]).choice(np.flatnonzero(truth), 1)
            heads = ask(pool, truth, first, strategy, CHECKS["one class"], seed)
            scores = [head.scores(given.pool.vectors[test])[:, 0] for head in heads]
            found.append([average_precision_score(heard, each) for each in scores])
    return np.array(found)


def all_classes(given: Sounds, strategy: str, seeds: int) -> np.ndarray:
    """Accuracy, (runs, checks): a run for each split and seed; sounds without a class take no part."""
    classes = [name for name, count in sorted(Counter(given.labels.tolist()).items()) if name and count >= FEWEST]
    found = []
    for train, test, seed in splits(given, seeds):
        train, test = (rows[np.isin(given.labels[rows], classes)] for rows in (train, test))
        truth = (given.labels[train][:, None] == classes).astype(np.int8)
        rng = np.random.default_rng(seed)
        first = [int(rng.choice(np.flatnonzero(column))) for column in truth.T]
        heads = ask(part(given.pool, train), truth, first, strategy, CHECKS["all classes"], seed)
        said = [head.scores(given.pool.vectors[test]).argmax(axis=1) for head in heads]
        found.append([np.mean(given.labels[test] == np.array(classes)[each]) for each in said])
    return np.array(found)


TASKS = {"one class": (one_class, "average precision"), "all classes": (all_classes, "accuracy")}


def draw(report: dict[str, Any], target: Path) -> None:
    """The curves, a panel for each task."""
    from sonovec.charts import empty, save

    colours = {"mix": "#2367a8", "uncertain": "#0b8457", "likely": "#c2571a", "diverse": "#8f5fa8", "random": "#6b7680"}
    figure = empty(10, 4.2)
    panels = figure.subplots(1, len(report["tasks"]), squeeze=False)[0]
    for axes, (task, told) in zip(panels, report["tasks"].items(), strict=True):
        for strategy, curve in told["curves"].items():
            style = {"linestyle": "--"} if strategy == "random" else {"linewidth": 2.2 if strategy == "mix" else 1.4}
            axes.plot(told["answers"], curve["mean"], color=colours[strategy], label=strategy, **style)
            low, high = (np.array(curve["mean"]) + sign * np.array(curve["error"]) for sign in (-1, 1))
            axes.fill_between(told["answers"], low, high, color=colours[strategy], alpha=0.12, linewidth=0)
        axes.set_xlabel("answers, after one example" + (" of each class" if task == "all classes" else ""))
        axes.set_ylabel(told["measure"])
        axes.set_title(f"{task}: {told['runs']} runs", fontsize=10)
        axes.grid(color="#e4e7eb", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=9, loc="lower right")
    save(figure, target)


def measure(given: Sounds, tasks: Sequence[str], strategies: Sequence[str], seeds: int) -> dict[str, Any]:
    """Curves of all strategies, as JSON can hold them."""
    told: dict[str, Any] = {}
    for task in tasks:
        run, name = TASKS[task]
        curves = {}
        for strategy in strategies:
            began = time.perf_counter()
            found = run(given, strategy, seeds)
            error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
            curves[strategy] = {"mean": found.mean(axis=0).round(3).tolist(), "error": error.round(3).tolist()}
            print(f"{task:12} {strategy:10} {curves[strategy]['mean']} {time.perf_counter() - began:.0f} s", flush=True)
        told[task] = {"measure": name, "answers": list(CHECKS[task]), "runs": len(found), "curves": curves}
    return {"segments": len(given.pool), "tasks": told}


def main() -> None:
    """Index, ask, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", choices=["esc10", "instruments", "effects"], default="esc10")
    parser.add_argument("--library", type=Path, help="keep the library here, or take the one that is here")
    parser.add_argument("--model", default="default")
    parser.add_argument("--seeds", type=common.positive, default=2)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=list(STRATEGIES))
    parser.add_argument("--picture", type=Path, help="draw the curves here, as PNG")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    with TemporaryDirectory() as scratch:
        with sonovec.Library(given.library or Path(scratch, "library"), model=given.model) as library:
            library.add(folders(given.kinds), progress=True)
            pool = read(library, "main")
        wanted = {str(folder) for folder in folders(given.kinds)}
        rows = [row for row in range(len(pool)) if wanted & set(map(str, from_text(pool.path(row)).parents))]
        report = measure(sounds(given.kinds, part(pool, np.array(rows))), given.tasks, given.strategies, given.seeds)
    if given.json:
        given.json.write_text(json.dumps(report, indent=1), encoding="utf-8")
    if given.picture:
        draw(report, given.picture)


if __name__ == "__main__":
    main()
