"""Speech: text from sound, found by its words; recognisers and encoders that are trained here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sonovec.speech.alignment import align
    from sonovec.speech.corpus import Corpus, Utterance
    from sonovec.speech.corpus import read as read_corpus
    from sonovec.speech.loading import load
    from sonovec.speech.picture import plot_words
    from sonovec.speech.pretraining.pretrain import pretrain
    from sonovec.speech.recogniser import Recogniser
    from sonovec.speech.training.plan import Plan
    from sonovec.speech.training.result import Trained
    from sonovec.speech.training.train import train
    from sonovec.speech.transcribing import transcribe
    from sonovec.speech.transcript import Segment, Transcript, Word

__all__ = [
    "Corpus",
    "Plan",
    "Recogniser",
    "Segment",
    "Trained",
    "Transcript",
    "Utterance",
    "Word",
    "align",
    "load",
    "plot_words",
    "pretrain",
    "read_corpus",
    "train",
    "transcribe",
]

# Found on first use, by their module and their name there. No module here is called as one of them: once it was imported, it
# would stand in its place.
_HOMES = {
    "Corpus": ("corpus", "Corpus"),
    "Plan": ("training.plan", "Plan"),
    "Recogniser": ("recogniser", "Recogniser"),
    "Segment": ("transcript", "Segment"),
    "Trained": ("training.result", "Trained"),
    "Transcript": ("transcript", "Transcript"),
    "Utterance": ("corpus", "Utterance"),
    "Word": ("transcript", "Word"),
    "align": ("alignment", "align"),
    "load": ("loading", "load"),
    "plot_words": ("picture", "plot_words"),
    "pretrain": ("pretraining.pretrain", "pretrain"),
    "read_corpus": ("corpus", "read"),
    "train": ("training.train", "train"),
    "transcribe": ("transcribing", "transcribe"),
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        module, there = _HOMES[name]
        return getattr(import_module(f"sonovec.speech.{module}"), there)
    raise AttributeError(f"module 'sonovec.speech' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
