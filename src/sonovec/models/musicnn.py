"""``musicnn-*``: tags of music, by the authors' own TensorFlow checkpoints, read without TensorFlow.

Pons and Serra ("musicnn: pre-trained convolutional neural networks for music audio tagging", 2019) taught two kinds of
networks 50 classes each: one whose first filters are as wide as timbres and as long as rhythms, and a VGG to compare with.
Both see 187 frames of 96 mel bands, three seconds; they were trained on MagnaTagATune (mtt) or the Million Song Dataset
(msd).

``layer`` says which numbers are the vector. Of the first kind: the 200 before the scores, the maximum or the mean over
time of all 753 features, or the mean over time of the features of timbre, of tempo, or of one of three further
convolutions. Of the VGG: what its last pooling leaves, or the mean over the places of an earlier one.

A window's vector is what the authors' code gives for a sound of its samples. In three ways that code is followed to the
letter or left:

- It keeps spectrograms in half precision. Those steps are done here too; but where they overflow, in bands that are loud,
  the logarithm goes on here, where the authors' code, run today, puts infinity, and scores most music alike. What the
  networks saw in training had no infinity: the statistics of their first normalisation are finite.
- Spectrograms are continued by their mirror image at both ends, as librosa did when the networks were trained; today it
  puts zeros there.
- It leaves out what does not fill a window. Here the frames of such a sound are repeated until they do, as in its
  training.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.windows import WindowSpec
from sonovec.features.mel import LogMel
from sonovec.graph import Graph
from sonovec.models import tf_checkpoint
from sonovec.models.archive import member
from sonovec.models.card import ModelCard, Option, WeightFile
from sonovec.models.checkpoint import load_state, need_torch
from sonovec.models.model import Model
from sonovec.models.unpadded import cut
from sonovec.models.weights import resolve, sha256_of
from sonovec.paths import display

if TYPE_CHECKING:
    from torch import Tensor, nn

Floats = NDArray[np.float32]

#: Code version of the networks, for the graph's key.
VERSION = "musicnn-1"
WHEEL = WeightFile(
    "musicnn-0.1.0-py3-none-any.whl",
    "https://files.pythonhosted.org/packages/1b/6f/38229e7d99c438e11114bbfa39c8c39185458c398011d0b6d7d7c7401617/"
    "musicnn-0.1.0-py3-none-any.whl",
    "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa",
    29_292_476,
    "28 MiB",
)

#: Bands in power, without a logarithm: what follows is done in half precision.
FRONT_END = LogMel(
    rate=16000,
    window_length=512,
    hop_length=256,
    fft_length=512,
    n_mels=96,
    f_min=0.0,
    f_max=8000.0,
    mel="slaney",
    power=2,
    log_offset=0.0,
    centre="reflect",
    triangles="hertz",
    area_norm=True,
    log="none",
)
FRAMES = 187
WINDOW = WindowSpec(length=FRAMES * FRONT_END.hop_length, hop=FRAMES * FRONT_END.hop_length)
#: What the bands are multiplied with before 1 is added and the logarithm taken.
GAIN = 10_000

MTT = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano", "ambient", "beat",
    "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing", "vocals", "no vocals", "harpsichord", "loud",
    "quiet", "flute", "woman", "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man", "classic", "choir", "voice",
    "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello", "no voice", "weird", "country", "metal",
    "female voice", "choral",
)  # fmt: skip
MSD = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s", "alternative rock", "jazz",
    "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul", "indie rock", "Mellow", "electronica", "80s",
    "folk", "90s", "chill", "instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic", "experimental",
    "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country", "easy listening", "sexy", "catchy", "funk", "electro",
    "heavy metal", "Progressive rock", "60s", "rnb", "indie pop", "sad", "House", "happy",
)  # fmt: skip

#: Of the first kind: filters of timbre by their height in bands, filters of tempo by their length in frames, and how many.
TIMBRES, TIMBRE_FILTERS = (38, 67), 204
TEMPI, TEMPO_FILTERS = (128, 64, 32), 51
FURTHER, FURTHER_FILTERS = ("cnn1", "cnn2", "cnn3"), 64
FIRST_FILTERS = len(TIMBRES) * TIMBRE_FILTERS + len(TEMPI) * TEMPO_FILTERS
FEATURES = FIRST_FILTERS + len(FURTHER) * FURTHER_FILTERS
HIDDEN = 200
#: Of the VGG: channels, and the size and the step of each pooling.
CHANNELS = 128
POOLINGS = (((4, 1), (2, 2)), *[((2, 2), (2, 2))] * 3, ((4, 4), (4, 4)))
PLACES = 2
#: TensorFlow's default; PyTorch's is 1e-5.
EPSILON = 1e-3

#: Layers of each kind and the lengths of their vectors; the first is the default.
LAYERS = {
    "musicnn": {
        "penultimate": HIDDEN,
        "max_pool": FEATURES,
        "mean_pool": FEATURES,
        "timbral": len(TIMBRES) * TIMBRE_FILTERS,
        "temporal": len(TEMPI) * TEMPO_FILTERS,
        **dict.fromkeys(FURTHER, FURTHER_FILTERS),
    },
    "vgg": {"pool5": PLACES * CHANNELS, **dict.fromkeys(("pool4", "pool3", "pool2", "pool1"), CHANNELS)},
}
SUMMARIES = {"musicnn": "CNN made for timbre and tempo", "vgg": "VGG, a baseline of MusiCNN's authors,"}
DATA = {
    "mtt": (MTT, "MagnaTagATune (19,000 songs)"),
    "msd": (MSD, "the Million Song Dataset (200,000 songs with tags of Last.fm's users)"),
}


def _card(name: str, data: str, kind: str, roc_auc: float, pr_auc: float) -> ModelCard:
    classes, trained_on = DATA[data]
    default, *_ = LAYERS[kind]
    return ModelCard(
        name=name,
        family="musicnn",
        revision=f"pypi-0.1.0-{data.upper()}_{kind}",
        summary=f"{SUMMARIES[kind]} with {len(classes)} classes of music",
        licence="ISC",
        rate=FRONT_END.rate,
        window_seconds=WINDOW.length / FRONT_END.rate,
        hop_seconds=WINDOW.hop / FRONT_END.rate,
        dim=LAYERS[kind][default],
        front_end=f"log10({GAIN} x + 1) in half precision of {FRONT_END.describe()}, "
        f"shorter sounds repeated to {FRAMES} frames",
        weights=(WHEEL,),
        extras=("torch",),
        options={
            "layer": Option(
                default,
                tuple(LAYERS[kind]),
                "which numbers are the vector: " + ", ".join(f"{layer} ({dim})" for layer, dim in LAYERS[kind].items()),
            )
        },
        bf16_cosine=None,
        trained_on=trained_on,
        published_scores={"ROC-AUC of its tags (the authors' test set) %": roc_auc, "PR-AUC of its tags %": pr_auc},
        reference="Pons and Serra 2019, https://arxiv.org/abs/1909.06654; https://github.com/jordipons/musicnn",
        n_classes=len(classes),
    )


#: By name: what it was trained on, its kind, and the areas that the authors' files say.
KINDS = {
    "musicnn-mtt": ("mtt", "musicnn", 90.7, 38.3),
    "musicnn-msd": ("msd", "musicnn", 88.0, 28.9),
    "musicnn-mtt-vgg": ("mtt", "vgg", 90.3, 38.2),
    "musicnn-msd-vgg": ("msd", "vgg", 87.7, 28.2),
}
CARDS = tuple(_card(name, *kind) for name, kind in KINDS.items())


def build(card: ModelCard, options: Mapping[str, object], weights: Path | None) -> Model:
    """Build the model; `weights` is the published wheel or the folder that holds it."""
    data, kind, *_ = KINDS[card.name]
    layer = str(options["layer"])
    file = resolve(WHEEL, weights)
    digest = sha256_of(file)
    return Model(
        card=card,
        options=options,
        window=WINDOW,
        dim=LAYERS[kind][layer],
        front_end=card.front_end,
        weights_hash=digest,
        files=(file,),
        features=spectrograms,
        graph=Graph(
            key=f"{VERSION}-{data}-{kind}-{layer}-{digest[:32]}",
            input_shape=(FRAMES, FRONT_END.n_mels),
            torch_module=partial(_load, file, card.name, layer),
            bf16=card.bf16_cosine is not None,
        ),
        finish=lambda rows, coverage: np.asarray(rows, np.float32),
        classes=DATA[data][0],
    )


def spectrograms(samples: Floats, coverage: Floats) -> Floats:
    """Windows to spectrograms (n, 187, 96); what a window does not fill is its beginning again."""
    return np.stack([_spectrogram(row) for row in cut(samples, coverage, FRONT_END.window_length)])


def _spectrogram(samples: Floats) -> Floats:
    bands = FRONT_END(samples[None])[0, :FRAMES].astype(np.float16)
    with np.errstate(over="ignore"):
        halves = np.log10(GAIN * bands + np.float16(1))
    loud = ~np.isfinite(halves)
    halves[loud] = np.log10(GAIN * bands[loud].astype(np.float32) + 1)
    return np.resize(halves.astype(np.float32), (FRAMES, FRONT_END.n_mels))


def _load(file: Path, name: str, layer: str) -> nn.Module:
    need_torch(name)
    data, kind, *_ = KINDS[name]
    folder = f"musicnn/{data.upper()}_{kind}/"
    arrays = tf_checkpoint.read_from(lambda ending: member(file, folder + ending), f"{display(file)}, {folder}")
    # What the optimiser kept of each weight comes with them.
    state = {key: array for key, array in arrays.items() if "/Adam" not in key and not key.endswith("_power")}
    return load_state(network(kind, layer), tf_checkpoint.as_state(state), file, name)


def network(kind: str, layer: str) -> nn.Module:
    """A network with random weights: spectrograms (n, 187, 96) to the vector of a layer and the scores of classes.

    It names its parts as the checkpoints do.
    """
    return _musicnn(layer) if kind == "musicnn" else _vgg(layer)


def _numbered(name: str, number: int) -> str:
    """The name that TensorFlow gives to a layer: the first of its kind has no number."""
    return f"{name}_{number}" if number else name


def _musicnn(layer: str) -> nn.Module:
    import torch
    from torch import nn

    # Kernels by frames and bands; times are padded to their length, the even ones by one more behind.
    kernels = [*((7, height) for height in TIMBRES), *((length, 1) for length in TEMPI)]
    kernels += [(7, FIRST_FILTERS), *[(7, FURTHER_FILTERS)] * (len(FURTHER) - 1)]
    channels = [TIMBRE_FILTERS] * len(TIMBRES) + [TEMPO_FILTERS] * len(TEMPI) + [FURTHER_FILTERS] * len(FURTHER)
    first = len(TIMBRES) + len(TEMPI)

    class MusiCNN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.batch_normalization = nn.BatchNorm2d(1, EPSILON)
            for i, (kernel, count) in enumerate(zip(kernels, channels, strict=True)):
                self.add_module(_numbered("conv2d", i), nn.Conv2d(1, count, kernel))
                self.add_module(_numbered("batch_normalization", i + 1), nn.BatchNorm2d(count, EPSILON))
            self.add_module(_numbered("batch_normalization", len(kernels) + 1), nn.BatchNorm1d(2 * FEATURES, EPSILON))
            self.dense = nn.Linear(2 * FEATURES, HIDDEN)
            self.add_module(_numbered("batch_normalization", len(kernels) + 2), nn.BatchNorm1d(HIDDEN, EPSILON))
            self.dense_1 = nn.Linear(HIDDEN, len(MTT))

        def convolved(self, i: int, maps: Tensor) -> Tensor:
            """A convolution over maps (n, 1, frames, bands), and the maximum over what is left of the bands."""
            length = kernels[i][0]
            padded = nn.functional.pad(maps, (0, 0, (length - 1) // 2, length // 2))
            filtered = self.get_submodule(_numbered("conv2d", i))(padded).relu()
            return self.get_submodule(_numbered("batch_normalization", i + 1))(filtered).amax(dim=3)

        def forward(self, spectrograms: Tensor) -> tuple[Tensor, Tensor]:
            maps = self.batch_normalization(spectrograms[:, None])
            parts = [self.convolved(i, maps) for i in range(first)]
            features = [torch.cat(parts, dim=1)]
            for i in range(first, len(kernels)):
                further = self.convolved(i, features[-1].transpose(1, 2)[:, None])
                features.append(further if i == first else further + features[-1])
            every = torch.cat(features, dim=1)
            pooled = torch.stack([every.amax(dim=2), every.mean(dim=2)], dim=2).flatten(1)
            pooled = self.get_submodule(_numbered("batch_normalization", len(kernels) + 1))(pooled)
            hidden = self.get_submodule(_numbered("batch_normalization", len(kernels) + 2))(self.dense(pooled).relu())
            named = {
                "penultimate": hidden,
                "max_pool": every.amax(dim=2),
                "mean_pool": every.mean(dim=2),
                "timbral": torch.cat(parts[: len(TIMBRES)], dim=1).mean(dim=2),
                "temporal": torch.cat(parts[len(TIMBRES) :], dim=1).mean(dim=2),
                **{name: maps.mean(dim=2) for name, maps in zip(FURTHER, features[1:], strict=True)},
            }
            return named[layer], self.dense_1(hidden).sigmoid()

    return MusiCNN()


def _vgg(layer: str) -> nn.Module:
    from torch import nn

    class VGG(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.batch_normalization = nn.BatchNorm2d(1, EPSILON)
            for i in range(1, len(POOLINGS) + 1):
                self.add_module(f"{i}CNN", nn.Conv2d(1 if i == 1 else CHANNELS, CHANNELS, 3, padding=1))
                self.add_module(f"batch_normalization_{i}", nn.BatchNorm2d(CHANNELS, EPSILON))
            self.dense = nn.Linear(PLACES * CHANNELS, len(MTT))

        def forward(self, spectrograms: Tensor) -> tuple[Tensor, Tensor]:
            maps, named = self.batch_normalization(spectrograms[:, None]), {}
            for i, (size, step) in enumerate(POOLINGS, start=1):
                maps = self.get_submodule(f"batch_normalization_{i}")(self.get_submodule(f"{i}CNN")(maps).relu())
                maps = nn.functional.max_pool2d(maps, size, step)
                named[f"pool{i}"] = maps.mean(dim=(2, 3))
            named["pool5"] = maps.permute(0, 2, 3, 1).flatten(1)  # TensorFlow has the channels last
            return named[layer], self.dense(named["pool5"]).sigmoid()

    return VGG()
