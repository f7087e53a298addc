"""``resemblyzer``: who speaks, as 256 numbers; the published PyTorch weights of Resemblyzer.

Three layers of LSTM (Wan et al., "Generalized end-to-end loss for speaker verification", 2018) hear 160 frames of 40 mel
bands in power, without a logarithm: 1.6 s of speech. The last state, through a dense layer with a ReLU, is scaled to
length 1. An utterance is the mean of its windows, which overlap by half, as the authors take them at their default rate
of 1.3 a second; it is compared by cosine.

A window's vector is what the authors' ``embed_utterance`` gives for a sound of its samples; within a longer one, their
frames at the seams of windows see past them. What their ``preprocess_wav`` does first is not all done here: sounds
quieter than -30 dBFS are raised to it, each window by itself (``loudness=False`` leaves that out), but pauses are not cut
out, for times would no longer be those of the file. They leave out a last window that is less than three quarters full;
here it counts by as much as it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.windows import WindowSpec
from sonovec.errors import WeightsError
from sonovec.features.mel import LogMel
from sonovec.graph import Graph
from sonovec.models.archive import member
from sonovec.models.card import ModelCard, Option, WeightFile
from sonovec.models.checkpoint import load_state, need_torch, read_state
from sonovec.models.model import Model
from sonovec.models.weights import resolve, sha256_of
from sonovec.paths import display

if TYPE_CHECKING:
    from torch import Tensor, nn

Floats = NDArray[np.float32]

#: Code version of the network, for the graph's key.
VERSION = "resemblyzer-1"
WHEEL = WeightFile(
    "Resemblyzer-0.1.4-py3-none-any.whl",
    "https://files.pythonhosted.org/packages/d9/b5/d897d5de5b2123a1ad5d32e8e007d83f76582f5c32c60992577263bd7c7e/"
    "Resemblyzer-0.1.4-py3-none-any.whl",
    "8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f",
    15_747_704,
    "15 MiB",
)
MEMBER = "resemblyzer/pretrained.pt"

FRONT_END = LogMel(
    rate=16000,
    window_length=400,
    hop_length=160,
    fft_length=400,
    n_mels=40,
    f_min=0.0,
    f_max=8000.0,
    mel="slaney",
    power=2,
    log_offset=0.0,
    centre="zeros",
    triangles="hertz",
    area_norm=True,
    log="none",
)
FRAMES, STEP = 160, 77
WINDOW = WindowSpec(length=FRAMES * FRONT_END.hop_length, hop=STEP * FRONT_END.hop_length)
DIM, LAYERS = 256, 3
#: What quieter sounds are raised to: the root mean square of -30 dB of full scale.
LOUDNESS = 10 ** (-30 / 20)

CARDS = (
    ModelCard(
        name="resemblyzer",
        family="resemblyzer",
        revision="pypi-0.1.4",
        summary="who speaks: an LSTM that tells voices apart",
        licence="Apache-2.0",
        rate=FRONT_END.rate,
        window_seconds=WINDOW.length / FRONT_END.rate,
        hop_seconds=WINDOW.hop / FRONT_END.rate,
        dim=DIM,
        front_end=f"{FRONT_END.describe()}; pauses are not cut out",
        weights=(WHEEL,),
        extras=("torch",),
        options={
            "loudness": Option(
                True, (True, False), "raise windows quieter than -30 dBFS to it, as the authors do with whole files"
            )
        },
        bf16_cosine=None,
        trained_on="LibriSpeech (other), VoxCeleb1 and VoxCeleb2: some thousand speakers",
        reference="Wan et al. 2018, https://arxiv.org/abs/1710.10467; https://github.com/resemble-ai/Resemblyzer",
    ),
)


def build(card: ModelCard, options: Mapping[str, object], weights: Path | None) -> Model:
    """Build the model; `weights` is the published wheel, the folder that holds it, or the checkpoint out of it."""
    file = resolve(WHEEL, weights)
    digest = sha256_of(file)
    loudness = bool(options["loudness"])
    return Model(
        card=card,
        options=options,
        window=WINDOW,
        dim=card.dim,
        front_end=card.front_end,
        weights_hash=digest,
        files=(file,),
        features=lambda samples, coverage: spectrograms(samples, coverage, loudness=loudness),
        graph=Graph(
            key=f"{VERSION}-{digest[:32]}",
            input_shape=(FRAMES, FRONT_END.n_mels),
            torch_module=lambda: _load(file, card.name),
            bf16=card.bf16_cosine is not None,
        ),
        finish=lambda rows, coverage: _of_length_one(np.asarray(rows, np.float32)),
    )


def spectrograms(samples: Floats, coverage: Floats, *, loudness: bool = True) -> Floats:
    """Windows (n, 25600) to spectrograms (n, 160, 40), quiet ones raised if `loudness` says so."""
    if loudness:
        covered = coverage.astype(np.float64) * samples.shape[1]
        level = np.sqrt(np.square(samples, dtype=np.float64).sum(axis=1) / covered)
        gain = LOUDNESS / np.where(level > 0, np.minimum(level, LOUDNESS), LOUDNESS)
        samples = samples * gain.astype(np.float32)[:, None]
    return FRONT_END(samples)[:, :FRAMES]


def _of_length_one(rows: Floats) -> Floats:
    """A row of zeros, which the ReLU may leave, stays one."""
    lengths = np.asarray(np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), np.float32)


def _load(file: Path, name: str) -> nn.Module:
    need_torch(name)
    state = read_state(file, name, member(file, MEMBER) if file.suffix == ".whl" else None)
    if not isinstance(state.get("model_state"), dict):
        raise WeightsError(f"{display(file)}: not a checkpoint of {name}; give weights= the published {WHEEL.name}")
    # What training compares vectors with lies beside the network's weights.
    needed = {key: tensor for key, tensor in state["model_state"].items() if not key.startswith("similarity_")}
    return load_state(network(), needed, file, name)


def network() -> nn.Module:
    """The network with random weights: spectrograms (n, 160, 40) to vectors (n, 256), not yet of length 1."""
    from torch import nn

    class VoiceEncoder(nn.Module):
        """Names its parts as the published state dict does."""

        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(FRONT_END.n_mels, DIM, LAYERS, batch_first=True)
            self.linear = nn.Linear(DIM, DIM)

        def forward(self, spectrograms: Tensor) -> Tensor:
            _, (states, _) = self.lstm(spectrograms)
            return self.linear(states[-1]).relu()

    return VoiceEncoder()
