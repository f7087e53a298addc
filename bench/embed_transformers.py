"""From files to vectors with a pre-trained Transformer: sonovec beside transformers itself, in PyTorch and float32.

    pip install -e '.[transformers]'
    python bench/embed_transformers.py [FOLDER] [--model wav2vec2-base] [--files 40] [--rounds 3]

Both read one folder with random weights of the model's real size. The reference is what transformers' documentation shows:
each file is decoded by soundfile and resampled by soxr (as librosa does), given to the feature extractor and to the model,
and the frames of the last layer are averaged; once a file at a time and once in batches. Only files of equal length share a
batch, so that nothing is padded: padding changes the vectors of wav2vec 2.0 and HuBERT. The faster of the two is the
baseline.
"""

from __future__ import annotations

import argparse
import json
import sys

import common
import numpy as np
import weights

MODELS = ("wav2vec2-base", "hubert-base", "wavlm-base")


def main() -> None:
    arguments = parse()
    files = common.audio_files(arguments.folder, arguments.files)
    longest = max(common.durations(files))
    with common.scratch() as folder:
        # Whole files on both sides: a window as long as the longest.
        settings = {
            "model": str(weights.pretrained(arguments.model, folder / arguments.model)),
            "precision": arguments.precision,
            "window": max(10.0, longest + 0.1),
            "batch": arguments.batch,
        }
        reference = common.Side(__file__, "reference", settings, arguments.reference_python)
        ours = common.Side(__file__, common.OURS, settings)
        contenders = {
            common.OURS: (ours, common.OURS),
            "transformers, a file at a time": (reference, "single"),
            f"transformers, batches of {arguments.batch}": (reference, "batched"),
        }
        with common.sides(reference, ours):
            result = common.race(contenders, files, arguments.rounds, folder)
        print(json.dumps(common.report(arguments.model, result, ours, reference), indent=1))


def parse() -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--model", choices=MODELS, default=MODELS[0])
    parser.add_argument("--batch", type=common.positive, default=8, help="files in a batch of the reference")
    return parser.parse_args()


def sonovec_side(settings: common.Settings) -> common.Opened:
    return common.encoder_side(settings["model"], settings, window=settings["window"])


def reference_side(settings: common.Settings) -> common.Opened:
    import soundfile
    import soxr
    import torch
    import transformers

    extract = transformers.AutoFeatureExtractor.from_pretrained(settings["model"])
    model = transformers.AutoModel.from_pretrained(settings["model"]).eval()
    rate = extract.sampling_rate

    def sound(file: str) -> np.ndarray:
        samples, own_rate = soundfile.read(file, dtype="float32", always_2d=True)
        return np.asarray(soxr.resample(samples.mean(axis=1), own_rate, rate, quality="HQ"))

    def embed(sounds: list[np.ndarray]) -> np.ndarray:
        inputs = extract(sounds, sampling_rate=rate, return_tensors="pt")
        with torch.inference_mode():
            return np.asarray(model(**inputs).last_hidden_state.mean(dim=1))

    def single(files: list[str]) -> common.Vectors:
        return [embed([sound(file)]) for file in files]

    def batched(files: list[str]) -> common.Vectors:
        return common.by_batches(files, int(settings["batch"]), sound, embed)

    return {"single": single, "batched": batched}, {"versions": common.versions("torch", "transformers")}


if __name__ == "__main__":
    if "--side" in sys.argv:
        common.serve({common.OURS: sonovec_side, "reference": reference_side})
    else:
        main()
