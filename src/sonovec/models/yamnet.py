"""``yamnet``: MobileNetV1 trained on AudioSet; Google's official TFLite file, read as it is.

The file holds the front end too, and its tables as 8-bit numbers, as most of its weights. Here they are multiplied out once
and computed with in float32. TensorFlow Lite itself rounds to 8 bits what it computes, so its vectors differ: cosine 0.99 and
more on most sounds, 0.95 on very quiet ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sonovec.audio.windows import WindowSpec
from sonovec.graph import Graph
from sonovec.models.audioset import names
from sonovec.models.card import ModelCard, WeightFile
from sonovec.models.model import Model
from sonovec.models.weights import resolve, sha256_of

RATE = 16000
WINDOW = WindowSpec(length=15600, hop=7680)
#: What the last dense layer sees, and the scores.
OUTPUTS = ("yamnet_frames/global_average_pooling2d/Mean", "Identity")
#: Classes that YAMNet leaves out: speech and song by sex, battle cry, funny music.
LEFT_OUT = frozenset({"/m/05zppz", "/m/02zsn", "/m/04gy_2", "/t/dd00003", "/t/dd00004", "/t/dd00032"})
CLASSES = names(without=LEFT_OUT)

FILE = WeightFile(
    "yamnet.tflite",
    "https://storage.googleapis.com/download.tensorflow.org/models/tflite/task_library/audio_classification/android/"
    "lite-model_yamnet_classification_tflite_1.tflite",
    "",
    about="4 MB",
)

CARDS = (
    ModelCard(
        name="yamnet",
        family="yamnet",
        revision="tflite-classification-1",
        summary="MobileNetV1 of AudioSet; small, fast, with 521 classes",
        licence="Apache-2.0",
        rate=RATE,
        window_seconds=WINDOW.length / RATE,
        hop_seconds=WINDOW.hop / RATE,
        dim=1024,
        front_end="waveform; 64 log-mel bands inside the file",
        weights=(FILE,),
        n_classes=len(CLASSES),
        trained_on="AudioSet (2 million 10 s excerpts of YouTube videos)",
        published_scores={"ESC-50 (HEAR) %": 83.8, "GTZAN genre (HEAR) %": 84.7},
        compression={
            "float16": 1.0,
            "int8": 0.995,
            "256+int8": 0.972,
            "128+int8": 0.938,
            "64+int8": 0.89,
            "binary": 0.889,
            "pq-128": 0.953,
            "pq-64": 0.915,
            "pq-32": 0.867,
            "pq-16": 0.792,
            "binary re-ranked": 1.0,
            "pq-16 re-ranked": 1.0,
        },
        reference="https://github.com/tensorflow/models/tree/master/research/audioset/yamnet; "
        "Howard et al. 2017, https://arxiv.org/abs/1704.04861",
    ),
)


def build(card: ModelCard, options: Mapping[str, object], weights: Path | None) -> Model:
    """Build the model; it has no options."""
    file = resolve(FILE, weights)
    digest = sha256_of(file)
    return Model(
        card=card,
        options=options,
        window=WINDOW,
        dim=card.dim,
        front_end=card.front_end,
        weights_hash=digest,
        files=(file,),
        features=lambda samples, coverage: samples,
        # The file is made for one window at a time.
        graph=Graph(f"yamnet-2-{digest[:32]}", (WINDOW.length,), file=file, outputs=OUTPUTS, rows=1),
        finish=lambda rows, coverage: np.asarray(rows, np.float32),
        classes=CLASSES,
    )
