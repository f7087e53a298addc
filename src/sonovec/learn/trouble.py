"""What is told of labels and recordings of which examples could not be made, or not as they were meant."""

from __future__ import annotations

from dataclasses import dataclass, field

from sonovec.embedding.silence import QUIET
from sonovec.errors import UsageError
from sonovec.learn.labelled import Labelled
from sonovec.learn.stretches import seconds
from sonovec.paths import display
from sonovec.words import counted, listed

#: Seconds by which a label may end behind its recording without a word.
OVERHANG = 0.1


def place_of(label: Labelled) -> str:
    """Where a label is, for messages: the line that it was read from, or its seconds."""
    return label.source or f"{display(label.path.name)}, {seconds(label)}"


@dataclass
class Trouble:
    """What came up while recordings were heard; each list has the places of labels, or reasons."""

    failed: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    quiet: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)

    def check_end(self, label: Labelled, duration: float) -> None:
        """Note a label that ends behind its recording, and refuse one that begins there: it is of another recording."""
        if label.start >= duration:
            raise UsageError(
                f"{place_of(label)}: begins at {label.start:g} s, and {display(label.path)} ends at {duration:.2f} s; "
                "correct the label, or give the recording that it is of"
            )
        if label.end is not None and label.end > duration + OVERHANG:
            self.cut.append(place_of(label))

    def notes(self) -> list[str]:
        """A line for each kind of trouble."""
        lines = {
            "could not be decoded and is left out|could not be decoded and are left out": (self.failed, "recording"),
            "holds silence and is left out|hold silence and are left out": (self.silent, "label"),
            f"is nearly silent (below {QUIET:.0f} dBFS)|are nearly silent (below {QUIET:.0f} dBFS)": (
                self.quiet,
                "label",
            ),
            "ends behind its recording and is cut there|end behind their recordings and are cut there": (
                self.cut,
                "label",
            ),
        }
        return [
            f"{counted(len(items), what)} {told.split('|')[len(items) > 1]}: {listed(items)}"
            for told, (items, what) in lines.items()
            if items
        ]
