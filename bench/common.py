"""What the benchmarks share: contenders in processes of their own that take turns on the same files, and the report.

A benchmark runs itself again as each side, with that side's interpreter, so that packages that cannot live in one environment
can be compared. A side opens its model, then waits for lists of files and times itself; its idle neighbours wait and compute
nothing. This file and the reference sides need NumPy alone of what sonovec needs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

#: Vectors of each file, (windows, dim).
Vectors = list[np.ndarray]
Road = Callable[[list[str]], Vectors]
Settings = Mapping[str, Any]
#: Opens a side: settings to what it can be asked to do, by name, and what the report should say of it.
Opened = tuple[Mapping[str, Road], Mapping[str, Any]]
Opener = Callable[[Settings], Opened]

ROOT = Path(__file__).parents[1]
OURS = "sonovec"
#: Ratios that were asked for, for 2 cores with AMX.
TARGETS = {"vggish": 20, "wav2vec2-base": 4, "panns-cnn14": 6}
#: Flags of the processor that matter most here.
FLAGS = ("amx_tile", "amx_bf16", "avx512_bf16", "avx512_vnni", "avx512f", "avx2")


def data_folder() -> Path:
    """Real audio and weights: $SONOVEC_DATA, or beside the repository."""
    return Path(os.environ.get("SONOVEC_DATA") or ROOT / ".." / "shared" / "data").resolve()


def parser(doc: str) -> argparse.ArgumentParser:
    """Arguments that all the comparisons take."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("folder", type=Path, nargs="?", default=data_folder() / "esc10", help="audio; default: ESC-10")
    made.add_argument("--files", "--limit", type=positive, help="take only this many files, spread over the folder")
    made.add_argument("--rounds", type=positive, default=3)
    made.add_argument("--precision", choices=["auto", "f32", "bf16"], default="auto", help="sonovec's")
    made.add_argument("--reference-python", default=sys.executable, help="interpreter of the reference's environment")
    return made


def positive(text: str) -> int:
    """A whole number above zero, for a command line."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above zero")
    return int(text)


def audio_files(folder: Path, count: int | None = None) -> list[str]:
    """Audio files of a folder in their order; of `count`, each so-and-so-many-th, so that all classes take part."""
    from sonovec.audio.scan import Found, scan

    found = [str(item.path.resolve()) for item in scan([folder]) if isinstance(item, Found)]
    if not found:
        raise SystemExit(f"{folder}: holds no audio; name a folder, or set SONOVEC_DATA")
    if count is None or count >= len(found):
        return found
    return [found[i * len(found) // count] for i in range(count)]


def durations(files: Sequence[str]) -> list[float]:
    """Seconds of each file."""
    import soundfile

    return [soundfile.info(file).duration for file in files]


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that goes away, and sonovec's cache in it: gigabytes of converted random weights are of no later use."""
    with TemporaryDirectory(prefix="sonovec-bench-") as folder:
        os.environ |= {"SONOVEC_CACHE": str(Path(folder, "cache")), "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "-1"}
        yield Path(folder)


def machine() -> dict[str, Any]:
    """The processor, the cores that this process may use, and which of the instructions that matter it has."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.is_file() else ""
    told = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    told = {key.strip(): value.strip() for key, value in told.items()}
    flags = told.get("flags", "").split()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": told.get("model name") or platform.processor(),
        "cores": cores,
        **{flag: flag in flags if flags else "unknown" for flag in FLAGS},
    }


def versions(*packages: str) -> dict[str, str]:
    """Of packages that this interpreter has."""
    return {package: version(package) for package in packages}


def encoder_side(name: str, settings: Settings, **options: Any) -> Opened:
    """Sonovec's side: window vectors of many files at once, on the CPU."""
    import sonovec
    from sonovec.embedding.embedding import Failure

    encoder = sonovec.load(name, precision=settings["precision"], device="cpu", **options)

    def road(files: list[str]) -> Vectors:
        results = list(encoder.embed_many(files))
        if failed := [result.reason for result in results if isinstance(result, Failure)]:
            raise SystemExit("\n".join(failed))
        return [result.windows for result in results if not isinstance(result, Failure)]

    return {OURS: road}, {"precision": encoder.passport.precision, "versions": versions("openvino", "soxr")}


# -- a side, seen from the benchmark


class Side:
    """A process that holds one side's model and runs lists of files through it."""

    def __init__(self, script: str, name: str, settings: Settings, python: str = sys.executable) -> None:
        command = [python, script, "--side", name, json.dumps(dict(settings))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.told = self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"the side ended with {self._process.wait()}"}
        if "error" in answer:
            raise SystemExit(answer["error"])
        return dict(answer)

    def run(self, road: str, files: list[str], into: Path) -> float:
        """Seconds that the side took for the files; their vectors lie in `into`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"road": road, "files": files, "into": str(into)}) + "\n")
        self._process.stdin.flush()
        return float(self._answer()["seconds"])

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait()


@contextmanager
def sides(*opened: Side) -> Iterator[None]:
    """Close them at the end."""
    try:
        yield
    finally:
        for side in opened:
            side.close()


# -- a side, seen from inside


def serve(openers: Mapping[str, Opener]) -> None:
    """Be the side that the command line names: open it, and answer requests until there are no more."""
    _, name, told = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not be taken for answers

    def answer(content: Mapping[str, Any]) -> None:
        print(json.dumps(content), file=answers, flush=True)

    try:
        roads, told_of_it = openers[name](json.loads(told))
    except (ImportError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        answer({"error": f"the side {name!r} cannot be opened: {reason}; see --help for what it needs"})
        raise SystemExit(1) from None
    answer(told_of_it)
    for line in sys.stdin:
        request = json.loads(line)
        began = time.perf_counter()
        vectors = roads[request["road"]](request["files"])
        seconds = time.perf_counter() - began
        np.savez(request["into"], *vectors)
        answer({"seconds": seconds})


def by_batches(
    files: Sequence[str],
    size: int,
    sound: Callable[[str], np.ndarray],
    embed: Callable[[list[np.ndarray]], np.ndarray],
) -> Vectors:
    """One vector for each file, so many files at once; of these, those of equal length together, so that none is padded."""
    vectors: dict[int, np.ndarray] = {}
    for first in range(0, len(files), size):
        sounds = {first + i: sound(file) for i, file in enumerate(files[first : first + size])}
        for length in {len(samples) for samples in sounds.values()}:
            equal = {i: samples for i, samples in sounds.items() if len(samples) == length}
            vectors |= dict(zip(equal, embed(list(equal.values())), strict=True))
    return [vectors[i][None] for i in range(len(files))]


# -- the race


@dataclass
class Race:
    """Seconds of each round and the vectors of the last, by contender."""

    files: list[str]
    times: dict[str, list[float]] = field(default_factory=dict)
    vectors: dict[str, Vectors] = field(default_factory=dict)


def race(
    contenders: Mapping[str, tuple[Side, str]], files: list[str], rounds: int, folder: Path, warm_up: int = 8
) -> Race:
    """Run the contenders in turn, round by round; a first round over `warm_up` files is not counted."""
    result = Race(files)
    into = folder / "vectors.npz"
    for side, road in contenders.values():
        side.run(road, files[:warm_up], into)
    for _ in range(rounds):
        for name, (side, road) in contenders.items():
            result.times.setdefault(name, []).append(side.run(road, files, into))
            with np.load(into) as kept:
                result.vectors[name] = [kept[f"arr_{i}"] for i in range(len(files))]
    return result


def report(model: str, result: Race, ours: Side, reference: Side, **more: Any) -> dict[str, Any]:
    """What a comparison prints. The baseline is the fastest of the others, by the median of the rounds."""
    seconds = sum(durations(result.files))
    medians = {name: statistics.median(times) for name, times in result.times.items()}
    others = [name for name in medians if name != OURS]
    baseline = min(others, key=medians.__getitem__)
    rounds = [theirs / ours for ours, theirs in zip(result.times[OURS], result.times[baseline], strict=True)]
    return {
        "model": model,
        "machine": machine(),
        "files": len(result.files),
        "audio_seconds": round(seconds, 1),
        "precision": ours.told["precision"],
        "versions": ours.told["versions"] | reference.told["versions"],
        "real_time_factor": {name: round(seconds / taken, 2) for name, taken in medians.items()},
        "baseline": baseline,
        "ratio": round(medians[baseline] / medians[OURS], 2),
        "ratio_by_round": [round(ratio, 2) for ratio in rounds],
        "target": TARGETS.get(model),
        "target_set_for": "2 cores with AMX" if model in TARGETS else None,
        "lowest_cosine": {name: lowest_cosine(result.vectors[OURS], result.vectors[name]) for name in others},
        "median_cosine_of_different_files": different_cosine(result.vectors[OURS]),
        **more,
    }


def cosines(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Cosines of rows, as many as both have; 1 where both are zero."""
    n = min(len(ours), len(theirs))
    a, b = ours[:n].astype(np.float64), theirs[:n].astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    same = (np.linalg.norm(a, axis=1) == 0) & (np.linalg.norm(b, axis=1) == 0)
    return np.where(same, 1.0, (a * b).sum(axis=1) / np.where(norms > 0, norms, 1))


def lowest_cosine(ours: Vectors, theirs: Vectors) -> float:
    """Lowest cosine of any pair of window vectors."""
    return round(min(float(cosines(a, b).min(initial=1.0)) for a, b in zip(ours, theirs, strict=True)), 7)


def different_cosine(ours: Vectors) -> float | None:
    """Median cosine of the first vectors of two files: what a lowest cosine has to be held against.

    Random weights tell sounds apart less well than trained ones.
    """
    first = [rows[:1] for rows in ours if len(rows)]
    pairs = [float(cosines(a, b)[0]) for a, b in pairwise(first)]
    return round(statistics.median(pairs), 4) if pairs else None
