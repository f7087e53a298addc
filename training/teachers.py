"""What the two teachers say of a mix: EfficientAT mn04 and YAMNet, with their published weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

import sonovec
from sonovec.models import efficientat
from sonovec.runtime.openvino_core import core, openvino
from training.corpus import RATE

MN04, YAMNET = "weights/mn04_as_mAP_432.pt", "weights/yamnet.tflite"
#: Seconds from one of mn04's steps to the next.
STEP = 0.32
#: Every other of YAMNet's windows is heard, for it takes most of the time.
YAMNET_HOP = 1.92


@dataclass(frozen=True)
class Lesson:
    """Targets for n mixes.

    Attributes
    ----------
    steps : array, shape (n, n_steps, 384), float32
        mn04's last convolution, averaged over frequency, every 0.32 s.
    yamnet : array, shape (n, 1024), float32
        YAMNet's pooled features, averaged over time.
    """

    steps: NDArray[np.float32]
    yamnet: NDArray[np.float32]


class Teachers:
    """Both teachers, on one thread each."""

    def __init__(self, data: Path, length: int) -> None:
        self._mn04 = _mn04_steps(data / MN04, length)
        self._yamnet = sonovec.load("yamnet", weights=data / YAMNET)

    def teach(self, mixes: NDArray[np.float32]) -> Lesson:
        """Both teachers' answers; `mixes` at 32 kHz, shape (n, length)."""
        spectrograms = efficientat.FRONT_END(mixes).swapaxes(1, 2)[:, None]
        steps = np.stack([self._mn04(row[None])[0][0] for row in spectrograms])
        return Lesson(steps, np.stack([self._heard(mix) for mix in mixes]))

    def _heard(self, mix: NDArray[np.float32]) -> NDArray[np.float32]:
        spec, network = self._yamnet.window, self._yamnet.network
        assert network is not None
        sound = soxr.resample(mix, RATE, self._yamnet.rate)
        starts = range(0, len(sound) - spec.length + 1, round(YAMNET_HOP * self._yamnet.rate))
        rows = network.run([sound[start : start + spec.length] for start in starts])
        return np.mean(np.asarray(rows)[:, : self._yamnet.dim], axis=0)


def _mn04_steps(file: Path, length: int) -> Any:
    """mn04 up to its last convolution, compiled for mixes of one length."""
    import torch

    whole = mn04(file)

    class Steps(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = whole.features

        def forward(self, spectrogram: torch.Tensor) -> torch.Tensor:
            return self.features(spectrogram).mean(2).transpose(1, 2)

    shape = (1, 1, efficientat.FRONT_END.n_mels, efficientat.FRONT_END.frames(length))
    model = openvino().convert_model(Steps().eval(), example_input=torch.zeros(shape))
    model.reshape(list(shape))
    return core().compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"})


def mn04(file: Path) -> Any:
    """mn04 as a PyTorch module."""
    card = next(card for card in efficientat.CARDS if card.name == "efficientat-mn04")
    graph = efficientat.build(card, {"hidden": False}, file).graph
    assert graph is not None and graph.torch_module is not None
    return graph.torch_module()
