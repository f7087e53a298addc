"""Labels of one stretch taken together: which classes are heard in it, which are not, and of which nobody knows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sonovec.errors import UsageError
from sonovec.learn.labelled import Labelled
from sonovec.learn.targets import HEARD, NOT_HEARD, UNKNOWN
from sonovec.paths import display


@dataclass(frozen=True)
class Stretch:
    """One stretch of a recording, with the labels that it has."""

    labels: tuple[Labelled, ...]

    @property
    def first(self) -> Labelled:
        """The label that was read first: its place and its group are those of the stretch."""
        return self.labels[0]

    def verdicts(self, classes: Sequence[str]) -> list[int]:
        """What is known of each class.

        Where a class is heard, those without a label are not. Where it is only known that some are not, or nothing is, of
        the others nobody knows.

        Examples
        --------
        >>> from pathlib import Path
        >>> crow, owl = Labelled(Path("a.wav"), name="crow"), Labelled(Path("a.wav"), name="owl", verdict=NOT_HEARD)
        >>> Stretch((crow,)).verdicts(["crow", "owl", "wren"]), Stretch((owl,)).verdicts(["crow", "owl", "wren"])
        ([1, 0, 0], [-1, 0, -1])
        >>> Stretch((Labelled(Path("a.wav")),)).verdicts(["crow", "owl"])
        [0, 0]
        """
        told = {label.name: label.verdict for label in self.labels if label.name is not None}
        others = NOT_HEARD if HEARD in told.values() or any(map(is_background, self.labels)) else UNKNOWN
        return [told.get(name, others) for name in classes]


def is_background(label: Labelled) -> bool:
    """Whether a label says that none of the classes is heard."""
    return label.name is None and label.verdict != UNKNOWN


def together(labels: Iterable[Labelled]) -> list[Stretch]:
    """Labels of the same seconds of the same recording as one stretch each, in the order in which they were read.

    Raises
    ------
    UsageError
        Labels contradict each other.

    Examples
    --------
    >>> from pathlib import Path
    >>> a = Path("a.wav")
    >>> found = together([Labelled(a, 0, 2, "crow"), Labelled(a, 3, 4, "crow"), Labelled(a, 0, 2, "rain")])
    >>> [[label.name for label in stretch.labels] for stretch in found]
    [['crow', 'rain'], ['crow']]
    """
    found: dict[object, list[Labelled]] = {}
    for label in labels:
        found.setdefault((label.path, label.start, label.end), []).append(label)
    for each in found.values():
        _refuse_contradiction(each)
    return [Stretch(tuple(each)) for each in found.values()]


def _refuse_contradiction(labels: Sequence[Labelled]) -> None:
    heard = [label for label in labels if label.name is not None and label.verdict == HEARD]
    nothing = [label for label in labels if is_background(label)]
    denied = {label.name: label for label in labels if label.name is not None and label.verdict == NOT_HEARD}
    pairs = [(heard[0], nothing[0])] if heard and nothing else []
    pairs += [(label, denied[label.name]) for label in heard if label.name in denied]
    if pairs:
        one, other = pairs[0]
        what = "that none of the classes is" if other.name is None else "that it is not"
        raise UsageError(
            f"{display(one.path)}, {seconds(one)}: {one.source or 'one label'} says that {one.name!r} is heard, and "
            f"{other.source or 'another'} {what}; delete one of them"
        )


def seconds(label: Labelled) -> str:
    """The place of a label in its recording, for messages."""
    if label.end is None:
        return "from its start" if label.start == 0 else f"from {label.start:g} s"
    return f"{label.start:g} to {label.end:g} s"
