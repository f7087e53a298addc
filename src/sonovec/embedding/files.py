"""Files of vectors: npy, npz, Parquet, JSON lines and CSV, one row for each sound or for each window."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from sonovec.embedding.embedding import Embedding
from sonovec.errors import UsageError
from sonovec.paths import check_output, display, output, to_text

LEVELS = ("clip", "window")


def write(embeddings: Iterable[Embedding], target: Path, level: str = "clip") -> int:
    """Write vectors to a file whose ending says the format, and return how many rows it has.

    The file is there when it is whole: until then, and after an error, what was there before stays. Without embeddings
    nothing is written.

    Parameters
    ----------
    embeddings : iterable of Embedding
        Read one at a time, so that a folder of any size fits in memory for the formats that stream (Parquet, JSON
        lines, CSV).
    target : Path
        ``.npy`` holds the vectors alone, float32 (n, dim), with paths, times and passport in ``target.json`` beside
        it; ``.npz`` holds arrays ``vectors``, ``paths``, ``start``, ``end``, ``coverage`` and ``passport``;
        ``.parquet``, ``.jsonl`` and ``.csv`` hold a row for each vector (the passport of a CSV lies beside it too).
        Paths are as `sonovec.paths.to_text` writes them.
    level : {"clip", "window"}
        One row for each sound, or for each of its windows.

    Raises
    ------
    UsageError
        If the ending or the level is unknown, or the file cannot be written.
    """
    writer = check_target(target)
    if level not in LEVELS:
        raise UsageError(f"level={level!r} is unknown; give one of: {', '.join(LEVELS)}")
    count = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal count
        for embedding in embeddings:
            for row in _rows(embedding, level):
                count += 1
                yield row

    made = rows()
    first = next(made, None)
    if first is None:
        return 0
    beside = [sidecar(target)] if target.suffix in WITH_SIDECAR else []
    with output(target, *beside) as (temporary, *temporary_beside):
        side = writer(chain([first], made), temporary)
        for path in temporary_beside:
            path.write_text(json.dumps(side, indent=1), encoding="utf-8")
    return count


def check_target(target: Path) -> Callable[[Iterator[dict[str, Any]], Path], dict[str, Any] | None]:
    """The writer for a file name.

    Call it before any work is done: it refuses an unknown ending, and a place that cannot be written.
    """
    if target.suffix not in WRITERS:
        raise UsageError(f"{display(target)}: unknown ending {target.suffix!r}; give one of: {', '.join(WRITERS)}")
    check_output(target)
    return WRITERS[target.suffix]


def sidecar(target: Path) -> Path:
    """Where what an npy or CSV file has no place for lies: the passport, and for npy the paths and times."""
    return target.with_name(target.name + ".json")


def _rows(embedding: Embedding, level: str) -> Iterator[dict[str, Any]]:
    path = to_text(embedding.path) if embedding.path else ""
    passport = embedding.passport.to_json()
    if level == "clip":
        yield {
            "path": path,
            "start": float(embedding.times[0, 0]),
            "end": float(embedding.times[-1, 1]),
            "coverage": float(embedding.coverage.mean()),
            "vector": embedding.vector,
            "passport": passport,
        }
        return
    for times, coverage, vector in zip(embedding.times, embedding.coverage, embedding.windows, strict=True):
        start, end = map(float, times)
        yield {
            "path": path,
            "start": start,
            "end": end,
            "coverage": float(coverage),
            "vector": vector,
            "passport": passport,
        }


def _columns(rows: Iterator[dict[str, Any]]) -> tuple[dict[str, list[Any]], Mapping[str, object]]:
    columns: dict[str, list[Any]] = {"path": [], "start": [], "end": [], "coverage": [], "vector": []}
    passport: Mapping[str, object] = {}
    for row in rows:
        passport = row.pop("passport")
        for name, values in columns.items():
            values.append(row[name])
    return columns, passport


def _matrix(vectors: list[Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.stack(vectors)


def _write_npy(rows: Iterator[dict[str, Any]], path: Path) -> dict[str, Any]:
    columns, passport = _columns(rows)
    np.save(path, _matrix(columns.pop("vector")))
    return {**columns, "passport": passport}


def _write_npz(rows: Iterator[dict[str, Any]], path: Path) -> None:
    columns, passport = _columns(rows)
    np.savez(
        path,
        vectors=_matrix(columns["vector"]),
        paths=np.array(columns["path"], dtype=str),
        start=np.array(columns["start"], np.float64),
        end=np.array(columns["end"], np.float64),
        coverage=np.array(columns["coverage"], np.float64),
        passport=np.array(json.dumps(passport)),
    )


def _write_jsonl(rows: Iterator[dict[str, Any]], path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps({**row, "vector": row["vector"].tolist()}, ensure_ascii=False) + "\n")


def _write_csv(rows: Iterator[dict[str, Any]], path: Path) -> dict[str, Any]:
    passport: Mapping[str, object] = {}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for index, row in enumerate(rows):
            vector = row["vector"].tolist()
            if index == 0:
                writer.writerow(["path", "start", "end", "coverage", *(f"v{i}" for i in range(len(vector)))])
            writer.writerow([row["path"], row["start"], row["end"], row["coverage"], *vector])
            passport = row["passport"]
    return {"passport": passport}


def _write_parquet(rows: Iterator[dict[str, Any]], path: Path, block: int = 4096) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def table(part: list[dict[str, Any]]) -> pa.Table:
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(_matrix([row["vector"] for row in part]).ravel()), dim)
        columns = {name: pa.array([row[name] for row in part], kind) for name, kind in kinds.items()}
        return pa.table({**columns, "vector": vectors}, metadata={"sonovec.passport": json.dumps(passport)})

    kinds = {"path": pa.string(), "start": pa.float64(), "end": pa.float64(), "coverage": pa.float64()}
    first = next(rows)
    dim, passport, part = len(first["vector"]), first["passport"], [first]
    with pq.ParquetWriter(path, table(part).schema) as writer:
        for row in rows:
            if len(part) == block:
                writer.write_table(table(part))
                part = []
            part.append(row)
        writer.write_table(table(part))


#: Formats with a second file for what they have no place for.
WITH_SIDECAR = (".npy", ".csv")

WRITERS: Mapping[str, Callable[[Iterator[dict[str, Any]], Path], dict[str, Any] | None]] = {
    ".npy": _write_npy,
    ".npz": _write_npz,
    ".parquet": _write_parquet,
    ".jsonl": _write_jsonl,
    ".csv": _write_csv,
}
