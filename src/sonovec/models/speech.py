"""Transformers that hear the waveform itself: wav2vec 2.0 and what came after it, by hub id or folder.

Every window runs alone and at its true length. That is what the models with group normalisation need, whose vectors change
with padding (https://github.com/huggingface/transformers/issues/10117); for the others it equals a batch with its masks, so
no mask is ever needed, and no frame of padding can enter the pooling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.windows import WindowSpec
from sonovec.errors import UsageError
from sonovec.graph import Graph
from sonovec.models import huggingface as hf
from sonovec.models.card import ModelCard
from sonovec.models.model import Model
from sonovec.models.pretrained import Pretrained
from sonovec.models.unpadded import cut

if TYPE_CHECKING:
    from torch import nn

VERSION = "speech-1"


@dataclass(frozen=True)
class Kind:
    """An architecture: what it is, its paper, and which class of ``transformers`` loads it."""

    summary: str
    paper: str
    loader: str = "AutoModel"


KINDS = {
    "wav2vec2": Kind("wav2vec 2.0: contrastive learning of speech", "https://arxiv.org/abs/2006.11477"),
    "wav2vec2-conformer": Kind("wav2vec 2.0 with Conformer layers", "https://arxiv.org/abs/2010.05171"),
    "hubert": Kind("HuBERT: masked prediction of hidden units", "https://arxiv.org/abs/2106.07447"),
    "wavlm": Kind("WavLM: masked prediction and denoising of speech", "https://arxiv.org/abs/2110.13900"),
    "data2vec-audio": Kind("data2vec: masked prediction of the model's own layers", "https://arxiv.org/abs/2202.03555"),
    "unispeech": Kind("UniSpeech: speech with and without labels", "https://arxiv.org/abs/2101.07597"),
    "unispeech-sat": Kind("UniSpeech-SAT: aware of speakers", "https://arxiv.org/abs/2110.05752"),
    "sew": Kind("SEW: squeezed and efficient wav2vec", "https://arxiv.org/abs/2109.06870"),
    "sew-d": Kind("SEW-D: squeezed wav2vec with disentangled attention", "https://arxiv.org/abs/2109.06870"),
    # Its network is HuBERT's, so that its own code is not needed.
    "mert_model": Kind("MERT: acoustic and musical teachers", "https://arxiv.org/abs/2306.00107", "HubertModel"),
}


TYPES = tuple(KINDS)


def find(name: str, weights: Path | None) -> ModelCard | None:
    """Card of a model of one of these architectures, or None."""
    pretrained = hf.locate(name, weights)
    if pretrained is None or pretrained.type not in TYPES:
        return None
    kind = KINDS[pretrained.type]
    return hf.card(
        pretrained,
        kind.paper,
        summary=kind.summary,
        rate=_rate(pretrained),
        window_seconds=hf.WINDOW_SECONDS,
        hop_seconds=hf.WINDOW_SECONDS,
        dim=_dim(pretrained),
        front_end=_front_end(pretrained),
        options={"layer": hf.LAYER, "pooling": hf.POOLING, "window": hf.WINDOW, "remote_code": hf.REMOTE_CODE},
    )


def build(card: ModelCard, options: Mapping[str, object], weights: Path | None) -> Model:
    """Build the model; `weights` is a folder in Hugging Face's layout."""
    pretrained = hf.locate(card.source, weights)
    assert pretrained is not None
    remote_code = bool(options["remote_code"])
    _check_cqt(pretrained, remote_code)
    hf.check_layer(options["layer"], int(pretrained.config["num_hidden_layers"]))
    least = shortest(pretrained.config)
    length = round(hf.check_window(options["window"], least / card.rate) * card.rate)
    digest = pretrained.weights_hash
    layer = options["layer"]
    return Model(
        card=card,
        options=options,
        window=WindowSpec(length, length),
        dim=card.dim,
        front_end=f"{card.front_end}; each window at its own length, at least {least} samples",
        weights_hash=digest,
        files=pretrained.files,
        features=partial(unpadded, least=least, normalised=bool(pretrained.processor.get("do_normalize", True))),
        graph=Graph(
            key=f"{pretrained.type}-{VERSION}-{digest[:32]}-{hf.layer_text(layer)}",
            input_shape=(-1,),
            torch_module=lambda: _network(pretrained, layer, remote_code),
            bf16=card.bf16_cosine is not None,
        ),
        finish=lambda rows, coverage: hf.pooled(rows, str(options["pooling"])),
    )


def _network(pretrained: Pretrained, layer: object, remote_code: bool) -> nn.Module:
    kind = "AutoModel" if remote_code else KINDS[pretrained.type].loader
    settings: dict[str, Any] = {}
    if kind != "AutoModel":
        import transformers

        plain = {name: value for name, value in pretrained.config.items() if name not in ("model_type", "auto_map")}
        settings["config"] = transformers.HubertConfig(**plain)
    return hf.with_layer(hf.load(pretrained, kind, remote_code=remote_code, **settings), layer, pretrained)


def _check_cqt(pretrained: Pretrained, remote_code: bool) -> None:
    if pretrained.config.get("feature_extractor_cqt") and not remote_code:
        raise UsageError(
            f"{pretrained.name}: hears a constant-Q transform beside the waveform, which its own code computes; "
            "if you trust that code, give remote_code=True (--option remote_code=true)"
        )


def _rate(pretrained: Pretrained) -> int:
    return int(pretrained.processor.get("sampling_rate") or pretrained.config.get("sample_rate") or 16000)


def _dim(pretrained: Pretrained) -> int:
    adapted = pretrained.config.get("output_hidden_size") if pretrained.config.get("add_adapter") else None
    return int(adapted or pretrained.config["hidden_size"])


def _front_end(pretrained: Pretrained) -> str:
    normalised = pretrained.processor.get("do_normalize", True)
    return "waveform" + (" of zero mean and unit variance in each window" if normalised else "")


def shortest(config: Mapping[str, Any]) -> int:
    """Samples that the convolutions need for one frame, or for as many as SEW squeezes into one.

    Examples
    --------
    >>> shortest({"conv_kernel": [10, 3, 3, 3, 3, 2, 2], "conv_stride": [5, 2, 2, 2, 2, 2, 2]})
    400
    """
    length = int(config.get("squeeze_factor", 1))
    kernels = config.get("conv_kernel", (10, 3, 3, 3, 3, 2, 2))
    strides = config.get("conv_stride", (5, 2, 2, 2, 2, 2, 2))
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        length = (length - 1) * stride + kernel
    return int(length)


def unpadded(
    samples: NDArray[np.float32], coverage: NDArray[np.float32], *, least: int, normalised: bool
) -> list[NDArray[np.float32]]:
    """Windows cut to what they hold of the sound, and normalised each on its own.

    Parameters
    ----------
    samples : array, shape (n, length), float32
    coverage : array, shape (n,)
        How much of each row is sound; what follows is padding.
    least : int
        Keep at least so many samples.
    normalised : bool
        Give each zero mean and unit variance.

    Returns
    -------
    list of n arrays, each of its own length
    """
    rows = cut(samples, coverage, least)
    return [(row - row.mean()) / np.sqrt(row.var() + 1e-7) if normalised else row for row in rows]
