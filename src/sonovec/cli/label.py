"""``sonovec label``: asks a person about the sounds of a library from which most is learnt, and keeps the answers."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sonovec.cli import stretch_output
from sonovec.cli.completion import LIBRARY
from sonovec.cli.dialogue import NOTHING_LEFT, Answered, Face, Lines, Terminal, run
from sonovec.cli.log import watched
from sonovec.cli.options import json_option, token_option
from sonovec.cli.output import print_json, print_table, seconds_text, warn
from sonovec.cli.tables import SOUND, Column, Sound
from sonovec.clock import seconds_of
from sonovec.paths import display, from_text, to_text

if TYPE_CHECKING:
    from sonovec.learn.labelled import Labelled
    from sonovec.learn.session import Proposal, Session
    from sonovec.learn.standing import Contradiction

#: As in `sonovec.learn.strategies`, which needs NumPy.
STRATEGIES = ("mix", "uncertain", "diverse", "likely", "random")
#: A file and the seconds of it that are meant.
_PART = re.compile(r"(?P<file>.+?):(?P<start>[\d:.]+)-(?P<end>[\d:.]+)")


@click.command(short_help="Label sounds, the most useful first.")
@click.argument("library", type=LIBRARY)
@click.option("--class", "classes", multiple=True, required=True, metavar="NAME", help="A class to label; repeatable.")
@click.option(
    "--from",
    "examples",
    multiple=True,
    metavar="FILE[:START-END]",
    help="Begin with what sounds like this; with several classes, CLASS=FILE. Repeatable.",
)
@click.option(
    "--suggest", type=click.IntRange(1), metavar="N", help="Only list N sounds to label next, also to a file (-o)."
)
@click.option(
    "--strategy", type=click.Choice(STRATEGIES), default="mix", show_default=True, help="What to ask about next."
)
@click.option("--play", is_flag=True, help="Play each sound through the player of this system.")
@click.option("--who", metavar="NAME", help="Name that the answers are stored with (default: your user name).")
@click.option("--space", default="main", show_default=True, help="Space whose vectors are used.")
@click.option(
    "-o",
    "--out",
    "targets",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="The detector that is learnt, such as crows.detector; with --suggest, files by their ending: "
    f"{stretch_output.ENDINGS}.",
)
@token_option
@json_option
def label(
    library: str,
    classes: tuple[str, ...],
    examples: tuple[str, ...],
    suggest: int | None,
    strategy: str,
    play: bool,
    who: str | None,
    space: str,
    targets: tuple[Path, ...],
    token: str | None,
    as_json: bool,
) -> int:
    """Label the sounds of LIBRARY: sonovec asks about a few, and learns from each answer which to ask about next.

    Answer y (yes), n (no), s (skip: I cannot tell), u (undo) or q (quit); with several classes the numbers of those that are
    heard, such as `1 3`, or n for none. Each answer is stored in the library at once. Where the standard input is no
    terminal, it holds one answer a line.
    """
    from sonovec.errors import UsageError
    from sonovec.learn.detector import Detector
    from sonovec.learn.session import Session
    from sonovec.learn.training import ENDING
    from sonovec.library.library import Library

    if suggest is not None:
        stretch_output.check(targets)
        if play:
            raise UsageError("--play is for questions; leave it out with --suggest")
    elif len(targets) > 1:
        raise UsageError(f"{len(targets)} detectors; give one -o")
    for target in targets if suggest is None else ():
        Detector.check_place(target)
    given = [_example(text, classes) for text in examples]
    with ExitStack() as stack:
        opened = stack.enter_context(Library(library, token=token))
        session = Session(
            opened, classes, examples=given, strategy=strategy, who=who, space=space, write=suggest is None
        )
        for line in _notes(session, bool(given)):
            warn(line)
        if suggest is not None:
            return _suggest(session, suggest, targets, strategy, opened.short_paths(), as_json)
        player = None
        if play:
            from sonovec.cli.play import Player

            player = stack.enter_context(Player())
        face: Face = Lines(session, as_json)
        if sys.stdin.isatty():
            face = Terminal(session, opened.short_paths(), as_json)
        answers = run(session, face, opened.short_paths(), player)
        for target in targets:
            with watched() as bar:
                session.detector(target.name.removesuffix(ENDING), progress=bar).save(target)
        if as_json:
            print_json({**_head(session, strategy), "answers": [_answer(each) for each in answers]})
        elif targets:
            click.echo(f"{display(targets[0])}: learnt from {session.answered} answers")
    return 0


def _notes(session: Session, began_with_example: bool) -> list[str]:
    """What a person should know before the first question."""
    notes = []
    fresh = [name for name, count in session.counts.items() if not count.heard]
    others = [name for name in session.labelled if name not in session.classes]
    if fresh and others:
        notes.append(
            f"no sound is labelled {', '.join(map(repr, fresh))} yet; the library has labels of: {', '.join(others)}"
        )
    if fresh and not began_with_example:
        notes.append(
            f"no example of {', '.join(map(repr, fresh))} yet: the first questions are about sounds that differ; "
            "--from example.wav begins with what sounds like it"
        )
    return [*notes, *(each.describe() for each in session.contradictions)]


def _example(text: str, classes: Sequence[str]) -> Labelled:
    """An example as it is given: ``FILE``, ``FILE:START-END``, ``CLASS=FILE:START-END``."""
    from sonovec.errors import UsageError
    from sonovec.learn.labelled import Labelled

    name, equals, rest = text.partition("=")
    if equals and name in classes:
        text = rest
    elif len(classes) == 1:
        name = classes[0]
    else:
        raise UsageError(f"--from {text}: say of which class, such as --from {classes[0]}={text}")
    part = _PART.fullmatch(text)
    start, end = (seconds_of(part[side]) for side in ("start", "end")) if part else (None, None)
    if part is None or start is None or end is None or from_text(text).exists():
        return Labelled(from_text(text), name=name)
    return Labelled(from_text(part["file"]), start, end, name)


def _suggest(
    session: Session, n: int, targets: Sequence[Path], strategy: str, short: Callable[[str], str], as_json: bool
) -> int:
    """List what to label next, and write it to files."""
    proposals = session.propose(n)
    stretch_output.write(targets, [_stretch(proposal, session.classes) for proposal in proposals], NOTHING_LEFT)
    if as_json:
        print_json({**_head(session, strategy), "suggestions": [_as_json(proposal) for proposal in proposals]})
        return 0
    columns = [SOUND, Column("seconds"), *(Column(name) for name in session.classes), Column("why", spare=1)]
    rows = [
        [
            Sound(each.path, short(each.path)),
            seconds_text(each.start, each.end),
            *(each.probabilities.get(name) for name in session.classes),
            each.why,
        ]
        for each in proposals
    ]
    if rows:
        print_table(columns, rows)
    else:
        warn(NOTHING_LEFT)
    return 0


def _stretch(proposal: Proposal, classes: Sequence[str]) -> dict[str, Any]:
    """A proposal as files of stretches have it: the most probable class, and how probable it is."""
    name = max(classes, key=lambda each: proposal.probabilities.get(each, 0.0))
    return {
        "path": proposal.path,
        "start": proposal.start,
        "end": proposal.end,
        "label": name,
        "score": proposal.probabilities.get(name, 0.0),
        "why": proposal.why,
    }


def _as_json(proposal: Proposal) -> dict[str, Any]:
    near = proposal.nearest
    return {
        "track": proposal.track,
        "path": proposal.path,
        "start": proposal.start,
        "end": proposal.end,
        "probabilities": dict(proposal.probabilities),
        "why": proposal.why,
        "nearest": None
        if near is None
        else {
            "path": near.path,
            "start": near.start,
            "end": near.end,
            "heard": list(near.heard),
            "cosine": near.cosine,
        },
    }


def _answer(answered: Answered) -> dict[str, Any]:
    return {
        **_as_json(answered.proposal),
        "heard": None if answered.heard is None else list(answered.heard),
    }


def _head(session: Session, strategy: str) -> dict[str, Any]:
    """What is told of a session in JSON, whatever it did."""
    return {
        "library": to_text(str(session.library.location)),
        "classes": list(session.classes),
        "strategy": strategy,
        "segments": len(session.pool),
        "answered": session.answered,
        "counts": {name: asdict(count) for name, count in session.counts.items()},
        "contradictions": [_contradiction(each) for each in session.contradictions],
    }


def _contradiction(found: Contradiction) -> dict[str, Any]:
    told = {
        name: {"source": label.source, "score": label.score, "time": label.time}
        for name, label in (("latest", found.latest), ("former", found.former))
    }
    return {"path": found.path, "start": found.start, "end": found.end, "class": found.latest.name, **told}
