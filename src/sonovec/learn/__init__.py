"""Learn from sounds of one's own: labels, detectors, active learning, fine-tuning.

Examples
--------
>>> import sonovec
>>> sonovec.learn.train, sonovec.learn.Detector
(<function train at ...>, <class 'sonovec.learn.detector.Detector'>)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sonovec.learn.detection import Detected, detect
    from sonovec.learn.detector import Detector
    from sonovec.learn.events import Detection
    from sonovec.learn.examples import Examples
    from sonovec.learn.labels import LabelSet
    from sonovec.learn.labels import read as read_labels
    from sonovec.learn.session import Session
    from sonovec.learn.training import train
    from sonovec.learn.tuning.finetune import finetune
    from sonovec.learn.tuning.plan import Plan
    from sonovec.learn.tuning.result import FineTuned

__all__ = [
    "Detected",
    "Detection",
    "Detector",
    "Examples",
    "FineTuned",
    "LabelSet",
    "Plan",
    "Session",
    "detect",
    "finetune",
    "read_labels",
    "train",
]

# Found on first use, by their module and their name there. No module here is called as one of them: once it was imported, it
# would stand in its place.
_HOMES = {
    "Detected": ("detection", "Detected"),
    "Detection": ("events", "Detection"),
    "Detector": ("detector", "Detector"),
    "Examples": ("examples", "Examples"),
    "FineTuned": ("tuning.result", "FineTuned"),
    "LabelSet": ("labels", "LabelSet"),
    "Plan": ("tuning.plan", "Plan"),
    "Session": ("session", "Session"),
    "detect": ("detection", "detect"),
    "finetune": ("tuning.finetune", "finetune"),
    "read_labels": ("labels", "read"),
    "train": ("training", "train"),
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        module, there = _HOMES[name]
        return getattr(import_module(f"sonovec.learn.{module}"), there)
    raise AttributeError(f"module 'sonovec.learn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
