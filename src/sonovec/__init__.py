"""Sound in, vectors out, answers from the vectors.

Examples
--------
>>> import numpy as np
>>> import sonovec
>>> encoder = sonovec.load("default")
>>> encoder.embed((np.zeros(16000, np.float32), 16000)).silent.tolist()
[True]
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING

from sonovec.errors import (
    AnalyserError,
    AudioError,
    Cancelled,
    LibraryError,
    LibraryLockedError,
    MissingExtraError,
    OutOfMemoryError,
    PassportError,
    SonovecError,
    TrainingError,
    UnexpectedError,
    UsageError,
    WeightsError,
)

if TYPE_CHECKING:
    from sonovec import explore, learn, speech
    from sonovec.audio.waveform import Waveform
    from sonovec.embedding.embedding import Embedding, Failure
    from sonovec.embedding.encoder import Encoder, load
    from sonovec.embedding.engine import Engine
    from sonovec.embedding.passport import Passport
    from sonovec.jobs import Job, Progress
    from sonovec.library.job_records import JobRecord
    from sonovec.library.library import Library
    from sonovec.library.records import Label, Passage, Track
    from sonovec.library.report import Report
    from sonovec.library.search import Hit
    from sonovec.models.card import ModelCard
    from sonovec.pictures.plot import plot
    from sonovec.speech.transcribing import transcribe

logging.getLogger(__name__).addHandler(logging.NullHandler())  # without one, Python itself prints warnings

__version__ = "0.1.0"

__all__ = [
    "AnalyserError",
    "AudioError",
    "Cancelled",
    "Embedding",
    "Encoder",
    "Engine",
    "Failure",
    "Hit",
    "Job",
    "JobRecord",
    "Label",
    "Library",
    "LibraryError",
    "LibraryLockedError",
    "MissingExtraError",
    "ModelCard",
    "OutOfMemoryError",
    "Passage",
    "Passport",
    "PassportError",
    "Progress",
    "Report",
    "SonovecError",
    "Track",
    "TrainingError",
    "UnexpectedError",
    "UsageError",
    "Waveform",
    "WeightsError",
    "__version__",
    "explore",
    "learn",
    "load",
    "plot",
    "speech",
    "transcribe",
]

# Found on first use: NumPy and everything above it would make `import sonovec` slow.
_HOMES = {
    "Embedding": "sonovec.embedding.embedding",
    "Encoder": "sonovec.embedding.encoder",
    "Engine": "sonovec.embedding.engine",
    "Failure": "sonovec.embedding.embedding",
    "Hit": "sonovec.library.search",
    "Job": "sonovec.jobs",
    "JobRecord": "sonovec.library.job_records",
    "Label": "sonovec.library.records",
    "Library": "sonovec.library.library",
    "ModelCard": "sonovec.models.card",
    "Passage": "sonovec.library.records",
    "Passport": "sonovec.embedding.passport",
    "Progress": "sonovec.jobs",
    "Report": "sonovec.library.report",
    "Track": "sonovec.library.records",
    "Waveform": "sonovec.audio.waveform",
    "load": "sonovec.embedding.encoder",
    "plot": "sonovec.pictures.plot",
    "transcribe": "sonovec.speech.transcribing",
}
#: Packages with names of their own, such as `sonovec.learn.train`.
_PACKAGES = ("explore", "learn", "speech")


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _PACKAGES:
        return import_module(f"sonovec.{name}")
    raise AttributeError(f"module 'sonovec' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
