"""``openl3-*``: "look, listen and learn" networks of music and of environmental sound, from the published Keras weights.

OpenL3 (Cramer et al., "Look, listen, and learn more: design choices for deep audio embeddings", 2019) was taught without
labels to tell whether a picture and a second of sound come from one video. Eight convolutions see a second at 48 kHz as 256
mel bands; the last one's map of 32 x 24 places is pooled by its maximum over 8 x 8 places, which gives 6144 numbers, or over
all of them, which gives 512.

Windows start at the first sample. The authors' code by default puts half a second of silence in front (``center=True``), so
that its times are the middles of windows; what it gives with ``center=False`` is what is given here. Both pad the end with
zeros until all samples are covered, and a sound shorter than a second to a second. A hop is rounded to a whole number of
samples, where the authors' code cuts off the rest, and times are those of the samples.

Frames start with the window and the last ones reach over its end, as in version 0.4 of the authors' code, whose variant with
librosa, centred by half a frame, gives other numbers. Each window's spectrogram is relative to its own loudest number, so
that loudness does not count, and that of digital silence is as loud as possible everywhere: give such windows no meaning.
"""

from __future__ import annotations

import gzip
import io
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.windows import WindowSpec
from sonovec.errors import MissingExtraError, WeightsError
from sonovec.features.mel import LogMel
from sonovec.graph import Graph
from sonovec.models.card import ModelCard, WeightFile
from sonovec.models.checkpoint import load_state
from sonovec.models.model import Model
from sonovec.models.weights import resolve, sha256_of
from sonovec.paths import display

if TYPE_CHECKING:
    from torch import Tensor, nn

Floats = NDArray[np.float32]

#: Code version of the network, for the graph's key.
VERSION = "openl3-1"
BRANCH = "https://github.com/marl/openl3/raw/models"
#: Where the authors' package, once installed, has the files unpacked.
UNPACKED = "openl3_audio_mel256_{}.h5"

# Magnitudes, and yet 10 times their logarithm: so were the networks trained.
FRONT_END = LogMel(
    rate=48000,
    window_length=2048,
    hop_length=242,
    fft_length=2048,
    n_mels=256,
    f_min=0.0,
    f_max=24000.0,
    mel="slaney",
    triangles="hertz",
    area_norm=True,
    log_offset=1e-10,
    floor="max",
    log="decibel",
)
#: Zeros behind a window, so that a frame starts at each hop of it.
FRAMES = 199
PADDING = (FRAMES - 1) * FRONT_END.hop_length + FRONT_END.window_length - FRONT_END.rate
#: Decibels below the loudest number of a window at which the others are cut off.
DYNAMIC_RANGE = 80.0

WINDOW = WindowSpec(length=48000, hop=4800)
#: Channels of the convolutions before the last, and which of them are pooled by 2.
LAYERS = (64, 64, 128, 128, 256, 256, 512)
POOLED = (2, 4, 6)
#: What the last map is pooled by, to 4 x 3 places of 512 channels.
POOL = 8
DIMS = (512, 6144)
#: Keras's default; PyTorch's is 1e-5.
EPSILON = 1e-3


@dataclass(frozen=True)
class Kind:
    """What one of the networks was trained on, and its file."""

    content: str
    file: WeightFile
    summary: str
    trained_on: str
    scores: Mapping[int, Mapping[str, float]]


def _file(content: str, sha256: str) -> WeightFile:
    name = f"openl3_audio_mel256_{content}-v0_4_0.h5.gz"
    return WeightFile(name, f"{BRANCH}/{name}", sha256, about="about 17 MB")


def _evar(esc50: float, gtzan: float) -> dict[str, float]:
    """Scores of the vectors of 6144; of the shorter ones of environmental sound, none were published."""
    return {
        "ESC-50 (EVAR linear probe, 6144 numbers) %": esc50,
        "GTZAN (EVAR linear probe, 6144 numbers) %": gtzan,
    }


# The authors published no hashes. The first file's is what another project noted when it fetched it.
KINDS = {
    "music": Kind(
        "music",
        _file("music", "e379f41e880b78e157c199ebddac80d3764e6a46282bcccdbe875bcf538f9afd"),
        "look, listen and learn on videos of music",
        "AudioSet's videos of musical performances, without their labels",
        {512: {"ESC-50 (HEAR) %": 75.1, "GTZAN genre (HEAR) %": 87.9}, 6144: _evar(82.2, 73.3)},
    ),
    "env": Kind(
        "env",
        _file("env", ""),
        "look, listen and learn on videos of the environment",
        "AudioSet's videos of environmental sounds, without their labels",
        {dim: _evar(81.2, 72.9) for dim in DIMS},
    ),
}


def _card(kind: Kind, dim: int) -> ModelCard:
    return ModelCard(
        name=f"openl3-{kind.content}-{dim}",
        family="openl3",
        revision="v0.4.0-mel256",
        summary=f"{kind.summary}; {dim} numbers",
        licence="CC-BY-4.0",
        rate=FRONT_END.rate,
        window_seconds=WINDOW.length / FRONT_END.rate,
        hop_seconds=WINDOW.hop / FRONT_END.rate,
        dim=dim,
        front_end=f"{FRONT_END.describe()}, {PADDING} zeros behind, relative to the window's maximum, "
        f"not below -{DYNAMIC_RANGE:g} dB",
        weights=(kind.file,),
        extras=("openl3",),
        bf16_cosine=0.9999,
        trained_on=kind.trained_on,
        published_scores=kind.scores[dim],
        reference="Cramer et al. 2019, https://doi.org/10.1109/ICASSP.2019.8682475; https://github.com/marl/openl3",
    )


CARDS = tuple(_card(kind, dim) for kind in KINDS.values() for dim in DIMS)


def build(card: ModelCard, options: Mapping[str, object], weights: Path | None) -> Model:
    """Build the model; `weights` is the published file, packed or not, or the folder that holds it. No options."""
    kind = KINDS[card.name.split("-")[1]]
    file = _find(kind, weights)
    digest = sha256_of(file)
    return Model(
        card=card,
        options=options,
        window=WINDOW,
        dim=card.dim,
        front_end=card.front_end,
        weights_hash=digest,
        files=(file,),
        features=lambda samples, coverage: spectrograms(samples),
        graph=Graph(
            key=f"{VERSION}-{digest[:32]}",
            input_shape=(FRAMES, FRONT_END.n_mels),
            torch_module=lambda: _load(file, card),
            bf16=card.bf16_cosine is not None,
            rows=1,  # more at once are no faster, and a short sound has one
        ),
        finish=lambda rows, coverage: _pool(np.asarray(rows, np.float32), card.dim),
    )


def _find(kind: Kind, weights: Path | None) -> Path:
    unpacked = UNPACKED.format(kind.content)
    if weights is not None and not (weights / kind.file.name).exists() and (weights / unpacked).is_file():
        return weights / unpacked
    return resolve(kind.file, weights)


def spectrograms(samples: Floats) -> Floats:
    """Windows (n, 48000) to decibels below each one's loudest number, (n, 199, 256)."""
    decibels = FRONT_END(np.pad(samples, ((0, 0), (0, PADDING))))
    decibels -= decibels.max(axis=(1, 2), keepdims=True)
    return np.maximum(decibels, np.float32(-DYNAMIC_RANGE))


def _pool(rows: Floats, dim: int) -> Floats:
    """The maximum over the places of the map, with the channels last, that are left to pool."""
    return rows if rows.shape[1] == dim else np.asarray(rows.reshape(len(rows), -1, dim).max(axis=1))


def _load(file: Path, card: ModelCard) -> nn.Module:
    arrays = _read(file, card)
    network = _network()
    return load_state(network, _state(arrays, network), file, card.name)


def _read(file: Path, card: ModelCard) -> list[list[NDArray[Any]]]:
    """The arrays of each layer that has any, in the order of the layers; both as the file's own lists say.

    Keras numbers the layers that it makes, one model after the other, so that their names say nothing.
    """
    try:
        import h5py
        import torch  # noqa: F401 - said before the file is read
    except ImportError:
        raise MissingExtraError(
            f"{card.name} needs h5py and PyTorch once, to convert its weights: pip install 'sonovec[openl3]'"
        ) from None
    try:
        content = file.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        with h5py.File(io.BytesIO(content), "r") as opened:
            root = opened.get("model_weights", opened)  # a whole model, and not its weights alone, has them there
            layers = [root[name] for name in root.attrs["layer_names"]]
            found = [[layer[name][()] for name in layer.attrs["weight_names"]] for layer in layers]
    except Exception as error:  # gzip, zlib and h5py raise many kinds for a file that is damaged or not their own
        reason = " ".join(str(error).split())[:120]
        raise WeightsError(
            f"{display(file)}: not a file of Keras weights ({reason}); fetch {file.name} again"
        ) from error
    return [arrays for arrays in found if arrays]


#: What Keras keeps of a layer, in its order.
PARTS = {2: ("weight", "bias"), 4: ("weight", "bias", "running_mean", "running_var")}


def _state(layers: list[list[NDArray[Any]]], network: nn.Module) -> dict[str, Any]:
    """A state dict: the network's layers in their order take the file's."""
    import torch

    names = [name for name, layer in network.layers.named_children() if list(layer.parameters())]
    names += [f"further_layer_{i}" for i in range(len(names), len(layers))]
    return {
        f"layers.{name}.{part}": torch.from_numpy(_turned(array))
        for name, arrays in zip(names, layers, strict=False)
        for part, array in zip(PARTS.get(len(arrays), map(str, range(len(arrays)))), arrays, strict=True)
    }


def _turned(array: NDArray[Any]) -> Floats:
    """Keras's kernels are (height, width, in, out), PyTorch's (out, in, height, width)."""
    turned = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array
    return np.ascontiguousarray(turned, np.float32)


def _network() -> nn.Module:
    from torch import nn

    class OpenL3(nn.Module):
        """Spectrograms (n, frames, bands) to vectors of 6144."""

        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(_layers())
            self.pool = nn.MaxPool2d(POOL)

        def forward(self, spectrograms: Tensor) -> Tensor:
            maps = self.pool(self.layers(spectrograms.transpose(1, 2).unsqueeze(1)))
            return maps.permute(0, 2, 3, 1).flatten(1)  # Keras has the channels last

    return OpenL3()


def _layers() -> OrderedDict[str, nn.Module]:
    """All layers but the last pooling, by names such as Keras gives."""
    from torch import nn

    layers: OrderedDict[str, nn.Module] = OrderedDict(batch_normalization=nn.BatchNorm2d(1, EPSILON))
    channels = 1
    for i, after in enumerate(LAYERS, start=1):
        layers[f"conv2d_{i}"] = nn.Conv2d(channels, after, 3, padding=1)
        layers[f"batch_normalization_{i}"] = nn.BatchNorm2d(after, EPSILON)
        layers[f"activation_{i}"] = nn.ReLU()
        if i in POOLED:
            layers[f"max_pooling2d_{i}"] = nn.MaxPool2d(2)
        channels = after
    layers["audio_embedding_layer"] = nn.Conv2d(channels, channels, 3, padding=1)
    return layers
