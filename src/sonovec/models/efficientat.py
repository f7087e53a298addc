"""``efficientat-*``: MobileNets and dynamic MobileNets of AudioSet, with the published PyTorch weights.

Convolutional networks that were taught by transformers (Schmid et al., "Efficient large-scale audio tagging via
transformer-to-CNN knowledge distillation", 2023, and "Dynamic convolutional neural networks as efficient pre-trained audio
models", 2024). ``mn`` is MobileNetV3 over a spectrogram, of 0.4, 1 or 4 times its usual width; ``dymn`` computes its
kernels, its activations and an attention over frequency and time from each sound.

A vector is the average of the last convolution over frequency and time, which the authors' code gives beside the scores;
with ``hidden=True`` it is what the last layer sees. The networks take any length, and so do their authors run them: only what
is longer than 10 s is cut, and a shorter sound is not padded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.windows import WindowSpec
from sonovec.features.mel import LogMel
from sonovec.graph import Graph
from sonovec.models.audioset import names
from sonovec.models.card import ModelCard, Option, WeightFile
from sonovec.models.checkpoint import load_state, read_state
from sonovec.models.model import Model
from sonovec.models.unpadded import cut
from sonovec.models.weights import resolve, sha256_of

if TYPE_CHECKING:
    from torch import Tensor, nn

#: Code version of the network, for the graph's key.
VERSION = "efficientat-1"
RELEASE = "https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1"

FRONT_END = LogMel(
    rate=32000,
    window_length=800,
    hop_length=320,
    fft_length=1024,
    n_mels=128,
    f_min=0.0,
    f_max=15000.0,
    power=2,
    log_offset=1e-5,
    shift=-4.5,
    scale=5.0,
    window="hann_symmetric",
    centre="reflect",
    pre_emphasis=0.97,
)
WINDOW = WindowSpec(length=320_000, hop=320_000)
#: The shortest sound that the authors' front end takes (its mirror image of half an FFT needs more samples than that);
#: anything shorter is padded with zeros to this length.
SHORTEST = 514
CLASSES = names()

# Input, expanded and output channels at width 1, kernel and stride of the depthwise convolution; whether squeeze and
# excitation follows it; whether the activations are hard swish. (MobileNetV3-Large; dynamic networks have no SE.)
BLOCKS = (
    (16, 16, 16, 3, 1, False, False),
    (16, 64, 24, 3, 2, False, False),
    (24, 72, 24, 3, 1, False, False),
    (24, 72, 40, 5, 2, True, False),
    (40, 120, 40, 5, 1, True, False),
    (40, 120, 40, 5, 1, True, False),
    (40, 240, 80, 3, 2, False, True),
    (80, 200, 80, 3, 1, False, True),
    (80, 184, 80, 3, 1, False, True),
    (80, 184, 80, 3, 1, False, True),
    (80, 480, 112, 3, 1, True, True),
    (112, 672, 112, 3, 1, True, True),
    (112, 672, 160, 5, 2, True, True),
    (160, 960, 160, 5, 1, True, True),
    (160, 960, 160, 5, 1, True, True),
)
#: Channels of the dense layer before the scores, at width 1.
HIDDEN = 1280
#: Kernels that a dynamic convolution mixes, and straight lines of which a dynamic ReLU takes the highest.
KERNELS, LINES = 4, 2


def channels(count: float) -> int:
    """The multiple of 8 nearest to `count`, but not under nine tenths of it.

    Examples
    --------
    >>> channels(16 * 0.4), channels(960 * 0.4), channels(11)
    (8, 384, 16)
    """
    nearest = max(8, int(count + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * count else nearest


@dataclass(frozen=True)
class Size:
    """One of the networks.

    Attributes
    ----------
    name : str
    width : float
        How many times as wide as MobileNetV3-Large.
    file : WeightFile
    score : float
        Mean average precision in percent on AudioSet's evaluation set.
    millions : float
        Millions of weights.
    """

    name: str
    width: float
    file: WeightFile
    score: float
    millions: float

    @property
    def dynamic(self) -> bool:
        """Whether kernels and activations depend on the sound."""
        return self.name.startswith("dymn")

    @property
    def dim(self) -> int:
        """Channels of the last convolution."""
        return 6 * channels(160 * self.width)

    @property
    def hidden(self) -> int:
        """Length of the layer before the scores."""
        return channels(HIDDEN * self.width)


def _size(name: str, width: float, file: str, score: float, millions: float, sha256: str = "", size: int = 0) -> Size:
    about = f"{millions * 4.1:.0f} MB"
    return Size(name, width, WeightFile(file, f"{RELEASE}/{file}", sha256, size or None, about), score, millions)


MN04_SHA256 = "899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c"
SIZES = (
    _size("mn04", 0.4, "mn04_as_mAP_432.pt", 43.2, 0.983, MN04_SHA256, 4066513),
    _size("mn10", 1.0, "mn10_as_mAP_471.pt", 47.1, 4.88),
    _size("mn40", 4.0, "mn40_as_ext_mAP_487.pt", 48.7, 68.43),
    _size("dymn04", 0.4, "dymn04_as.pt", 45.0, 1.97),
    _size("dymn10", 1.0, "dymn10_as.pt", 47.7, 10.57),
    # 49.3 is what the file's name says; the authors' table has 49.1.
    _size("dymn20", 2.0, "dymn20_as_mAP_493.pt", 49.3, 40.02),
)


_PAPERS = {
    False: "Schmid, Koutini, Widmer 2023, https://arxiv.org/abs/2211.04772",
    True: "Schmid, Koutini, Widmer 2024, https://arxiv.org/abs/2310.15648",
}


_COMPRESSION: Mapping[str, Mapping[str, float]] = {
    "mn04": {
        "float16": 1.0,
        "int8": 0.997,
        "256+int8": 0.967,
        "128+int8": 0.927,
        "64+int8": 0.874,
        "binary": 0.835,
        "pq-128": 0.951,
        "pq-64": 0.915,
        "pq-32": 0.861,
        "pq-16": 0.777,
        "binary re-ranked": 1.0,
        "pq-16 re-ranked": 1.0,
    }
}


def _card(size: Size) -> ModelCard:
    kind = "dynamic MobileNet" if size.dynamic else "MobileNet"
    return ModelCard(
        name=f"efficientat-{size.name}",
        family="efficientat",
        revision=f"v0.0.1-{size.file.name.removesuffix('.pt')}",
        summary=f"{kind} of AudioSet, {size.millions:g} million weights, with 527 classes",
        licence="MIT",
        rate=FRONT_END.rate,
        window_seconds=WINDOW.length / FRONT_END.rate,
        hop_seconds=WINDOW.hop / FRONT_END.rate,
        dim=size.dim,
        front_end=FRONT_END.describe(),
        weights=(size.file,),
        extras=("torch",),
        options={
            "hidden": Option(
                False, (False, True), f"the {size.hidden} numbers before the scores instead of the pooled {size.dim}"
            )
        },
        # On real sounds, bf16 has cosines down to 0.98 with float32 (mn04) and changes every tenth nearest neighbour.
        bf16_cosine=None,
        trained_on="ImageNet, then AudioSet (2 million 10 s excerpts of YouTube videos), taught by an ensemble of PaSST",
        published_scores={"AudioSet evaluation set (527 classes) mAP %": size.score},
        compression=_COMPRESSION.get(size.name, {}),
        reference=_PAPERS[size.dynamic] + "; https://github.com/fschmid56/EfficientAT",
        n_classes=len(CLASSES),
    )


CARDS = tuple(_card(size) for size in SIZES)
_SIZE_OF = {card.name: size for card, size in zip(CARDS, SIZES, strict=True)}


def build(card: ModelCard, options: Mapping[str, object], weights: Path | None) -> Model:
    """Build the model; `weights` is the published file or the folder that holds it."""
    size = _SIZE_OF[card.name]
    file = resolve(size.file, weights)
    digest = sha256_of(file)
    vectors = slice(size.dim, size.dim + size.hidden) if options["hidden"] else slice(size.dim)
    return Model(
        card=card,
        options=options,
        window=WINDOW,
        dim=size.hidden if options["hidden"] else size.dim,
        front_end=card.front_end,
        weights_hash=digest,
        files=(file,),
        features=spectrograms,
        graph=Graph(
            key=f"{VERSION}-{size.name}-{digest[:32]}",
            input_shape=(1, FRONT_END.n_mels, -1),
            example_length=1000,
            torch_module=lambda: load_state(network(size), read_state(file, card.name), file, card.name),
            bf16=card.bf16_cosine is not None,
        ),
        finish=lambda rows, coverage: _joined(np.asarray(rows, np.float32), vectors),
        classes=CLASSES,
    )


def _joined(rows: NDArray[np.float32], vectors: slice) -> NDArray[np.float32]:
    """The vectors that were asked for, and the scores."""
    return np.concatenate([rows[:, vectors], rows[:, -len(CLASSES) :]], axis=1)


def spectrograms(samples: NDArray[np.float32], coverage: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The spectrogram of each window, as long as its sound.

    Parameters
    ----------
    samples : array, shape (n, length), float32
    coverage : array, shape (n,)
        How much of each row is sound; what follows is left away, but for `SHORTEST` samples.

    Returns
    -------
    list of n arrays, shape (1, n_mels, frames), float32
    """
    rows = cut(samples, coverage, SHORTEST)
    return [np.ascontiguousarray(FRONT_END(row[None]).swapaxes(1, 2)) for row in rows]


def network(size: Size) -> nn.Module:
    """The network of a size, with random weights.

    It takes spectrograms (n, 1, n_mels, frames) and gives the pooled vectors, the hidden layer, and scores between 0 and 1.
    """
    from torch import nn

    blocks = [_dynamic_block(size.width, *block) if size.dynamic else _block(size.width, *block) for block in BLOCKS]
    first = _convolution(1, channels(BLOCKS[0][0] * size.width), 3, 2, activation=nn.Hardswish)
    last = _convolution(channels(BLOCKS[-1][2] * size.width), size.dim, 1, activation=nn.Hardswish)
    dense = (nn.Linear(size.dim, size.hidden), nn.Hardswish(), nn.Dropout(), nn.Linear(size.hidden, len(CLASSES)))

    class Network(nn.Module):
        """Names its parts as the published state dicts do, which differ between the two kinds."""

        def __init__(self) -> None:
            super().__init__()
            if size.dynamic:
                self.in_c, self.layers, self.out_c = first, nn.Sequential(*blocks), last
            else:
                self.features = nn.Sequential(first, *blocks, last)
            self.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), *dense)

        def forward(self, spectrogram: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            maps = self.out_c(self.layers(self.in_c(spectrogram))) if size.dynamic else self.features(spectrogram)
            pooled = self.classifier[:2](maps)
            hidden = self.classifier[2:4](pooled)
            return pooled, hidden, self.classifier[4:](hidden).sigmoid()

    return Network()


def _norm(count: int) -> nn.Module:
    from torch import nn

    return nn.BatchNorm2d(count, eps=1e-3)


def _convolution(
    before: int, after: int, kernel: int, stride: int = 1, groups: int = 1, activation: Any = None
) -> nn.Sequential:
    from torch import nn

    layer = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(layer, _norm(after), *([activation()] if activation else []))


def _block(
    width: float, before: int, expanded: int, after: int, kernel: int, stride: int, squeeze: bool, swish: bool
) -> nn.Module:
    """Inverted residual: expand the channels, convolve each of them, weigh them, project them back."""
    from torch import nn

    before, expanded, after = (channels(count * width) for count in (before, expanded, after))
    activation = nn.Hardswish if swish else nn.ReLU
    parts: list[nn.Module] = []
    if expanded != before:
        parts.append(_convolution(before, expanded, 1, activation=activation))
    parts.append(_convolution(expanded, expanded, kernel, stride, expanded, activation))
    if squeeze:
        parts.append(_squeeze_excitation(expanded))
    parts.append(_convolution(expanded, after, 1))

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = nn.Sequential(*parts)

        def forward(self, x: Tensor) -> Tensor:
            return self.block(x) + x if stride == 1 and before == after else self.block(x)

    return Block()


def _squeeze_excitation(count: int) -> nn.Module:
    """Weigh the channels by their means over frequency and time.

    The authors also tried weights along frequency and time, in layers side by side; the published networks have the one
    along the channels.
    """
    from torch import nn

    class Weights(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1 = nn.Linear(count, channels(count // 4))
            self.fc2 = nn.Linear(channels(count // 4), count)

        def forward(self, x: Tensor) -> Tensor:
            return x * self.fc2(self.fc1(x.mean((2, 3))).relu()).sigmoid()[:, :, None, None]

    class SideBySide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conc_se_layers = nn.ModuleList([Weights()])

        def forward(self, x: Tensor) -> Tensor:
            return self.conc_se_layers[0](x)

    return SideBySide()


def _dynamic_block(
    width: float, before: int, expanded: int, after: int, kernel: int, stride: int, squeeze: bool, swish: bool
) -> nn.Module:
    """Inverted residual whose kernels, second activation and attention are computed from its input."""
    from torch import nn

    before, expanded, after = (channels(count * width) for count in (before, expanded, after))
    context = min(max(channels(expanded // 4), channels(32 * width)), channels(128 * width))

    class DynamicBlock(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            if expanded != before:
                self.exp_conv = _dynamic_convolution(before, expanded, context)
                self.exp_norm = _norm(expanded)
                self.exp_act = nn.Hardswish() if swish else nn.ReLU()
            self.depth_conv = _dynamic_convolution(expanded, expanded, context, kernel, stride, groups=expanded)
            self.depth_norm = _norm(expanded)
            self.depth_act = _dynamic_relu(expanded, context)
            self.proj_conv = _dynamic_convolution(expanded, after, context)
            self.proj_norm = _norm(after)
            self.context_gen = _context(before, expanded, context, stride)

        def forward(self, x: Tensor) -> Tensor:
            summary, over_frequency, over_time = self.context_gen(x)
            y = x
            if expanded != before:
                y = self.exp_act(self.exp_norm(self.exp_conv(x, summary)))
            y = self.depth_act(self.depth_norm(self.depth_conv(y, summary)), summary)
            y = self.proj_norm(self.proj_conv(y * over_frequency * over_time, summary))
            return y + x if stride == 1 and before == after else y

    return DynamicBlock()


def _context(before: int, expanded: int, context: int, stride: int) -> nn.Module:
    """What a dynamic block computes of its input: a summary, and attention over frequency and over time."""
    import torch
    from torch import nn

    class Context(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.joint_conv = nn.Conv2d(before, context, 1, bias=False)
            self.joint_norm = _norm(context)
            self.conv_f = nn.Conv2d(context, expanded, 1)
            self.conv_t = nn.Conv2d(context, expanded, 1)
            # The attention is that of the depthwise convolution's output, which may be half as long.
            strided = stride > 1
            self.pool_f = nn.AvgPool2d((3, 1), (stride, 1), (1, 0)) if strided else nn.Identity()
            self.pool_t = nn.AvgPool2d((1, 3), (1, stride), (0, 1)) if strided else nn.Identity()

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            along_f, along_t = (
                nn.functional.hardswish(self.joint_norm(self.joint_conv(x.mean(axis, keepdim=True)))) for axis in (3, 2)
            )
            summary = torch.cat([along_f.flatten(2), along_t.flatten(2)], dim=2).mean(2)
            return summary, self.conv_f(self.pool_f(along_f)).sigmoid(), self.conv_t(self.pool_t(along_t)).sigmoid()

    return Context()


def _dynamic_convolution(
    before: int, after: int, context: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> nn.Module:
    """A convolution, of points or of single channels, whose kernel is mixed for each sound from `KERNELS` of them."""
    import torch
    from torch import nn

    class Convolution(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.residuals = nn.Sequential(nn.Linear(context, KERNELS))
            self.weight = nn.Parameter(torch.zeros(1, 1, KERNELS, after * before // groups * kernel**2))

        def forward(self, x: Tensor, summary: Tensor) -> Tensor:
            # Training lowers the temperature of this softmax to 1.
            mixed = self.residuals(summary).softmax(-1) @ self.weight[0, 0]
            if kernel == 1:
                # A product of matrices, which OpenVINO runs several times faster than a convolution by computed weights.
                return (mixed.unflatten(1, (after, before)) @ x.flatten(2)).unflatten(2, (x.shape[2], x.shape[3]))
            joined = nn.functional.conv2d(  # the sounds of a batch as so many more channels
                x.flatten(0, 1)[None],
                mixed.reshape(-1, 1, kernel, kernel),
                stride=stride,
                padding=kernel // 2,
                groups=x.shape[0] * groups,
            )
            return joined[0].unflatten(0, (x.shape[0], after))

    return Convolution()


def _dynamic_relu(count: int, context: int) -> nn.Module:
    """The highest of `LINES` straight lines for each channel; at its start, before training, a ReLU."""
    import torch
    from torch import nn

    class Lines(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.coef_net = nn.Sequential(nn.Linear(context, 2 * LINES * count))
            self.register_buffer("lambdas", torch.tensor([1.0] * LINES + [0.5] * LINES))
            self.register_buffer("init_v", torch.tensor([1.0] + [0.0] * (2 * LINES - 1)))

        def forward(self, x: Tensor, summary: Tensor) -> Tensor:
            changes = (2 * self.coef_net(summary).sigmoid() - 1).unflatten(1, (count, 2 * LINES))
            slopes_and_offsets = (changes * self.lambdas + self.init_v)[:, :, :, None, None].unbind(2)
            (slope, other_slope), (offset, other_offset) = slopes_and_offsets[:LINES], slopes_and_offsets[LINES:]
            return torch.maximum(x * slope + offset, x * other_slope + other_offset)

    return Lines()
