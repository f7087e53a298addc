"""Recordings are heard once: what they gave is kept in a journal, where there is one, and taken from it by the next run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec.embedding.embedding import Failure
from sonovec.jobs import Job, Watched
from sonovec.learn import gathering
from sonovec.learn.detection import Detected, detect
from sonovec.learn.events import Detection
from sonovec.learn.gathering import Gathered, Marks, Rows
from sonovec.learn.journal import Journal, key_of
from sonovec.paths import to_text

if TYPE_CHECKING:
    from sonovec.embedding.encoder import Encoder
    from sonovec.learn.detector import Detector

_COLUMNS = ("vectors", "targets", "times", "coverage")
_REST = "rest"
_EVENT = ("start", "end", "name", "probability", "mean", "detector")


def gather(
    encoder: Encoder, recordings: Mapping[Path, Marks], job: Job, stage: str, kept: Journal | None
) -> Iterator[tuple[Path, Gathered | Failure]]:
    """What each recording gives, in their order: from the journal, or heard now and put into it.

    What is kept counts for the same file, with the same marks, by the same encoder; failures are not kept.
    """
    numbers = {path: number for number, path in enumerate(recordings)}
    keys = {
        path: _key(path, marks, numbers[path], encoder) if kept is not None else None
        for path, marks in recordings.items()
    }
    known = {path for path, key in keys.items() if kept is not None and key in kept}
    missing = {path: marks for path, marks in recordings.items() if path not in known}
    heard = gathering.gather(encoder, missing, numbers, job, stage)
    for path, key in keys.items():
        if kept is None or key is None:
            yield next(heard)
        elif path in known:
            yield path, unpacked(kept.get(key))
        else:
            _, result = next(heard)
            if isinstance(result, Gathered):
                kept.put(key, packed(result))
            yield path, result
    next(heard, None)  # which tells that all are done


def detected(
    encoder: Encoder,
    detectors: Sequence[Detector],
    files: Sequence[Path],
    hop: float,
    progress: Watched,
    kept: Journal | None,
) -> Iterator[Detected | Failure]:
    """What detectors hear in files, in their order: from the journal, or heard now and put into it.

    What is kept counts for the same file, and for detectors of the same version.
    """
    shaped = encoder.passport.fingerprint, hop, *(each.source for each in detectors)
    keys = [_file_key(path, *shaped) if kept is not None else None for path in files]
    missing = [path for path, key in zip(files, keys, strict=True) if kept is None or key not in kept]
    heard = detect(missing, detectors, hop=hop, encoder=encoder, progress=progress)
    for path, key in zip(files, keys, strict=True):
        if kept is not None and key is not None and key in kept:
            yield _detected(path, kept.get(key))
            continue
        result = next(heard)
        if kept is not None and key is not None and isinstance(result, Detected):
            kept.put(key, _events(result))
        yield result
    next(heard, None)  # which tells that all are done


def _key(path: Path, marks: Marks, number: int, encoder: Encoder) -> bytes | None:
    """What tells apart all that shapes what a recording gives; None for a file that is not there."""
    stretches = marks.starts, marks.ends, marks.verdicts, marks.rest
    return _file_key(path, encoder.passport.fingerprint, number, *stretches)


def _file_key(path: Path, *parts: object) -> bytes | None:
    try:
        file = path.stat()
    except OSError:
        return None
    return key_of(to_text(path), file.st_size, file.st_mtime_ns, *parts)


def _events(found: Detected) -> dict[str, NDArray[Any]]:
    events = {name: np.array([getattr(each, name) for each in found.detections]) for name in _EVENT}
    return {**events, "duration": np.array(found.duration), "notes": np.array(found.notes, str)}


def _detected(path: Path, arrays: Mapping[str, NDArray[Any]]) -> Detected:
    columns = [arrays[name].tolist() for name in _EVENT]
    events = tuple(Detection(**dict(zip(_EVENT, row, strict=True))) for row in zip(*columns, strict=True))
    return Detected(path, float(arrays["duration"]), events, tuple(arrays["notes"].tolist()))


def packed(gathered: Gathered) -> dict[str, NDArray[Any]]:
    """Everything, as arrays by name.

    Examples
    --------
    >>> rows = Rows(np.ones((2, 3), np.float32), np.ones((2, 1), np.int8), np.zeros((2, 2)), np.ones(2, np.float32))
    >>> gathered = Gathered({4: rows}, {4: np.ones(3)}, None, 2.5, ("a note",), frozenset({4}))
    >>> again = unpacked(packed(gathered))
    >>> again.stretches[4].times.shape, again.rest, again.duration, again.notes, again.quiet
    ((2, 2), None, 2.5, ('a note',), frozenset({4}))
    """
    arrays: dict[str, NDArray[Any]] = {
        "numbers": np.array(list(gathered.stretches), np.int64),
        "duration": np.array(gathered.duration),
        "notes": np.array(gathered.notes, str),
        "quiet": np.array(sorted(gathered.quiet), np.int64),
    }
    for number, rows in gathered.stretches.items():
        arrays.update(_columns(rows, str(number)))
        arrays[f"{number} pooled"] = gathered.pooled[number]
    return arrays if gathered.rest is None else {**arrays, **_columns(gathered.rest, _REST)}


def unpacked(arrays: Mapping[str, NDArray[Any]]) -> Gathered:
    """What `packed` was given."""
    numbers = arrays["numbers"].tolist()
    return Gathered(
        stretches={number: _rows(arrays, str(number)) for number in numbers},
        pooled={number: arrays[f"{number} pooled"] for number in numbers},
        rest=_rows(arrays, _REST) if f"{_REST} vectors" in arrays else None,
        duration=float(arrays["duration"]),
        notes=tuple(arrays["notes"].tolist()),
        quiet=frozenset(arrays["quiet"].tolist()),
    )


def _columns(rows: Rows, prefix: str) -> dict[str, NDArray[Any]]:
    return {f"{prefix} {name}": getattr(rows, name) for name in _COLUMNS}


def _rows(arrays: Mapping[str, NDArray[Any]], prefix: str) -> Rows:
    return Rows(*(arrays[f"{prefix} {name}"] for name in _COLUMNS))
