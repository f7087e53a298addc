"""Sounds with their classes and folds: a folder whose sub-folders are the classes, or a CSV file that lists them."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sonovec.audio.scan import Found, scan
from sonovec.errors import UsageError
from sonovec.paths import display, from_text, name_of, to_text

#: Columns of a CSV file, under any of these names.
COLUMNS: Mapping[str, Sequence[str]] = {
    "path": ("path", "file", "filename", "file_name"),
    "label": ("label", "class", "category", "target"),
    "fold": ("fold", "split"),
}


@dataclass(frozen=True)
class Dataset:
    """Labelled sounds.

    Attributes
    ----------
    source : Path
    paths : tuple of Path
    labels : tuple of str
    folds : tuple of str, or None
        What belongs together in a cross-validation; None where nobody said.
    unreadable : tuple of (str, str)
        Files that are no sound, and why.
    """

    source: Path
    paths: tuple[Path, ...]
    labels: tuple[str, ...]
    folds: tuple[str, ...] | None = None
    unreadable: tuple[tuple[str, str], ...] = ()

    @property
    def classes(self) -> dict[str, int]:
        """Sounds of each class."""
        return dict(sorted(Counter(self.labels).items()))

    def only(self, paths: Sequence[Path]) -> Dataset:
        """The same with some of its sounds."""
        rows = [row for row, path in enumerate(self.paths) if path in set(paths)]
        return Dataset(
            self.source,
            tuple(self.paths[row] for row in rows),
            tuple(self.labels[row] for row in rows),
            self.folds and tuple(self.folds[row] for row in rows),
            self.unreadable,
        )


def read(source: str | os.PathLike[str], folds: str | None = None) -> Dataset:
    """Read what is labelled.

    Parameters
    ----------
    source : path
        A folder whose sub-folders are the classes; or a CSV file with columns ``path`` (relative to it), ``label`` and, if
        there are folds, ``fold``.
    folds : str, optional
        A regular expression; sounds in whose file names it finds the same, in its group if it has one, are one fold.

    Returns
    -------
    Dataset

    Raises
    ------
    UsageError
        If there are no labels, fewer than two classes, or files are missing.

    Examples
    --------
    >>> import tempfile
    >>> from sonovec import demo
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = demo.write(folder, per_kind=2)
    >>> dataset = read(folder)
    >>> len(dataset.paths), len(dataset.classes)
    (28, 14)
    """
    path = Path(source)
    found = _listed(path) if path.suffix.lower() == ".csv" else of_folder(path)
    if folds is not None:
        given = tuple(fold(folds, each) for each in found.paths)
        found = Dataset(found.source, found.paths, found.labels, given, found.unreadable)
    _check(found)
    return found


def fold(pattern: str, path: Path, option: str = "folds") -> str:
    """What a regular expression finds in a file's name: in its group, if it has one; `option` is what errors call it.

    Examples
    --------
    >>> fold(r"^(\\d)-", Path("3-1157-A.ogg"))
    '3'
    """
    try:
        match = re.search(pattern, path.name)
    except re.error as error:
        raise UsageError(
            f"{option}={pattern!r} is not a regular expression ({error}); give one such as '^(.+)_'"
        ) from None
    if match is None:
        raise UsageError(
            f"{option}={pattern!r} finds nothing in {display(path.name)!r}; give one that fits every file name"
        )
    return match.group(1 if match.re.groups else 0) or ""


def of_folder(root: Path) -> Dataset:
    """The sounds of a folder whose sub-folders are the classes; how many there are of each is not looked at."""
    if not root.is_dir():
        raise UsageError(
            f"{display(root)} is neither a folder nor a CSV file; give a folder whose sub-folders hold the sounds of one "
            "class each, or a CSV file with the columns path and label"
        )
    seen = list(scan([root]))
    paths = [item.path for item in seen if isinstance(item, Found)]
    loose = [path for path in paths if path.parent == root]
    if loose:
        raise UsageError(
            f"{display(loose[0])} is in no sub-folder and has no class ({len(loose)} of {len(paths)} sounds have "
            "none); put it "
            "into one, or give a CSV file with the columns path and label"
        )
    failed = [(to_text(item.path), item.reason) for item in seen if not isinstance(item, Found) and item.failed]
    return Dataset(
        root, tuple(paths), tuple(name_of(path.relative_to(root).parts[0]) for path in paths), None, tuple(failed)
    )


def _listed(file: Path) -> Dataset:
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            names = _columns(file, [name or "" for name in reader.fieldnames or ()])
            rows = list(reader)
    except FileNotFoundError:
        raise UsageError(f"{display(file)}: no such file; give a folder or a CSV file") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{display(file)}: is not a CSV file in UTF-8 ({error})") from error
    for number, row in enumerate(rows, start=2):
        if not row[names["path"]] or not row[names["label"]]:
            raise UsageError(f"{display(file)}: line {number} lacks its {names['path']} or its {names['label']}")
    paths = tuple(file.parent / from_text(row[names["path"]]) for row in rows)
    missing = [path for path in paths if not path.is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UsageError(
            f"{display(file)}: {display(missing[0])}{more}: no such file; paths are relative to the CSV file"
        )
    repeated = [path for path, count in Counter(paths).items() if count > 1]
    if repeated:
        raise UsageError(f"{display(file)}: {display(repeated[0])} is listed more than once; list each sound once")
    given = tuple(str(row[names["fold"]]) for row in rows) if "fold" in names else None
    return Dataset(file, paths, tuple(str(row[names["label"]]) for row in rows), given)


def _columns(file: Path, there: Sequence[str]) -> dict[str, str]:
    found = {}
    for column, names in COLUMNS.items():
        having = [name for name in there if name.strip().lower() in names]
        if having:
            found[column] = having[0]
        elif column != "fold":
            raise UsageError(
                f"{display(file)}: has no column {column} ({' or '.join(names)}); it has: {', '.join(there) or 'none'}"
            )
    return found


def _check(dataset: Dataset) -> None:
    enough = [label for label, count in dataset.classes.items() if count > 1]
    if len(enough) < 2:
        raise UsageError(
            f"{display(dataset.source)}: {len(enough)} of {len(dataset.classes)} classes have two sounds or more; give at "
            "least two"
        )
    if dataset.folds is not None and len(set(dataset.folds)) < 2:
        raise UsageError(
            f"{display(dataset.source)}: all sounds are in one fold, {dataset.folds[0]!r}; give two or more"
        )
