"""``logmel``: statistics of a log-mel spectrogram. No weights: the baseline that every other model must beat."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.windows import WindowSpec
from sonovec.features.mel import LogMel
from sonovec.models.card import ModelCard
from sonovec.models.model import Model

FRONT_END = LogMel(
    rate=16000,
    window_length=400,
    hop_length=160,
    fft_length=512,
    n_mels=64,
    f_min=50.0,
    f_max=8000.0,
    power=2,
    log_offset=1e-5,
)
WINDOW = WindowSpec(length=16000, hop=16000)

# Average (from the lowest band to the highest) and spread of the band means, deviations and maxima, over 900 sounds of many
# kinds. They centre the three parts and give them equal weight: cosine would otherwise compare little but loudness.
CENTRE = np.concatenate([np.linspace(*ends, FRONT_END.n_mels) for ends in ((-2.6, -7.2), (1.7, 1.4), (0.6, -3.9))])
SPREAD = np.repeat((4.0, 1.1, 4.5), FRONT_END.n_mels)

CARDS = (
    ModelCard(
        name="logmel",
        family="logmel",
        revision="1",
        summary="statistics of a log-mel spectrogram; needs no weights",
        licence="MIT",
        rate=FRONT_END.rate,
        window_seconds=WINDOW.length / FRONT_END.rate,
        hop_seconds=WINDOW.hop / FRONT_END.rate,
        dim=3 * FRONT_END.n_mels,
        front_end=FRONT_END.describe(),
        trained_on="nothing",
        reference="mean, deviation and maximum of each of 64 mel bands over the frames of a second",
    ),
)


def build(card: ModelCard, options: Mapping[str, object], weights: Path | None) -> Model:
    """Build the model; it has no options and takes no weights."""
    return Model(
        card=card,
        options=options,
        window=WINDOW,
        dim=card.dim,
        front_end=f"statistics-1 of {card.front_end}",
        weights_hash="",
        features=statistics,
        graph=None,
        finish=lambda rows, coverage: np.asarray(rows, np.float32),
    )


def statistics(samples: NDArray[np.float32], coverage: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean, deviation and maximum of each band, over the frames that hold sound and not padding.

    Parameters
    ----------
    samples : array, shape (n, length), float32
    coverage : array, shape (n,)
        How much of each row is sound; what follows is padding.

    Returns
    -------
    array, shape (n, 3 * n_mels), float32
    """
    spectrograms = FRONT_END(samples)
    rows = [
        _of_one(spectrogram[: max(1, FRONT_END.frames(round(float(covered) * samples.shape[1])))])
        for spectrogram, covered in zip(spectrograms, coverage, strict=True)
    ]
    return np.asarray((np.stack(rows) - CENTRE) / SPREAD, np.float32)


def _of_one(spectrogram: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([spectrogram.mean(axis=0), spectrogram.std(axis=0), spectrogram.max(axis=0)])
