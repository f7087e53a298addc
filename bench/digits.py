"""Spoken digits by a recogniser that was trained here from random weights, with pre-training and without.

    python bench/digits.py ../shared/data/fsdd --pretrained my-wav2vec --work work

The Free Spoken Digit Dataset has 3,000 digits of six speakers; those with the index 0 to 4 are its test part, and are heard
only at the end. Of the rest, whole indices are held out, and say which epoch is taken. Both columns have the same settings,
the same order of sounds and the same seeds; an error is a digit that is not written exactly. What is done lies in --work, so
that the same command goes on where it was ended. Without --pretrained there is one column.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sonovec.paths import from_text
from sonovec.speech import corpus
from sonovec.speech.corpus import FSDD, Corpus
from sonovec.speech.training.plan import FROM_SCRATCH, Plan
from sonovec.speech.training.train import REPORT, train

#: The first indices are the official test part.
TEST = 5
#: What is held out together: all digits of one index.
GROUP = r"_(\d+)\.flac$"


def main() -> None:
    """Run what is asked for, and print a table."""
    arguments = _parser().parse_args()
    if arguments.threads:
        import torch

        torch.set_num_threads(arguments.threads)
    plan = replace(FROM_SCRATCH, **json.loads(arguments.plan))
    starts = {"random": None, "pretrained": arguments.pretrained} if arguments.pretrained else {"random": None}
    if arguments.only:
        starts = {arguments.only: starts[arguments.only]}
    rows = []
    for seed in map(int, arguments.seeds.split(",")):
        reports = [_run(name, start, replace(plan, seed=seed), arguments) for name, start in starts.items()]
        rows.append([100 * report["test_scores"]["ser"]["value"] for report in reports])
        told = [f"{error:5.1f} % (epoch {report['best']})" for error, report in zip(rows[-1], reports, strict=True)]
        print(f"seed {seed}", *told, sep="\t", flush=True)
    _print(list(starts), np.array(rows))


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("fsdd", type=Path)
    made.add_argument("--pretrained", help="the folder of `sonovec pretrain`")
    made.add_argument("--only", choices=["random", "pretrained"], help="one column, so that two processes share --work")
    made.add_argument("--size", default="tiny")
    made.add_argument("--seeds", default="0,1,2")
    made.add_argument("--plan", default="{}", help="settings other than those for random weights, in JSON")
    made.add_argument("--threads", type=int, help="of PyTorch")
    made.add_argument("--work", type=Path, required=True)
    return made


def _run(name: str, start: str | None, plan: Plan, arguments: argparse.Namespace) -> dict[str, Any]:
    """The report of one run, made now or before."""
    folder = arguments.work / f"{name}-{plan.seed}"
    if not (folder / REPORT).exists():
        sounds = corpus.read(arguments.fsdd)
        train(
            _part(sounds, is_test=False).grouped(GROUP),
            folder,
            start,
            plan=plan,
            size=None if start else arguments.size,
            test=_part(sounds, is_test=True),
            progress=True,
        )
    found: dict[str, Any] = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    return found


def _part(sounds: Corpus, is_test: bool) -> Corpus:
    """The test part, or the rest."""

    def index(path: str) -> int:
        found = FSDD.fullmatch(from_text(path).stem)
        assert found is not None
        return int(found[3])

    return replace(sounds, utterances=tuple(u for u in sounds.utterances if (index(u.path) < TEST) == is_test))


def _print(names: list[str], errors: np.ndarray) -> None:
    print("\ndigit error, %", *names, sep="\t")
    for name, values in (("mean", errors.mean(0)), ("lowest", errors.min(0)), ("highest", errors.max(0))):
        print(name, *(f"{value:.1f}" for value in values), sep="\t")
    if len(names) == 2:
        print(f"ratio\t{errors[:, 1].mean() / max(errors[:, 0].mean(), 1e-9):.2f}")


if __name__ == "__main__":
    main()
