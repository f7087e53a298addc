"""What an index run costs beside embedding: reruns that find nothing new, copies, and the memory for many small files.

    python bench/ingest.py --files 10000 --before ../former/src

`--before` names the `src` of another version, a checkout of it for example; both take turns in one run, each with a library
of its own, and each figure is told with its ratio. Each step is a process, so its time has the interpreter's start in it.
"""

from __future__ import annotations

import argparse
import json
import os
import struct
import sys
import time
import wave
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

FOLDER_SIZE = 1000
#: Hard links that file systems allow to one file.
MOST_LINKS = 30_000


@dataclass(frozen=True)
class Cost:
    """Of one process: seconds, seconds of all its threads, and its largest size in memory in MiB."""

    wall: float
    cpu: float
    peak: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000, help="small files, each with a content of its own")
    parser.add_argument("--links", type=int, default=2_000, help="hard links to one file")
    parser.add_argument("--rounds", type=int, default=3, help="reruns")
    parser.add_argument("--before", type=Path, help="the src folder of another version")
    given = parser.parse_args()
    sides = {"now": Path(__file__).resolve().parents[1] / "src"}
    if given.before:
        sides["before"] = given.before.resolve()
    with TemporaryDirectory(prefix="sonovec-bench-") as scratch:
        told = measure(Path(scratch), sides, given.files, given.links, given.rounds)
    print(json.dumps(told, indent=1))


def measure(scratch: Path, sides: dict[str, Path], files: int, links: int, rounds: int) -> dict[str, object]:
    folders = {"few": 10, "files": files, "links": links}
    for name, count in folders.items():
        write(scratch / name, count, linked=name == "links")
    first = {(side, name): index(scratch, sides[side], side, name) for side in sides for name in folders}
    again: dict[tuple[str, str], list[Cost]] = {key: [] for key in first}
    for _ in range(rounds):
        for (side, name), costs in again.items():
            costs.append(index(scratch, sides[side], side, name))
    told: dict[str, object] = {}
    for side in sides:
        few, many = again[side, "few"], again[side, "files"]
        told[side] = {
            **{f"first {name}": asdict(first[side, name]) for name in folders},
            **{f"again {name}": asdict(middle(again[side, name])) for name in folders},
            "again, microseconds a file": {
                kind: 1e6 * (getattr(middle(many), kind) - getattr(middle(few), kind)) / files
                for kind in ("wall", "cpu")
            },
        }
    if "before" in sides:
        told["before / now"] = {
            f"again {name}": middle(again["before", name]).wall / middle(again["now", name]).wall for name in folders
        } | {f"first {name}": first["before", name].wall / first["now", name].wall for name in folders}
    return {"files": files, "links": links, "load": os.getloadavg()[0], **told}


def middle(costs: list[Cost]) -> Cost:
    return Cost(*(median(values) for values in zip(*(asdict(cost).values() for cost in costs), strict=True)))


def write(folder: Path, count: int, *, linked: bool) -> None:
    """Write sounds of 50 ms, each its own, or links to one."""
    source = folder
    for number, path in enumerate(names(folder, count)):
        if linked and number % MOST_LINKS:
            os.link(source, path)
            continue
        source = path
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(struct.pack("<q", 0 if linked else number + 1) * 100)


def names(folder: Path, count: int) -> Iterator[Path]:
    for number in range(count):
        place = folder / f"{number // FOLDER_SIZE:04}"
        place.mkdir(parents=True, exist_ok=True)
        yield place / f"{number:06}.wav"


def index(scratch: Path, source: Path, side: str, name: str) -> Cost:
    """Run the command as a user does, and see what it took."""
    command = [sys.executable, "-m", "sonovec", "index", str(scratch / name), "-l", str(scratch / f"{side}-{name}")]
    began = time.perf_counter()
    with (scratch / "log").open("wb") as log:
        process = os.posix_spawn(
            sys.executable,
            [*command, "-m", "logmel", "--json"],
            {**os.environ, "PYTHONPATH": str(source)},
            file_actions=[(os.POSIX_SPAWN_DUP2, log.fileno(), 1), (os.POSIX_SPAWN_DUP2, log.fileno(), 2)],
        )
    _, status, used = os.wait4(process, 0)
    if status:
        sys.exit(f"{' '.join(command)}: {(scratch / 'log').read_text(errors='replace')[-2000:]}")
    mebibyte = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / mebibyte)


if __name__ == "__main__":
    main()
