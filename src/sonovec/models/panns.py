"""``panns-*``: the CNNs that were trained on AudioSet by Kong et al., with the published PyTorch weights.

Pretrained audio neural networks ("PANNs: Large-scale pretrained audio neural networks for audio pattern recognition", 2020)
see a log-mel spectrogram in decibels: CNN14 with twelve convolutions, at 32 and at 16 kHz, and a MobileNetV1. What the last
convolution gives is averaged over frequency; its maximum and its mean over time are added, and a dense layer with a ReLU
makes the vector, from which another gives the scores of 527 classes.

They were trained on clips of 10 s, which is the window here. They take any length, and so do their authors run them: a sound
that is shorter, or the end of a longer one, is not padded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.windows import WindowSpec
from sonovec.errors import WeightsError
from sonovec.features.mel import LogMel, mel_bank
from sonovec.graph import Graph
from sonovec.models.audioset import names
from sonovec.models.card import ModelCard, WeightFile
from sonovec.models.checkpoint import load_state, read_state
from sonovec.models.model import Model
from sonovec.models.unpadded import cut
from sonovec.models.weights import resolve, sha256_of
from sonovec.paths import display

if TYPE_CHECKING:
    from torch import Tensor, nn

#: Code version of the networks, for the graph's key.
VERSION = "panns-2"
RECORD = "https://zenodo.org/records/3987831/files"
WINDOW_SECONDS = 10.0
CLASSES = names()

FRONT_END = LogMel(
    rate=32000,
    window_length=1024,
    hop_length=320,
    fft_length=1024,
    n_mels=64,
    f_min=50.0,
    f_max=14000.0,
    mel="slaney",
    power=2,
    log_offset=1e-10,
    centre="reflect",
    triangles="hertz",
    area_norm=True,
    floor="max",
    log="decibel",
)
FRONT_END_16K = replace(FRONT_END, rate=16000, window_length=512, hop_length=160, fft_length=512, f_max=8000.0)
#: Five poolings by 2 leave one frame of these; a shorter sound is padded with zeros at its end. (The authors' code fails.)
LEAST_FRAMES = 32
#: What a published file holds of its front end: tables, which `FRONT_END` makes itself.
TABLES = ("spectrogram_extractor.", "logmel_extractor.")
MEL_TABLE = "logmel_extractor.melW"

#: Channels of CNN14's blocks of two convolutions.
CNN14_BLOCKS = (64, 128, 256, 512, 1024, 2048)
#: MobileNetV1: channels after each convolution, and what its output is pooled by.
MOBILENET_FIRST = (32, 2)
MOBILENET_BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    (1024, 1),
)


@dataclass(frozen=True)
class Kind:
    """What one of the models is made of."""

    front_end: LogMel
    file: WeightFile
    network: Callable[[], nn.Module]

    @property
    def shortest(self) -> int:
        """Samples of `LEAST_FRAMES`."""
        return (LEAST_FRAMES - 1) * self.front_end.hop_length


def _file(name: str, sha256: str, size: int) -> WeightFile:
    return WeightFile(name, f"{RECORD}/{quote(name)}?download=1", sha256, size, f"{size / 2**20:.0f} MiB")


def _card(name: str, kind: Kind, dim: int, summary: str, scores: Mapping[str, float]) -> ModelCard:
    front = kind.front_end
    return ModelCard(
        name=name,
        family="panns",
        revision=f"zenodo-3987831-{kind.file.name.removesuffix('.pth')}",
        summary=summary,
        licence="CC-BY-4.0",
        rate=front.rate,
        window_seconds=WINDOW_SECONDS,
        hop_seconds=WINDOW_SECONDS,
        dim=dim,
        front_end=f"{front.describe()}, unpadded from {kind.shortest} samples on",
        weights=(kind.file,),
        extras=("torch",),
        bf16_cosine=0.9999
        if kind.network is _cnn14
        else None,  # measured with random weights; `models check` takes yours
        trained_on="AudioSet (1.9 million 10 s excerpts of YouTube videos)",
        published_scores=scores,
        reference="Kong et al. 2020, https://arxiv.org/abs/1912.10211; "
        "https://github.com/qiuqiangkong/audioset_tagging_cnn; https://github.com/qiuqiangkong/panns_inference",
        n_classes=len(CLASSES),
    )


def build(card: ModelCard, options: Mapping[str, object], weights: Path | None) -> Model:
    """Build the model; `weights` is the published file or the folder that holds it. There are no options."""
    kind = KINDS[card.name]
    file = resolve(kind.file, weights)
    digest = sha256_of(file)
    length = round(WINDOW_SECONDS * card.rate)
    return Model(
        card=card,
        options=options,
        window=WindowSpec(length=length, hop=length),
        dim=card.dim,
        front_end=card.front_end,
        weights_hash=digest,
        files=(file,),
        features=lambda samples, coverage: _spectrograms(kind, samples, coverage),
        graph=Graph(
            key=f"{VERSION}-{card.name.removeprefix('panns-')}-{digest[:32]}",
            input_shape=(-1, FRONT_END.n_mels),
            example_length=10 * LEAST_FRAMES,
            torch_module=lambda: _load(kind, file, card.name),
            bf16=card.bf16_cosine is not None,
        ),
        finish=lambda rows, coverage: np.asarray(rows, np.float32),
        classes=CLASSES,
    )


def untrained(card: ModelCard) -> nn.Module:
    """The network as PyTorch makes it, to begin from random weights; see `sonovec.models.scratch`."""
    return KINDS[card.name].network()


def _spectrograms(kind: Kind, samples: NDArray[np.float32], coverage: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Each window's spectrogram (frames, bands), as long as its sound."""
    return [kind.front_end(row[None])[0] for row in cut(samples, coverage, kind.shortest)]


def _load(kind: Kind, file: Path, name: str) -> nn.Module:
    state = read_state(file, name)
    state = state["model"] if isinstance(state.get("model"), dict) else state
    _check_front_end(state, kind, file, name)
    return load_state(
        kind.network(), {key: tensor for key, tensor in state.items() if not key.startswith(TABLES)}, file, name
    )


def _check_front_end(state: Mapping[str, Any], kind: Kind, file: Path, name: str) -> None:
    """CNN14 has the same shapes at both rates; only the tables of its front end tell the files from each other."""
    if (found := state.get(MEL_TABLE)) is None:
        return
    bank = mel_bank(kind.front_end)
    if tuple(found.shape) != bank.shape or not np.allclose(np.asarray(found), bank, rtol=0, atol=1e-3 * bank.max()):
        raise WeightsError(
            f"{display(file)}: made for another front end than {name}'s ({kind.front_end.rate} Hz); "
            f"give weights= the published {kind.file.name}"
        )


def _network(width: int, parts: Mapping[str, nn.Module]) -> nn.Module:
    """What all the networks share: spectrograms (n, frames, bands) to vectors (n, width) and scores (n, 527)."""
    from torch import nn

    class Network(nn.Module):
        """Names its parts as the published state dicts do."""

        def __init__(self) -> None:
            super().__init__()
            self.bn0 = nn.BatchNorm2d(FRONT_END.n_mels)
            for name, part in parts.items():
                self.add_module(name, part)
            self.fc1 = nn.Linear(width, width)
            self.fc_audioset = nn.Linear(width, len(CLASSES))

        def forward(self, spectrograms: Tensor) -> tuple[Tensor, Tensor]:
            maps = spectrograms[:, None]
            maps = self.bn0(maps.transpose(1, 3)).transpose(1, 3)
            for name in parts:
                maps = getattr(self, name)(maps)
            frames = maps.mean(dim=3)
            embedding = self.fc1(frames.amax(dim=2) + frames.mean(dim=2)).relu()
            return embedding, self.fc_audioset(embedding).sigmoid()

    return Network()


def _cnn14() -> nn.Module:
    from torch import nn

    class Block(nn.Module):
        def __init__(self, before: int, after: int, pool: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(after)
            self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(after)
            self.pool = nn.AvgPool2d(pool) if pool > 1 else nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.pool(self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())).relu())

    last = len(CNN14_BLOCKS)
    blocks = enumerate(zip((1, *CNN14_BLOCKS), CNN14_BLOCKS, strict=False), start=1)
    return _network(
        CNN14_BLOCKS[-1],
        {f"conv_block{i}": Block(before, after, 1 if i == last else 2) for i, (before, after) in blocks},
    )


def _mobilenet_v1() -> nn.Module:
    from torch import nn

    def convolution(before: int, after: int, groups: int, pool: int) -> list[nn.Module]:
        layer = nn.Conv2d(before, after, 3, padding=1, groups=groups, bias=False)
        return [layer, nn.AvgPool2d(pool), nn.BatchNorm2d(after), nn.ReLU()]

    channels, pool = MOBILENET_FIRST
    blocks = [nn.Sequential(*convolution(1, channels, 1, pool))]
    for after, pool in MOBILENET_BLOCKS:
        pointwise = (nn.Conv2d(channels, after, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
        blocks.append(nn.Sequential(*convolution(channels, channels, channels, pool), *pointwise))
        channels = after
    return _network(channels, {"features": nn.Sequential(*blocks)})


KINDS = {
    "panns-cnn14": Kind(
        FRONT_END,
        _file("Cnn14_mAP=0.431.pth", "0dc499e40e9761ef5ea061ffc77697697f277f6a960894903df3ada000e34b31", 327_428_481),
        _cnn14,
    ),
    "panns-cnn14-16k": Kind(
        FRONT_END_16K,
        _file(
            "Cnn14_16k_mAP=0.438.pth", "e2ee543a27919542c2ea03eabaa70b24dcd4e6c8e05621de6b67a94e4c5058e6", 358_668_570
        ),
        _cnn14,
    ),
    # Zenodo publishes MD5 sums only; nobody's SHA-256 of this file was found.
    "panns-mobilenetv1": Kind(FRONT_END, _file("MobileNetV1_mAP=0.389.pth", "", 23_639_473), _mobilenet_v1),
}

_EVALUATION = "AudioSet evaluation set (527 classes) mAP %"
CARDS = (
    _card(
        "panns-cnn14",
        KINDS["panns-cnn14"],
        CNN14_BLOCKS[-1],
        "CNN of AudioSet with 80 million weights, the best-known of the PANNs, with 527 classes",
        {_EVALUATION: 43.1, "ESC-50 (HEAR) %": 90.9, "GTZAN genre (HEAR) %": 86.0},
    ),
    _card(
        "panns-cnn14-16k",
        KINDS["panns-cnn14-16k"],
        CNN14_BLOCKS[-1],
        "CNN14 of the PANNs for sound at 16 kHz, with 527 classes",
        {_EVALUATION: 43.8},
    ),
    _card(
        "panns-mobilenetv1",
        KINDS["panns-mobilenetv1"],
        MOBILENET_BLOCKS[-1][0],
        "MobileNetV1 of the PANNs, 4.8 million weights, with 527 classes",
        {_EVALUATION: 38.9},
    ),
)
