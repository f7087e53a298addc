"""Labels of recordings, from the files of the tools that people label with: which class is heard from when to when."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sonovec.audio.scan import Found, scan
from sonovec.errors import UsageError
from sonovec.evaluation import dataset
from sonovec.learn import label_files, label_tables
from sonovec.learn.label_library import labels_of
from sonovec.learn.label_recordings import Recordings
from sonovec.learn.label_rows import Listed, Row
from sonovec.learn.labelled import Labelled, LabelSet
from sonovec.learn.sources import library_at
from sonovec.learn.stretches import together
from sonovec.learn.targets import UNKNOWN
from sonovec.paths import display, to_text
from sonovec.words import counted, listed

if TYPE_CHECKING:
    from sonovec.library.library import Library

__all__ = ["LabelSet", "Labelled", "read"]

#: What people call it where none of the classes is heard.
BACKGROUND = frozenset(
    (
        *("background", "_background_", "_background_noise_", "noise", "none", "other", "nothing", "negative"),
        *("negatives", "silence", "nocall"),
    )
)
#: What stands where nobody knows.
QUESTION = ("", "?")


def read(
    source: str | os.PathLike[str] | Library,
    *,
    group: str | None = None,
    audio: str | os.PathLike[str] | None = None,
    min_score: float | None = None,
    rest: bool | None = None,
) -> LabelSet:
    r"""Read labels; what they are written in is seen from what the files hold.

    Parameters
    ----------
    source : path or Library
        A folder whose sub-folders are the classes; a folder of recordings with a file of labels beside each; a file: CSV
        (columns such as ``path``, ``start``, ``end`` and ``label``), labels of Audacity, a selection table of Raven, JSON
        of Label Studio, results of BirdNET, what `sonovec tag`, `search` and `detect` write; or a library with labels.
    group : str, optional
        What must never be split over training and test: a column of the list, or a regular expression, whose group is what
        counts in the name of a file. Without it a column ``group`` or ``fold``, and else the recording.
    audio : path, optional
        The folder of the recordings, or the one recording, where they do not lie beside the labels.
    min_score : float, optional
        Of labels that a detector gave, leave out those that score less. Of those in a library, none are read without it.
    rest : bool, optional
        Whether what no label covers in the recordings is background. Without it, it is where stretches were marked in
        files, and not where whole recordings were, or tracks of a library.

    Returns
    -------
    LabelSet
        Stretches called ``background`` or alike (`BACKGROUND`) have no name: in them, none of the classes is heard.

    Raises
    ------
    UsageError
        There is no label; a file is in no format that is known, or a line of it is wrong; no recording is found, or several
        are; or labels contradict each other.

    Examples
    --------
    >>> import tempfile, sonovec.demo
    >>> folder = Path(tempfile.mkdtemp())
    >>> paths = sonovec.demo.write(folder, per_kind=1)
    >>> _ = (folder / "labels.txt").write_text("0.5\t1.5\tcrow\n2\t3\tbackground\n")
    >>> found = read(folder / "labels.txt", audio=paths[0])
    >>> [(label.start, label.end, label.name) for label in found.labels], found.rest
    ([(0.5, 1.5, 'crow'), (2.0, 3.0, None)], True)
    """
    library = library_at(source)
    if library is not None:
        origin = str(library.location)
        found = _Read(*labels_of(library, min_score), has_times=False)
    else:
        path = Path(source).expanduser()  # type: ignore[arg-type]  # no library
        origin = display(path)
        found = _read_files(path, None if audio is None else Path(audio).expanduser(), group, min_score)
    if not found.labels:
        raise UsageError(
            f"{origin}: holds no label ({'; '.join(found.notes) or 'it is empty'}); label some sounds first"
        )
    labels = _once(_named(found.labels, found.notes), found.notes)
    together(labels)  # which refuses contradictions
    covers = found.has_times if rest is None else rest
    return LabelSet(origin, tuple(_grouped(labels, group, found)), covers, tuple(found.notes), tuple(found.failures))


@dataclass
class _Read:
    """What was read so far; of what lacks its recording, the names that it gives."""

    labels: list[Labelled] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    has_times: bool = False
    missing: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    columns: set[str] = field(default_factory=set)


def _read_files(path: Path, audio: Path | None, group: str | None, min_score: float | None) -> _Read:
    if not path.exists():
        raise UsageError(f"{display(path)}: no such file or folder; give a file or a folder of labels, or a library")
    if audio is not None and not audio.exists():
        raise UsageError(f"audio={display(audio)!r}: no such file or folder; give the folder of the recordings")
    files = [path] if path.is_file() else _beside(path, audio)
    if not files and audio is not None:
        raise UsageError(f"{display(path)}: no file in it holds labels of a recording in {display(audio)}; check both")
    if not files:
        return _by_folder(path)
    found = _Read()
    for file in files:
        _add(found, file, label_files.read_file(file), _Place(file, audio), group, min_score)
    missing = list(dict.fromkeys(found.missing))
    if missing and not found.labels:
        where = display(audio or path.parent)
        raise UsageError(
            f"{display(path)}: none of its {counted(len(missing), 'recording')} is in {where}: {listed(missing)}; give "
            "audio= the folder that they are in"
        )
    if missing:
        found.failures += [f"{name}: no such recording" for name in missing]
        found.notes.append(f"{counted(len(missing), 'recording')} not found, and left out: {listed(missing)}")
    if path.is_dir() and audio is None:
        _note_without(found, path)
    return found


def _by_folder(path: Path) -> _Read:
    """Whole sounds, whose classes are the folders that they are in."""
    lists = [
        display(file.relative_to(path)) for file in _others(path) if file.stat().st_size and label_files.is_one(file)
    ]
    told = f"{listed(lists)}: not read; give a list of labels itself to read it" if lists else ""
    try:
        sounds = dataset.of_folder(path)
    except UsageError as error:
        raise UsageError(f"{error}; {told}" if told else str(error)) from None
    labels = [
        Labelled(sound, name=name, source=display(sound.relative_to(path)))
        for sound, name in zip(sounds.paths, sounds.labels, strict=True)
    ]
    failed = [f"{display(name)} ({reason})" for name, reason in sounds.unreadable]
    notes = [f"{counted(len(failed), 'file')} not read: {listed(failed)}"] if failed else []
    return _Read(labels, [*notes, told] if told else notes)


def _others(root: Path) -> list[Path]:
    """The files in a folder that may hold labels, by their endings."""
    found = [item.path for item in scan([root]) if not isinstance(item, Found)]
    return [path for path in found if path.name.lower().endswith(label_files.ENDINGS) and path.is_file()]


def _beside(root: Path, audio: Path | None) -> list[Path]:
    """The files of labels in a folder that are about one recording each, if one of them holds a label."""
    near: dict[Path, Recordings] = {}
    found, holds = [], False
    for file in _others(root):
        recordings = near.setdefault(file.parent, Recordings(audio or file.parent))
        if recordings.beside(file) is not None and label_files.is_one(file):
            found.append(file)
            holds = holds or file.stat().st_size > 0
    return found if holds else []


def _note_without(found: _Read, root: Path) -> None:
    labelled = {label.path for label in found.labels}
    bare = [item.path for item in scan([root]) if isinstance(item, Found) and item.path not in labelled]
    if bare:
        names = listed([display(path.relative_to(root)) for path in bare])
        found.notes.append(f"{counted(len(bare), 'recording')} without labels, left out: {names}")


class _Place:
    """Where the recordings of a file of labels are looked for."""

    def __init__(self, file: Path, audio: Path | None) -> None:
        self._file, self._one = file, audio if audio is not None and audio.is_file() else None
        self._folders = [Recordings(each) for each in (audio, file.parent) if each is not None and each.is_dir()]

    def find(self, paths: Sequence[str]) -> Path | None:
        """The recording of a row; where the row does not say, the one that the file is about."""
        if self._one is not None and (not paths or any(Path(each).name == self._one.name for each in paths)):
            return self._one
        looks = (each.find(paths) if paths else each.beside(self._file) for each in self._folders)
        return next((found for found in looks if found is not None), None)


def _add(found: _Read, file: Path, given: Listed, place: _Place, group: str | None, min_score: float | None) -> None:
    """Take what a file holds."""
    found.notes += given.notes
    found.has_times = found.has_times or given.has_times
    found.columns.update(given.columns)
    column = _group_column(given.columns, group)
    recordings: dict[tuple[str, ...], Path | None] = {}
    weak = 0
    for row in given.rows:
        if row.paths not in recordings:
            recordings[row.paths] = place.find(row.paths)
        if (recording := recordings[row.paths]) is None:
            found.missing.append(display(row.paths[0]) if row.paths else f"the one of {display(file.name)}")
            continue
        label = _labelled(row, recording, f"{display(file.name)}:{row.line}")
        if min_score is not None and row.score is not None and row.score < min_score:
            label, weak = replace(label, verdict=UNKNOWN), weak + 1
        found.labels.append(replace(label, group=row.cells.get(column, "").strip()) if column else label)
    nothing = [place.find(paths) for paths in given.empty] + ([] if given.rows or given.empty else [place.find(())])
    found.labels += [Labelled(path, source=display(file.name)) for path in nothing if path is not None]
    found.notes += _of_scores(file, given.rows, min_score, weak)
    if column and group is None:
        found.notes.append(f"{display(file.name)}: groups are those of the column {column!r}")


def _of_scores(file: Path, rows: Sequence[Row], min_score: float | None, weak: int) -> list[str]:
    scored = [row.score for row in rows if row.score is not None]
    if not scored:
        return []
    told = f"{display(file.name)}: {counted(len(scored), 'label')} with a score, as a detector gives it"
    if min_score is None:
        return [f"{told} (lowest {min(scored):.2f}); min_score=0.8 leaves out those that score less"]
    return [f"{told}; {weak} of them below {min_score:g} left out"]


def _labelled(row: Row, path: Path, source: str) -> Labelled:
    if row.start < 0 or (row.end is not None and row.end < row.start):
        raise UsageError(
            f"{source}: start {row.start:g} and end {row.end:g} are not 0 <= start <= end; correct the line"
        )
    if row.name in QUESTION:
        return Labelled(path, row.start, row.end, source=source, verdict=UNKNOWN)
    return Labelled(path, row.start, row.end, row.name, source=source)


# -- what is made of labels, however they are written


def _named(labels: Sequence[Labelled], notes: list[str]) -> list[Labelled]:
    """The labels, with no name for what people call background."""
    called = Counter(label.name for label in labels if label.name is not None and label.name.lower() in BACKGROUND)
    notes += [
        f"{name!r} ({counted(count, 'label')}) is background: an example of what each class is not, and no answer; give it "
        "another name to make it a class"
        for name, count in called.items()
    ]
    unnamed = sum(label.name is None and label.verdict == UNKNOWN for label in labels)
    if unnamed:
        notes.append(f"{counted(unnamed, 'label')} without a class: no example of anything, nor of background")
    return [replace(label, name=None) if label.name in called else label for label in labels]


def _once(labels: Sequence[Labelled], notes: list[str]) -> list[Labelled]:
    """The labels without those that say the same of the same seconds again."""
    first: dict[object, Labelled] = {}
    again = []
    for label in labels:
        key = (label.path, label.start, label.end, label.name, label.verdict)
        if first.setdefault(key, label) is not label:
            again.append(label.source)
    if again:
        notes.append(f"{counted(len(again), 'label')} there twice, and counted once: {listed(again)}")
    return list(first.values())


def _group_column(columns: Sequence[str], group: str | None) -> str | None:
    """The column that holds the groups: the one that was asked for, or one that is called so."""
    wanted = (group.lower(),) if group is not None else label_tables.COLUMNS["group"]
    return next((name for each in wanted for name in columns if name.lower() == each), None)


def _grouped(labels: Iterable[Labelled], group: str | None, found: _Read) -> Iterator[Labelled]:
    """The labels with their groups: of a column, by a pattern, or else each recording for itself."""
    is_column = group is not None and group.lower() in {name.lower() for name in found.columns}
    for label in labels:
        if group is None or is_column:
            yield replace(label, group=label.group or to_text(label.path))
        else:
            yield replace(label, group=_matched(group, label.path, found.columns))


def _matched(group: str, path: Path, columns: Iterable[str]) -> str:
    try:
        return dataset.fold(group, path, "group")
    except UsageError as error:
        there = f"; there is no column of that name: {', '.join(sorted(columns))}" if columns else ""
        raise UsageError(f"{error}{there}") from None
