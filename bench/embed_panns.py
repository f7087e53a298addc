"""From files to vectors with CNN14 of the PANNs at 32 kHz: sonovec beside the PyPI package panns_inference.

    pip install -e '.[torch]'
    pip install panns_inference              # here, or in another environment with --reference-python
    python bench/embed_panns.py [FOLDER] [--files 40] [--rounds 3] [--reference-python PYTHON]

Both read one file with random weights in the published format. The reference is what its README shows: librosa.load and
AudioTagging.inference, in float32; once a file at a time and once in batches of files of equal length, since its network
takes them. The faster of the two is the baseline.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from pathlib import Path

import common
import numpy as np
import weights

RATE = 32000
MODEL = "panns-cnn14"


def main() -> None:
    arguments = parse()
    files = common.audio_files(arguments.folder, arguments.files)
    if max(common.durations(files)) > 10:
        raise SystemExit(f"{arguments.folder}: has files longer than 10 s, which sonovec cuts; give shorter ones")
    with common.scratch() as folder:
        settings = {
            "weights": str(folder),
            "precision": arguments.precision,
            "batch": arguments.batch,
            "classes": class_names(),
        }
        reference = common.Side(__file__, "reference", settings, arguments.reference_python)  # it writes the weights
        ours = common.Side(__file__, common.OURS, settings)
        contenders = {
            common.OURS: (ours, common.OURS),
            "panns_inference, a file at a time": (reference, "single"),
            f"panns_inference, batches of {arguments.batch}": (reference, "batched"),
        }
        with common.sides(reference, ours):
            result = common.race(contenders, files, arguments.rounds, folder)
        print(json.dumps(common.report(MODEL, result, ours, reference), indent=1))


def parse() -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--batch", type=common.positive, default=8, help="files in a batch of the reference")
    return parser.parse_args()


def class_names() -> list[str]:
    from sonovec.models.audioset import names

    return list(names())


def sonovec_side(settings: common.Settings) -> common.Opened:
    return common.encoder_side(MODEL, settings, weights=settings["weights"])


def reference_side(settings: common.Settings) -> common.Opened:
    folder = Path(settings["weights"])
    provide_labels(folder, settings["classes"])
    import librosa
    from panns_inference import AudioTagging
    from panns_inference.models import Cnn14

    front_end = {"window_size": 1024, "hop_size": 320, "mel_bins": 64, "fmin": 50, "fmax": 14000}
    weights.panns_cnn14(folder, Cnn14(sample_rate=RATE, classes_num=len(settings["classes"]), **front_end))
    tagging = AudioTagging(checkpoint_path=str(folder / weights.PANNS_CNN14), device="cpu")

    def sound(file: str) -> np.ndarray:
        return np.asarray(librosa.load(file, sr=RATE, mono=True)[0])

    def embed(sounds: list[np.ndarray]) -> np.ndarray:
        _, vectors = tagging.inference(np.stack(sounds))
        return np.asarray(vectors)

    def single(files: list[str]) -> common.Vectors:
        return [embed([sound(file)]) for file in files]

    def batched(files: list[str]) -> common.Vectors:
        return common.by_batches(files, int(settings["batch"]), sound, embed)

    told = {"versions": common.versions("torch", "panns-inference", "librosa")}
    return {"single": single, "batched": batched}, told


def provide_labels(home: Path, names: list[str]) -> None:
    """Panns_inference fetches a table of class names into the home folder when it is imported; this spares it."""
    table = home / "panns_data" / "class_labels_indices.csv"
    table.parent.mkdir(exist_ok=True)
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("index", "mid", "display_name"), *((i, "", name) for i, name in enumerate(names))])
    os.environ["HOME"] = str(home)


if __name__ == "__main__":
    if "--side" in sys.argv:
        common.serve({common.OURS: sonovec_side, "reference": reference_side})
    else:
        main()
