"""The network that is pre-trained: random weights of a size, or a checkpoint that learns on."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sonovec.errors import UsageError
from sonovec.models import huggingface as hf
from sonovec.models.pretrained import Pretrained
from sonovec.speech.recogniser import RATE
from sonovec.speech.sizes import config

TYPE = "wav2vec2"
#: What a checkpoint lacks that was not made for pre-training, or was saved without it.
NEW = ("quantizer.codevectors", "project_q.", "project_hid.")


@dataclass(frozen=True)
class Start:
    """What a run begins from.

    Attributes
    ----------
    network : transformers.Wav2Vec2ForPreTraining
    name : str
        The size, or the checkpoint.
    processor : mapping
        What ``preprocessor_config.json`` says.
    notes : tuple of str
    """

    network: Any
    name: str
    processor: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def normalised(self) -> bool:
        """Whether it hears sound at zero mean and unit variance."""
        return bool(self.processor.get("do_normalize", True))

    @property
    def digest(self) -> str:
        """Of all weights as they are."""
        digest = hashlib.blake2b(digest_size=16)
        for name, each in self.network.state_dict().items():
            digest.update(f"{name} {tuple(each.shape)}".encode() + each.cpu().numpy().tobytes())
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write it in Hugging Face's layout, which `sonovec.load` and ``from_pretrained`` open."""
        from transformers import Wav2Vec2FeatureExtractor

        shutil.rmtree(folder, ignore_errors=True)
        with hf.quiet():
            self.network.save_pretrained(folder)
        Wav2Vec2FeatureExtractor(**self.processor).save_pretrained(folder)


def random(size: str, seed: int) -> Start:
    """Random weights of a size."""
    from transformers import Wav2Vec2Config, Wav2Vec2ForPreTraining

    torch.manual_seed(seed)
    return Start(Wav2Vec2ForPreTraining(Wav2Vec2Config(**config(size))), size, _processor({}))


def continued(name: str, seed: int) -> Start:
    """The weights of a folder or a hub id.

    Raises
    ------
    UsageError
        If it is of another architecture, or of another rate.
    WeightsError
        If it cannot be fetched or read.
    """
    pretrained = hf.locate(name)
    if pretrained is None:
        raise UsageError(f"{name}: neither a folder with a config.json nor a hub id; give a wav2vec 2.0 checkpoint")
    _check(pretrained)
    torch.manual_seed(seed)
    # The losses need a mask vector, and masks that are given.
    network = hf.load(pretrained, "Wav2Vec2ForPreTraining", apply_spec_augment=True, add_adapter=False)
    notes = []
    if not all(any(part in name for name in _tensors(pretrained)) for part in NEW):
        notes.append(
            f"{name} has no quantiser, so it begins with a new one, of random weights; give it time to warm up"
        )
    return Start(network, name, _processor(pretrained.processor), tuple(notes))


def _check(pretrained: Pretrained) -> None:
    if pretrained.type != TYPE:
        raise UsageError(
            f"{pretrained.name}: is of the architecture {pretrained.type!r}, and wav2vec 2.0's objective continues only "
            f"{TYPE!r}; give such a checkpoint, such as facebook/wav2vec2-base"
        )
    rate = int(pretrained.processor.get("sampling_rate") or RATE)
    if rate != RATE:
        raise UsageError(
            f"{pretrained.name}: hears {rate} Hz, and pre-training is at {RATE} Hz; give another checkpoint"
        )


def _processor(given: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: given[name] for name in ("do_normalize", "return_attention_mask", "padding_value") if name in given}
    return {"feature_size": 1, "sampling_rate": RATE, "do_normalize": True, "return_attention_mask": True, **kept}


def _tensors(pretrained: Pretrained) -> set[str]:
    """The names of all weights in its files."""
    names = set[str]()
    for file in pretrained.weight_files:
        if file.suffix == ".safetensors":
            from safetensors import safe_open

            with safe_open(file, "pt") as tensors:
                names.update(tensors.keys())
        elif file.suffix == ".bin":
            names.update(torch.load(file, map_location="meta", weights_only=True))
    return names
