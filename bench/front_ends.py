"""What each family's front end takes, beside a former version: python bench/front_ends.py --before PATH_OF_FORMER_SRC.

The baseline is the sources in another folder, such as a checkout of an earlier version. Each version runs in a process of its
own on the same windows of noise, with one thread; they take turns, round by round, and the time of the processor counts, not
that on the wall, so that other work on the machine matters less. The ratio is that of the shortest times. The last column is
how far any number of the spectrograms is from the baseline's.

    python bench/front_ends.py --before ../before/src [--rounds 30] [--families logmel,vggish] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import common
import numpy as np

Features = Callable[[np.ndarray, np.ndarray], Any]
#: Seconds of sound that a front end is given at once, at least.
SECONDS = 10
ROUNDS = 20
#: What a folder in Hugging Face's layout says of the published models.
PUBLISHED = SimpleNamespace(processor={}, config={"num_mel_bins": 80})


def families() -> dict[str, tuple[Features, int, int]]:
    """By family: its features, its rate, and the samples of one window."""
    from sonovec.models import ast, builtin, byola, clap, efficientat, logmel, openl3, panns, vggish, w2v_bert, whisper

    cnn14 = panns.KINDS["panns-cnn14"]
    fused, heard, said = (family._front_end(PUBLISHED) for family in (clap, w2v_bert, whisper))
    seen = ast._front_end(SimpleNamespace(processor={}, config={"num_mel_bins": 128}))
    frames = 1024
    return {
        "logmel": (logmel.statistics, logmel.FRONT_END.rate, logmel.WINDOW.length),
        "sonovec-1": (builtin.spectrograms, builtin.FRONT_END.rate, builtin.WINDOW.length),
        "vggish": (lambda samples, coverage: vggish.VGGISH(samples), vggish.VGGISH.rate, vggish.WINDOW.length),
        "panns": (partial(panns._spectrograms, cnn14), cnn14.front_end.rate, 10 * cnn14.front_end.rate),
        "efficientat": (efficientat.spectrograms, efficientat.FRONT_END.rate, efficientat.WINDOW.length),
        "byola": (partial(byola._spectrograms, byola.FRONT_END), byola.FRONT_END.rate, byola.WINDOW.length),
        "openl3": (lambda samples, coverage: openl3.spectrograms(samples), openl3.FRONT_END.rate, openl3.WINDOW.length),
        "ast": (
            partial(ast.spectrograms, front_end=seen, frames=frames, normalisation=(-4.2677393, 9.1379948)),
            seen.rate,
            frames * seen.hop_length + seen.window_length - seen.hop_length,
        ),
        "clap": (
            partial(clap.spectrograms, front_end=fused, views=1, padding="repeatpad"),
            fused.rate,
            10 * fused.rate,
        ),
        "w2v-bert": (partial(w2v_bert.stacked, front_end=heard, stride=2, least=560), heard.rate, 10 * heard.rate),
        "whisper": (partial(whisper.spectrograms, front_end=said), said.rate, 30 * said.rate),
    }


class Side:
    """A version of sonovec in a process of its own, which computes a family's features when it is asked."""

    def __init__(self, src: Path) -> None:
        if not (src / "sonovec").is_dir():
            raise SystemExit(f"{src}: holds no folder sonovec; give the folder src of a version of sonovec")
        variables = {**os.environ, "PYTHONPATH": str(src.resolve()), "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, __file__, "--side"]
        self._process = subprocess.Popen(
            command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, family: str, into: Path | None = None) -> float:
        """Milliseconds of processor time for a second of sound; the features go into a file."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps([family, into and str(into)]), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"the process that computes {family} ended with {self._process.wait()}")
        return float(answer)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def serve() -> None:
    """Be a side."""
    known = families()
    for line in sys.stdin:
        family, into = json.loads(line)
        features, rate, length = known[family]
        n = max(1, SECONDS * rate // length)
        samples = (0.1 * np.random.default_rng(0).standard_normal((n, length))).astype(np.float32)
        coverage = np.ones(n, np.float32)
        began = time.thread_time()
        found = features(samples, coverage)
        took = time.thread_time() - began
        if into:
            np.save(into, np.stack(list(found)))
        print(1000 * took * rate / samples.size, flush=True)


def measure(before: Side, after: Side, family: str, rounds: int, folder: Path) -> dict[str, float]:
    """The shortest times of both, and how far the features are apart."""
    files = [folder / f"{family}-{number}.npy" for number in range(2)]
    for side, file in zip((before, after), files, strict=True):
        side.ask(family, file)
    times = [(before.ask(family), after.ask(family)) for _ in range(rounds)]
    old, new = map(min, zip(*times, strict=True))
    difference = np.abs(np.load(files[0]).astype(np.float64) - np.load(files[1])).max()
    return {
        "before": round(old, 4),
        "after": round(new, 4),
        "ratio": round(new / old, 3),
        "difference": float(f"{difference:.1e}"),
    }


def main() -> None:
    arguments = parse()
    if arguments.side:
        serve()
        return
    before, after = Side(arguments.before), Side(common.ROOT / "src")
    found = {}
    with TemporaryDirectory() as folder, common.sides(before, after):
        for family in arguments.families or families():
            found[family] = measure(before, after, family, arguments.rounds, Path(folder))
            if not arguments.json:
                if len(found) == 1:
                    print("ms of processor time for a second of sound; the ratio is new / old")
                    print(FORMAT.format("family", *found[family]))
                print(FORMAT.format(family, *found[family].values()), flush=True)
    if arguments.json:
        print(json.dumps({"machine": common.machine(), "baseline": str(arguments.before), "families": found}, indent=1))


FORMAT = "{:14}{:>10}{:>10}{:>8}{:>12}"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="the folder `src` of a former version")
    parser.add_argument("--rounds", type=common.positive, default=ROUNDS)
    parser.add_argument("--families", type=lambda text: text.split(","))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.side and arguments.before is None:
        parser.error("name the baseline: --before PATH_OF_FORMER_SRC")
    if unknown := set(arguments.families or ()) - set(families()):
        parser.error(f"--families {','.join(sorted(unknown))} unknown; give some of: {','.join(families())}")
    return arguments


if __name__ == "__main__":
    main()
