"""Damage files of every container in every way, and decode them: python -m tests.audio.fuzz_decode SECONDS [SEED].

Each file is decoded in a child process. It has to give samples that are numbers, the same whatever the size of the blocks,
or to be refused in one line; crashes of native code and files that take too long are counted apart. Files that break a
promise are kept in the folder `fuzzed`, beside a line that says which.
"""

from __future__ import annotations

import hashlib
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from sonovec.audio.isolate import open_isolated
from sonovec.errors import AudioError
from tests.audio.test_formats import VARIANTS, make

SECONDS_OF_SOUND = 1.0
#: A decoded file may be longer than what went in: times can be damaged too, and one tag can say another rate.
MOST_HOURS = 30


def seeds(folder: Path) -> list[bytes]:
    """A small file of every variant that the tests of formats know."""
    files = []
    for variant in VARIANTS:
        path = folder / "seed"
        make(path, variant, SECONDS_OF_SOUND)
        files.append(path.read_bytes())
    return files


def flip(data: bytearray, rng: random.Random, _: list[bytes]) -> bytearray:
    for _ in range(rng.choice([1, 2, 5, 20, 100])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def flip_near_the_beginning(data: bytearray, rng: random.Random, _: list[bytes]) -> bytearray:
    for _ in range(rng.choice([1, 2, 5])):
        data[rng.randrange(min(len(data), 200))] = rng.randrange(256)
    return data


def extreme(data: bytearray, rng: random.Random, _: list[bytes]) -> bytearray:
    size = rng.choice([1, 2, 4, 8])
    at = rng.randrange(max(1, min(len(data), rng.choice([64, 400, len(data)])) - size))
    data[at : at + size] = rng.choice(
        [bytes(size), b"\xff" * size, b"\x7f" + b"\xff" * (size - 1), b"\x80" + bytes(size - 1)]
    )
    return data


def cut(data: bytearray, rng: random.Random, _: list[bytes]) -> bytearray:
    return data[: rng.randrange(1, len(data))]


def drop(data: bytearray, rng: random.Random, _: list[bytes]) -> bytearray:
    at = rng.randrange(len(data))
    del data[at : at + rng.choice([1, 3, 100, 4096])]
    return data or bytearray(b"x")


def repeat(data: bytearray, rng: random.Random, _: list[bytes]) -> bytearray:
    at, size = rng.randrange(len(data)), rng.choice([1, 16, 500, 5000])
    return data[:at] + data[at : at + size] * rng.choice([2, 3, 50]) + data[at + size :]


def blank(data: bytearray, rng: random.Random, _: list[bytes]) -> bytearray:
    at, size = rng.randrange(len(data)), rng.choice([4, 64, 2000])
    size = min(size, len(data) - at)
    data[at : at + size] = rng.choice([bytes(size), rng.randbytes(size)])
    return data


def splice(data: bytearray, rng: random.Random, others: list[bytes]) -> bytearray:
    other = rng.choice(others)
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


def swap(data: bytearray, rng: random.Random, _: list[bytes]) -> bytearray:
    a, b = sorted(rng.randrange(len(data)) for _ in range(2))
    return data[:a] + data[b:] + data[a:b]


DAMAGES: list[Callable[[bytearray, random.Random, list[bytes]], bytearray]] = [
    flip,
    flip,
    flip_near_the_beginning,
    extreme,
    extreme,
    cut,
    drop,
    repeat,
    blank,
    splice,
    swap,
]


def damaged(seed: int, files: list[bytes]) -> bytes:
    """A file for each number, always the same."""
    rng = random.Random(seed)
    data = bytearray(rng.choice(files))
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        data = rng.choice(DAMAGES)(data, rng, files)
    return bytes(data)


def judge(path: Path) -> str:
    """What came of a file; what begins with "BROKEN" breaks a promise."""
    began = time.monotonic()
    try:
        whole, length = fingerprint(path, 65536)
        again, _ = fingerprint(path, 1009)
    except AudioError as error:
        text = str(error)
        if "\n" in text or ";" not in text:
            return f"BROKEN: an error that is no line with a remedy: {text!r}"
        if "crashed (with code" in text:
            return "BROKEN: an exception that is not ours"
        if "crashed" in text:
            return "crashed in native code"
        return "took too long" if "took over" in text or "more memory" in text else "refused"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        return f"BROKEN: {type(error).__name__}: {error}"
    if whole != again:
        return "BROKEN: blocks are not the whole"
    if length > MOST_HOURS * 3600:
        return f"BROKEN: {length:.0f} s long"
    return "decoded, slowly" if time.monotonic() - began > 20 else "decoded"


def fingerprint(path: Path, frames: int) -> tuple[str, float]:
    digest, length = hashlib.blake2b(), 0
    reader = open_isolated(path)
    try:
        for block in reader.blocks(frames):
            assert np.isfinite(block).all(), "samples that are no numbers"
            digest.update(block.tobytes())
            length += len(block)
        return digest.hexdigest(), length / reader.info.rate
    finally:
        reader.close()


def run(seconds: float, first: int = 0, keep: Path | None = None) -> Counter[str]:
    """Decode damaged files for a while, and count what came of them."""
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "damaged")
        files = seeds(Path(name))
        end = time.monotonic() + seconds
        for seed in _numbers(first, end):
            data = damaged(seed, files)
            path.write_bytes(data)
            verdict = judge(path)
            counts[verdict] += 1
            if keep and verdict not in ("decoded", "refused"):
                keep.mkdir(exist_ok=True)
                (keep / f"{seed}").write_bytes(data)
                (keep / f"{seed}.txt").write_text(verdict + "\n")
    return counts


def _numbers(first: int, end: float) -> Iterator[int]:
    while time.monotonic() < end:
        yield first
        first += 1


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    found = run(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0, Path("fuzzed"))
    for verdict, count in found.most_common():
        print(f"{count:7} {verdict}")
    sys.exit(any(verdict.startswith("BROKEN") for verdict in found))
