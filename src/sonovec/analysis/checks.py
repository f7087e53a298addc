"""Whether what an analyser gave for a track fits what it says that it gives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.analysis.analyser import Analyser, Findings, Noted, SpaceSpec, Spoken
from sonovec.embedding.embedding import Part
from sonovec.errors import AnalyserError

#: Whole numbers beyond this are kept by no store.
LARGEST = 2**63 - 1


def checked(analyser: type[Analyser], findings: object) -> Findings:
    """What an analyser gave, with Python's own numbers, and vectors in float32.

    Raises
    ------
    AnalyserError
        If it gave something else, or something does not fit its fields and spaces.

    Examples
    --------
    >>> from sonovec.analysis.analyser import Field
    >>> class A(Analyser):
    ...     name, version, fields, spaces = "a", "1", (Field("bpm", float),), (SpaceSpec("chroma", 2, "track"),)
    >>> checked(A, Findings({"bpm": np.float32(90)}, vectors={"chroma": np.ones(2)}))
    Findings(columns={'bpm': 90.0}, passages=(), labels=(), vectors={'chroma': array([1., 1.], dtype=float32)})
    >>> checked(A, Findings({"bpm": float("nan")}))
    Traceback (most recent call last):
    sonovec.errors.AnalyserError: a: gave nan for bpm, which takes float
    >>> checked(A, Findings(vectors={"chroma": np.ones(3)}))
    Traceback (most recent call last):
    sonovec.errors.AnalyserError: a: gave a vector of shape (3,) for the space chroma, which takes (2,)
    """
    if not isinstance(findings, Findings):
        raise AnalyserError(f"{analyser.name}: gave a {type(findings).__name__}; finish must return Findings")
    for passage in findings.passages:
        if not (isinstance(passage, Spoken) and _is_stretch(passage) and _fits(passage.text, str)):
            raise AnalyserError(f"{analyser.name}: gave the passage {_short(passage)}; give Spoken(start, end, text)")
    for label in findings.labels:
        if not (isinstance(label, Noted) and _is_stretch(label) and _fits(label.name, str) and 0 <= label.score <= 1):
            raise AnalyserError(
                f"{analyser.name}: gave the label {_short(label)}; give Noted(start, end, name, score), a score in [0, 1]"
            )
    columns, vectors = _columns(analyser, findings.columns), _vectors(analyser, findings.vectors)
    passages = tuple(replace(each, start=float(each.start), end=float(each.end)) for each in findings.passages)
    labels = tuple(
        replace(each, start=float(each.start), end=float(each.end), score=float(each.score)) for each in findings.labels
    )
    return Findings(columns, passages, labels, vectors)


def _columns(analyser: type[Analyser], given: Mapping[str, Any]) -> dict[str, Any]:
    kinds = {each.name: each.kind for each in analyser.fields}
    columns = {name: _plain(value) for name, value in given.items()}
    for name, value in columns.items():
        if name not in kinds:
            raise AnalyserError(
                f"{analyser.name}: gave {name!r}, which it does not declare; its fields are: {', '.join(kinds)}"
            )
        if not (value is None or _fits(value, kinds[name])):
            kind = getattr(kinds[name], "__name__", str(kinds[name]))
            raise AnalyserError(f"{analyser.name}: gave {_short(value)} for {name}, which takes {kind}")
    return columns


def _vectors(analyser: type[Analyser], given: Mapping[str, Any]) -> dict[str, NDArray[np.float32] | Sequence[Part]]:
    specs = {spec.name: spec for spec in analyser.spaces}
    if unknown := given.keys() - specs.keys():
        raise AnalyserError(
            f"{analyser.name}: gave {min(unknown)!r}, which it does not declare; its spaces are: {', '.join(specs)}"
        )
    found: dict[str, NDArray[np.float32] | Sequence[Part]] = {}
    for name, value in given.items():
        spec = specs[name]
        if spec.level == "track":
            found[name] = _vector(analyser, spec, value)
        else:
            found[name] = [_part(analyser, spec, part) for part in value]
    return found


def _part(analyser: type[Analyser], spec: SpaceSpec, part: Any) -> Part:
    if not (isinstance(part, Part) and _is_stretch(part) and 0 < part.coverage <= 1):
        given = f"{_short(part)} for the space {spec.name}"
        raise AnalyserError(f"{analyser.name}: gave the part {given}; give Part(start, end, coverage, vector)")
    return Part(float(part.start), float(part.end), float(part.coverage), _vector(analyser, spec, part.vector))


def _vector(analyser: type[Analyser], spec: SpaceSpec, value: Any) -> NDArray[np.float32]:
    reason = f"{analyser.name}: gave a vector of {{}} for the space {spec.name}, which takes {{}}"
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        raise AnalyserError(
            reason.format(f"type {getattr(value, 'dtype', type(value).__name__)}", "an array of floats")
        )
    if value.shape != (spec.dim,):
        raise AnalyserError(reason.format(f"shape {value.shape}", f"({spec.dim},)"))
    with np.errstate(over="ignore"):
        vector = value.astype(np.float32)
        norm = np.linalg.norm(vector)
    if not np.isfinite(norm):
        raise AnalyserError(reason.format("numbers that are not finite, or too large,", "finite ones"))
    return vector


def _is_stretch(stretch: Spoken | Noted | Part) -> bool:
    return bool(0 <= stretch.start <= stretch.end < math.inf)


def _short(value: object) -> str:
    return " ".join(str(value).split())[:80]


def _plain(value: Any) -> Any:
    """A number of NumPy's as Python's own."""
    return value.item() if isinstance(value, np.generic) else value


def _fits(value: Any, kind: Any) -> bool:
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    if kind is int:
        return type(value) is int and abs(value) <= LARGEST
    if kind is str:
        return type(value) is str and _is_unicode(value)
    if kind is bool:
        return type(value) is bool
    item_kind = float if kind == list[float] else str
    return isinstance(value, list) and all(_fits(item, item_kind) for item in value)


def _is_unicode(text: str) -> bool:
    """Whether it is text that can be stored, which halves of surrogate pairs are not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
