"""AST, the Audio Spectrogram Transformer, by hub id or folder.

Its input is 10.24 s of spectrogram; what is shorter is filled up with zeros, as its authors do. The vector is the mean of its
two class tokens, which is what its classifier sees; a checkpoint that has the classifier gives its scores too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.windows import WindowSpec
from sonovec.features.mel import KALDI, LogMel
from sonovec.graph import Graph
from sonovec.models import huggingface as hf
from sonovec.models.card import ModelCard, Option
from sonovec.models.model import Model
from sonovec.models.pretrained import Pretrained
from sonovec.models.unpadded import cut

if TYPE_CHECKING:
    from torch import nn

VERSION = "ast-1"
TYPES = ("audio-spectrogram-transformer",)
#: Class tokens in front of the patches.
TOKENS = 2


def find(name: str, weights: Path | None) -> ModelCard | None:
    """Card of an AST model, or None."""
    pretrained = hf.locate(name, weights)
    if pretrained is None or pretrained.type not in TYPES:
        return None
    front_end = _front_end(pretrained)
    seconds = _frames(pretrained) * front_end.hop_length / front_end.rate
    return hf.card(
        pretrained,
        "Gong et al. 2021, https://arxiv.org/abs/2104.01778",
        summary="AST: a vision Transformer over spectrograms",
        rate=front_end.rate,
        window_seconds=seconds,
        hop_seconds=seconds,
        dim=int(pretrained.config["hidden_size"]),
        front_end=f"{front_end.describe()}; padded with zeros to {_frames(pretrained)} frames; {_normalisation(pretrained)}",
        options={
            "pooling": Option(
                "tokens", ("tokens", "mean"), "the class tokens, which the classifier sees, or all patches"
            )
        },
        n_classes=len(_classes(pretrained)),
    )


def _frames(pretrained: Pretrained) -> int:
    return int(pretrained.config.get("max_length", 1024))


def _normalisation(pretrained: Pretrained) -> tuple[float, float]:
    """What is taken off, and what it is divided by."""
    if not pretrained.processor.get("do_normalize", True):
        return 0.0, 1.0
    mean, deviation = (
        pretrained.processor.get(name, usual) for name, usual in (("mean", -4.2677393), ("std", 4.5689974))
    )
    return float(mean), 2 * float(deviation)


def _classes(pretrained: Pretrained) -> tuple[str, ...]:
    if "ASTForAudioClassification" not in (pretrained.config.get("architectures") or ()):
        return ()
    names = pretrained.config.get("id2label", {})
    return tuple(names[key] for key in sorted(names, key=int))


def _front_end(pretrained: Pretrained) -> LogMel:
    rate = int(pretrained.processor.get("sampling_rate", KALDI.rate))
    n_mels = int(pretrained.processor.get("num_mel_bins", pretrained.config.get("num_mel_bins", 128)))
    return replace(KALDI, rate=rate, f_max=rate / 2, n_mels=n_mels, window="hann_symmetric")


def build(card: ModelCard, options: Mapping[str, object], weights: Path | None) -> Model:
    """Build the model; `weights` is a folder in Hugging Face's layout."""
    pretrained = hf.locate(card.source, weights)
    assert pretrained is not None
    front_end = _front_end(pretrained)
    frames, classes = _frames(pretrained), _classes(pretrained)
    hop = frames * front_end.hop_length
    pooling = str(options["pooling"])
    digest = pretrained.weights_hash
    return Model(
        card=card,
        options=options,
        # The last frame reaches over into the next window.
        window=WindowSpec(hop + front_end.window_length - front_end.hop_length, hop),
        dim=card.dim,
        front_end=card.front_end,
        weights_hash=digest,
        files=pretrained.files,
        features=partial(spectrograms, front_end=front_end, frames=frames, normalisation=_normalisation(pretrained)),
        graph=Graph(
            key=f"{VERSION}-{digest[:32]}-{pooling}",
            input_shape=(frames, front_end.n_mels),
            torch_module=lambda: _network(pretrained, pooling, bool(classes)),
            bf16=card.bf16_cosine is not None,
            rows=1,
        ),
        finish=lambda rows, coverage: np.asarray(rows, np.float32),
        classes=classes,
    )


def spectrograms(
    samples: NDArray[np.float32],
    coverage: NDArray[np.float32],
    *,
    front_end: LogMel,
    frames: int,
    normalisation: tuple[float, float],
) -> NDArray[np.float32]:
    """Spectrograms (n, frames, n_mels); what is not a sound is zeros before the normalisation."""
    result = np.zeros((len(samples), frames, front_end.n_mels), np.float32)
    for out, row in zip(result, cut(samples, coverage, front_end.window_length), strict=True):
        heard = front_end(row[None])[0]
        out[: len(heard)] = heard
    mean, divisor = normalisation
    return (result - np.float32(mean)) / np.float32(divisor)


def _network(pretrained: Pretrained, pooling: str, classified: bool) -> nn.Module:
    import torch
    from torch import Tensor, nn

    whole = hf.load(pretrained, "ASTForAudioClassification" if classified else "ASTModel")

    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = whole.audio_spectrogram_transformer if classified else whole
            self.classifier = whole.classifier if classified else None

        def forward(self, spectrogram: Tensor) -> Tensor:
            states = self.encoder(spectrogram).last_hidden_state
            tokens = states[:, :TOKENS].mean(dim=1)
            vector = tokens if pooling == "tokens" else states[:, TOKENS:].mean(dim=1)
            if self.classifier is None:
                return vector
            return torch.cat([vector, torch.sigmoid(self.classifier(tokens))], dim=-1)

    return Pooled().eval()
