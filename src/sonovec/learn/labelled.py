"""Labels of recordings, as records: which class is heard from when to when."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from sonovec.learn.targets import HEARD


@dataclass(frozen=True)
class Labelled:
    """A stretch of a recording, and what is known of a class in it: as a rule, that it is heard.

    Attributes
    ----------
    path : Path
        The recording.
    start : float
    end : float or None
        Seconds of the recording; None is where it ends.
    name : str or None
        The class; None for all classes: none of them is heard (background), or nobody knows which.
    group : str
        What must never be split over training and test; the recording, where nobody says otherwise.
    source : str
        Where the label was read, such as ``"crows.txt:12"``.
    verdict : int
        1: the class is heard; then those that have no label here are not. 0: it is not, and nothing is said of others. -1:
        nobody knows; such a stretch is never background.
    """

    path: Path
    start: float = 0.0
    end: float | None = None
    name: str | None = None
    group: str = ""
    source: str = ""
    verdict: int = HEARD


@dataclass(frozen=True)
class LabelSet:
    """Labels that were read together.

    Attributes
    ----------
    origin : str
        What they were read from.
    labels : tuple of Labelled
    rest : bool
        Whether what no label covers in these recordings is background: it is where stretches were marked, and is not where
        whole sounds were.
    notes : tuple of str
        What was left out, and why.
    failures : tuple of str
        Recordings that were not found, and why.
    """

    origin: str
    labels: tuple[Labelled, ...]
    rest: bool
    notes: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()

    @property
    def classes(self) -> dict[str, int]:
        """Stretches in which each class is heard.

        Examples
        --------
        >>> LabelSet("", (Labelled(Path("a.wav"), name="crow"), Labelled(Path("b.wav"))), False).classes
        {'crow': 1}
        """
        heard = (label.name for label in self.labels if label.name is not None and label.verdict == HEARD)
        return dict(sorted(Counter(heard).items()))
