"""What a recogniser begins from: a pre-trained encoder, or random weights of a size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError
from sonovec.models import huggingface as hf
from sonovec.models import registry
from sonovec.models.model import Model
from sonovec.models.pretrained import Pretrained
from sonovec.paths import absolute
from sonovec.speech import sizes
from sonovec.speech.training import vocabulary as vocabularies
from sonovec.speech.training.vocabulary import VOCABULARY, Vocabulary

#: What `--vocabulary` takes instead of a file, for one of the transcripts.
MADE = "made"


@dataclass(frozen=True)
class Start:
    """What is begun from.

    Attributes
    ----------
    pretrained : Pretrained
        Its files.
    model : Model
        Its front end, as sonovec embeds with it.
    name : str
        As it is told.
    """

    pretrained: Pretrained
    model: Model
    name: str

    @property
    def rate(self) -> int:
        """Samples a second that it hears."""
        return self.model.card.rate

    def features(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Samples (n,) of a whole utterance to what the network takes."""
        return self.model.features(samples[None], np.ones(1, np.float32))[0]

    @property
    def has_head(self) -> bool:
        """Whether it has learned to write."""
        return any(str(each).endswith("ForCTC") for each in self.pretrained.config.get("architectures") or ())

    @property
    def vocabulary(self) -> Vocabulary | None:
        """That of its own head, if it has one."""
        file = self.pretrained.folder / VOCABULARY
        return vocabularies.read(file) if self.has_head and file.is_file() else None


def pretrained(name: str) -> Start:
    """A model by folder or hub id.

    Raises
    ------
    UsageError
        If it is no Transformer of those that can write.
    """
    found = hf.locate(name)
    if found is None:
        raise UsageError(
            f"model {name!r} cannot be trained to write; give the folder or the hub id of a Transformer, such as "
            "facebook/wav2vec2-base, or --from-scratch --size tiny"
        )
    model = registry.build(name, {})
    return Start(found, model, model.card.name)


def from_scratch(size: str, folder: Path, seed: int) -> Start:
    """Random weights of a size, written to a folder as a model in the layout of Hugging Face; the same for the same seed."""
    import torch
    import transformers

    config = transformers.Wav2Vec2Config(**sizes.config(size))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network: Any = transformers.Wav2Vec2Model(config)
    with hf.quiet():
        network.save_pretrained(folder)
    front_end(None).save_pretrained(folder)
    start = pretrained(str(absolute(folder)))
    return Start(start.pretrained, start.model, f"random weights, {size}")


def front_end(pretrained: Pretrained | None) -> Any:
    """What turns samples into the input of a network, as ``transformers`` has it."""
    import transformers

    if pretrained is not None and pretrained.processor:
        return transformers.AutoFeatureExtractor.from_pretrained(pretrained.folder, local_files_only=True)
    return transformers.Wav2Vec2FeatureExtractor(sampling_rate=16000, do_normalize=True, return_attention_mask=True)
