"""Whisper's encoder, by hub id or folder.

It always hears 30 seconds: what is shorter is filled up with silence, as its authors do, and the frames of that silence are
left out of the pooling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.windows import WindowSpec
from sonovec.features.mel import LogMel
from sonovec.graph import Graph
from sonovec.models import huggingface as hf
from sonovec.models.card import ModelCard
from sonovec.models.model import Model
from sonovec.models.pretrained import Pretrained

if TYPE_CHECKING:
    from torch import nn

VERSION = "whisper-1"
TYPES = ("whisper",)
#: Everything more than this below the loudest is raised to it, in tens of decibels.
RANGE = 8.0


def find(name: str, weights: Path | None) -> ModelCard | None:
    """Card of a Whisper model, or None."""
    pretrained = hf.locate(name, weights)
    if pretrained is None or pretrained.type not in TYPES:
        return None
    front_end = _front_end(pretrained)
    seconds = float(pretrained.processor.get("chunk_length", 30))
    return hf.card(
        pretrained,
        "Radford et al. 2022, https://arxiv.org/abs/2212.04356",
        summary="the encoder of Whisper, which transcribes and translates speech",
        rate=front_end.rate,
        window_seconds=seconds,
        hop_seconds=seconds,
        dim=int(pretrained.config["d_model"]),
        front_end=f"{front_end.describe()}; at most {RANGE} below the maximum; (x + 4) / 4; padded to {seconds:g} s",
        options={"layer": hf.LAYER, "pooling": hf.POOLING},
    )


def _front_end(pretrained: Pretrained) -> LogMel:
    fft_length = int(pretrained.processor.get("n_fft", 400))
    return LogMel(
        rate=int(pretrained.processor.get("sampling_rate", 16000)),
        window_length=fft_length,
        hop_length=int(pretrained.processor.get("hop_length", 160)),
        fft_length=fft_length,
        n_mels=int(pretrained.processor.get("feature_size", pretrained.config["num_mel_bins"])),
        f_min=0.0,
        f_max=8000.0,
        mel="slaney",
        power=2,
        centre="reflect",
        triangles="hertz",
        area_norm=True,
        floor="max",
        log_offset=1e-10,
        log="log10",
    )


def build(card: ModelCard, options: Mapping[str, object], weights: Path | None) -> Model:
    """Build the model; `weights` is a folder in Hugging Face's layout."""
    pretrained = hf.locate(card.source, weights)
    assert pretrained is not None
    front_end = _front_end(pretrained)
    hf.check_layer(options["layer"], int(pretrained.config["encoder_layers"]))
    length = round(card.window_seconds * card.rate)
    digest = pretrained.weights_hash
    return Model(
        card=card,
        options=options,
        window=WindowSpec(length, length),
        dim=card.dim,
        front_end=card.front_end,
        weights_hash=digest,
        files=pretrained.files,
        features=partial(spectrograms, front_end=front_end),
        graph=Graph(
            key=f"{VERSION}-{digest[:32]}-{hf.layer_text(options['layer'])}",
            input_shape=(front_end.n_mels, length // front_end.hop_length),
            torch_module=lambda: _network(pretrained, options["layer"]),
            bf16=card.bf16_cosine is not None,
            rows=1,
        ),
        finish=lambda rows, coverage: _pooled(rows, coverage, str(options["pooling"])),
    )


def _network(pretrained: Pretrained, layer: object) -> nn.Module:
    return hf.with_layer(hf.load(pretrained, "WhisperModel").get_encoder(), layer, pretrained)


def spectrograms(
    samples: NDArray[np.float32], coverage: NDArray[np.float32], *, front_end: LogMel
) -> NDArray[np.float32]:
    """Spectrograms (n, n_mels, frames) of whole windows, padding included."""
    frames = front_end(samples)[:, :-1]
    loudest = frames.max(axis=(1, 2), keepdims=True)
    return np.ascontiguousarray((np.maximum(frames, loudest - np.float32(RANGE)) + 4) / 4).transpose(0, 2, 1)


def _pooled(
    rows: Sequence[NDArray[Any]] | NDArray[Any], coverage: NDArray[np.float32], pooling: str
) -> NDArray[np.float32]:
    """Pool the frames that hold sound: at least one, and one that holds some counts whole."""
    heard = [
        row[: max(1, int(np.ceil(covered * len(row) - 1e-4)))] for row, covered in zip(rows, coverage, strict=True)
    ]
    return hf.pooled(heard, pooling)
