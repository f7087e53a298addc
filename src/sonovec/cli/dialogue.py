"""The questions of ``sonovec label``, and their answers: of a person on a terminal, or line by line from a program."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import click

from sonovec.cli import tables
from sonovec.cli.output import seconds_text, shown_path, warn
from sonovec.errors import SonovecError, UsageError
from sonovec.paths import from_text, printable

if TYPE_CHECKING:
    from sonovec.cli.play import Player
    from sonovec.learn.session import Neighbour, Proposal, Session

YES, NO, SKIP, UNDO, AGAIN, QUIT, HELP = "yes", "no", "skip", "undo", "replay", "quit", "help"
WORDS: Mapping[str, str] = {
    **{word: word for word in (YES, NO, SKIP, UNDO, AGAIN, QUIT, HELP)},
    "y": YES,
    "n": NO,
    "0": NO,
    "s": SKIP,
    "u": UNDO,
    "r": AGAIN,
    "q": QUIT,
    "?": HELP,
    "h": HELP,
}
#: The widest line, and cells that a path is given at least before what follows it goes to a line of its own.
WIDEST, LEAST = 100, 24
NOTHING_LEFT = "no sound is left to ask about: all are answered"


@dataclass(frozen=True)
class Answered:
    """A proposal, and the classes that are heard there; None where the person could not tell."""

    proposal: Proposal
    heard: tuple[str, ...] | None


class Face(Protocol):
    """How questions are shown, and how answers are read."""

    def begin(self) -> None:
        """Tell what is asked."""

    def show(self, proposal: Proposal) -> None:
        """Show a sound."""

    def read(self) -> str | None:
        """The next answer; None where there are no more."""

    def tell(self, text: str) -> None:
        """Say what became of an answer."""

    def refuse(self, error: UsageError) -> None:
        """Say that a text is no answer; what it raises ends the dialogue."""


def run(session: Session, face: Face, short: Callable[[str], str], player: Player | None = None) -> list[Answered]:
    """Ask the questions of a session until there are no more answers, or nothing is left to ask.

    Returns
    -------
    list of Answered
        What was answered, but for what was taken back.

    Raises
    ------
    UsageError
        A line that a program gave is no answer; the answers before it are stored.
    """
    answers: list[Answered] = []
    told = len(session.contradictions)
    face.begin()
    while proposals := session.propose(1):
        for each in session.contradictions[told:]:
            warn(each.describe())
        told = len(session.contradictions)
        face.show(proposals[0])
        _play(player, proposals[0])
        try:
            answer = _answer(session, face, player, proposals[0])
        finally:
            if player is not None:
                player.stop()
        if answer is None:
            return answers
        word, heard = answer
        answers = _do(session, face, short, answers, proposals[0], word, heard)
    warn(NOTHING_LEFT)
    return answers


def _answer(
    session: Session, face: Face, player: Player | None, proposal: Proposal
) -> tuple[str, tuple[str, ...]] | None:
    """Read until there is an answer about a sound; None where the person quits."""
    while (text := face.read()) is not None:
        try:
            word, heard = read_answer(text, session.classes)
        except UsageError as error:
            face.refuse(error)
            continue
        if word == QUIT:
            return None
        if word == HELP:
            face.tell(explained(session.classes))
        elif word == AGAIN:
            _play(player, proposal)
        else:
            return word, heard
    return None


def _do(
    session: Session,
    face: Face,
    short: Callable[[str], str],
    answers: list[Answered],
    proposal: Proposal,
    word: str,
    heard: tuple[str, ...],
) -> list[Answered]:
    """Store an answer, and give all that there are now."""
    if word == UNDO:
        gone = session.undo()
        if gone is None:
            face.tell(f"nothing to take back: {session.who} has given no answer")
            return answers
        face.tell(f"taken back: {shown_path(short(gone.path))} {seconds_text(gone.start, gone.end)}")
        place = gone.track, gone.start, gone.end
        return [each for each in answers if (each.proposal.track, each.proposal.start, each.proposal.end) != place]
    if word == SKIP:
        session.skip(proposal)
        face.tell("stored: skipped")
        return [*answers, Answered(proposal, None)]
    session.answer(proposal, heard)
    face.tell(f"stored: {heard_text(heard, session.classes)}")
    return [*answers, Answered(proposal, heard)]


def _play(player: Player | None, proposal: Proposal) -> None:
    if player is None:
        return
    try:
        player.play(from_text(proposal.path), proposal.start, proposal.end)
    except SonovecError as error:
        warn(str(error))


def read_answer(text: str, classes: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """What a person typed: a word, and with ``"yes"`` the classes that are heard.

    Raises
    ------
    UsageError
        It is no answer.

    Examples
    --------
    >>> read_answer("y", ["crow"]), read_answer("2, 1", ["crow", "dog"]), read_answer("N", ["crow", "dog"])
    (('yes', ('crow',)), ('yes', ('crow', 'dog')), ('no', ()))
    """
    given = text.strip()
    word = WORDS.get(given.lower())
    if word == YES and len(classes) == 1:
        return YES, tuple(classes)
    if word is not None and word != YES:
        return word, ()
    numbers = {str(number): name for number, name in enumerate(classes, start=1)}
    parts = [given] if given in classes else [part for part in re.split(r"[,\s]+", given) if part]
    heard = {numbers.get(part, part) for part in parts}
    if not parts or not heard <= set(classes):
        usual = "y, n, s, u or q" if len(classes) == 1 else f"numbers from 1 to {len(classes)}, or n, s, u or q"
        raise UsageError(f"{given!r} is no answer; give {usual}; ? explains them")
    return YES, tuple(name for name in classes if name in heard)


def explained(classes: Sequence[str]) -> str:
    """What can be answered."""
    if len(classes) == 1:
        what = [f"y  {classes[0]} is heard", f"n  {classes[0]} is not heard"]
    else:
        what = [f"{number}  {name} is heard" for number, name in enumerate(classes, start=1)]
        what += ["1 2  both are heard", "n  none of them is heard"]
    return "\n  ".join(
        map(
            printable,
            [*what, "s  I cannot tell", "u  take the last answer back", "r  play again (with --play)", "q  quit"],
        )
    )


def heard_text(heard: Sequence[str], classes: Sequence[str]) -> str:
    """What is heard of some classes, in words.

    Examples
    --------
    >>> heard_text(["crow"], ["crow", "dog"]), heard_text([], ["crow"]), heard_text([], ["crow", "dog"])
    ('crow', 'no crow', 'none of them')
    """
    return printable(", ".join(heard) or (f"no {classes[0]}" if len(classes) == 1 else "none of them"))


# -- on a terminal


class Terminal:
    """Shows questions to a person."""

    def __init__(self, session: Session, short: Callable[[str], str], to_error: bool) -> None:
        self._session, self._short, self._to_error = session, short, to_error

    def begin(self) -> None:
        """Tell how many sounds there are, and who answers."""
        size, answered = len(self._session.pool), self._session.answered
        self._say(f"{size} segments, {answered} answered. Answers are stored for {self._session.who!r}.")
        self._say("  " + explained(self._session.classes))

    def show(self, proposal: Proposal) -> None:
        """Show a sound, how probable each class is there, and what it is like."""
        number = f"{self._session.answered + 1}. "
        likely = [f"{printable(name)} {each:.2f}" for name, each in proposal.probabilities.items()]
        self._say("")
        self._place(number, proposal, "; ".join([*likely, proposal.why]), len(number))
        if proposal.nearest is not None:
            near = proposal.nearest
            self._place(
                f"{'':{len(number)}}like ",
                near,
                f"{heard_text(near.heard, self._session.classes)} ({near.cosine:.2f})",
                len(number),
            )

    def read(self) -> str | None:
        """Ask, and wait for a line."""
        classes = self._session.classes
        if len(classes) == 1:
            question = f"{printable(classes[0])}? [y/n/s/u/q/?] "
        else:
            options = ", ".join(f"{number} {printable(name)}" for number, name in enumerate(classes, start=1))
            question = click.wrap_text(f"{options}? [n/s/u/q/?]", self._width) + " "
        click.echo(question, nl=False, err=self._to_error)
        text = sys.stdin.readline()
        if not text:
            self._say("")  # the end of the input leaves the cursor behind the question
        return text or None

    def tell(self, text: str) -> None:
        """Say what became of an answer."""
        self._say(f"  {text}")

    def refuse(self, error: UsageError) -> None:
        """Say that a text is no answer, and go on."""
        self._say(f"  {error}")

    @property
    def _width(self) -> int:
        return min(shutil.get_terminal_size().columns, WIDEST)

    def _say(self, text: str) -> None:
        click.echo(text, err=self._to_error)

    def _place(self, before: str, what: Proposal | Neighbour, after: str, indent: int) -> None:
        """A stretch and what is said of it: on a line if it fits, and else on two or more."""
        path = printable(self._short(what.path))
        rest = f"{seconds_text(what.start, what.end)}: {after}"
        room = self._width - len(before)
        if room - len(rest) - 2 >= min(len(path), LEAST):
            self._say(f"{before}{tables.cut(path, room - len(rest) - 2, 'middle')}  {rest}")
            return
        self._say(before + tables.cut(path, room, "middle"))
        self._say(click.wrap_text(rest, self._width, " " * indent, " " * indent))


# -- in a pipe


class Lines:
    """Prints a tab-separated row for each question, and reads an answer from each line of the standard input."""

    def __init__(self, session: Session, to_error: bool) -> None:
        self._session, self._to_error = session, to_error
        self._read = 0

    def begin(self) -> None:
        """Print the names of the columns."""
        self._row(["path", "start", "end", *self._session.classes, "why"])

    def show(self, proposal: Proposal) -> None:
        """Print a row; it says, too, that the answer before it is stored."""
        likely = (proposal.probabilities.get(name) for name in self._session.classes)
        self._row([proposal.path, proposal.start, proposal.end, *likely, proposal.why])

    def read(self) -> str | None:
        """The next line."""
        text = sys.stdin.readline()
        if not text and not self._read:
            raise UsageError(
                "no answers: the standard input is empty and no terminal; run it on a terminal, or give an answer a line: "
                "y, n or s"
            )
        self._read += 1
        return text or None

    def tell(self, text: str) -> None:
        """Say nothing: the next row does."""

    def refuse(self, error: UsageError) -> None:
        """End: the lines that follow are answers to other questions than their writer thinks."""
        raise UsageError(f"line {self._read} of the standard input: {error}; the answers before it are stored")

    def _row(self, values: Sequence[object]) -> None:
        click.echo("\t".join(map(tables.for_programs, values)), err=self._to_error)
