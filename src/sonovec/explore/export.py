"""A map as tables for other programs: Parquet, and the two files that TensorFlow's embedding projector reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sonovec.errors import UsageError
from sonovec.explore import fields
from sonovec.explore.fields import Field, Tracks
from sonovec.explore.record import Map
from sonovec.paths import check_output, display, output, printable

if TYPE_CHECKING:
    from sonovec.library.library import Library

AXES = ("x", "y", "z")
#: The file of vectors of the projector ends so; that of the metadata lies beside it.
TSV, METADATA = ".tsv", ".metadata.tsv"


def export_map(library: Library, found: Map, target: str | os.PathLike[str]) -> list[Path]:
    """Write a map as a table.

    Parameters
    ----------
    library : Library
    found : Map
    target : path
        ``NAME.parquet``: a row for each track with `id`, `path`, `title`, its place `x`, `y` (and `z`), null where it has
        none, its `trustworthiness` and `continuity`, and its columns. ``NAME.tsv``: for TensorFlow's projector the vectors
        of the space, one a line, and, beside it, ``NAME.metadata.tsv`` with a heading, the places included.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    UsageError
        If the ending is another one, or the file cannot be written.
    """
    path = Path(target)
    check_target(path)
    tracks = fields.read(library, found)
    if path.suffix.lower() == TSV:
        return _projector(library, found, tracks, path)
    _parquet(found, tracks, path)
    return [path]


def check_target(target: Path) -> None:
    """Refuse a table that could not be written, before any work is done.

    Raises
    ------
    UsageError

    Examples
    --------
    >>> check_target(Path("map.csv"))
    Traceback (most recent call last):
    sonovec.errors.UsageError: map.csv: a map is exported as .parquet or, ...; give a name such as map.parquet
    """
    if target.suffix.lower() not in (".parquet", TSV):
        raise UsageError(
            f"{display(target)}: a map is exported as .parquet or, for TensorFlow's projector, as .tsv; give a name such as "
            f"{display(target.stem)}.parquet"
        )
    check_output(target)


def _parquet(found: Map, tracks: Tracks, target: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    taken = {"id", "path", "title", *AXES, "trustworthiness", "continuity"}
    table = {
        "id": pa.array(found.ids, pa.string()),
        "path": pa.array(tracks.paths, pa.string()),
        "title": pa.array(tracks.titles, pa.string()),
        **{axis: _numbers(found.places[:, at]) for at, axis in enumerate(AXES[: found.dims])},
        "trustworthiness": _numbers(found.trustworthiness),
        "continuity": _numbers(found.continuity),
        **{name if name not in taken else f"{name}_of_track": _column(each) for name, each in tracks.fields.items()},
    }
    with output(target) as (temporary,):
        parquet.write_table(pa.table(table), temporary)


def _numbers(values: np.ndarray[Any, Any]) -> Any:
    import pyarrow as pa

    return pa.array(values, pa.float32(), from_pandas=True)  # NaN is null


def _column(column: Field) -> Any:
    import pyarrow as pa

    return _numbers(column.numbers) if column.numbers is not None else pa.array(texts(column))


def texts(column: Field) -> list[Any]:
    """The values of a column as Python's own; None for no value.

    Examples
    --------
    >>> texts(fields.of("tags", list[str], [["Rain", "Wind"], None]))
    [['Rain', 'Wind'], []]
    """
    if column.numbers is not None:
        return [None if np.isnan(value) else float(value) for value in column.numbers]
    assert column.codes is not None
    named = [None, *column.values[1:]]
    if column.starts is None:
        return [named[code] for code in column.codes]
    return [[named[code] for code in column.codes[a:b]] for a, b in zip(column.starts, column.starts[1:], strict=False)]


def _projector(library: Library, found: Map, tracks: Tracks, target: Path) -> list[Path]:
    """Vectors and metadata, in the same order; a metadata file of several columns has a heading."""
    at = {id: row for row, id in enumerate(found.ids)}
    ids, vectors = library.vectors(found.space).numpy()
    kept = sorted((at[id], place) for place, id in enumerate(ids) if id in at)
    beside = target.with_name(f"{target.name.removesuffix(target.suffix)}{METADATA}")
    names = ["title", "path", *AXES[: found.dims], *tracks.fields]
    columns = {name: texts(each) for name, each in tracks.fields.items()}
    with output(target, beside) as (first, second):
        with first.open("w", encoding="utf-8", newline="\n") as file:
            for _, place in kept:
                file.write("\t".join(f"{value:.6g}" for value in vectors[place]) + "\n")
        with second.open("w", encoding="utf-8", newline="\n") as file:
            file.write("\t".join(names) + "\n")
            for row, _ in kept:
                values = [
                    tracks.titles[row],
                    tracks.paths[row],
                    *found.places[row],
                    *(columns[n][row] for n in columns),
                ]
                file.write("\t".join(map(_cell, values)) + "\n")
    return [target, beside]


def _cell(value: object) -> str:
    """A value on one line, without tabs."""
    if value is None:
        return ""
    return printable("; ".join(map(str, value)) if isinstance(value, list) else str(value))
