"""What people say of stretches of tracks, as the labels of a library keep it: the one place that knows how.

A person's label has the source ``person:NAME``. Its score says what the person heard: 1 the class is heard there, 0 it is
not, 0.5 the person could not tell. So a label of a person is never taken for a class that is heard by its name alone.
"""

from __future__ import annotations

from sonovec.errors import UsageError
from sonovec.learn.targets import HEARD, NOT_HEARD, UNKNOWN
from sonovec.library.records import Label
from sonovec.paths import printable

#: How the source of a label begins that a person gave.
PERSON = "person:"
#: The score of a label for each verdict.
SCORES = {HEARD: 1.0, NOT_HEARD: 0.0, UNKNOWN: 0.5}
#: Characters of a name.
LONGEST_NAME = 100


def source_of(who: str) -> str:
    """The source of a person's labels.

    Raises
    ------
    UsageError
        The name is empty, too long, or has more than one line.

    Examples
    --------
    >>> source_of("ann")
    'person:ann'
    """
    name = who.strip()
    if not name or len(name) > LONGEST_NAME or printable(name) != name:
        raise UsageError(f"who={who!r} is not a name; give 1 to {LONGEST_NAME} characters on one line, such as 'ann'")
    return PERSON + name


def who_gave(label: Label) -> str | None:
    """The name of the person who gave a label; None where a program did.

    Examples
    --------
    >>> who_gave(Label("id", 0, 1, "crow", "person:ann", 0.0)), who_gave(Label("id", 0, 1, "crow", "crows@1a2b3c4d", 0.0))
    ('ann', None)
    """
    return label.source.removeprefix(PERSON) if label.source.startswith(PERSON) else None


def verdict_of(label: Label) -> int:
    """What a person's label says of its class: 1 it is heard, 0 it is not, -1 the person could not tell.

    Examples
    --------
    >>> [verdict_of(Label("id", 0, 1, "crow", "person:ann", 0.0, score)) for score in (1.0, 0.0, 0.5)]
    [1, 0, -1]
    """
    if label.score == SCORES[UNKNOWN]:
        return UNKNOWN
    return HEARD if label.score > SCORES[UNKNOWN] else NOT_HEARD
