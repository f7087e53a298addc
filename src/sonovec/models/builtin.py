"""``sonovec-1``: the built-in encoder, which comes with the package and needs no download.

A residual convolutional network over a log-mel spectrogram, taught by EfficientAT mn04 and YAMNet; ``training/`` beside the
package's source has the whole recipe, and docs/sonovec-1.md the model card.

It gives a vector every 0.25 s. That of a window is their mean, and so is that of a clip, however long; digital silence is
left out of it, so that padding and pauses change nothing. The scores are those of AudioSet's 527 classes, from the same
pass. Vectors are compared by cosine.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.graph import Graph
from sonovec.models.audioset import names
from sonovec.models.card import ModelCard
from sonovec.models.checkpoint import need_torch
from sonovec.models.model import Model
from sonovec.models.networks.front_end import FRAMES, FRONT_END, WINDOW
from sonovec.models.weights import sha256_of

NAME = "sonovec-1"
#: The network with its weights in float16; what it computes with is float32 or bf16.
FILE = Path(__file__).with_name(f"{NAME}.onnx")
DIM = 512
CLASSES = names()

CARDS = (
    ModelCard(
        name=NAME,
        family="sonovec",
        revision="1",
        summary="the built-in encoder: no download, 527 classes",
        licence="MIT",
        rate=FRONT_END.rate,
        window_seconds=WINDOW.length / FRONT_END.rate,
        hop_seconds=WINDOW.hop / FRONT_END.rate,
        dim=DIM,
        front_end=FRONT_END.describe(),
        bf16_cosine=None,
        trained_on="11 hours of openly licensed sounds, speech and instruments, mixed; taught by EfficientAT mn04 and YAMNet",
        compression={
            "float16": 1.0,
            "int8": 0.999,
            "256+int8": 0.995,
            "128+int8": 0.956,
            "64+int8": 0.873,
            "binary": 0.888,
            "pq-128": 0.972,
            "pq-64": 0.932,
            "pq-32": 0.88,
            "pq-16": 0.799,
            "binary re-ranked": 1.0,
            "pq-16 re-ranked": 1.0,
        },
        reference="docs/sonovec-1.md",
        n_classes=len(CLASSES),
    ),
)


def build(card: ModelCard, options: Mapping[str, object], weights: Path | None) -> Model:
    """Build the model; it has no options, and its weights come with the package."""
    digest = sha256_of(FILE)
    return Model(
        card=card,
        options=options,
        window=WINDOW,
        dim=DIM,
        front_end=card.front_end,
        weights_hash=digest,
        features=spectrograms,
        graph=Graph(
            key=f"{NAME}-{digest[:32]}",
            input_shape=(FRAMES, FRONT_END.n_mels),
            file=FILE,
            torch_module=_network,
            bf16=card.bf16_cosine is not None,
        ),
        finish=finish,
        classes=CLASSES,
    )


def _network() -> Any:
    """The same network in PyTorch; see `sonovec.models.networks.sonovec_1`."""
    need_torch(NAME)
    from sonovec.models.networks.sonovec_1 import shipped

    return shipped(FILE)


def spectrograms(samples: NDArray[np.float32], coverage: NDArray[np.float32]) -> NDArray[np.float32]:
    """The spectrogram of each window; padding is digital silence, which the network leaves out.

    Parameters
    ----------
    samples : array, shape (n, length), float32
    coverage : array, shape (n,)

    Returns
    -------
    array, shape (n, 128, 64), float32
    """
    return FRONT_END(samples)[:, :FRAMES]


def finish(rows: object, coverage: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors and scores; what the network averaged over a whole window becomes the average over what is covered."""
    given = np.array(rows, np.float32)
    given[:, :DIM] /= coverage[:, None]
    return given
