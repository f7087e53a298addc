"""Active learning on a library: ask a person about the segments that teach most, keep the answers, learn, ask again."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sonovec.brief import Brief
from sonovec.errors import UsageError
from sonovec.extras import require
from sonovec.learn import pool as pools
from sonovec.learn.answers import PERSON, SCORES, source_of
from sonovec.learn.examples import Examples
from sonovec.learn.head import sigmoid
from sonovec.learn.labelled import Labelled
from sonovec.learn.proposer import Example, Proposer
from sonovec.learn.standing import Contradiction, Standing, standing_of
from sonovec.learn.targets import HEARD, NOT_HEARD, UNKNOWN
from sonovec.library.binding import passport_of
from sonovec.library.library import Library
from sonovec.library.records import MAIN, Label
from sonovec.paths import from_text, to_text
from sonovec.vectors import unit32

if TYPE_CHECKING:
    from sonovec.jobs import Watched
    from sonovec.learn.detector import Detector
    from sonovec.learn.head import Head

#: How the notes of a query begin from which nothing can be learnt.
SILENT = "the query is silent", "the query is nearly silent"
#: Seconds that an answer is later than the one before, at least, so that the last one is known by its time.
TICK = 1e-3


@dataclass(frozen=True)
class Neighbour:
    """An answered segment that is like another: where it is, the classes that are heard there, and the cosine."""

    path: str
    start: float
    end: float
    heard: tuple[str, ...]
    cosine: float


@dataclass(frozen=True, repr=False)
class Proposal(Brief):
    """A segment to ask a person about.

    Attributes
    ----------
    track : str
        The id of its track.
    path : str
        Of the track on this machine, as `sonovec.paths.to_text` writes it.
    start, end : float
        Seconds of the track.
    probabilities : dict of str to float
        Of each class that has an example.
    why : str
        By what it was chosen: ``likely``, ``uncertain``, ``diverse`` or ``random``.
    nearest : Neighbour or None
        What is most like it among the segments of which people could tell.
    """

    track: str
    path: str
    start: float
    end: float
    probabilities: Mapping[str, float]
    why: str
    nearest: Neighbour | None


@dataclass(frozen=True)
class Count:
    """Segments of a library in which people have heard a class, have not, and could not tell."""

    heard: int
    not_heard: int
    unsure: int


class Session:
    """Labels the segments of a library with a person's answers, the most useful first.

    Everything that a session knows is in the labels of the library: one that ends at any moment goes on in another with the
    same next question, and several people can work on one library at once. The labels of people alone count, whose source is
    ``person:NAME``; see `sonovec.learn.answers`.

    Parameters
    ----------
    library : Library, str or path
    classes : sequence of str
    examples : sequence of path or Labelled
        Sounds to begin with, from anywhere, in which a class is heard; with several classes, `Labelled` says which one.
    strategy : {"mix", "uncertain", "diverse", "likely", "random"}
    who : str, optional
        The name that answers are stored with; the user's, where none is given.
    space : str
        The space of the library whose vectors are used.
    write : bool
        False for a session that only proposes, also from a library that may not be written.

    Raises
    ------
    UsageError
        The library holds no segments, or an argument is wrong.
    LibraryError
        There is no library, or it may not be written.
    AudioError
        An example is no sound.
    MissingExtraError
        If scikit-learn, with SciPy, is not installed.

    Examples
    --------
    >>> import sonovec
    >>> from sonovec.learn import Session
    >>> library = sonovec.Library("sounds")  # doctest: +SKIP
    >>> session = Session(library, classes=["crow"], examples=["crow.wav"])  # doctest: +SKIP
    >>> for proposal in session.propose(20):  # doctest: +SKIP
    ...     session.answer(proposal, "crow" if input(proposal.path) == "y" else None)
    >>> session.detector().save("crows.detector")  # doctest: +SKIP
    """

    def __init__(
        self,
        library: Library | str | os.PathLike[str],
        classes: Sequence[str],
        *,
        examples: Iterable[Labelled | str | os.PathLike[str]] = (),
        strategy: str = "mix",
        who: str | None = None,
        space: str = MAIN,
        write: bool = True,
    ) -> None:
        require("scipy", "labelling", "learn")
        self.classes = _checked(classes)
        self.library = library if isinstance(library, Library) else Library(os.fspath(library))
        self.source = source_of(getpass.getuser() if who is None else who)
        self._space = space
        if write:
            self.library.check_writable(
                "so no answer can be kept; get the right to write it, or only ask: --suggest 20"
            )
        self.pool = pools.read(self.library, space)
        self._given = [self._example(each) for each in examples]
        self._proposer = Proposer(self.pool, len(self.classes), strategy, self._given)
        self._standing = self._read()

    def __repr__(self) -> str:
        return f"Session({self.library.location}, classes={list(self.classes)}, {self.answered} of {len(self.pool)} answered)"

    # -- what is known

    @property
    def who(self) -> str:
        """The name that answers are stored with."""
        return self.source.removeprefix(PERSON)

    @property
    def answered(self) -> int:
        """Segments of which people have said something about every class."""
        return int(self._standing.asked.sum())

    @property
    def counts(self) -> dict[str, Count]:
        """What people have said of each class."""
        columns = zip(self.classes, self._standing.verdicts.T, strict=True)
        return {
            name: Count(*(int((column == verdict).sum()) for verdict in (HEARD, NOT_HEARD, UNKNOWN)))
            for name, column in columns
        }

    @property
    def contradictions(self) -> tuple[Contradiction, ...]:
        """Segments of which labels contradict each other; the latest counts."""
        return self._standing.contradictions

    @property
    def head(self) -> Head | None:
        """What was learnt from all answers until now; None before any class has an example."""
        return self._proposer.head(self._standing)

    def probabilities(self) -> NDArray[np.float32]:
        """How probable each class is in each segment of `pool`, as the head says: (n, n_classes)."""
        return np.asarray(sigmoid(self._proposer.logits(self._standing)), np.float32)

    # -- asking and answering

    def propose(self, n: int = 1) -> list[Proposal]:
        """The next segments to ask about, at most `n`; fewer where no more are left.

        The answers of other people, which were given since, are read first.
        """
        self._standing = self._read()
        choices = self._proposer.choose(self._standing, n)
        learnt = self._proposer.learnt(self._standing)
        logits = self._proposer.logits(self._standing)[[choice.row for choice in choices]].astype(np.float64)
        likely = sigmoid(logits).tolist()
        return [
            Proposal(
                self.pool.track(choice.row),
                self.pool.path(choice.row),
                *self.pool.span(choice.row),
                {name: p for name, p, known in zip(self.classes, each, learnt, strict=True) if known},
                choice.why,
                self._nearest(choice.row),
            )
            for choice, each in zip(choices, likely, strict=True)
        ]

    def answer(self, proposal: Proposal, heard: str | Iterable[str] | None) -> None:
        """Store a person's answer: the class or the classes that are heard; None where none of them is.

        The answer is on the disk when the call returns. It says of every class of the session whether it is heard.

        Raises
        ------
        UsageError
            A class is none of the session's; nothing was stored.
        """
        names = [] if heard is None else [heard] if isinstance(heard, str) else list(heard)
        if unknown := next((name for name in names if name not in self.classes), None):
            raise UsageError(f"{unknown!r} is none of the classes; give one of: {', '.join(self.classes)}")
        self._store(proposal, {name: HEARD if name in names else NOT_HEARD for name in self.classes})

    def skip(self, proposal: Proposal) -> None:
        """Store that the person cannot tell, so that nobody is asked again."""
        self._store(proposal, dict.fromkeys(self.classes, UNKNOWN))

    def undo(self) -> Proposal | None:
        """Take back the last answer of this person about these classes, of this session or another; None without any.

        The segment is then asked about again sooner or later; the proposal that is returned can be answered at once.
        """
        own = self._own()
        if not own:
            return None
        last = max(own, key=lambda label: (label.time, label.track, label.start))
        # One call, so that all of it is gone or none: what was stored together has one time.
        self.library.labels.delete(last.track, source=last.source, start=last.start, end=last.end, time=last.time)
        self._standing = self._read()
        path = self.library.paths_of([last.track])[last.track]
        return Proposal(last.track, path, last.start, last.end, {}, "undone", None)

    # -- what comes of it

    def examples(self) -> Examples:
        """The segments that people have answered, and the given examples, as `sonovec.learn.train` takes them.

        What people could not tell is left out. The vectors are those of the library's segments.
        """
        verdicts = np.maximum(self._standing.verdicts, UNKNOWN)
        rows = np.flatnonzero((verdicts != UNKNOWN).any(axis=1)).tolist()
        given = [
            (each, vector, span) for each in self._given for vector, span in zip(each.vectors, each.times, strict=True)
        ]
        targets = np.full((len(given), len(self.classes)), UNKNOWN, np.int8)
        for target, (each, _, _) in zip(targets, given, strict=True):
            target[each.column] = HEARD
        paths = [*(self.pool.path(row) for row in rows), *(each.path for each, _, _ in given)]
        tracks = [*(self.pool.track(row) for row in rows), *(each.track for each, _, _ in given)]
        return Examples(
            vectors=np.concatenate([self.pool.vectors[rows], *(vector[None] for _, vector, _ in given)]),
            targets=np.concatenate([verdicts[rows], targets]),
            classes=self.classes,
            groups=tuple(tracks),
            stretches=np.arange(len(paths)),
            paths=tuple(paths),
            times=np.concatenate([self.pool.times[rows], *(span[None] for _, _, span in given)]),
            weights=np.ones(len(paths), np.float32),
            passport=passport_of(self.library.spaces()[self._space]),
        )

    def detector(self, name: str = "labels", *, precision: float | None = None, progress: Watched = None) -> Detector:
        """Train a detector on all answers, with calibration, thresholds and a report; see `sonovec.learn.train.train`.

        Raises
        ------
        UsageError
            A class has no example yet, or nothing that is none.
        """
        from sonovec.learn.training import train

        lacking = [each for each, count in self.counts.items() if not count.heard]
        if lacking and not {example.column for example in self._given} >= set(map(self.classes.index, lacking)):
            raise UsageError(
                f"no sound is labelled {lacking[0]!r} yet, so there is nothing to learn; label more, or leave the class out"
            )
        encoder = self.library.encoder_of(self._space)
        return train(self.examples(), encoder, name=name, precision=precision, progress=progress)

    def _store(self, proposal: Proposal, verdicts: Mapping[str, int]) -> None:
        now = max(time.time(), TICK + max((label.time for label in self._own()), default=0.0))
        self.library.labels.put(
            Label(proposal.track, proposal.start, proposal.end, name, self.source, now, SCORES[verdict])
            for name, verdict in verdicts.items()
        )
        self._standing = self._read()

    def _read(self) -> Standing:
        labels = self.library.labels.get(source_begins=PERSON)
        self.labelled = tuple(sorted({label.name for label in labels}))
        return standing_of(self.pool, self.classes, labels)

    def _own(self) -> list[Label]:
        return [label for label in self.library.labels.get(source=self.source) if label.name in self.classes]

    def _nearest(self, row: int) -> Neighbour | None:
        known = np.flatnonzero(np.isin(self._standing.verdicts, (HEARD, NOT_HEARD)).any(axis=1))
        if not len(known):
            return None
        cosines = self.pool.vectors[known] @ self.pool.vectors[row]
        near = int(known[cosines.argmax()])
        heard = [name for name, v in zip(self.classes, self._standing.verdicts[near], strict=True) if v == HEARD]
        return Neighbour(self.pool.path(near), *self.pool.span(near), tuple(heard), float(cosines.max()))

    def _example(self, given: Labelled | str | os.PathLike[str]) -> Example:
        each = given if isinstance(given, Labelled) else Labelled(from_text(os.fspath(given)))
        name = self.classes[0] if each.name is None and len(self.classes) == 1 else each.name
        if name not in self.classes:
            raise UsageError(
                f"example {each.path}: is of class {name!r}; give it one of: {', '.join(self.classes)}, such as "
                f"Labelled(path, name={self.classes[0]!r})"
            )
        query = self.library.query_of(each.path, each.start, each.end, space=self._space)
        vectors = unit32(query.parts)
        directed = vectors.any(axis=1)
        if not directed.any() or any(note.startswith(SILENT) for note in query.notes):
            raise UsageError(f"example {each.path}: is silent, and cannot be learnt from; give another")
        times = np.tile([0.0, 0.0], (len(vectors), 1)) if query.times is None else query.times
        path = to_text(each.path)
        return Example(self.classes.index(name), query.track or path, path, times[directed], vectors[directed])


def _checked(classes: Sequence[str]) -> tuple[str, ...]:
    if isinstance(classes, str):
        raise UsageError(f"classes={classes!r} is a text; give a list, such as classes=[{classes!r}]")
    names = tuple(classes)
    if not names:
        raise UsageError("no classes; give the names of those to label, such as classes=['crow']")
    for place, name in enumerate(names):
        if not name.strip() or name != name.strip():
            raise UsageError(f"class {name!r} is no name; give one without spaces around it, such as 'crow'")
        if name in names[:place]:
            raise UsageError(f"class {name!r} is given twice; give each once")
    return names
