"""w2v-BERT 2.0: a Conformer over a log-mel spectrogram, by hub id or folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.windows import WindowSpec
from sonovec.features.mel import KALDI, LogMel
from sonovec.graph import Graph
from sonovec.models import huggingface as hf
from sonovec.models.card import ModelCard
from sonovec.models.model import Model
from sonovec.models.pretrained import Pretrained
from sonovec.models.unpadded import cut

VERSION = "w2v-bert-1"
TYPES = ("wav2vec2-bert",)
#: Kaldi's filter bank, which counts samples as 16-bit numbers.
INT16 = 2.0**15


def find(name: str, weights: Path | None) -> ModelCard | None:
    """Card of a w2v-BERT 2.0 model, or None."""
    pretrained = hf.locate(name, weights)
    if pretrained is None or pretrained.type not in TYPES:
        return None
    front_end = _front_end(pretrained)
    return hf.card(
        pretrained,
        "Barrault et al. 2023, https://arxiv.org/abs/2312.05187",
        bf16_cosine=None,  # 0.999 was measured
        summary="w2v-BERT 2.0: masked prediction over 143 languages",
        rate=front_end.rate,
        window_seconds=hf.WINDOW_SECONDS,
        hop_seconds=hf.WINDOW_SECONDS,
        dim=int(pretrained.config["hidden_size"]),
        front_end=f"{front_end.describe()}; each band of zero mean and unit variance; pairs of frames",
        options={"layer": hf.LAYER, "pooling": hf.POOLING, "window": hf.WINDOW},
    )


def _front_end(pretrained: Pretrained) -> LogMel:
    rate = int(pretrained.processor.get("sampling_rate", KALDI.rate))
    n_mels = int(pretrained.processor.get("num_mel_bins", pretrained.processor.get("feature_size", 80)))
    return replace(KALDI, rate=rate, f_max=rate / 2, n_mels=n_mels)


def _stride(pretrained: Pretrained) -> int:
    """Frames of the front end that the network hears as one."""
    return int(pretrained.processor.get("stride", 2))


def shortest(pretrained: Pretrained) -> int:
    """Samples that the network needs for one frame; two of the front end are the fewest that have a variance."""
    front_end = _front_end(pretrained)
    return front_end.window_length + (_stride(pretrained) - 1) * front_end.hop_length


def hop(pretrained: Pretrained) -> int:
    """Samples from one frame of the network to the next."""
    return _stride(pretrained) * _front_end(pretrained).hop_length


def build(card: ModelCard, options: Mapping[str, object], weights: Path | None) -> Model:
    """Build the model; `weights` is a folder in Hugging Face's layout."""
    pretrained = hf.locate(card.source, weights)
    assert pretrained is not None
    front_end = _front_end(pretrained)
    stride = _stride(pretrained)
    hf.check_layer(options["layer"], int(pretrained.config["num_hidden_layers"]))
    least = shortest(pretrained)
    length = round(hf.check_window(options["window"], least / card.rate) * card.rate)
    digest = pretrained.weights_hash
    return Model(
        card=card,
        options=options,
        window=WindowSpec(length, length),
        dim=card.dim,
        front_end=f"{card.front_end}; each window at its own length, at least {least} samples",
        weights_hash=digest,
        files=pretrained.files,
        features=partial(stacked, front_end=front_end, stride=stride, least=least),
        graph=Graph(
            key=f"{VERSION}-{digest[:32]}-{hf.layer_text(options['layer'])}",
            input_shape=(-1, stride * front_end.n_mels),
            torch_module=lambda: hf.with_layer(hf.load(pretrained), options["layer"], pretrained),
            example_length=100,
            bf16=card.bf16_cosine is not None,
        ),
        finish=lambda rows, coverage: hf.pooled(rows, str(options["pooling"])),
    )


def stacked(
    samples: NDArray[np.float32], coverage: NDArray[np.float32], *, front_end: LogMel, stride: int, least: int
) -> list[NDArray[np.float32]]:
    """Normalised frames, `stride` of them side by side, of each window's own length: (frames // stride, stride * n_mels).

    A frame that is left over is dropped: its mate would be padding, which the reference masks.
    """
    rows = []
    for row in cut(samples, coverage, least):
        frames = front_end(np.float32(INT16) * row[None])[0]
        frames = (frames - frames.mean(axis=0)) / np.sqrt(frames.var(axis=0, ddof=1) + np.float32(1e-7))
        n = len(frames) // stride
        rows.append(frames[: n * stride].reshape(n, -1))
    return rows
