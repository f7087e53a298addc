"""``vggish``: the network of AudioSet's first embeddings, with the published PyTorch weights or Google's own.

The network is a VGG with six convolutions and three dense layers (Hershey et al., "CNN architectures for large-scale audio
classification", 2017), over 96 frames of 64 mel bands. Three things go by its name, so each is an explicit option and stands
in the passport. Google's released code gives the 128 numbers *before* an activation, which is the default here;
torchvggish puts one more ReLU after them (``relu=True``). AudioSet's published features are those numbers after a PCA and a
quantisation to 8 bits (``pca=True``): rounded, as torchvggish does; Google's code cuts off instead, which is at most 1 of
255 less.

torchvggish's weights are Google's ``vggish_model.ckpt``, a checkpoint of TensorFlow 1. It is opened too, as is
``vggish_pca_params.npz`` beside it: ``weights=`` the file, or the folder that holds both. The vectors are the same; the
passports are not, for the files are others.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.windows import WindowSpec
from sonovec.errors import WeightsError
from sonovec.features.mel import VGGISH
from sonovec.graph import Graph
from sonovec.models import tf_checkpoint
from sonovec.models.card import ModelCard, Option, WeightFile
from sonovec.models.checkpoint import load_state, need_torch, read_state
from sonovec.models.model import Model
from sonovec.models.weights import resolve, sha256_of
from sonovec.paths import atomic, cached, display

if TYPE_CHECKING:
    from torch import nn

#: Code version of the network, for the graph's key.
VERSION = "vggish-1"
RELEASE = "https://github.com/harritaylor/torchvggish/releases/download/v0.1"
NETWORK = WeightFile("vggish-10086976.pth", f"{RELEASE}/vggish-10086976.pth", "10086976", about="275 MiB")
PCA = WeightFile(
    "vggish_pca_params-970ea276.pth", f"{RELEASE}/vggish_pca_params-970ea276.pth", "970ea276", about="70 KiB"
)
#: Google's own files, under the names that they are published by.
CHECKPOINT, CHECKPOINT_PCA = "vggish_model.ckpt", "vggish_pca_params.npz"

# 96 frames of 10 ms and the overlap that the last of them needs: a window is 15,600 samples long, and the next begins 96
# frames later, so that windows hold the same frames as those cut from one long spectrogram.
WINDOW = WindowSpec(length=15600, hop=15360)
FRAMES = 96
#: Channels of the convolutions; None is a pooling by 2.
LAYERS = (64, None, 128, None, 256, 256, None, 512, 512, None)
DENSE = (512 * 6 * 4, 4096, 4096, 128)
QUANTISED_RANGE = 2.0

CARDS = (
    ModelCard(
        name="vggish",
        family="vggish",
        revision="torchvggish-0.1",
        summary="the VGG of AudioSet's first embeddings; the field's best-known baseline",
        licence="Apache-2.0",
        rate=VGGISH.rate,
        window_seconds=WINDOW.length / VGGISH.rate,
        hop_seconds=WINDOW.hop / VGGISH.rate,
        dim=DENSE[-1],
        front_end=VGGISH.describe(),
        weights=(NETWORK, PCA),
        extras=("torch",),
        options={
            "relu": Option(False, (False, True), "the numbers after one more ReLU, as torchvggish gives them"),
            "pca": Option(
                False, (False, True), "PCA and 8-bit quantisation, as AudioSet's published features; 0 to 255"
            ),
        },
        bf16_cosine=0.9999,
        trained_on="a preliminary version of YouTube-8M (Google); not to be confused with AudioSet itself",
        published_scores={"ESC-50 (EVAR linear probe) %": 68.2, "GTZAN (EVAR linear probe) %": 75.3},
        reference="Hershey et al. 2017, https://arxiv.org/abs/1609.09430; "
        "https://github.com/tensorflow/models/tree/master/research/audioset/vggish; "
        "https://github.com/harritaylor/torchvggish",
    ),
)


def build(card: ModelCard, options: Mapping[str, object], weights: Path | None) -> Model:
    """Build the model; `weights` is the folder that holds the published files, or, without PCA, the network's file."""
    network = _find(NETWORK, CHECKPOINT, weights)
    digest = sha256_of(network)
    files: tuple[Path, ...] = (network,)
    components = None
    if options["pca"]:
        file = _find(PCA, CHECKPOINT_PCA, weights)
        digest, files = f"{digest}+{sha256_of(file)}", (network, file)
        components = _components(file)
    return Model(
        card=card,
        options=options,
        window=WINDOW,
        dim=card.dim,
        front_end=card.front_end,
        weights_hash=digest,
        files=files,
        features=lambda samples, coverage: VGGISH(samples)[:, None],
        graph=Graph(
            key=f"{VERSION}-{digest[:32]}",
            input_shape=(1, FRAMES, VGGISH.n_mels),
            torch_module=lambda: _load(network),
            bf16=card.bf16_cosine is not None,
        ),
        finish=lambda rows, coverage: _finish(np.asarray(rows), bool(options["relu"]), components),
    )


def untrained(card: ModelCard) -> nn.Module:
    """The network as PyTorch makes it, to begin from random weights; see `sonovec.models.scratch`."""
    return _network()


def _find(file: WeightFile, googles: str, weights: Path | None) -> Path:
    """The published file, or Google's where the user's folder has that alone."""
    if weights is not None and not (weights / file.name).is_file() and (weights / googles).is_file():
        return weights / googles
    return resolve(file, weights)


def _finish(
    array: NDArray[Any], relu: bool, components: tuple[NDArray[np.float32], NDArray[np.float32]] | None
) -> NDArray[np.float32]:
    vectors = np.maximum(array, 0) if relu else array
    if components is None:
        return np.asarray(vectors, np.float32)
    eigenvectors, means = components
    # A row at a time: a product of matrices may round differently in another batch.
    projected = np.stack([eigenvectors @ (vector - means) for vector in vectors])
    clipped = np.clip(projected, -QUANTISED_RANGE, QUANTISED_RANGE)
    return np.asarray(np.round((clipped + QUANTISED_RANGE) * np.float32(255 / (2 * QUANTISED_RANGE))), np.float32)


def _network() -> nn.Module:
    from torch import Tensor, nn

    layers: list[nn.Module] = []
    channels = 1
    for out in LAYERS:
        if out is None:
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(channels, out, kernel_size=3, padding=1), nn.ReLU()]
        channels = out
    dense: list[nn.Module] = []
    for before, after in pairwise(DENSE):
        dense += [nn.Linear(before, after), nn.ReLU()]

    class VGGish(nn.Module):
        """Names its parts as the published state dict does."""

        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(*layers)
            self.embeddings = nn.Sequential(*dense[:-1])

        def forward(self, patches: Tensor) -> Tensor:
            # TensorFlow, where the weights come from, flattens with the channels last.
            return self.embeddings(self.features(patches).permute(0, 2, 3, 1).flatten(1))

    return VGGish()


#: What Google's checkpoint calls the layers, in the order of `_network`.
CONVOLUTIONS = ("conv1", "conv2", "conv3/conv3_1", "conv3/conv3_2", "conv4/conv4_1", "conv4/conv4_2")
GOOGLES_DENSE = ("fc1/fc1_1", "fc1/fc1_2", "fc2")


def _load(file: Path) -> nn.Module:
    network = _network()
    state = _state_of_google(file, network) if file.suffix == ".ckpt" else read_state(file, "vggish")
    return load_state(network, state, file, "VGGish")


def _state_of_google(file: Path, network: Any) -> dict[str, Any]:
    """Google's variables by the names of the PyTorch port, which have the numbers of layers in them."""
    need_torch("vggish")
    scopes = (*CONVOLUTIONS, *GOOGLES_DENSE)
    ours = [name for name, layer in network.named_modules() if hasattr(layer, "weight")]
    names = dict(zip((f"vggish.{scope.replace('/', '.')}" for scope in scopes), ours, strict=True))
    state = {}
    for name, tensor in tf_checkpoint.as_state(tf_checkpoint.read(file)).items():
        layer, _, part = name.rpartition(".")
        if layer in names:  # one that was trained further has more in it
            state[f"{names[layer]}.{part}"] = tensor
    return state


@lru_cache(maxsize=4)
def _components(file: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Eigenvectors (128, 128) and means (128,); stored as NumPy arrays, so that PyTorch is needed only once."""
    stored = cached("graphs", f"{VERSION}-pca-{sha256_of(file)[:32]}.npz")
    if not stored.exists():
        state = _arrays(file) if file.suffix == ".npz" else read_state(file, "vggish")
        try:
            eigenvectors, means = (np.asarray(state[name]) for name in ("pca_eigen_vectors", "pca_means"))
        except KeyError as error:
            raise WeightsError(f"{display(file)}: has no {error}; give weights= the published {PCA.name}") from None
        with atomic(stored) as temporary:
            np.savez(temporary, eigenvectors=eigenvectors, means=means)
    with np.load(stored) as arrays:
        return arrays["eigenvectors"].astype(np.float32), arrays["means"].astype(np.float32).reshape(-1)


def _arrays(file: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(file) as arrays:
            return dict(arrays)
    except (OSError, ValueError, BadZipFile) as error:
        reason = " ".join(str(error).split())[:120]
        raise WeightsError(f"{display(file)}: not NumPy's arrays ({reason}); fetch {file.name} again") from error
