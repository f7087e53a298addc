"""The network: a residual convolutional net over the log-mel spectrogram of a window, and what it gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from sonovec.models.networks.front_end import FRAMES, FRONT_END
from sonovec.models.protobuf import Message

#: Channels of the four stages, each of which halves frequency and time, and their residual blocks; the first stage is a
#: lone convolution, since a block of it would take a fifth of all operations.
CHANNELS, BLOCKS = (32, 64, 128, 256), (0, 1, 2, 2)
FEATURES, DIM, HIDDEN, CLASSES = 448, 512, 512, 527
#: Frames of one step: what the stages halve time to.
STEP = 2 ** len(CHANNELS)
STEPS = FRAMES // STEP
#: A step whose loudest band is no further than this above the front end's floor is digital silence.
SILENCE = FRONT_END.silence + 0.02
#: What silence still weighs, so that a sound of nothing else has a vector.
LEAST = 1e-3


class Encoder(nn.Module):
    """Windows to step vectors, and vectors to class scores.

    A vector of a window, or of any longer stretch, is the mean of its steps, silence left out: so vectors of parts make
    those of the whole, and padding changes nothing.

    With `folded`, convolutions have offsets in place of normalisations, as in what is shipped.
    """

    def __init__(
        self, channels: tuple[int, ...] = CHANNELS, blocks: tuple[int, ...] = BLOCKS, *, folded: bool = False
    ) -> None:
        super().__init__()
        parts: list[nn.Module] = [convolution(1, channels[0], stride=2, folded=folded), nn.ReLU(inplace=True)]
        before = channels[0]
        for stage, (after, count) in enumerate(zip(channels, blocks, strict=True)):
            for number in range(count):
                parts.append(Residual(before, after, 2 if stage and not number else 1, folded=folded))
                before = after
        self.trunk = nn.Sequential(*parts)
        self.over_frequency = nn.Sequential(
            nn.Conv2d(before, FEATURES, (1, FRONT_END.n_mels // STEP), bias=folded),
            *([] if folded else [nn.BatchNorm2d(FEATURES)]),
            nn.ReLU(inplace=True),
        )
        self.vector = nn.Linear(FEATURES, DIM)
        self.hidden = nn.Linear(DIM, HIDDEN)
        self.logits = nn.Linear(HIDDEN, CLASSES)

    def forward(self, spectrograms: Tensor) -> Tensor:
        """Spectrograms (n, frames, n_mels) to step vectors (n, frames / 16, 512)."""
        maps = self.over_frequency(self.trunk(spectrograms[:, None]))
        return self.vector(maps[..., 0].transpose(1, 2))

    def scores(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (n, 512) to the hidden layer (n, 512) and the logits (n, 527)."""
        hidden = self.hidden(vectors)
        return hidden, self.logits(nn.functional.hardswish(hidden))


class Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, before: int, after: int, stride: int, *, folded: bool) -> None:
        super().__init__()
        self.first = convolution(before, after, stride=stride, folded=folded)
        self.second = convolution(after, after, folded=folded)
        same = (before, stride) == (after, 1)
        self.shortcut = nn.Identity() if same else convolution(before, after, 1, stride, folded=folded)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape, or halved."""
        return torch.relu(self.second(torch.relu(self.first(x))) + self.shortcut(x))


def convolution(before: int, after: int, kernel: int = 3, stride: int = 1, *, folded: bool) -> nn.Sequential:
    """A convolution and its normalisation, or its offset."""
    layer = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=folded)
    return nn.Sequential(layer) if folded else nn.Sequential(layer, nn.BatchNorm2d(after))


def weights_of_steps(spectrograms: Tensor) -> Tensor:
    """How much each step counts in a mean: 1, or next to nothing where it is digital silence; shape (n, steps)."""
    loudest = spectrograms.amax(2).unflatten(1, (-1, STEP)).amax(2)
    return torch.where(loudest > SILENCE, 1.0, LEAST)


def mean_of_steps(steps: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean over the second axis: (n, steps, dim) and (n, steps) to (n, dim)."""
    return (steps * weights[..., None]).sum(1) / weights.sum(1, keepdim=True)


class Windows(nn.Module):
    """What is shipped: spectrograms to vectors and scores of windows, side by side (n, 512 + 527).

    The vector of a window is the sum of its steps over their number, so that the mean over the windows of a longer sound
    is the mean over all steps that are not silent but for its length, which cosine does not see.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, spectrograms: Tensor) -> Tensor:
        """Spectrograms (n, 128, 64) to rows (n, 1039)."""
        steps, weights = self.encoder(spectrograms), weights_of_steps(spectrograms)
        mean = mean_of_steps(steps, weights)
        _, logits = self.encoder.scores(mean)
        return torch.cat([mean * weights.mean(1, keepdim=True), logits.sigmoid()], 1)


def shipped(file: Path) -> Windows:
    """The network of an exported file, to be run or trained on, in evaluation mode.

    Exporting folded each normalisation into its convolution, and so it stays.
    """
    convolutions, linear = weights_of(file)
    network = Windows(Encoder(folded=True))
    layers = [name for name, layer in network.encoder.named_modules() if isinstance(layer, nn.Conv2d)]
    state = dict(linear)
    for name, (weight, offset) in zip(layers, convolutions, strict=True):
        state |= {f"{name}.weight": weight, f"{name}.bias": offset}
    network.encoder.load_state_dict(state)
    network.eval()
    return network


def weights_of(file: Path) -> tuple[list[tuple[Tensor, Tensor]], dict[str, Tensor]]:
    """Weights and offsets of an exported file's convolutions, in the order of the graph, and its linear layers by name.

    It is read as the message of Protocol Buffers that ONNX is, so that the package `onnx` is not needed.
    """
    graph = Message(Message(file.read_bytes()).content(7))
    values = {tensor.content(8).decode().removesuffix(".half"): _numbers(tensor) for tensor in graph.messages(5)}
    nodes = [
        (node.content(4), [name.decode() for name in node.all(1) if isinstance(name, bytes)])
        for node in graph.messages(1)
    ]
    convolutions = [(values[inputs[1]], values[inputs[2]]) for kind, inputs in nodes if kind == b"Conv"]
    linear = {name.removeprefix("encoder."): value for name, value in values.items() if name.startswith("encoder.")}
    # The exporter turns this one over and gives it a name of its own.
    (linear["vector.weight"],) = [values[inputs[1]].T for kind, inputs in nodes if kind == b"MatMul"]
    return convolutions, linear


#: Types of numbers in ONNX.
FLOAT, HALF = 1, 10


def _numbers(tensor: Message) -> Tensor:
    kind = {FLOAT: "<f4", HALF: "<f2"}.get(tensor.number(2), "u1")  # others are shapes and axes
    array = np.frombuffer(tensor.content(9), kind)
    sizes = [size for size in tensor.all(1) if isinstance(size, int)]
    return torch.from_numpy(array.astype(np.float32).reshape(sizes if kind != "u1" else -1))
