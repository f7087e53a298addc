"""Recordings of speech with their transcripts, in the layouts that people have them in."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sonovec.audio.scan import Found, scan
from sonovec.brief import Brief
from sonovec.errors import UsageError
from sonovec.evaluation.dataset import fold
from sonovec.learn.label_rows import lines_of, number_of
from sonovec.learn.label_tables import cells_of
from sonovec.learn.label_text import text_of
from sonovec.paths import display, from_text, to_text
from sonovec.words import counted, listed

#: Columns of a table, and keys of JSON lines, under any of these names in small letters; the first that is there counts.
COLUMNS: Mapping[str, Sequence[str]] = {
    "path": ("path", "file", "filename", "file_name", "audio_filepath", "audio_path", "audio_file", "audio", "wav"),
    "text": ("text", "sentence", "transcript", "transcription", "normalized_text", "words"),
    "group": ("group", "client_id", "speaker_id", "speaker", "spk", "fold"),
    "start": ("start", "offset", "begin"),
    "end": ("end", "stop"),
    "seconds": ("duration", "seconds"),
}
#: Where tables that name files without their folder or ending have them: Common Voice's, and beside.
FOLDERS, ENDINGS = ("", "clips", "wavs", "audio"), ("", ".mp3", ".wav", ".flac", ".ogg")
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson")
LIBRISPEECH = ".trans.txt"
#: The names of FSDD's files, and the word of each digit.
FSDD = re.compile(r"(\d)_([A-Za-z]+)_(\d+)")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class Utterance:
    """What somebody said.

    Attributes
    ----------
    path : str
        The recording, as `sonovec.paths.to_text` writes it.
    text : str
        As it was written.
    group : str
        What must stay together when some is held out: the speaker, or else the recording.
    start, end : float
        Seconds of the recording; the end is None for all of it.
    """

    path: str
    text: str
    group: str
    start: float = 0.0
    end: float | None = None


@dataclass(frozen=True, repr=False)
class Corpus(Brief):
    """Utterances, and what was left out of them.

    Attributes
    ----------
    source : Path
    utterances : tuple of Utterance
    notes : tuple of str
        What is to be told; whatever was left out is counted there.
    """

    source: Path
    utterances: tuple[Utterance, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.utterances)

    def grouped(self, pattern: str) -> Corpus:
        """The same, in groups by what a regular expression finds in the names of the files.

        Raises
        ------
        UsageError
            It is no regular expression, or finds nothing in a name.
        """
        return replace(
            self,
            utterances=tuple(replace(u, group=fold(pattern, from_text(u.path), "group")) for u in self.utterances),
        )


@dataclass(frozen=True)
class _Row:
    """A transcript as a file writes it; `paths` are the places where the recording may be."""

    place: str
    paths: tuple[Path, ...]
    text: str
    group: str = ""
    start: float = 0.0
    end: float | None = None


def read(source: str | os.PathLike[str], group: str | None = None) -> Corpus:
    r"""Read recordings with transcripts.

    Parameters
    ----------
    source : path
        A table with a column of paths and one of texts (CSV, TSV, such as Common Voice's, or JSON lines); or a folder: in
        LibriSpeech's layout (``*.trans.txt``), with a text file of the same name beside each recording, with one table in
        it, or with files called as those of FSDD (``7_jackson_32.flac``).
    group : str, optional
        A regular expression; recordings in whose file names it finds the same, in its group if it has one, stay together.

    Returns
    -------
    Corpus
        Rows without a transcript, or without their recording, are left out and counted in its notes.

    Raises
    ------
    UsageError
        If nothing is left, or a file cannot be read; the message says what is there.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("7_ann_0.wav", "2_bob_0.wav"):
    ...     _ = (folder / name).write_bytes(b"RIFF")
    >>> [(utterance.text, utterance.group) for utterance in read(folder).utterances]
    [('two', 'bob'), ('seven', 'ann')]
    """
    path = Path(source).expanduser()
    if not path.exists():
        raise UsageError(f"{display(path)}: is not there; give a folder of recordings with transcripts, or a table")
    rows, notes = _of_folder(path) if path.is_dir() else _of_file(path)
    corpus = _found(path, rows, notes)
    return corpus if group is None else corpus.grouped(group)


def _of_file(file: Path) -> tuple[list[_Row], list[str]]:
    name = file.name.lower()
    if name.endswith(LIBRISPEECH):
        return _librispeech([file])
    if not name.endswith(TABLES):
        raise UsageError(
            f"{display(file)}: give a table ({', '.join(TABLES)}) with a path and a text in each row, a {LIBRISPEECH} of "
            "LibriSpeech, or a folder"
        )
    return _table(file)


def _of_folder(folder: Path) -> tuple[list[_Row], list[str]]:
    """The rows of a folder, in whichever layout it has."""
    if transcripts := sorted(folder.rglob(f"*{LIBRISPEECH}")):
        return _librispeech(transcripts)
    sounds = [item.path for item in scan([folder]) if isinstance(item, Found)]
    if beside := [sound for sound in sounds if sound.with_suffix(".txt").is_file()]:
        return _beside(beside, len(sounds))
    tables = [file for file in sorted(folder.iterdir()) if file.name.lower().endswith(TABLES)]
    if len(tables) == 1:
        return _table(tables[0])
    if tables:
        raise UsageError(f"{display(folder)}: has {len(tables)} tables; give one of them, such as {display(tables[0])}")
    if named := [sound for sound in sounds if FSDD.fullmatch(sound.stem)]:
        return _fsdd(named, len(sounds))
    raise UsageError(
        f"{display(folder)}: has {counted(len(sounds), 'recording')} and no transcripts; put a.txt beside a.wav, or give a "
        "CSV file with the columns path and text"
    )


def _librispeech(files: Sequence[Path]) -> tuple[list[_Row], list[str]]:
    """Lines of an id and a text; the id is the recording's name, and begins with its speaker."""
    rows, notes = [], []
    for file, text in _texts(files, notes):
        for number, line in enumerate(lines_of(text), start=1):
            name, _, said = line.strip().partition(" ")
            if name:
                places = _places(file.parent, f"{name}.flac") + _places(file.parent, name)
                rows.append(_Row(f"{display(file)}, line {number}", places, said, name.partition("-")[0]))
    return rows, notes


def _beside(sounds: Sequence[Path], there: int) -> tuple[list[_Row], list[str]]:
    notes: list[str] = []
    if there > len(sounds):
        notes.append(f"{counted(there - len(sounds), 'recording')} without a text file beside, left out")
    files = {sound.with_suffix(".txt"): sound for sound in sounds}
    return [_Row(display(file), (files[file],), text) for file, text in _texts(list(files), notes)], notes


def _fsdd(sounds: Sequence[Path], there: int) -> tuple[list[_Row], list[str]]:
    rows = []
    for sound in sounds:
        found = FSDD.fullmatch(sound.stem)
        assert found is not None
        rows.append(_Row(display(sound), (sound,), DIGITS[int(found[1])], found[2]))
    odd = there - len(sounds)
    return rows, [f"{counted(odd, 'recording')} whose name tells no digit, left out"] if odd else []


def _texts(files: Sequence[Path], notes: list[str]) -> Iterator[tuple[Path, str]]:
    for file in files:
        text, note = text_of(file)
        notes += [note] if note else []
        yield file, text


def _table(file: Path) -> tuple[list[_Row], list[str]]:
    notes: list[str] = []
    [(_, text)] = _texts([file], notes)
    is_json = file.name.lower().endswith(TABLES[2:])
    try:
        names, lines = _json_lines(text) if is_json else cells_of(text)
    except UsageError as error:
        raise UsageError(f"{display(file)}, {error}") from None
    columns = _columns(names)
    for column in ("path", "text"):
        if column not in columns:
            raise UsageError(
                f"{display(file)}: has no column of {column}s, such as {COLUMNS[column][0]!r}; it has: "
                f"{', '.join(names) or 'none'}"
            )
    rows = [_row(file, line, cells, columns) for line, cells in lines]
    return rows, notes


def _json_lines(text: str) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Names of keys, and each line's values by them."""
    names: dict[str, None] = {}
    rows = []
    for number, line in enumerate(lines_of(text), start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except ValueError as error:
            raise UsageError(f"line {number}: is no JSON ({error}); give one object a line") from None
        if not isinstance(found, dict):
            raise UsageError(f'line {number}: holds no object; give lines such as {{"path": ..., "text": ...}}')
        cells = {str(name): "" if value is None else str(value) for name, value in found.items()}
        names.update(dict.fromkeys(cells))
        rows.append((number, cells))
    return list(names), rows


def _columns(names: Sequence[str]) -> dict[str, str]:
    """The name of each column that is there."""
    lowered = {name.lower(): name for name in reversed(names)}
    found = {column: next((lowered[n] for n in known if n in lowered), None) for column, known in COLUMNS.items()}
    return {column: name for column, name in found.items() if name is not None}


def _row(file: Path, line: int, cells: Mapping[str, str], columns: Mapping[str, str]) -> _Row:
    place = f"{display(file)}, line {line}"
    value: Callable[[str], str] = lambda column: cells.get(columns.get(column, ""), "").strip()  # noqa: E731
    start, end, seconds = (_number(place, columns.get(name, ""), value(name)) for name in ("start", "end", "seconds"))
    if end is None and start is not None and seconds is not None:
        end = start + seconds
    return _Row(place, _places(file.parent, value("path")), value("text"), value("group"), start or 0.0, end)


def _number(place: str, column: str, text: str) -> float | None:
    if not text:
        return None
    if (found := number_of(text)) is None:
        raise UsageError(f"{place}: {column}={text!r} is not a number; give seconds, such as 1.5")
    return found


def _places(folder: Path, name: str) -> tuple[Path, ...]:
    """Where a recording that a table names may lie, most probable first."""
    if not name:
        return ()
    path = from_text(name).expanduser()
    return tuple(folder / below / f"{path}{ending}" for below in FOLDERS for ending in ENDINGS)


def _found(source: Path, rows: Sequence[_Row], notes: list[str]) -> Corpus:
    """The utterances of rows that have a text and a recording."""
    utterances, silent, missing = [], [], []
    for row in rows:
        path = next((place for place in row.paths if place.is_file()), None)
        if not row.text.strip():
            silent.append(row.place)
        elif path is None:
            missing.append(display(row.paths[0]) if row.paths else row.place)
        else:
            name = to_text(path)
            utterances.append(Utterance(name, " ".join(row.text.split()), row.group or name, row.start, row.end))
    if silent:
        notes.append(f"{counted(len(silent), 'transcript')} empty, left out ({listed(silent)})")
    if missing:
        notes.append(f"{counted(len(missing), 'recording')} not there, left out ({listed(missing)})")
    if not utterances:
        reasons = "; ".join(notes) or "no rows"
        raise UsageError(f"{display(source)}: nothing to hear and read: {reasons}")
    ordered = sorted(utterances, key=lambda each: (each.path, each.start))
    return Corpus(source, tuple(ordered), tuple([*notes, *_twice(ordered)]))


def _twice(utterances: Sequence[Utterance]) -> list[str]:
    """A note where one stretch has several transcripts."""
    times = Counter((each.path, each.start, each.end) for each in utterances)
    several = [display(from_text(path)) for (path, _, _), count in times.items() if count > 1]
    return [f"{counted(len(several), 'recording')} with several transcripts ({listed(several)})"] if several else []
