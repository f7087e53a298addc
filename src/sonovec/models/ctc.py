"""Heads that write: a pre-trained Transformer with a CTC head, by hub id or folder.

The front end and the network are those of the encoder of the same family. What differs is the end: for each frame, the scores
of the tokens of an alphabet (connectionist temporal classification, Graves et al. 2006). Every stretch runs alone and at its
true length, so what is written of it does not depend on its company.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError, WeightsError
from sonovec.graph import Graph
from sonovec.models import hub, speech, w2v_bert
from sonovec.models import huggingface as hf
from sonovec.models.model import Model
from sonovec.models.pretrained import Pretrained
from sonovec.models.weights import sha256_of
from sonovec.paths import display

if TYPE_CHECKING:
    from torch import nn

Floats = NDArray[np.float32]
VERSION = "ctc-1"
#: The files of the encoders' families, by the architectures that have a CTC head.
FAMILIES = {kind: speech for kind in speech.TYPES if kind != "mert_model"} | dict.fromkeys(w2v_bert.TYPES, w2v_bert)
#: What the weights may lack; the head is not among it.
UNNEEDED = tuple(part for part in hf.UNNEEDED if part not in ("lm_head", "project_"))


@dataclass(frozen=True)
class CtcModel:
    """A CTC model with its language settled.

    Attributes
    ----------
    rate : int
        Sample rate in Hz that it hears.
    shortest : int
        Samples that one frame needs.
    hop : int
        Samples from one frame to the next.
    outputs : int
        Scores of each frame.
    graph : Graph
        A row of features to scores (frames, outputs), float32, before the softmax.
    digest : str
        SHA-256 of the weights, of the adapter too.
    """

    rate: int
    shortest: int
    hop: int
    outputs: int
    graph: Graph
    digest: str
    model: Model

    def features(self, samples: Floats) -> NDArray[Any]:
        """What the network hears of samples (n,) at `rate`: a row of its own length."""
        row: NDArray[Any] = self.model.features(samples[None], np.ones(1, np.float32))[0]
        return row


def ctc_of(name: str, weights: Path | None = None) -> Pretrained | None:
    """A pre-trained model that writes by CTC, or None if it is of another architecture, or none at all.

    Raises
    ------
    UsageError
        If it is of one of these architectures, but an encoder alone.
    WeightsError, MissingExtraError
        As for `sonovec.models.huggingface.locate`.
    """
    pretrained = hf.locate(name, weights)
    if pretrained is None or pretrained.type not in FAMILIES:
        return None
    made_as = [str(kind) for kind in pretrained.config.get("architectures") or ()]
    if made_as and not any(kind.endswith("ForCTC") for kind in made_as):
        raise UsageError(
            f"{display(name)} is {made_as[0]}, an encoder without a CTC head, and writes no text; give a model that was "
            f"fine-tuned for CTC, such as facebook/wav2vec2-base-960h, or fine-tune this one: sonovec finetune --task ctc"
        )
    return pretrained


def build(pretrained: Pretrained, language: str | None = None) -> CtcModel:
    """Build a CTC model.

    Parameters
    ----------
    pretrained : Pretrained
        What `ctc_of` gave.
    language : str, optional
        Of the adapter, for a model that has one for each language (MMS: Pratap et al. 2023).

    Raises
    ------
    WeightsError
        If the adapter is not there, or damaged.
    """
    family = FAMILIES[pretrained.type]
    weights = pretrained.folder if pretrained.revision == "local" and hub.HUB_ID.fullmatch(pretrained.name) else None
    card = family.find(pretrained.name, weights)
    assert card is not None
    model = family.build(card, {name: option.default for name, option in card.options.items()}, weights)
    assert model.graph is not None
    adapter = None if language is None else _adapter(pretrained, language)
    digest = hashlib.sha256(f"{model.weights_hash}{sha256_of(adapter) if adapter else ''}".encode()).hexdigest()
    # The beginning of the weights' own hash is what the cache finds a model's graphs by.
    key = f"{pretrained.type}-{VERSION}-{model.weights_hash[:32]}{f'-{language}-{digest[:16]}' if adapter else ''}"
    return CtcModel(
        rate=card.rate,
        shortest=_shortest(pretrained, model),
        hop=_hop(pretrained, card.rate),
        outputs=_outputs(adapter) if adapter else int(pretrained.config.get("vocab_size") or 0),
        graph=replace(
            model.graph,
            key=key,
            torch_module=lambda: _network(pretrained, language if adapter else None),
            bf16=False,  # nobody measured what it does to words
        ),
        digest=digest,
        model=model,
    )


def has_adapters(pretrained: Pretrained) -> bool:
    """Whether a model has an adapter for each language."""
    return pretrained.config.get("adapter_attn_dim") is not None


def _adapter(pretrained: Pretrained, language: str) -> Path:
    name = f"adapter.{language}.safetensors"
    file = pretrained.folder / name
    if not file.is_file() and pretrained.revision != "local":
        file = hub.another(pretrained.name, name)
    if not file.is_file():
        raise WeightsError(
            f"{display(file)}: no such file, and language {language!r} needs it; fetch it from the model's page, or give "
            f"another language"
        )
    return file


def _outputs(adapter: Path) -> int:
    """Scores of a frame, by the shape of the head in an adapter; a safetensors file begins with the shapes."""
    try:
        with adapter.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(length, 100_000_000)))
        return int(header["lm_head.weight"]["shape"][0])
    except (ValueError, KeyError, IndexError, TypeError, struct.error) as error:
        raise WeightsError(f"{display(adapter)}: is not an adapter with a head ({error}); fetch it again") from error


def _network(pretrained: Pretrained, language: str | None) -> nn.Module:
    from torch import Tensor, nn

    network: Any = hf.load(pretrained, "AutoModelForCTC", unneeded=UNNEEDED)
    if language is not None:
        try:
            network.load_adapter(language, local_files_only=True)
        except Exception as error:  # transformers raises many kinds for files that are not what they should be
            raise WeightsError(
                f"{display(pretrained.folder)}: the adapter of language {language!r} cannot be loaded "
                f"({' '.join(str(error).split())[:120]}); fetch it again"
            ) from error

    class Scores(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, inputs: Tensor) -> Tensor:
            return self.network(inputs).logits

    return Scores().eval()


def _shortest(pretrained: Pretrained, model: Model) -> int:
    if pretrained.type in w2v_bert.TYPES:
        return w2v_bert.shortest(pretrained)
    return speech.shortest(pretrained.config)


def _hop(pretrained: Pretrained, rate: int) -> int:
    """Samples from one frame of scores to the next."""
    config = pretrained.config
    adapted = bool(config.get("add_adapter"))
    stride = int(config.get("adapter_stride", 2)) ** int(config.get("num_adapter_layers", 3)) if adapted else 1
    if pretrained.type in w2v_bert.TYPES:
        return w2v_bert.hop(pretrained) * stride
    return math.prod(map(int, config.get("conv_stride", (5, 2, 2, 2, 2, 2, 2)))) * stride
