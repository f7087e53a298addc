"""Files of labels: which format one has, by what it holds; a table of the formats."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from sonovec.audio import names
from sonovec.errors import UsageError
from sonovec.learn import label_tables
from sonovec.learn.label_rows import Listed, Row, lines_of, number_of
from sonovec.learn.label_text import text_of
from sonovec.paths import display

#: Endings of files that may hold labels.
ENDINGS = (".txt", ".csv", ".tsv", ".json", ".jsonl", ".srt")
#: A score as sonovec writes it behind a class, where a format has no other place for it.
SCORE = re.compile(r"(.+) (-?\d\.\d{3})", re.DOTALL)


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
    kind = format_of(text)
    if kind is None:
        raise UsageError(f"{display(file)}: {_no_format(text)}")
    try:
        found = kind.rows_of(text)
    except UsageError as error:
        raise UsageError(f"{display(file)}: {error}") from None
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
    head = text.lstrip().partition("\n")[0].strip()[:200]
    known = ", ".join(each.name for each in FORMATS)
    wanted = " or ".join(label_tables.COLUMNS["label"][:6])
    return (
        f"is in no format of labels that is known ({known}); a table needs a column for the class ({wanted}, ...), and its "
        f"first line is: {head!r}"
    )


# -- Audacity


def _is_audacity(text: str) -> bool:
    cells = text.lstrip("\r\n").partition("\n")[0].split("\t")
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
    scored = [row if match is None else replace(row, name=match[1], score=float(match[2])) for row, match in found]
    having = [(row, match) for row, match in found if match]
    notes = (
        [f"{len(having)} labels end in a score: {having[0][0].name!r} is read as {having[0][1][1]!r}"] if having else []
    )
    return Listed(tuple(scored), notes=tuple(notes))


# -- subtitles

_ARROW = re.compile(r"(\d+:\d+:\d+[,.]\d+)\s*-->\s*(\d+:\d+:\d+[,.]\d+)")


def _is_srt(text: str) -> bool:
    return any(_ARROW.match(line) for line in lines_of(text.lstrip())[:2])


def _of_srt(text: str) -> Listed:
    rows: list[Row] = []
    for line, content in enumerate(lines_of(text), start=1):
        if match := _ARROW.match(content):
            rows.append(Row(line, number_of(match[1]) or 0.0, number_of(match[2])))
        elif rows and content.strip() and not rows[-1].name:
            rows[-1] = replace(rows[-1], name=" ".join(content.split()))
    return _without_scores(rows)


# -- JSON


def _is_json(text: str) -> bool:
    return _parsed(text) is not None


def _parsed(text: str) -> list[dict[str, Any]] | None:
    """The objects of a JSON file, or of one with an object in each line."""
    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        whole = json.loads(text)
    except ValueError:
        try:
            whole = [json.loads(line) for line in lines_of(text) if line.strip()]
        except ValueError as error:
            raise UsageError(f"is not JSON ({error}); write it again") from None
    if isinstance(whole, dict):
        whole = whole.get("sounds", whole.get("tasks", [whole]))
    return [each for each in whole if isinstance(each, dict)] if isinstance(whole, list) else None


def _of_json(text: str) -> Listed:
    objects = _parsed(text) or []
    if any(isinstance(each.get("data"), dict) or "annotations" in each for each in objects):
        return _of_label_studio(objects)
    if any(isinstance(each.get("events"), list) for each in objects):  # of `sonovec tag --json`
        objects = [{"path": each.get("path"), **event} for each in objects for event in each.get("events", ())]
    if any(isinstance(value, list) for each in objects for value in each.values()):
        return _of_label_studio_min(objects)
    columns = list(dict.fromkeys(name for each in objects for name in each))
    if not label_tables.is_table("\t".join(columns)):
        raise UsageError(f"its objects have no class ({' or '.join(label_tables.COLUMNS['label'][:5])}): {objects[:1]}")
    return label_tables.of_cells(
        columns, [(n, {name: _cell(each.get(name)) for name in columns}) for n, each in enumerate(objects, start=1)]
    )


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _of_label_studio(tasks: Sequence[Mapping[str, Any]]) -> Listed:
    """An export in Label Studio's own JSON: tasks with annotations, and results in them."""
    rows, empty, bare = [], [], 0
    for number, task in enumerate(tasks, start=1):
        done = [
            each for each in task.get("annotations") or task.get("completions") or () if not each.get("was_cancelled")
        ]
        paths = _audio_of(task.get("data") or {})
        if not done:
            bare += 1
        found = [row for each in done for row in _of_results(number, paths, each.get("result") or ())]
        rows += found
        if done and not found:
            empty.append(paths)
    notes = [f"{bare} tasks have no annotation and are left out"] if bare else []
    has_times = not rows or any(row.end is not None for row in rows)
    return Listed(tuple(rows), has_times, tuple(notes), empty=tuple(empty))


def _of_results(task: int, paths: tuple[str, ...], results: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    for result in results:
        value = result.get("value") or {}
        given = value.get("labels") or value.get("choices") or ([""] if "start" in value else [])
        for name in given:
            yield Row(task, float(value.get("start") or 0.0), value.get("end"), " ".join(str(name).split()), paths)


def _of_label_studio_min(tasks: Sequence[Mapping[str, Any]]) -> Listed:
    """The shorter export, JSON-MIN: what was marked stands beside the recording, under the name of the control."""
    rows, empty = [], []
    for number, task in enumerate(tasks, start=1):
        paths = _audio_of(task)
        marked = [
            each for value in task.values() if isinstance(value, list) for each in value if isinstance(each, dict)
        ]
        results = [{"value": {**each, "labels": each.get("labels") or [""]}} for each in marked if "start" in each]
        found = list(_of_results(number, paths, results))
        rows += found
        if not found:
            empty.append(paths)
    return Listed(tuple(rows), empty=tuple(empty))


def _audio_of(data: Mapping[str, Any]) -> tuple[str, ...]:
    """What may be the path of the recording of a task, by the address that it has in Label Studio."""
    texts = [value for value in data.values() if isinstance(value, str)]
    address = next((each for each in texts if names.sounds(urlsplit(each).path) or "?d=" in each), "")
    parts = urlsplit(address)
    local = parse_qs(parts.query).get("d", [""])[0]
    path = local or (unquote(parts.path) if parts.scheme or address.startswith("/data/") else address)
    name = path.rpartition("/")[2]
    uploaded = re.sub(r"^[0-9a-f]{8}-", "", name)  # which it puts before the names of uploads
    return tuple(dict.fromkeys(each for each in (path, name, uploaded) if each))


#: The formats, in the order in which they are tried.
FORMATS: Sequence[Format] = (
    Format("JSON of Label Studio or sonovec", _is_json, _of_json),
    Format("subtitles", _is_srt, _of_srt),
    Format("Audacity labels", _is_audacity, _of_audacity),
    Format("a table: CSV, Raven, BirdNET", label_tables.is_table, label_tables.rows_of),
)
