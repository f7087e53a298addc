"""The whole road from files to VGGish vectors, beside the PyPI package torchvggish on the same files and weights.

    pip install -e '.[torch]' torchvggish
    python bench/embed_vggish.py FOLDER [--limit 80] [--rounds 3] [--precision auto]

Both get the same seeded random weights, written in the published file format, give the raw 128 numbers before the last
ReLU, and drop what does not fill a window, as torchvggish does. The two take turns, round by round; the ratio is that of
the medians. Printed with it: where sonovec's time goes, each stage run alone on one core, and the network on all.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import torch
from torchvggish import torchvggish as reference
from torchvggish.vggish_input import wavfile_to_examples

import sonovec
from sonovec.audio.scan import Found, scan
from sonovec.audio.stream import load as load_audio
from sonovec.audio.stream import open_mono
from sonovec.audio.windows import frame
from sonovec.embedding.embedding import Failure
from sonovec.embedding.encoder import Encoder

Vectors = list[np.ndarray]
WEIGHTS = "vggish-10086976.pth"


def main() -> None:
    arguments = parse()
    files = [str(item.path) for item in scan([arguments.folder]) if isinstance(item, Found)][: arguments.limit]
    seconds = sum(soundfile.info(file).duration for file in files)
    with tempfile.TemporaryDirectory() as folder:
        write_weights(Path(folder))
        encoder = sonovec.load("vggish", weights=folder, tail="drop", precision=arguments.precision)
        contenders = {"sonovec": sonovec_road(encoder), "torchvggish": torchvggish_road(Path(folder))}
        times, vectors = race(contenders, files, arguments.rounds)
        stages = stage_times(encoder, files)
    factors = {name: seconds / statistics.median(taken) for name, taken in times.items()}
    result = {
        "files": len(files),
        "audio_seconds": round(seconds, 1),
        "precision": encoder.passport.precision,
        "real_time_factor": {name: round(factor, 1) for name, factor in factors.items()},
        "ratio": round(factors["sonovec"] / factors["torchvggish"], 2),
        "lowest_cosine": lowest_cosine(vectors["sonovec"], vectors["torchvggish"]),
        "stage_real_time_factor": {name: round(seconds / taken, 1) for name, taken in stages.items()},
    }
    print(json.dumps(result, indent=1))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, help="take only this many files")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", choices=["auto", "f32", "bf16"], default="auto")
    return parser.parse_args()


def reference_network() -> torch.nn.Module:
    """Torchvggish's own network, without its download and without its extra ReLU, so that the numbers can be compared."""
    network = reference.VGG(reference.make_layers(), postprocess=False)
    network.embeddings = network.embeddings[:-1]
    return network.eval()


def write_weights(folder: Path) -> None:
    """Seeded random weights under the published name, in PyTorch's own format."""
    torch.manual_seed(0)
    torch.save(reference_network().state_dict(), folder / WEIGHTS)


def sonovec_road(encoder: Encoder) -> Callable[[list[str]], Vectors]:
    def road(files: list[str]) -> Vectors:
        results = list(encoder.embed_many(files))
        failures = [result.reason for result in results if isinstance(result, Failure)]
        if failures:
            raise SystemExit("\n".join(failures))
        return [result.windows for result in results if not isinstance(result, Failure)]

    return road


def torchvggish_road(folder: Path) -> Callable[[list[str]], Vectors]:
    """Torchvggish as its users run it, a file at a time; a clip that is too short gives it nothing."""
    network = reference_network()
    network.load_state_dict(torch.load(folder / WEIGHTS, weights_only=True))

    def road(files: list[str]) -> Vectors:
        vectors = []
        with torch.inference_mode():
            for file in files:
                examples = wavfile_to_examples(file)
                vectors.append(network(examples).numpy() if len(examples) else np.empty((0, 128), np.float32))
        return vectors

    return road


def race(
    contenders: dict[str, Callable[[list[str]], Vectors]], files: list[str], rounds: int
) -> tuple[dict[str, list[float]], dict[str, Vectors]]:
    """Run the contenders in turn; a first round over a few files, which is not counted, warms both up."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    vectors: dict[str, Vectors] = {}
    for road in contenders.values():
        road(files[:8])
    for _ in range(rounds):
        for name, road in contenders.items():
            began = time.perf_counter()
            vectors[name] = road(files)
            times[name].append(time.perf_counter() - began)
    return times, vectors


def lowest_cosine(ours: Vectors, theirs: Vectors) -> float:
    """Lowest cosine of any pair of window vectors; both give the same number of windows, except for short clips."""
    lowest = 1.0
    for a, b in zip(ours, theirs, strict=True):
        n = min(len(a), len(b))
        dots = (a[:n].astype(np.float64) * b[:n]).sum(axis=1)
        norms = np.linalg.norm(a[:n].astype(np.float64), axis=1) * np.linalg.norm(b[:n].astype(np.float64), axis=1)
        lowest = min([lowest, *(dots / norms).tolist()])
    return round(lowest, 7)


def stage_times(encoder: Encoder, files: list[str]) -> dict[str, float]:
    """Seconds that each stage takes alone: the first three on one core, the network on all."""
    times: dict[str, float] = {}

    def clock(name: str, work: Callable[[], object]) -> None:
        began = time.perf_counter()
        work()
        times[name] = time.perf_counter() - began

    clock("decode (1 core)", lambda: [load_audio(file) for file in files])
    clock("decode and resample (1 core)", lambda: [load_audio(file, rate=encoder.rate) for file in files])
    batches = []
    for file in files:
        with open_mono(file, encoder.rate) as stream:
            batches += list(frame(stream, encoder.window))
    model, network = encoder.model, encoder._network
    assert network is not None
    features: list[np.ndarray] = []
    clock("front end (1 core)", lambda: features.extend(model.features(b.samples, b.coverage) for b in batches))
    rows, size = np.concatenate(features), max(network.batch_sizes)
    clock("network (all cores)", lambda: run_network(network, [rows[i : i + size] for i in range(0, len(rows), size)]))
    return times


def run_network(network: object, batches: list[np.ndarray]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(network.streams) as pool:  # type: ignore[attr-defined]
        list(pool.map(network.run, batches))  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
