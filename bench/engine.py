"""What many callers at once cost beside one, and how long one clip takes.

    python bench/engine.py [FOLDER] [--rounds 5] [--before ../former/src] [--vggish]

Callers: 8 threads embed 6 files each, one by one; beside it one `embed_many` of the 48, the built-in encoder in both.
Latency: one file of 5 s in a warm process, by the built-in encoder, by YAMNet if its weights lie in $SONOVEC_DATA/weights,
and with `--vggish` by VGGish with random weights; the quickest of 10 files. `--before` names the `src` of another version.
All take turns in one run, round by round; each figure is a median; what carries over are the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import common

CALLERS, EACH = 8, 6
#: Clips of one model in a round.
CLIPS = 10
SOURCE = Path(__file__).resolve().parents[1] / "src"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=common.data_folder() / "esc10")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--before", type=Path, help="the src folder of another version")
    parser.add_argument("--vggish", action="store_true")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        serve(json.loads(given.side))
        return
    files = [str(file) for file in common.audio_files(given.folder, CALLERS * EACH)]
    if len(files) < CALLERS * EACH:
        parser.error(f"{given.folder} has {len(files)} files; give a folder of {CALLERS * EACH} or more")
    with common.scratch() as folder:
        models = {"default": {}}
        weights = common.data_folder() / "weights" / "yamnet.tflite"
        if weights.is_file():
            models["yamnet"] = {"weights": str(weights)}
        if given.vggish:
            from weights import vggish

            models["vggish"] = {"weights": str(vggish(folder))}
        sources = {"now": SOURCE} | ({"before": given.before.resolve()} if given.before else {})
        sides = {name: start(source, {"files": files, "models": models}) for name, source in sources.items()}
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
        for number in range(given.rounds + 1):
            for name, side in sides.items():
                told = ask(side)
                if number:  # the first warms up
                    rounds[name].append(told)
        for side in sides.values():
            side.communicate("")
    print(json.dumps(report(rounds), indent=1))


def start(source: Path, task: dict[str, object]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, __file__, "--side", json.dumps(task)],
        env={**os.environ, "PYTHONPATH": str(source)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(side: subprocess.Popen[str]) -> dict[str, float]:
    assert side.stdin and side.stdout
    side.stdin.write("go\n")
    side.stdin.flush()
    return json.loads(side.stdout.readline())


def serve(task: dict[str, object]) -> None:
    import sonovec

    files, models = task["files"], task["models"]
    encoders = {name: sonovec.load(name, **settings) for name, settings in models.items()}
    for encoder in encoders.values():
        encoder.embed(files[0])
        list(encoder.embed_many(files[:4]))
    for _ in sys.stdin:
        print(json.dumps(one_round(encoders, files)), flush=True)


def one_round(encoders: dict[str, object], files: list[str]) -> dict[str, float]:
    encoder = encoders["default"]
    parts = [files[first : first + EACH] for first in range(0, len(files), EACH)]

    def caller(part: list[str]) -> None:
        for file in part:
            encoder.embed(file)

    with ThreadPoolExecutor(CALLERS) as pool:
        began = time.perf_counter()
        list(pool.map(caller, parts))
        callers = time.perf_counter() - began
    began = time.perf_counter()
    assert len(list(encoder.embed_many(files))) == len(files)
    many = time.perf_counter() - began
    clips = {f"ms, {name}": 1000 * min(clip(each, file) for file in files[:CLIPS]) for name, each in encoders.items()}
    return {"callers": callers, "many": many, **clips}


def clip(encoder: object, file: str) -> float:
    began = time.perf_counter()
    encoder.embed(file)
    return time.perf_counter() - began


def report(rounds: dict[str, list[dict[str, float]]]) -> dict[str, object]:
    middle = {
        name: {key: round(statistics.median(each[key] for each in told), 4) for key in told[0]}
        for name, told in rounds.items()
    }
    ratios = {
        name: round(statistics.median(each["callers"] / each["many"] for each in told), 3)
        for name, told in rounds.items()
    }
    found: dict[str, object] = {
        "machine": common.machine(),
        "load": round(os.getloadavg()[0], 1),
        "seconds": middle,
        "8 callers / embed_many": ratios,
    }
    if "before" in rounds:
        pairs = list(zip(rounds["now"], rounds["before"], strict=True))
        found["now / before"] = {
            key: round(statistics.median(now[key] / before[key] for now, before in pairs), 3) for key in pairs[0][0]
        }
    return found


if __name__ == "__main__":
    main()
