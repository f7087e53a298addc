"""Tables of labels: CSV, Raven's, BirdNET's, sonovec's own; they differ in the names of their columns alone."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO

from sonovec.errors import UsageError
from sonovec.evaluation import dataset
from sonovec.learn.label_rows import Listed, Row, head_of, lines_of, names_in, number_of

#: Columns, under any of these names in small letters; of several that are there, the first counts.
COLUMNS: Mapping[str, Sequence[str]] = {
    "path": (
        *(
            "begin path",
            *dataset.COLUMNS["path"],
            "file name",
            "filepath",
            "file_path",
            "file path",
            "fname",
            "begin file",
        ),
        *("audio", "audio_file", "audio_path", "recording", "sound", "wav"),
    ),
    "start": (
        *(
            "start",
            "start (s)",
            "start_s",
            "start_time",
            "start time",
            "start time (s)",
            "start_seconds",
            "begin time (s)",
        ),
        *("begin", "begin_time", "begin time", "onset", "from", "tmin"),
    ),
    "end": (
        *(
            "end",
            "end (s)",
            "end_s",
            "end_time",
            "end time",
            "end time (s)",
            "end_seconds",
            "stop",
            "offset",
            "to",
            "tmax",
        ),
    ),
    "label": (
        *(*dataset.COLUMNS["label"], "tag", "annotation", "species", "common name", "common_name", "scientific name"),
        *("scientific_name", "species code", "event_label", "labels", "classes", "tags", "primary_label"),
    ),
    "score": ("score", "confidence", "probability"),
    "group": ("group", *dataset.COLUMNS["fold"]),
    "offset": ("file offset (s)",),
}
#: Columns of the tools that say nothing of a label; others that are not used are told.
USUAL = frozenset(
    (
        *("selection", "view", "channel", "begin date time", "end file", "end path", "occupancy", "rank", "id"),
        *("query_start", "query_end", "week", "lat", "lon", "latitude", "longitude", "overlap", "sensitivity"),
        *("min_conf", "species_list", "model"),
    )
)
#: What Raven measures has a unit; seconds may be those of a label that is called otherwise.
_MEASURED = re.compile(r".* \((?!s\))[^)]+\)|delta time \(s\)")
#: The numbers of lines, and their cells by the names of the columns.
Lines = Sequence[tuple[int, Mapping[str, str]]]
SEPARATORS = "\t;,"


def separator_of(line: str) -> str:
    """What separates the cells of a line: what cuts it into most pieces.

    Examples
    --------
    >>> separator_of("path;start;end"), separator_of("path")
    (';', '\\t')
    """
    return max(SEPARATORS, key=lambda separator: len(_split(line, separator)))


def _split(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:  # longer than any cell may be
        return []


def is_table(text: str) -> bool:
    """Whether a text begins with the names of columns, one of them a label's."""
    head = head_of(text)
    return names_a_class([name.strip() for name in _split(head, separator_of(head))])


def names_a_class(names: Sequence[str]) -> bool:
    """Whether one of the names of columns is that of the class."""
    return "label" in _columns(names)


def rows_of(text: str) -> Listed:
    """The rows of a table.

    Raises
    ------
    UsageError
        A line cannot be read; the message begins with its number.
    """
    return of_cells(*cells_of(text))


def cells_of(text: str) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """The names of the columns of a table, and the cells of each of its lines by them, with the line's number.

    Raises
    ------
    UsageError
        A line cannot be read; the message begins with its number.

    Examples
    --------
    >>> cells_of("path;text\\na.wav;one two")
    (['path', 'text'], [(2, {'path': 'a.wav', 'text': 'one two'})])
    """
    lines = _lines(text)
    names = [name.strip() for name in next(lines, (0, []))[1]]
    return names, [(line, _cells(line, names, cells)) for line, cells in lines]


def of_cells(names: Sequence[str], lines: Lines) -> Listed:
    """The same, of cells by the names of their columns, with the numbers of their lines."""
    columns = _columns(names)
    if len(columns.keys() & {"start", "end"}) == 1:
        there, missing = ("start", "end") if "start" in columns else ("end", "start")
        raise UsageError(
            f"has a column {columns[there]!r} and none for the {missing} of a stretch; it has: {', '.join(names)}"
        )
    rows = [row for line, cells in _of_one_view(lines) for row in _rows(line, cells, columns)]
    _check_offsets(rows, columns)
    return Listed(tuple(rows), "start" in columns, tuple(_notes(names, columns)), tuple(names))


def _of_one_view(lines: Lines) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The lines of a table, of Raven's one for each selection: it writes one for each view of the sound."""
    seen: set[object] = set()
    for line, cells in lines:
        key = tuple(cell for name, cell in cells.items() if name.lower() != "view")
        if "View" not in cells or key not in seen:
            yield line, cells
        seen.add(key)


def _notes(names: Sequence[str], columns: Mapping[str, str]) -> Iterator[str]:
    lowered = {name: name.lower() for name in names if name}
    unused = [name for name, low in lowered.items() if low not in _KNOWN and not _MEASURED.fullmatch(low)]
    if unused:
        yield f"columns that are not used: {', '.join(unused)}"
    others = [name for name in names if name.lower() in COLUMNS["label"] and name != columns["label"]]
    if others:
        yield f"classes are those of the column {columns['label']!r}, and not of {', '.join(map(repr, others))}"


_KNOWN = USUAL.union(*COLUMNS.values())


def _columns(names: Sequence[str]) -> dict[str, str]:
    """The name of each column that is there."""
    lowered = {name.lower(): name for name in reversed(names)}
    found = {
        column: next((lowered[name] for name in known if name in lowered), None) for column, known in COLUMNS.items()
    }
    return {column: name for column, name in found.items() if name is not None}


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line that is not empty, with its number; Raven does not quote."""
    separator = separator_of(head_of(text))
    if separator == "\t":
        split = ((number, line.split("\t")) for number, line in enumerate(lines_of(text), start=1))
        yield from (
            (number, [_unquoted(cell) for cell in cells]) for number, cells in split if any(map(str.strip, cells))
        )
        return
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator)
    try:
        yield from ((reader.line_num, cells) for cells in reader if any(map(str.strip, cells)))
    except csv.Error as error:
        raise UsageError(f'line {reader.line_num}: {error}; quote cells as "..."') from None


def _unquoted(cell: str) -> str:
    """A cell without the quotes that spreadsheets write around it."""
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell


def _cells(line: int, names: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    if any(cell.strip() for cell in cells[len(names) :]):
        raise UsageError(
            f"line {line}: {len(cells)} cells for {len(names)} columns; quote a cell that holds the separator, such as a "
            'decimal comma, as "..."'
        )
    return dict(zip(names, [*cells, *[""] * len(names)], strict=False))


def _rows(line: int, cells: Mapping[str, str], columns: Mapping[str, str]) -> Iterator[Row]:
    start, end, score, offset = (
        _number(line, cells, columns.get(each)) for each in ("start", "end", "score", "offset")
    )
    if offset is not None and start is not None and end is not None:
        start, end = offset, offset + (end - start)
    path = cells[columns["path"]].strip() if "path" in columns else ""
    for name in names_in(cells[columns["label"]]):
        yield Row(line, start or 0.0, end, name, (path,) if path else (), score, cells)


def _number(line: int, cells: Mapping[str, str], column: str | None) -> float | None:
    text = "" if column is None else cells[column].strip()
    if not text:
        return None
    if (found := number_of(text)) is None:
        raise UsageError(f"line {line}: {column}={text!r} is not a number; give seconds, such as 1.5")
    return found


def _check_offsets(rows: Sequence[Row], columns: Mapping[str, str]) -> None:
    """Refuse times that Raven counted over several sounds as if they were one."""
    sounds = {row.paths for row in rows}
    if columns.get("start", "").lower() == "begin time (s)" and "offset" not in columns and len(sounds) > 1:
        raise UsageError(
            f"its times count over all {len(sounds)} sounds; add the measurement 'File Offset (s)' to the table in Raven"
        )
