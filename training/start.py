"""Where a run begins: with random weights, or with an encoder that was exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sonovec.models.builtin import FRAMES
from sonovec.models.networks.sonovec_1 import Encoder, mean_of_steps, weights_of
from training.lessons import batch
from training.loss import Student, Targets, steps_of
from training.mixes import Lessons

#: Of the ridge regressions that the adapters begin with.
RIDGE = 1e-2


def exported(work: Path, run: str) -> Path:
    """Where the encoder of a run lies."""
    return work / run / "encoder.onnx"


@torch.no_grad()
def begin(student: Student, targets: Targets, lessons: Lessons, start: Path | None) -> None:
    """Set the offsets of the scores, or everything by an exported encoder, and its adapters by regression on lessons."""
    student.encoder.logits.bias.copy_(targets.logits_mean)
    if start is None:
        return
    heard = batch(
        lessons, np.arange(len(lessons.mel)), np.zeros(len(lessons.mel), np.int64), targets.logits_mean.device
    )
    load(student.encoder, start, heard.mel[:256].flatten(0, 1).unflatten(0, (-1, FRAMES)))
    student.eval()
    vectors = torch.cat([steps_of(student.encoder, mel) for mel in heard.mel.split(64)])
    student.train()
    clips = mean_of_steps(vectors, heard.weights)
    _regress(student.to_mn04, clips, mean_of_steps(targets.normal("steps", heard.steps), heard.weights))
    _regress(student.to_yamnet, clips, targets.normal("yamnet", heard.yamnet))


def _regress(adapter: nn.Linear, vectors: Tensor, wanted: Tensor) -> None:
    rows = torch.cat([vectors, torch.ones_like(vectors[:, :1])], 1).double()
    penalty = RIDGE * len(rows) * float(vectors.var()) * torch.eye(rows.shape[1], device=rows.device)
    solved = torch.linalg.solve(rows.T @ rows + penalty, rows.T @ wanted.double())
    adapter.weight.copy_(solved[:-1].T)
    adapter.bias.copy_(solved[-1])


def load(encoder: Encoder, file: Path, spectrograms: Tensor) -> None:
    """Give an encoder the weights of an exported one.

    Exporting folded each normalisation into its convolution. Here it comes back with the statistics that
    `spectrograms`, of shape (n, 128, 64), have at its place, so that the encoder computes what the file does and can be
    trained on.
    """
    convolutions, linear = weights_of(file)
    normalised = _pairs(encoder)
    for (convolution, _), (weight, _) in zip(normalised, convolutions, strict=True):
        convolution.weight.data.copy_(weight)
    encoder.load_state_dict({**encoder.state_dict(), **linear})
    hooks = [
        normalisation.register_forward_pre_hook(_measure(offset))
        for (_, normalisation), (_, offset) in zip(normalised, convolutions, strict=True)
    ]
    training = encoder.training
    with torch.no_grad():
        encoder.eval()(spectrograms)
    encoder.train(training)
    for hook in hooks:
        hook.remove()


def _measure(offset: Tensor) -> Any:
    """A hook that makes a normalisation add `offset` and change nothing else of what it is given first."""

    def hook(normalisation: nn.BatchNorm2d, given: tuple[Tensor]) -> None:
        variance, mean = torch.var_mean(given[0].float(), (0, 2, 3), correction=0)
        normalisation.running_mean.copy_(mean)
        normalisation.running_var.copy_(variance)
        normalisation.weight.copy_((variance + normalisation.eps).sqrt())
        normalisation.bias.copy_(mean + offset)

    return hook


def _pairs(encoder: Encoder) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions and their normalisations, in the order in which they compute."""
    layers = [module for module in encoder.modules() if isinstance(module, (nn.Conv2d, nn.BatchNorm2d))]
    return list(zip(layers[::2], layers[1::2], strict=True))  # type: ignore[arg-type]
