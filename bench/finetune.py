"""A fine-tuned encoder against the probe of the same encoder frozen, fold by fold, with figures by class.

    python bench/finetune.py ../shared/data/esc10 --folds '^(\\d)-' --group '^\\d-(\\d+)-' -m default --work work

For each fold, the encoder is fine-tuned on the others; what says when to end is held out of those, whole recordings at a
time, and the fold itself is heard only at the end. A sound is named by its clip vector: by the head that was trained with the
encoder, and by a linear probe (`sonovec.evaluation.metrics`) on its vectors; the ratio is that of errors, to the probe on the
frozen encoder. What is done lies in --work, so that the same command goes on where it was ended.

With --shots 5, only so many sounds of each class are drawn from the other folds to train on, the same for all columns.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

import sonovec
from sonovec.embedding.encoder import Encoder
from sonovec.evaluation.dataset import Dataset, read
from sonovec.evaluation.metrics import probes
from sonovec.learn.detector import Detector
from sonovec.learn.fit import fit
from sonovec.learn.labelled import LabelSet
from sonovec.learn.labels import read as read_labels
from sonovec.learn.tuning.finetune import DETECTOR, finetune
from sonovec.learn.tuning.plan import FROM_SCRATCH, Plan
from sonovec.models import scratch
from sonovec.models.registry import resolve


def main() -> None:
    """Run the folds that are asked for, and print a table."""
    arguments = _parser().parse_args()
    plan = replace(FROM_SCRATCH if arguments.from_scratch else Plan(), **json.loads(arguments.plan))
    dataset = read(arguments.dataset, arguments.folds)
    assert dataset.folds is not None
    labels = read_labels(arguments.dataset, group=arguments.group)
    results = {}
    for name in arguments.only.split(",") if arguments.only else sorted(set(dataset.folds)):
        file = arguments.work / f"{name}.json"
        if not file.exists():
            drawn = _drawn(dataset, name, arguments.shots, plan.seed)
            found = _fold(name, drawn, labels, plan, arguments)
            file.write_text(json.dumps(found, indent=1), encoding="utf-8")
        results[name] = json.loads(file.read_text(encoding="utf-8"))
        print(name, {key: round(float(np.mean(value)), 4) for key, value in results[name]["right"].items()}, flush=True)
    _print(results)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("dataset", type=Path)
    made.add_argument("--folds", required=True, help="a regular expression on file names: what is one fold")
    made.add_argument("--group", required=True, help="the same: what is one recording")
    made.add_argument("--only", help="some of the folds, by commas")
    made.add_argument("-m", "--model", default="default")
    made.add_argument("--from-scratch", action="store_true")
    made.add_argument("--plan", default="{}", help="settings other than the defaults, in JSON")
    made.add_argument("--shots", type=int, help="sounds of each class to train on; all without it")
    made.add_argument("--work", type=Path, required=True)
    return made


def _drawn(dataset: Dataset, name: str, shots: int | None, seed: int) -> Dataset:
    """The sounds of a fold, and of each class so many of the others'."""
    assert dataset.folds is not None
    if shots is None:
        return dataset
    folds, labels = np.array(dataset.folds), np.array(dataset.labels)
    rng = np.random.default_rng([seed, shots, *name.encode()])
    others = [np.flatnonzero((labels == each) & (folds != name)) for each in np.unique(labels)]
    rows = np.concatenate([np.flatnonzero(folds == name), *(rng.choice(each, shots, replace=False) for each in others)])
    return dataset.only([dataset.paths[row] for row in rows.tolist()])


def _fold(
    name: str, dataset: Dataset, labels: LabelSet, plan: Plan, arguments: argparse.Namespace
) -> dict[str, object]:
    chosen = {path for path, each in zip(dataset.paths, dataset.folds or (), strict=True) if each != name}
    rest = replace(labels, labels=tuple(each for each in labels.labels if each.path in chosen))
    output = arguments.work / f"fold-{name}"
    told: list[str] = []

    def tell(progress: sonovec.Progress) -> None:
        if progress.stage == "fine-tuning" and (note := progress.note.split("; ")[-1]) not in told[-1:]:
            told.append(note)
            print(f"{name}: step {progress.done} of {progress.total}; {note}", flush=True)

    if not output.exists():
        finetune(rest, output, arguments.model, plan=plan, from_scratch=arguments.from_scratch, progress=tell)
    weights = scratch.write(resolve(arguments.model), arguments.work, plan.seed) if arguments.from_scratch else None
    detector = Detector.load(output / DETECTOR)
    frozen, tuned = (
        _vectors(each, dataset) for each in (sonovec.load(arguments.model, weights=weights), sonovec.load(output))
    )
    folds = ["tested" if each == name else "trained" for each in dataset.folds or ()]
    tested = [row for row, each in enumerate(folds) if each == "tested"]
    truth = [dataset.labels[row] for row in tested]
    said = {
        "probe of the frozen encoder": _probed(frozen, dataset, folds),
        "sonovec train on the frozen encoder": _headed(frozen, dataset, folds),
        "probe of the tuned encoder": _probed(tuned, dataset, folds),
        "head of the tuned encoder": [
            detector.classes[best] for best in detector.probabilities(tuned[tested]).argmax(1)
        ],
    }
    right = {key: [a == b for a, b in zip(truth, said_, strict=True)] for key, said_ in said.items()}
    return {"truth": truth, "right": right, "plan": asdict(plan)}


def _vectors(encoder: Encoder, dataset: Dataset) -> np.ndarray:
    return np.stack([embedding.vector for embedding in encoder.embed_many(dataset.paths)])


def _probed(vectors: np.ndarray, dataset: Dataset, folds: list[str]) -> list[str]:
    """What the probe says of the fold that is tested; it is trained on the others, as fine-tuning is."""
    found = probes(vectors, dataset.labels, {"": vectors}, folds)[""].predicted
    return [said for said, each in zip(found, folds, strict=True) if each == "tested"]


def _headed(vectors: np.ndarray, dataset: Dataset, folds: list[str]) -> list[str]:
    """What a head says that is fitted as by `sonovec train`, each sound in a group of its own."""
    train, labels = np.array(folds) == "trained", np.array(dataset.labels)
    classes = np.unique(labels)
    head = fit(vectors[train], (labels[train, None] == classes).astype(np.int8)).head
    return classes[head.probabilities(vectors[~train]).argmax(axis=1)].tolist()


def _print(results: dict[str, dict]) -> None:
    truth = np.array([each for result in results.values() for each in result["truth"]])
    names = list(next(iter(results.values()))["right"])
    right = {key: np.array([each for result in results.values() for each in result["right"][key]]) for key in names}
    print(
        f"\n| class ({len(results)} folds, {len(truth)} sounds) | "
        + " | ".join(names)
        + " |\n| --- |"
        + " --- |" * len(names)
    )
    for label in [*sorted(set(truth)), None]:
        rows = truth == label if label else np.ones(len(truth), bool)
        print(f"| {label or 'all'} | " + " | ".join(f"{100 * right[key][rows].mean():.1f}" for key in names) + " |")
    errors = {key: 1 - each.mean() for key, each in right.items()}
    print(
        "\nerrors, to those of the first: "
        + ", ".join(f"{errors[key] / max(errors[names[0]], 1e-9):.2f}" for key in names)
    )


if __name__ == "__main__":
    main()
