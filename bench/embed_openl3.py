"""From files to vectors with OpenL3 (music, 512 numbers): sonovec beside the authors' own code, in TensorFlow.

    pip install -e '.[openl3]'
    git clone https://github.com/marl/openl3
    pip install tensorflow tf-keras librosa resampy scikit-learn soundfile h5py; pip install --no-deps kapre==0.3.7
    python bench/embed_openl3.py --source openl3 [FOLDER] [--files 10] [--hop 0.1] [--reference-python PYTHON]

(The package's own setup downloads its weights, so its source folder is named instead.) Both read one file with random weights
in the published format. The reference is what its tutorial shows: soundfile.read and get_audio_embedding with a model loaded
once, in float32; once a file at a time and once with lists of files, which it runs in batches of 32 windows. The faster of
the two is the baseline. Windows start at the first sample on both sides (center=False).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import common
import weights

MODEL = "openl3-music-512"


def main() -> None:
    arguments = parse()
    files = common.audio_files(arguments.folder, arguments.files)
    with common.scratch() as folder:
        settings = {
            "weights": str(weights.openl3_music(folder) / weights.OPENL3_MUSIC),
            "precision": arguments.precision,
            "hop": arguments.hop,
            "source": str(arguments.source.resolve()),
            "list": arguments.list,
        }
        reference = common.Side(__file__, "reference", settings, arguments.reference_python)
        ours = common.Side(__file__, common.OURS, settings)
        contenders = {
            common.OURS: (ours, common.OURS),
            "openl3, a file at a time": (reference, "single"),
            f"openl3, lists of {arguments.list} files": (reference, "lists"),
        }
        with common.sides(reference, ours):
            result = common.race(contenders, files, arguments.rounds, folder, warm_up=2)
        print(json.dumps(common.report(MODEL, result, ours, reference, hop_seconds=arguments.hop), indent=1))


def parse() -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--source", type=Path, required=True, help="folder that holds the openl3 package's folder")
    parser.add_argument("--hop", type=float, default=0.1, help="seconds from one window to the next, on both sides")
    parser.add_argument("--list", type=common.positive, default=8, help="files that the reference gets at once")
    return parser.parse_args()


def sonovec_side(settings: common.Settings) -> common.Opened:
    return common.encoder_side(MODEL, settings, weights=settings["weights"], hop=settings["hop"])


def reference_side(settings: common.Settings) -> common.Opened:
    os.environ |= {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    sys.path.insert(0, settings["source"])
    import soundfile
    from openl3 import core, models

    model = models.load_audio_embedding_model_from_path(settings["weights"], "mel256", 512)
    options = {"model": model, "center": False, "hop_size": settings["hop"], "verbose": 0}

    def single(files: list[str]) -> common.Vectors:
        return [core.get_audio_embedding(*soundfile.read(file), **options)[0] for file in files]

    def lists(files: list[str]) -> common.Vectors:
        vectors: common.Vectors = []
        for first in range(0, len(files), settings["list"]):
            sounds = [soundfile.read(file) for file in files[first : first + settings["list"]]]
            vectors += core.get_audio_embedding([s for s, _ in sounds], [rate for _, rate in sounds], **options)[0]
        return vectors

    return {"single": single, "lists": lists}, {"versions": common.versions("tensorflow", "tf_keras", "kapre")}


if __name__ == "__main__":
    if "--side" in sys.argv:
        common.serve({common.OURS: sonovec_side, "reference": reference_side})
    else:
        main()
