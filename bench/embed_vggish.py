"""The whole road from files to VGGish vectors, beside the PyPI package torchvggish on the same files and weights.

    pip install -e '.[torch]'
    pip install torchvggish              # here, or in another environment with --reference-python
    python bench/embed_vggish.py [FOLDER] [--files 80] [--rounds 3] [--precision auto] [--reference-python PYTHON]

Both get the same seeded random weights, written in the published file format, give the raw 128 numbers before the last
ReLU, and drop what does not fill a window, as torchvggish does. The two take turns, round by round; the ratio is that of
the medians. Printed with it: where sonovec's time goes, each stage run alone on one core, and the network on all.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import common
import numpy as np
import weights

MODEL = "vggish"


def main() -> None:
    arguments = common.parser(__doc__).parse_args()
    files = common.audio_files(arguments.folder, arguments.files)
    with common.scratch() as folder:
        settings = {"weights": str(weights.vggish(folder)), "precision": arguments.precision}
        reference = common.Side(__file__, "reference", settings, arguments.reference_python)
        ours = common.Side(__file__, common.OURS, settings)
        contenders = {common.OURS: (ours, common.OURS), "torchvggish": (reference, "single")}
        with common.sides(reference, ours):
            result = common.race(contenders, files, arguments.rounds, folder)
        seconds = sum(common.durations(files))
        stages = {name: round(seconds / taken, 1) for name, taken in stage_times(settings, files).items()}
        print(json.dumps(common.report(MODEL, result, ours, reference, stage_real_time_factor=stages), indent=1))


def sonovec_side(settings: common.Settings) -> common.Opened:
    return common.encoder_side(MODEL, settings, weights=settings["weights"], tail="drop")


def reference_side(settings: common.Settings) -> common.Opened:
    """Torchvggish as its users run it, a file at a time; a clip that is too short gives it nothing.

    Its own network, without its download and without its extra ReLU, so that the numbers can be compared.
    """
    import torch
    from torchvggish import torchvggish
    from torchvggish.vggish_input import wavfile_to_examples

    network = torchvggish.VGG(torchvggish.make_layers(), postprocess=False)
    network.embeddings = network.embeddings[:-1]
    network.load_state_dict(torch.load(Path(settings["weights"]) / weights.VGGISH, weights_only=True))
    network.eval()

    def single(files: list[str]) -> common.Vectors:
        vectors = []
        with torch.inference_mode():
            for file in files:
                examples = wavfile_to_examples(file)
                vectors.append(network(examples).numpy() if len(examples) else np.empty((0, 128), np.float32))
        return vectors

    return {"single": single}, {"versions": common.versions("torch", "torchvggish", "resampy")}


def stage_times(settings: common.Settings, files: list[str]) -> dict[str, float]:
    """Seconds that each stage takes alone: the first three on one core, the network on all."""
    from threadpoolctl import threadpool_limits

    import sonovec
    from sonovec.audio.stream import load as load_audio
    from sonovec.audio.stream import open_mono
    from sonovec.audio.windows import frame
    from sonovec.runtime import open_network

    encoder = sonovec.load(
        MODEL, weights=settings["weights"], tail="drop", precision=settings["precision"], device="cpu"
    )
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
    model = encoder.model
    assert model.graph is not None
    network = open_network(model.graph, settings["precision"], "cpu")
    network.run([np.zeros(model.graph.input_shape, np.float32)])  # compiles it
    features: list[np.ndarray] = []

    def front_end() -> None:
        for batch in batches:
            features.extend(model.features(batch.samples, batch.coverage))

    with threadpool_limits(1, user_api="blas"):  # as in the pipeline
        clock("front end (1 core)", front_end)
    rows, size = np.stack(features), max(network.batch_sizes)
    pieces = [rows[i : i + size] for i in range(0, len(rows), size)]
    with ThreadPoolExecutor(network.streams) as pool:
        clock("network (all cores)", lambda: list(pool.map(network.run, pieces)))
    return times


if __name__ == "__main__":
    if "--side" in sys.argv:
        common.serve({common.OURS: sonovec_side, "reference": reference_side})
    else:
        main()
