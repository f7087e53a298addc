"""``byola-*``: BYOL-A, which learnt from AudioSet without labels; the published PyTorch weights.

Niizumi et al. ("BYOL for audio: Self-supervised learning for general-purpose audio representation", 2021) taught a network of
three convolutions and two dense layers that two distortions of one sound are the same. The dense layers see each eighth frame
of a log-mel spectrogram; the maximum and the mean of what they give, over time, are added. This is the network of that first
paper (AudioNTT2020), not that of their second.

It learnt from excerpts of 0.95 s and takes any length, as in the authors' example: a sound is embedded as long as it is, in
windows of 10 s, and padded with zeros on both sides where it is shorter than 0.95 s, as theirs are.

The authors normalise spectrograms by the mean and the deviation of the data that is to be embedded, and published none of the
data that the network learnt from. The defaults are those of their example, which everybody uses; ``mean`` and ``std`` are
options. Spectrograms are those of torchaudio, as in the authors' example and by default in their evaluation; they note that
the weights were trained with librosa's, whose bands are scaled differently.

NTT's licence agreement, for code and weights, allows internal testing, analysis and evaluation of what the paper shows; it
forbids to pass them on or to modify them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.windows import WindowSpec
from sonovec.errors import UsageError
from sonovec.features.mel import LogMel
from sonovec.graph import Graph
from sonovec.models.card import ModelCard, Option, WeightFile
from sonovec.models.checkpoint import load_state, read_state
from sonovec.models.licences import NTT_EVALUATION
from sonovec.models.model import Model
from sonovec.models.unpadded import cut
from sonovec.models.weights import resolve, sha256_of

if TYPE_CHECKING:
    from torch import Tensor, nn

#: Code version of the network, for the graph's key.
VERSION = "byola-2"
COMMIT = "3e65c9283498d06915e6dbcff3445307d8d3e930"
FOLDER = f"https://raw.githubusercontent.com/nttcslab/byol-a/{COMMIT}/pretrained_weights"

#: Mean and deviation of log-mel spectrograms, as in the authors' example.
MEAN, STD = -5.4919195, 5.0389895
FRONT_END = LogMel(
    rate=16000,
    window_length=1024,
    hop_length=160,
    fft_length=1024,
    n_mels=64,
    f_min=60.0,
    f_max=7800.0,
    power=2,
    log_offset=float(np.finfo(np.float32).eps),
    shift=MEAN,
    scale=STD,
    centre="reflect",
    triangles="hertz",
)
WINDOW = WindowSpec(length=160_000, hop=160_000)
#: 96 frames, of which the network saw a crop at a time in training; shorter sounds are padded to it.
SHORTEST = 15200
CHANNELS = 64
POOLINGS = 3

#: By length of the vector: SHA-256 and size of the file, where they could be checked, and the authors' scores.
SIZES: dict[int, tuple[str, int | None, str, tuple[float, ...]]] = {
    512: (
        "6cc64226318494f06ef41d7e5810be7d37abfd6490da45abdab48f188c5332e2",
        2_410_576,
        "2.3 MiB",
        (69.1, 78.2, 33.4, 83.5, 86.5, 88.9),
    ),
    1024: ("", None, "6.5 MiB", (72.7, 78.2, 38.0, 88.5, 90.1, 91.4)),
    2048: ("", None, "20 MiB", (74.1, 79.1, 40.1, 90.2, 91.0, 92.2)),
}
TASKS = ("NSynth", "UrbanSound8K", "VoxCeleb1", "VoxForge", "Speech Commands V2 (12)", "Speech Commands V2")


def _file(dim: int) -> WeightFile:
    sha256, size, about, _ = SIZES[dim]
    name = f"AudioNTT2020-BYOLA-64x96d{dim}.pth"
    return WeightFile(name, f"{FOLDER}/{name}", sha256, size, about)


def _card(dim: int) -> ModelCard:
    return ModelCard(
        name=f"byola-{dim}",
        family="byola",
        revision=f"byol-a-{COMMIT[:8]}",
        summary=f"BYOL-A, a small network that learnt without labels, {dim} numbers; for evaluation only",
        licence=NTT_EVALUATION,
        rate=FRONT_END.rate,
        window_seconds=WINDOW.length / FRONT_END.rate,
        hop_seconds=WINDOW.hop / FRONT_END.rate,
        dim=dim,
        front_end=_describe(FRONT_END),
        weights=(_file(dim),),
        extras=("torch",),
        options={
            "mean": Option(
                MEAN, (float, int), "mean of the log-mel spectrograms of your data; the default is the authors'"
            ),
            "std": Option(STD, (float, int), "their standard deviation"),
        },
        bf16_cosine=None,  # 0.998 was measured with the published weights of 512 numbers
        trained_on="AudioSet (2 million 10 s excerpts of YouTube videos), without its labels",
        published_scores={
            f"{task} (the authors' linear evaluation) %": score
            for task, score in zip(TASKS, SIZES[dim][-1], strict=True)
        },
        reference="Niizumi et al. 2021, https://arxiv.org/abs/2103.06695; https://github.com/nttcslab/byol-a",
    )


def _describe(front_end: LogMel) -> str:
    return f"{front_end.describe()}, unpadded from {SHORTEST} samples on"


CARDS = tuple(_card(dim) for dim in SIZES)


def build(card: ModelCard, options: Mapping[str, object], weights: Path | None) -> Model:
    """Build the model; `weights` is the published file or the folder that holds it."""
    mean, std = (float(cast(float, options[name])) for name in ("mean", "std"))
    if not (np.isfinite(mean) and np.isfinite(std) and std > 0):
        raise UsageError(f"mean={mean}, std={std}: give the statistics of log-mel spectrograms, such as std={STD}")
    front_end = replace(FRONT_END, shift=mean, scale=std)
    file = resolve(_file(card.dim), weights)
    digest = sha256_of(file)
    return Model(
        card=card,
        options=options,
        window=WINDOW,
        dim=card.dim,
        front_end=_describe(front_end),
        weights_hash=digest,
        files=(file,),
        features=lambda samples, coverage: _spectrograms(front_end, samples, coverage),
        graph=Graph(
            key=f"{VERSION}-{card.dim}-{digest[:32]}",
            input_shape=(-1, FRONT_END.n_mels),
            example_length=1000,
            torch_module=lambda: load_state(network(card.dim), read_state(file, card.name), file, card.name),
            bf16=card.bf16_cosine is not None,
        ),
        finish=lambda rows, coverage: np.asarray(rows, np.float32),
    )


def _spectrograms(
    front_end: LogMel, samples: NDArray[np.float32], coverage: NDArray[np.float32]
) -> list[NDArray[np.float32]]:
    """Each window's spectrogram (frames, bands), as long as its sound."""
    return [front_end(_at_least_shortest(row)[None])[0] for row in cut(samples, coverage)]


def _at_least_shortest(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    missing = max(0, SHORTEST - len(samples))
    return np.pad(samples, (missing // 2, missing - missing // 2)) if missing else samples


def network(dim: int) -> nn.Module:
    """The network with random weights: spectrograms (n, frames, bands) to vectors (n, dim)."""
    from torch import nn

    layers: list[nn.Module] = []
    channels = 1
    for _ in range(POOLINGS):
        layers += [nn.Conv2d(channels, CHANNELS, 3, padding=1), nn.BatchNorm2d(CHANNELS), nn.ReLU(), nn.MaxPool2d(2)]
        channels = CHANNELS
    flat = CHANNELS * FRONT_END.n_mels // 2**POOLINGS
    dense = [nn.Linear(flat, dim), nn.ReLU(), nn.Dropout(0.3), nn.Linear(dim, dim), nn.ReLU()]

    class AudioNTT2020(nn.Module):
        """Names its parts as the published state dicts do."""

        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(*layers)
            self.fc = nn.Sequential(*dense)

        def forward(self, spectrograms: Tensor) -> Tensor:
            bands_by_time = spectrograms[:, None].transpose(2, 3)
            # Each frame's numbers are ordered by band, and within a band by channel.
            frames = self.fc(self.features(bands_by_time).permute(0, 3, 2, 1).flatten(2))
            return frames.amax(dim=1) + frames.mean(dim=1)

    return AudioNTT2020()
