"""A detector: a head on the vectors of one encoder, with its thresholds, its report and its examples; a folder on disk."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sonovec.brief import Brief
from sonovec.embedding.passport import Passport
from sonovec.errors import PassportError, UsageError, WeightsError
from sonovec.learn.head import Head
from sonovec.models.weights import sha256_of
from sonovec.paths import absolute, atomic, display, why_not_writable

CARD, ARRAYS = "detector.json", "arrays.npz"
FORMAT = 1
#: Digits of the hash that a version has.
DIGITS = 8
#: Arrays of a head that have numbers for each place of a vector; the others have one for each class.
PER_DIM = frozenset({"center", "scale", "weights"})
#: Arrays of a head that detectors of earlier versions do not have.
LATER = frozenset({"directions", "factors"})
#: As the name of the model: the encoder in whose folder the detector lies, wherever that was moved to.
ENCLOSING = ".."
#: Entries of the card, and what each is.
ENTRIES: Mapping[str, type] = {
    "format": int, "name": str, "version": str, "classes": list, "passport": dict, "model": dict, "settings": dict,
    "report": dict, "paths": list, "arrays": str,
}  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Exemplars(Brief):
    """What a detector was trained on, for `--explain`, and to go on from.

    Attributes
    ----------
    vectors : array, shape (n, dim), float16
        At length 1.
    targets : array, shape (n, n_classes), int8
        As of `sonovec.learn.examples.Examples`.
    times : array, shape (n, 2), float64
    paths : tuple of str, length n
    """

    vectors: NDArray[np.float16]
    targets: NDArray[np.int8]
    times: NDArray[np.float64]
    paths: tuple[str, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Detector(Brief):
    """Says which of its classes are heard in a window.

    Attributes
    ----------
    name : str
    classes : tuple of str
    thresholds : array, shape (n_classes,), float32
        The probability from which on a class counts as heard.
    head : Head
    passport : Passport
        Of the encoder whose vectors it takes.
    model : mapping
        What `sonovec.load` takes to load that encoder: ``name`` and ``options``.
    exemplars : Exemplars
    settings : mapping
        How it was trained.
    report : mapping
        How good it is, as `sonovec.learn.report` writes it.
    """

    name: str
    classes: tuple[str, ...]
    thresholds: NDArray[np.float32]
    head: Head
    passport: Passport
    model: Mapping[str, Any]
    exemplars: Exemplars
    settings: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Digits that are equal only where the answers are: of the head, the classes, the thresholds and the passport."""
        digest = hashlib.blake2b(json.dumps([self.classes, self.passport.fingerprint]).encode())
        for array in (*self.head.arrays().values(), self.thresholds):
            digest.update(np.ascontiguousarray(array, "<f4").tobytes())
        return digest.hexdigest()[:DIGITS]

    @property
    def source(self) -> str:
        """What labels of this detector have as their source, such as ``"crows@1a2b3c4d"``."""
        return f"{self.name}@{self.version}"

    def probabilities(self, windows: ArrayLike) -> NDArray[np.float64]:
        """How probable it is that each class is heard in each window: shape (n_windows, n_classes)."""
        return self.head.probabilities(windows)

    def takes(self, passport: Passport) -> bool:
        """Whether vectors of a passport are those that the detector was trained on; see `check`."""
        return self.passport.is_comparable(self._aligned(passport))

    def check(self, passport: Passport) -> None:
        """Refuse vectors of another encoder, or of sound that was denoised where it was not, or the other way round.

        Which windows there are may differ: their hop, their tails, and those that `vad` and `trim` leave out.

        Raises
        ------
        PassportError
            With the first field that differs.
        """
        if not self.takes(passport):
            differences = self.passport.differences(self._aligned(passport))
            name, mine, theirs = next(each for each in differences if each[0] != "precision" or len(differences) == 1)
            remedy = f"embed with {self.passport.model!r} as the detector was trained, or train it again on these"
            if name == "denoise":
                given = "load the encoder with denoise=True" if mine else "leave --denoise out"
                remedy = f"{given}, or train it again{'' if mine else ' with it: sonovec train LABELS --denoise'}"
            raise PassportError(
                f"detector {self.name!r} takes vectors with {name}={mine!r}, and these have {theirs!r}; {remedy}"
            )

    def _aligned(self, passport: Passport) -> Passport:
        own = self.passport
        return replace(passport, hop=own.hop, tail=own.tail, vad=own.vad, trim=own.trim)

    def save(self, folder: Path | str) -> None:
        """Write the detector to a folder, whole or not at all; another detector in its place is replaced.

        Raises
        ------
        UsageError
            If something else is there, or the system refused to write.
        """
        target = Path(folder)
        self.check_place(target)
        scratch = target.absolute().with_name(f".{target.name}.saving")  # by one name: what a killed run left goes now
        made, old = scratch / "new", scratch / "old"
        try:
            _put_back(old, target)
            shutil.rmtree(scratch, ignore_errors=True)
            made.mkdir(parents=True)
            self._write(made)
            if target.exists():
                target.replace(old)
            made.replace(target)
        except OSError as error:
            with suppress(OSError):
                _put_back(old, target)
            kept = f"; the former detector is in {display(old)}" if old.exists() else ""
            raise UsageError(
                f"{display(target)}: cannot be written ({error.strerror or error}){kept}; free some space, or give another "
                "place"
            ) from error
        finally:
            if not old.exists() or target.exists():
                shutil.rmtree(scratch, ignore_errors=True)

    @staticmethod
    def check_place(folder: Path) -> None:
        """Refuse a folder to which a detector could not be written, before the work that makes one.

        Raises
        ------
        UsageError
            If something else is there, or this user may not write there.
        """
        if folder.exists() and not (folder / CARD).is_file() and not (folder.is_dir() and not any(folder.iterdir())):
            raise UsageError(f"{display(folder)}: is there, and is no detector; give another name")
        if reason := why_not_writable(folder.absolute().parent):
            raise UsageError(f"{display(folder)}: cannot be written ({reason}); give another place")

    def _write(self, folder: Path) -> None:
        examples = {f"example_{name}": getattr(self.exemplars, name) for name in ("vectors", "targets", "times")}
        arrays: dict[str, Any] = {"thresholds": self.thresholds, **self.head.arrays(), **examples}
        with atomic(folder / ARRAYS) as temporary, temporary.open("wb") as file:  # a power cut leaves it whole, too
            np.savez(file, **arrays)
        card = {
            "format": FORMAT,
            "name": self.name,
            "version": self.version,
            "classes": list(self.classes),
            "passport": self.passport.to_json(),
            "model": dict(self.model),
            "settings": dict(self.settings),
            "report": dict(self.report),
            "paths": list(self.exemplars.paths),
            "arrays": sha256_of(folder / ARRAYS),
        }
        with atomic(folder / CARD) as temporary:
            temporary.write_text(json.dumps(card, indent=1, allow_nan=False), encoding="utf-8")

    def _fault(self) -> str | None:
        """Why its parts cannot belong together; None where they do."""
        classes, dim, examples = len(self.classes), len(self.head.center), self.exemplars
        count = len(examples.paths)
        shapes: dict[str, tuple[NDArray[Any], tuple[int, ...]]] = {
            **{name: (array, (dim,) if name in PER_DIM else (classes,)) for name, array in self.head.arrays().items()},
            "weights": (self.head.weights, (classes, dim)),
            "directions": (self.head.directions, (len(self.head.factors), dim if len(self.head.factors) else 0)),
            "factors": (self.head.factors, (len(self.head.factors),)),
            "thresholds": (self.thresholds, (classes,)),
            "example_vectors": (examples.vectors, (count, dim)),
            "example_targets": (examples.targets, (count, classes)),
            "example_times": (examples.times, (count, 2)),
        }
        for name, (array, shape) in shapes.items():
            if array.shape != shape or array.dtype.kind not in "fi":
                return f"{name} is {array.dtype} {array.shape}, and should have the shape {shape}"
            if not np.isfinite(array).all():
                return f"{name} holds values that are no numbers"
        if not classes or len(set(self.classes)) < classes or not all(isinstance(each, str) for each in self.classes):
            return f"its classes are {self.classes}"
        if not (self.head.scale > 0).all():
            return "scale holds values that are not above 0"
        if not isinstance(self.model.get("name"), str) or not all(isinstance(path, str) for path in examples.paths):
            return "the names of its model and of its examples are no texts"
        return None

    @classmethod
    def load(cls, folder: Path | str) -> Detector:
        """Read what `save` wrote.

        Raises
        ------
        UsageError
            If it is not the folder of a detector.
        WeightsError
            If a file is missing, truncated or not the one that was written.
        """
        place = Path(folder)
        card = _read_card(place)
        arrays = _read_arrays(place, card["arrays"])
        try:
            names = {each.name for each in fields(Head)}
            head = Head(**{name: arrays[name] for name in names - LATER | arrays.keys() & LATER})
            examples = Exemplars(
                arrays["example_vectors"], arrays["example_targets"], arrays["example_times"], tuple(card["paths"])
            )
            thresholds = arrays["thresholds"]
        except KeyError as error:
            raise _damaged(place / ARRAYS, f"lacks {error}") from None
        try:
            passport = Passport.from_json(card["passport"])
        except PassportError as error:
            raise _damaged(place / CARD, str(error).removesuffix("; index again")) from error
        found = cls(
            card["name"],
            tuple(card["classes"]),
            thresholds,
            head,
            passport,
            _placed(card["model"], place),
            examples,
            card["settings"],
            card["report"],
        )
        if wrong := found._fault():
            raise _damaged(place / ARRAYS, wrong)
        if found.version != card["version"]:
            raise _damaged(place / CARD, f"says version {card['version']}, and its parts have {found.version}")
        return found


def _put_back(old: Path, target: Path) -> None:
    """Put a detector back that was moved away for another, which did not come to its place."""
    if old.exists() and not target.exists():
        old.replace(target)


def _placed(model: Mapping[str, Any], place: Path) -> Mapping[str, Any]:
    return {**model, "name": str(absolute(place).parent)} if model.get("name") == ENCLOSING else model


def _read_card(place: Path) -> dict[str, Any]:
    file = place / CARD
    if not file.is_file():
        raise UsageError(f"{display(place)}: is not a detector; give a folder that sonovec train wrote")
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(file, str(error)) from error
    odd = [name for name, kind in ENTRIES.items() if not isinstance(card, dict) or not isinstance(card.get(name), kind)]
    if odd:
        raise _damaged(file, f"lacks {odd[0]}")
    if card["format"] != FORMAT:
        raise WeightsError(
            f"{display(file)}: has format {card['format']}, and this version reads {FORMAT}; update sonovec"
        )
    return dict(card)


def _read_arrays(place: Path, digest: str) -> dict[str, NDArray[Any]]:
    file = place / ARRAYS
    if not file.is_file():
        raise _damaged(file, "no such file")
    if sha256_of(file) != digest:
        raise _damaged(file, "is not the file that was saved")
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (ValueError, OSError, BadZipFile) as error:
        raise _damaged(file, f"cannot be read ({error})") from error


def _damaged(file: Path, why: str) -> WeightsError:
    return WeightsError(f"{display(file)}: {why}; copy the whole folder again, or train again")
