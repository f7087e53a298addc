"""Files of labels: which format one has, by what it holds; a table of the formats."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sonovec.errors import UsageError
from sonovec.learn import label_json, label_tables
from sonovec.learn.label_rows import Listed, Row, head_of, lines_of, number_of
from sonovec.learn.label_text import text_of
from sonovec.paths import display, printable
from sonovec.words import counted

#: Endings of files that may hold labels.
ENDINGS = (".txt", ".csv", ".tsv", ".json", ".jsonl", ".srt")
#: A score as sonovec writes it behind a class, where a format has no other place for it.
SCORE = re.compile(r"(?:(.+) )?(-?\d\.\d{3})")


@dataclass(frozen=True)
class Format:
    """How labels are written.

    Attributes
    ----------
    name : str
        What people call it.
    fits : callable
        Whether a text is in it, which is not empty.
    rows_of : callable
        What a text holds; an error need not name the file.
    """

    name: str
    fits: Callable[[str], bool]
    rows_of: Callable[[str], Listed]


def read_file(file: Path) -> Listed:
    """What a file of labels holds.

    Raises
    ------
    UsageError
        It has none of the formats, or a line of it cannot be read.
    """
    text, note = text_of(file)
    try:
        kind = format_of(text)
        if kind is None:
            raise UsageError(_no_format(text))
        found = kind.rows_of(text)
    except UsageError as error:
        raise UsageError(f"{display(file)}: {printable(str(error))}") from None
    notes = [note] if note else []
    return replace(found, notes=(*notes, *(f"{display(file.name)}: {told}" for told in found.notes)))


def is_one(file: Path) -> bool:
    """Whether a file holds labels in a format that is known; one of nothing does."""
    try:
        return format_of(text_of(file)[0]) is not None
    except UsageError:
        return False


def format_of(text: str) -> Format | None:
    """The format of a text; None for one of no format. A text of nothing is one of Audacity's without labels."""
    return next((each for each in FORMATS if each.fits(text)), None)


def _no_format(text: str) -> str:
    if text.lstrip().startswith('FILE "'):
        return "a cue sheet has no ends of stretches; write CSV, Audacity labels or a Raven table"
    head = head_of(text).strip()[:200]
    known = ", ".join(each.name for each in FORMATS)
    wanted = " or ".join(label_tables.COLUMNS["label"][:6])
    return (
        f"is in no format of labels that is known ({known}); a table needs a column for the class ({wanted}, ...), and its "
        f"first line is: {head!r}"
    )


# -- Audacity


def _is_audacity(text: str) -> bool:
    cells = head_of(text).split("\t")
    return not text.strip() or (len(cells) >= 2 and all(number_of(cell) is not None for cell in cells[:2]))


def _of_audacity(text: str) -> Listed:
    """Lines of start, end and label; those that begin with a backslash hold the frequencies of the label before."""
    rows = []
    for line, content in enumerate(lines_of(text), start=1):
        if not content.strip() or content.startswith("\\"):
            continue
        start, end, name = [*content.split("\t", 2), "", ""][:3]
        times = number_of(start), number_of(end)
        if times[0] is None or times[1] is None:
            raise UsageError(f"line {line}: {content!r} is not: start, tab, end, tab, label")
        rows.append(Row(line, times[0], times[1], " ".join(name.split())))
    return _without_scores(rows)


def _without_scores(rows: Sequence[Row]) -> Listed:
    """The rows with the scores that sonovec wrote behind their classes as scores."""
    found = [(row, SCORE.fullmatch(row.name)) for row in rows]
    scored = [
        row if match is None else replace(row, name=match[1] or "", score=float(match[2])) for row, match in found
    ]
    having = [row for row, match in zip(scored, found, strict=True) if match[1]]
    told = (
        f"{counted(len(having), 'label')} with a score behind the class, such as {having[0].name!r}" if having else ""
    )
    notes = [told] if told else []
    return Listed(tuple(scored), notes=tuple(notes))


# -- subtitles

_ARROW = re.compile(r"(\d+:\d+:\d+[,.]\d+)\s*-->\s*(\d+:\d+:\d+[,.]\d+)")


def _is_srt(text: str) -> bool:
    return any(_ARROW.match(line) for line in lines_of(text.lstrip())[:2])


def _of_srt(text: str) -> Listed:
    """Blocks of a number, the times, and lines of words; an empty line ends each."""
    rows: list[Row] = []
    within = False
    for line, content in enumerate(lines_of(text), start=1):
        if match := _ARROW.match(content):
            rows.append(Row(line, number_of(match[1]) or 0.0, number_of(match[2])))
            within = True
        elif within and content.strip():
            rows[-1] = replace(rows[-1], name=" ".join([*rows[-1].name.split(), *content.split()]))
        else:
            within = False
    return _without_scores(rows)


#: The formats, in the order in which they are tried.
FORMATS: Sequence[Format] = (
    Format("JSON of Label Studio or sonovec", label_json.is_json, label_json.rows_of),
    Format("subtitles", _is_srt, _of_srt),
    Format("Audacity labels", _is_audacity, _of_audacity),
    Format("a table: CSV, Raven, BirdNET", label_tables.is_table, label_tables.rows_of),
)
