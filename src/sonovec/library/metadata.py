"""The user's own columns: a CSV with a row for a file, matched to the files of a run, and typed by what it holds."""

from __future__ import annotations

import csv
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sonovec.errors import UsageError
from sonovec.library import columns as rules
from sonovec.library import sound_tags
from sonovec.library.columns import TRACK_FIELDS, Kind
from sonovec.library.records import Value
from sonovec.paths import absolute, display, from_text, to_text

#: Names of the column that says which file a row is about, best first.
PATH_COLUMNS = ("path", "file", "filename")
#: Tags of a file that a column may correct; the other fields of a track are measured.
CORRECTABLE = ("title", "artist", "album", "genre", "year")

#: What programs and people write where they have no value, in any case.
NULLS = frozenset({"", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "-", "--"})

# What starts with a zero, such as 007, or has more digits than a number holds, is a name.
_INT = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[+-]?(0|[1-9][0-9]{0,14})?(\.[0-9]+|(?<=[0-9])\.?)([eE][+-]?[0-9]{1,2})?")
_BOOLS = {"true": True, "false": False, "yes": True, "no": False}
_WORDS: Mapping[Kind, tuple[str, str]] = {
    bool: ("true or false", "true"),
    int: ("a whole number", "1999"),
    float: ("a number", "0.5"),
}
#: Below this a float holds every whole number.
_EXACT = 2.0**53
_MOST_LISTED = 3


@dataclass(frozen=True)
class Row:
    """A row of the CSV: the `line` it ends on, its file as it is `written` there, and its values."""

    line: int
    written: str
    values: Mapping[str, Value]


@dataclass(eq=False)
class Metadata:
    """The rows of one CSV, from `read_metadata`.

    Attributes
    ----------
    path : Path
        The CSV.
    columns : dict of str to type
        The columns that hold values, without the one that names the file; each is bool, int, float or str.
    rows : list of Row
        The rows in the order of the file.
    """

    path: Path
    columns: dict[str, Kind]
    rows: list[Row]
    _roots: tuple[Path, ...] | None = field(default=None, init=False, repr=False)
    _by_key: dict[str, Row] = field(default_factory=dict, init=False, repr=False)
    _doubtful: dict[int, list[str]] = field(default_factory=dict, init=False, repr=False)
    _used: set[int] = field(default_factory=set, init=False, repr=False)

    def resolve(self, roots: Iterable[str | os.PathLike[str]]) -> None:
        """Find the file of every row among the files under `roots` (folders or files).

        A row names its file by its absolute path, by its path from the folder of the CSV or from a root, or, if only
        one file has it, by its bare name. A row that fits several files is given to none of them; `unused` lists it.

        Raises
        ------
        UsageError
            Two rows are about one file.
        """
        paths = [absolute(root) for root in roots]
        names = {Path(_key(path)).name for row in self.rows for path in _meant(row.written)}
        files = [path for root in paths for path in _files(root, names)]
        bases = [path if path.is_dir() else path.parent for path in paths]
        matcher = _Matcher(absolute(self.path.parent), bases, files)
        by_key: dict[str, Row] = {}
        self._doubtful = {}
        for row in self.rows:
            fitting = matcher.fitting(row.written)
            if len(fitting) > 1:
                self._doubtful[row.line] = fitting
            for key in fitting if len(fitting) == 1 else ():
                if key in by_key:
                    raise _twice(self.path, by_key[key], row)
                by_key[key] = row
        self._by_key, self._roots = by_key, tuple(paths)

    def lookup(
        self, path: str | os.PathLike[str], roots: Iterable[str | os.PathLike[str]] = ()
    ) -> dict[str, Value] | None:
        """Give the values for a file that lies under `roots`, or None where no row is about it.

        A tag that may be corrected (`CORRECTABLE`) is left out where its cell is empty; any other empty cell is None.
        The first call for some roots looks through them, see `resolve`.

        Raises
        ------
        UsageError
            Two rows are about one file.
        """
        wanted = tuple(absolute(root) for root in roots) or (absolute(path),)
        if wanted != self._roots:
            self.resolve(wanted)
        row = self._by_key.get(_key(absolute(path)))
        if row is None:
            return None
        self._used.add(row.line)
        return dict(row.values)

    @property
    def applied(self) -> int:
        """How many rows a lookup has matched."""
        return len(self._used)

    def unused(self) -> list[str]:
        """Give the files of the rows that no lookup has matched, as the CSV writes them, with what is in doubt."""
        return [row.written + self._doubt(row) for row in self.rows if row.line not in self._used]

    def _doubt(self, row: Row) -> str:
        fitting = self._doubtful.get(row.line, [])
        more = ", ..." if len(fitting) > _MOST_LISTED else ""
        return f" (could be {', '.join(map(to_text, fitting[:_MOST_LISTED]))}{more}: write its path)" if fitting else ""


def read_metadata(csv_path: str | os.PathLike[str], known: Mapping[str, Kind] | None = None) -> Metadata:
    r"""Read a CSV of the user's own columns: UTF-8, separated by commas, semicolons or tabs, names in the first line.

    A new column is bool (true, false, yes, no), int, float or str: the first of these that holds all its values. A column
    that the library has keeps its type: whole numbers go into a column of floats, anything into one of text. A cell that
    is empty, or one of `NULLS`, is None; a column of nothing else is left out, unless the library has it.

    Parameters
    ----------
    csv_path : path
    known : dict of str to type, optional
        The columns of the user's own that the library has.

    Raises
    ------
    UsageError
        The file cannot be read, or has no column ``path``; a column's name cannot be stored or is taken; a line has too
        many or too few cells, or a value of another type than its column; two lines are about one file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "mine.csv").write_text("path;bpm;mood\na.wav;120;calm\nb.wav;NA;wild\n")
    ...     metadata = read_metadata(Path(folder, "mine.csv"))
    ...     again = read_metadata(Path(folder, "mine.csv"), {"bpm": float})
    >>> metadata.columns, again.columns["bpm"]
    ({'bpm': <class 'int'>, 'mood': <class 'str'>}, <class 'float'>)
    >>> [row.values["bpm"] for row in again.rows]
    [120.0, None]
    >>> metadata.unused()
    ['a.wav', 'b.wav']
    """
    path = Path(csv_path)
    lines = _lines(path)
    header = next(lines, None)
    if header is None:
        raise UsageError(f"metadata {display(path)} is empty; its first line names the columns, one of them 'path'")
    names = [name.strip() for name in header[1]]
    body = _body(path, names, lines)
    key = _path_column(path, names)
    made = _Columns(path, names, dict(known or {}))
    columns = {
        name: made.column(index, [(line, _cell(cells[index])) for line, cells in body])
        for index, name in enumerate(names)
        if index != key and (name in made.known or any(_cell(cells[index]) for _, cells in body))
    }
    rows = []
    for number, (line, cells) in enumerate(body):
        values = {name: cells_of[number] for name, (_, cells_of) in columns.items()}
        given = {name: value for name, value in values.items() if value is not None or name not in CORRECTABLE}
        rows.append(Row(line, cells[key].strip(), given))
    _refuse_repeats(path, rows)
    return Metadata(path, {name: kind for name, (kind, _) in columns.items()}, rows)


# -- the file


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Give the lines that are not blank, each with its number."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = _delimiter(file.readline())
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield reader.line_num, cells
    except OSError as error:
        raise UsageError(f"cannot read metadata {display(path)}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"metadata {display(path)} is not UTF-8; save it as 'CSV UTF-8'") from error
    except csv.Error as error:
        raise UsageError(f'metadata {display(path)}, line {reader.line_num}: {error}; quote cells as "..."') from error


def _delimiter(line: str) -> str:
    """Give the one that cuts the names apart into most pieces; quoted ones do not count."""
    return max(",;\t", key=lambda delimiter: len(next(csv.reader([line], delimiter=delimiter), [])))


def _body(path: Path, names: list[str], lines: Iterable[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    body = []
    for line, cells in lines:
        if len(cells) != len(names):
            raise UsageError(
                f"metadata {display(path)}, line {line}: {len(cells)} cells for {len(names)} columns; "
                'give each column a cell, and quote a cell that holds the separator as "..."'
            )
        body.append((line, cells))
    return body


# -- columns


def _path_column(path: Path, names: list[str]) -> int:
    lowered = [name.lower() for name in names]
    for name in PATH_COLUMNS:
        if name in lowered:
            return lowered.index(name)
    listed = ", ".join(map(repr, names))
    raise UsageError(f"metadata {display(path)} has no column 'path' but {listed}: name the column of the files 'path'")


def _cell(text: str) -> str:
    """What a cell says; empty where that is nothing."""
    text = text.strip()
    return "" if text.lower() in NULLS else text


@dataclass(frozen=True)
class _Columns:
    """The columns of a CSV, held to the rules for names and to the types that the library has."""

    path: Path
    names: list[str]
    known: Mapping[str, Kind]

    def column(self, index: int, cells: list[tuple[int, str]]) -> tuple[Kind, list[Value]]:
        """Give the type of a column and its values."""
        name = self.names[index]
        if fault := self._fault(name, index):
            raise UsageError(f"metadata {display(self.path)}: column {name!r} {fault}")
        types = {**{tag: TRACK_FIELDS[tag] for tag in CORRECTABLE}, **self.known}
        kind = types.get(name) or _kind(text for _, text in cells if text)
        return kind, [self._value(name, kind, line, text) for line, text in cells]

    def _fault(self, name: str, index: int) -> str | None:
        lowered = name.lower()
        before = next((other for other in self.names[:index] if other.lower() == lowered), None)
        if before is not None:
            return f"comes after a column {before!r}; call it {rules.free(name, [*self.known, *self.names])!r}"
        if name in self.known or name in CORRECTABLE:
            return None
        if lowered in CORRECTABLE:
            return f"differs from the tag {lowered!r} by case only; call it {lowered!r} to correct the tag"
        if lowered in sound_tags.COLUMNS:
            return f"is a name that sonovec uses itself; call it {rules.free('my_' + name, self.known)!r}"
        fault = rules.fault(name, self.known)
        return f"(number {index + 1}) {fault}" if fault and not name else fault

    def _value(self, name: str, kind: Kind, line: int, text: str) -> Value:
        if not text:
            return None
        try:
            return _convert(kind, text)
        except ValueError:
            words, sample = _WORDS[kind]
            other = rules.free(name, [*self.known, *self.names])
            more = f"; the library's column holds such values: give others a column of their own, such as {other!r}"
            raise UsageError(
                f"metadata {display(self.path)}, line {line}: {name}={text!r} must be {words}, "
                f"such as {name}={sample}{more if name in self.known else ''}"
            ) from None


def _kind(filled: Iterable[str]) -> type:
    texts = list(filled)
    if all(text.lower() in _BOOLS for text in texts):
        return bool
    if all(_INT.fullmatch(text) for text in texts):
        return int
    return float if all(_FLOAT.fullmatch(text) for text in texts) else str


def _convert(kind: Kind, text: str) -> Value:
    """A value of a type; `ValueError` for a text that has none."""
    if kind is str:
        return text
    if kind == list[str]:
        return [item for item in map(str.strip, text.split(";")) if item]
    if kind is bool and text.lower() in _BOOLS:
        return _BOOLS[text.lower()]
    if kind is int and _INT.fullmatch(text):
        return int(text)
    if kind is float and _INT.fullmatch(text) and float(text) == int(text):
        return float(text)
    if kind in (int, float) and _FLOAT.fullmatch(text):
        number = float(text)
        if kind is float:
            return number
        if number.is_integer() and abs(number) < _EXACT:  # as programs write whole numbers of which some are missing
            return int(number)
    raise ValueError(text)


# -- rows and files


def _refuse_repeats(path: Path, rows: Iterable[Row]) -> None:
    seen: dict[str, Row] = {}
    for row in rows:
        if not row.written:
            raise UsageError(f"metadata {display(path)}, line {row.line}: no file; give its path, or delete the line")
        first = seen.setdefault(_key(from_text(row.written)), row)
        if first is not row:
            raise _twice(path, first, row)


def _twice(path: Path, first: Row, second: Row) -> UsageError:
    return UsageError(
        f"metadata {display(path)}: line {first.line} ({first.written}) and line {second.line} ({second.written}) "
        "are about one file; delete one of them"
    )


class _Matcher:
    """Which of the files may be meant by what a row says."""

    def __init__(self, csv_folder: Path, bases: list[Path], files: Iterable[Path]) -> None:
        self._csv_folder, self._bases = csv_folder, bases
        self._files = {_key(path) for path in files}
        self._by_name: dict[str, list[str]] = {}
        for key in sorted(self._files):
            self._by_name.setdefault(Path(key).name, []).append(key)

    def fitting(self, written: str) -> list[str]:
        return next(filter(None, map(self._fitting, _meant(written))), [])

    def _fitting(self, named: Path) -> list[str]:
        beside_csv = _key(self._csv_folder / named)  # an absolute path stays what it is
        if beside_csv in self._files:
            return [beside_csv]
        from_bases = {_key(base / named) for base in self._bases} & self._files
        return sorted(from_bases) or self._by_name.get(_key(named), [])


def _files(root: Path, names: set[str]) -> Iterator[Path]:
    """Give the files of some names under a root, through links to folders too, but into no folder twice."""
    if not root.is_dir():
        yield root
        return
    seen: set[str] = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        yield from (Path(folder, name) for name in files if _key(name) in names)


def _meant(written: str) -> tuple[Path, Path]:
    r"""What a row may mean: the text of a path, else one as it is shown, with ``\xNN`` for bytes that are not UTF-8."""
    shown = re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes.fromhex(match[1].decode()), written.encode())
    return from_text(written), Path(os.fsdecode(shown))


def _key(path: str | os.PathLike[str]) -> str:
    """Give one text for a path, however its accents are composed and its dots and separators are written."""
    return unicodedata.normalize("NFC", os.path.normpath(path))
