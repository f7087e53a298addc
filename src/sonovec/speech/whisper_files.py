"""The files of a Whisper model in the format of CTranslate2: by size, hub id or folder; converted once, if need be."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sonovec.errors import MissingExtraError, WeightsError
from sonovec.models import huggingface as hf
from sonovec.models.hub import HUB_ID, snapshot
from sonovec.models.pretrained import CONFIG, CTRANSLATE2, PROCESSORS, Pretrained
from sonovec.models.weights import sha256_of
from sonovec.paths import absolute, cached, display

TOKENIZER = "tokenizer.json"
#: Changes when a conversion does.
CONVERSION = "ctranslate2-2"
#: The token of a language, by its code.
LANGUAGE = re.compile(r"<\|[a-z]{2,3}\|>")


@dataclass(frozen=True)
class Published:
    """A model on the hub: its id there, and how large it is in MB."""

    repository: str
    megabytes: int


#: By their sizes, as people call them.
SIZES: Mapping[str, Published] = {
    "tiny": Published("Systran/faster-whisper-tiny", 75),
    "tiny.en": Published("Systran/faster-whisper-tiny.en", 75),
    "base": Published("Systran/faster-whisper-base", 145),
    "base.en": Published("Systran/faster-whisper-base.en", 145),
    "small": Published("Systran/faster-whisper-small", 484),
    "small.en": Published("Systran/faster-whisper-small.en", 484),
    "medium": Published("Systran/faster-whisper-medium", 1530),
    "medium.en": Published("Systran/faster-whisper-medium.en", 1530),
    "large-v2": Published("Systran/faster-whisper-large-v2", 3090),
    "large-v3": Published("Systran/faster-whisper-large-v3", 3090),
    "large-v3-turbo": Published("mobiuslabsgmbh/faster-whisper-large-v3-turbo", 1620),
}


@dataclass(frozen=True)
class Files:
    """A model on this machine.

    Attributes
    ----------
    name : str
        As people call it: the size, the hub id, or the name of the folder.
    folder : Path
        With the weights for CTranslate2, their configuration and the tokenizer.
    """

    name: str
    folder: Path

    @property
    def digest(self) -> str:
        """A hash of the weights and what configures them."""
        names = (CTRANSLATE2, TOKENIZER, CONFIG, PROCESSORS[0])
        return "".join(sha256_of(self.folder / name) for name in names if (self.folder / name).is_file())


def is_whisper(name: str, weights: Path | None) -> bool:
    """Whether a name stands for a Whisper model: a size, a folder, or a hub id, which is fetched to find out."""
    if name in SIZES:
        return True
    folder = weights if weights is not None and HUB_ID.fullmatch(name) else absolute(Path(name).expanduser())
    if (folder / CTRANSLATE2).is_file():
        return True
    pretrained = hf.locate(name, weights)
    return pretrained is not None and (pretrained.type == "whisper" or (pretrained.folder / CTRANSLATE2).is_file())


def find(name: str, weights: Path | None = None) -> Files:
    """Find the files of a model for which `is_whisper` holds; they are fetched and converted on first use.

    Raises
    ------
    WeightsError
        A file is missing or damaged, or cannot be fetched; the message says what to put where.
    MissingExtraError
        A package is missing that fetches or converts.
    """
    if name in SIZES and weights is None and not Path(name).is_dir():
        return Files(name, _checked(_fetched(name)))
    folder = weights if weights is not None else absolute(Path(name).expanduser())
    if (folder / CTRANSLATE2).is_file():
        return Files(name if name in SIZES or HUB_ID.fullmatch(name) else folder.name, _checked(folder))
    if name in SIZES:
        raise WeightsError(f"{display(folder)}: has no {CTRANSLATE2}; put the files of {SIZES[name].repository} there")
    pretrained = hf.locate(name, weights)
    assert pretrained is not None
    shown = name if HUB_ID.fullmatch(name) and pretrained.name == name else pretrained.folder.name
    if (pretrained.folder / CTRANSLATE2).is_file():
        return Files(shown, _checked(pretrained.folder))
    return Files(shown, _converted(pretrained))


def _fetched(size: str) -> Path:
    published = SIZES[size]
    try:
        return snapshot(published.repository)[0]
    except WeightsError as error:
        raise WeightsError(
            f"Whisper {size!r} ({CTRANSLATE2}, about {published.megabytes} MB, from https://huggingface.co/"
            f"{published.repository}): {error}"
        ) from error


def _checked(folder: Path) -> Path:
    for name in (CTRANSLATE2, CONFIG, TOKENIZER):
        if not (folder / name).is_file():
            raise WeightsError(
                f"{display(folder)}: has no {name}; a Whisper model is {CTRANSLATE2}, {CONFIG} and {TOKENIZER}"
            )
    return folder


def _converted(pretrained: Pretrained) -> Path:
    """A checkpoint of Transformers in CTranslate2's format, converted once: whole or not at all."""
    if not (pretrained.folder / TOKENIZER).is_file():
        raise WeightsError(f"{display(pretrained.folder)}: has no {TOKENIZER}; put the one of this checkpoint there")
    folder = cached("whisper", f"{CONVERSION}-{pretrained.weights_hash[:32]}")
    if folder.is_dir():
        return _checked(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".converting-") as scratch:
        made = Path(scratch, "model")
        _convert(pretrained, made)
        shutil.copy(pretrained.folder / TOKENIZER, made)
        _name_languages(made)
        for name in PROCESSORS[:1]:
            if (pretrained.folder / name).is_file():
                shutil.copy(pretrained.folder / name, made)
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process was quicker; what it made is as good
                raise
    return _checked(folder)


def _name_languages(folder: Path) -> None:
    """Say which tokens are languages, where the converter did not find out: without it none is ever detected."""
    config, tokenizer = (json.loads((folder / name).read_text("utf-8")) for name in (CONFIG, TOKENIZER))
    if config.get("lang_ids"):
        return
    config["lang_ids"] = [each["id"] for each in tokenizer["added_tokens"] if LANGUAGE.fullmatch(each["content"])]
    (folder / CONFIG).write_text(json.dumps(config, indent=2), encoding="utf-8")


def _convert(pretrained: Pretrained, target: Path) -> None:
    try:
        import torch  # noqa: F401 - the converter needs it
        import transformers  # noqa: F401
        from ctranslate2.converters import TransformersConverter
    except ImportError:
        raise MissingExtraError(
            f"{pretrained.name} has to be converted once: pip install 'sonovec[speech,transformers]'"
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # In float16, as such models are published; what it computes in is chosen when it is loaded.
            TransformersConverter(str(pretrained.folder), low_cpu_mem_usage=True).convert(
                str(target), quantization="float16"
            )
    except Exception as error:  # damaged files raise many kinds
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise WeightsError(
            f"{display(pretrained.folder)}: cannot be converted for CTranslate2 ({reason}); fetch {pretrained.name} again"
        ) from error
