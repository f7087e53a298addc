"""A pre-trained Transformer on this machine: a folder in Hugging Face's layout, and what its files say."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sonovec.errors import WeightsError
from sonovec.models import licences
from sonovec.models.side_files import is_below
from sonovec.models.weights import sha256_of
from sonovec.paths import display

CONFIG = "config.json"
#: Where the front end is described; newer repositories have the second.
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
#: Layouts of weights, in the order in which they are looked for.
WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
#: What else is fetched, where a repository has it: the front end, the words, the licence, and code that runs only on demand.
OTHERS = (
    *PROCESSORS,
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
)


@dataclass(frozen=True)
class Pretrained:
    """A model on this machine.

    Attributes
    ----------
    name : str
        The hub id, or the folder's absolute path.
    folder : Path
    revision : str
        The commit; "local" for a folder of the user's own.
    config, processor : mapping
        Contents of its configuration files.
    """

    name: str
    folder: Path
    revision: str
    config: Mapping[str, Any]
    processor: Mapping[str, Any]

    @property
    def type(self) -> str:
        """The architecture, such as ``"wav2vec2"``."""
        return str(self.config.get("model_type", ""))

    @property
    def weight_files(self) -> list[Path]:
        """The files that hold the weights, shards included."""
        for name in WEIGHTS:
            if (file := self.folder / name).is_file():
                return [file, *_shards(file)] if name.endswith(".json") else [file]
        raise WeightsError(
            f"{display(self.folder)}: has no weights; put {WEIGHTS[0]} or {WEIGHTS[2]} beside its {CONFIG}"
        )

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that it is made of: weights, what configures them, words, licence, and code that runs only on demand."""
        others = [self.folder / name for name in (CONFIG, *OTHERS, "README.md")]
        return (*self.weight_files, *(file for file in others if file.is_file()), *sorted(self.folder.glob("*.py")))

    @property
    def weights_hash(self) -> str:
        """SHA-256 over the weights and what configures them."""
        files = [*self.weight_files, *(self.folder / name for name in (CONFIG, *PROCESSORS))]
        sums = [sha256_of(file) for file in files if file.is_file()]
        return hashlib.sha256("".join(sums).encode()).hexdigest()

    @property
    def licence(self) -> str:
        """What the model's own page says, as an SPDX name."""
        readme = self.folder / "README.md"
        head = readme.read_text(encoding="utf-8", errors="replace")[:4000] if readme.is_file() else ""
        found = re.search(r"^license:\s*['\"]?([\w.+-]+)", head, re.MULTILINE)
        return licences.named(found[1] if found else "")


def read(name: str, folder: Path, revision: str) -> Pretrained:
    """A folder's model, by the files that configure it."""
    processor = next((folder / file for file in PROCESSORS if (folder / file).is_file()), None)
    described = read_json(processor) if processor else {}
    return Pretrained(name, folder, revision, read_json(folder / CONFIG), described.get("feature_extractor", described))


def read_json(file: Path) -> dict[str, Any]:
    """A file of configuration.

    Raises
    ------
    WeightsError
        If it cannot be read.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{display(file)}: cannot be read ({error}); fetch it again") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{display(file)}: holds a {type(content).__name__} and no configuration; fetch it again")
    return content


def _shards(index: Path) -> list[Path]:
    """The files that an index names: beside it, and there."""
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(name, str) for name in weight_map.values()):
        raise WeightsError(f"{display(index)}: has no weight_map that names files; fetch it again")
    shards = []
    for name in sorted(set(weight_map.values())):
        # The hub's client keeps files elsewhere and links to them, so that links are followed.
        if not is_below(name):
            raise WeightsError(
                f"{display(index)}: names {display(name)}, which lies outside of its folder; fetch it again"
            )
        if not (index.parent / name).is_file():
            raise WeightsError(
                f"{display(index)}: names {display(index.parent / name)}, which is missing; fetch it again"
            )
        shards.append(index.parent / name)
    return shards
