"""Labels in JSON: both exports of Label Studio, and what sonovec writes, as one list or an object in each line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from sonovec.audio import names
from sonovec.errors import UsageError
from sonovec.learn import label_tables
from sonovec.learn.label_rows import Listed, Row, lines_of, number_of
from sonovec.words import counted

_NAMED = re.compile(rf'"({"|".join(["annotations", "events", *map(re.escape, label_tables.COLUMNS["label"])])})"\s*:')

Objects = Sequence[Mapping[str, Any]]


def is_json(text: str) -> bool:
    """Whether a text begins as JSON does, and one of its names is of a class or of annotations."""
    return text.lstrip().startswith(("[", "{")) and _NAMED.search(text) is not None


def rows_of(text: str) -> Listed:
    """What a text holds.

    Raises
    ------
    UsageError
        It is not JSON, or not of labels.
    """
    whole = _parsed(text)
    if isinstance(whole, dict):  # of `sonovec tag --json`
        whole = whole.get("sounds", [whole])
    objects = _objects(whole)
    if any({"annotations", "predictions"} & each.keys() for each in objects):  # what a model predicts is no label yet
        return _of_tasks(objects)
    if any("events" in each for each in objects):
        objects = [{"path": each.get("path"), **event} for each in objects for event in _objects(each.get("events"))]
    if any(isinstance(value, list) for each in objects for value in each.values()):
        return _of_short_tasks(objects)
    columns = list(dict.fromkeys(name for each in objects for name in each))
    if not label_tables.names_a_class(columns):
        wanted = " or ".join(label_tables.COLUMNS["label"][:5])
        raise UsageError(f"its objects have no class ({wanted}); they have: {', '.join(columns) or 'nothing'}")
    cells = [{name: "" if each.get(name) is None else str(each[name]) for name in columns} for each in objects]
    return label_tables.of_cells(columns, list(enumerate(cells, start=1)))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return [json.loads(line) for line in lines_of(text) if line.strip()]
    except ValueError as error:
        raise UsageError(f"is not JSON ({error}); export it again") from None
    except RecursionError:
        raise UsageError("is not JSON of labels; export it again") from None


def _objects(value: object) -> Objects:
    """The objects in a list; none in what is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


# -- Label Studio


def _of_tasks(tasks: Objects) -> Listed:
    """Its own JSON: tasks with annotations, and results in them."""
    rows: list[Row] = []
    empty, bare, marked = [], 0, False
    for number, task in enumerate(tasks, start=1):
        done = [each for each in _objects(task.get("annotations")) if not each.get("was_cancelled")]
        data = task.get("data")
        paths = _audio_of(data if isinstance(data, dict) else {})
        values = [each["value"] for each in _results(done) if isinstance(each.get("value"), dict)]
        found = list(_rows(number, paths, values))
        rows += found
        marked = marked or any("start" in value for value in values)
        bare += not done
        if done and not found:
            empty.append(paths)
    notes = [f"{counted(bare, 'task')} without annotations, left out"] if bare else []
    return Listed(tuple(rows), marked or not rows, tuple(notes), empty=tuple(empty))


def _results(annotations: Objects) -> Iterator[Mapping[str, Any]]:
    for each in annotations:
        yield from _objects(each.get("result"))


def _of_short_tasks(tasks: Objects) -> Listed:
    """Its shorter export, JSON-MIN: what was marked stands beside the recording, under the name of the control."""
    rows: list[Row] = []
    empty = []
    for number, task in enumerate(tasks, start=1):
        paths = _audio_of(task)
        found = list(_rows(number, paths, [value for each in task.values() for value in _objects(each)]))
        rows += found
        if not found:
            empty.append(paths)
    return Listed(tuple(rows), empty=tuple(empty))


def _rows(task: int, paths: tuple[str, ...], values: Objects) -> Iterator[Row]:
    """The regions, each with its classes, and the choices for a whole recording."""
    for value in values:
        bare = "start" in value and "text" not in value  # a region without a class, and no words for one that has some
        given = value.get("labels") or value.get("choices") or ([""] if bare else [])
        start = _seconds(task, value.get("start", 0.0))
        end = _seconds(task, value["end"]) if "end" in value else None
        for name in given if isinstance(given, list) else [given]:
            yield Row(task, start, end, " ".join(str(name).split()), paths)


def _seconds(task: int, value: object) -> float:
    if (found := number_of(str(value))) is None:
        raise UsageError(f"task {task}: {value!r} is not a number of seconds; export it again")
    return found


def _audio_of(data: Mapping[str, Any]) -> tuple[str, ...]:
    """What may be the path of the recording of a task, by the address that it has in Label Studio."""
    texts = [value for value in data.values() if isinstance(value, str)]
    return next((found for found in map(_paths_of, texts) if found and names.sounds(found[0])), ())


def _paths_of(address: str) -> tuple[str, ...]:
    """What may be the path of an address, most probable first.

    Examples
    --------
    >>> _paths_of("/data/local-files/?d=field%20work/a.wav")
    ('field work/a.wav', 'a.wav')
    >>> _paths_of("/data/upload/3/1a2b3c4d-a.wav")
    ('/data/upload/3/1a2b3c4d-a.wav', '1a2b3c4d-a.wav', 'a.wav')
    """
    try:
        parts = urlsplit(address)
    except ValueError:  # no address
        return (address,)
    local = parse_qs(parts.query).get("d", [""])[0]
    is_address = bool(parts.scheme and parts.netloc) or address.startswith("/data/")
    path = local or (unquote(parts.path) if is_address else address)
    name = path.rpartition("/")[2]
    uploaded = re.sub(r"^[0-9a-f]{8}-", "", name)  # which it puts before the names of uploads
    return tuple(dict.fromkeys(each for each in (path, name, uploaded) if each))
