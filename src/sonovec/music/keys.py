"""Musical keys: their names, their places on the Camelot wheel, and how far they lie apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from sonovec.errors import UsageError

Mode = Literal["major", "minor"]

#: Usual names of keys by their tonic, 0 (C) to 11 (B).
MAJOR = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MINOR = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_NAME = re.compile(r"([A-Ga-g])\s*([#♯b♭]?)\s*(major|maj|minor|min|m|)", re.I)
_OPEN_KEY = re.compile(r"(1[0-2]|[1-9])\s*([dm])", re.I)
_CAMELOT = re.compile(r"(1[0-2]|[1-9])\s*([AB])", re.I)
#: Weights of MIREX's measure of keys (2005 and later): what an answer is worth by its relation to the truth.
_FIFTH, _RELATIVE, _PARALLEL = 0.5, 0.3, 0.2


@dataclass(frozen=True, order=True)
class Key:
    """A key: the pitch class of its tonic, 0 (C) to 11 (B), and its mode.

    Examples
    --------
    >>> str(Key(6, "minor")), Key(6, "minor").camelot, str(Key(0, "major")), Key(0, "major").camelot
    ('F# minor', '11A', 'C major', '8B')
    """

    tonic: int
    mode: Mode

    def __str__(self) -> str:
        return f"{(MAJOR if self.mode == 'major' else MINOR)[self.tonic]} {self.mode}"

    @property
    def short(self) -> str:
        """The name as ID3 has it and programs for disc jockeys write it, such as ``C`` and ``F#m``."""
        return (MAJOR if self.mode == "major" else MINOR)[self.tonic] + ("" if self.mode == "major" else "m")

    @property
    def hour(self) -> int:
        """The place on the Camelot wheel, 1 to 12; a key and its relative one share it."""
        major = self.tonic if self.mode == "major" else self.tonic + 3
        return (7 * major + 7) % 12 + 1

    @property
    def camelot(self) -> str:
        """The Camelot code, such as ``8B``: the place on the wheel, then A (minor) or B (major)."""
        return f"{self.hour}{'B' if self.mode == 'major' else 'A'}"


def parse(text: str) -> Key:
    """The key of a name as people and programs write it, of a Camelot code, or of an Open Key code (``1d``, ``1m``).

    Raises
    ------
    UsageError
        If the text is no key.

    Examples
    --------
    >>> [str(parse(each)) for each in ("F# minor", "Gb", "Abm", "8A", "d♯ min", "2m")]
    ['F# minor', 'F# major', 'G# minor', 'A minor', 'Eb minor', 'E minor']
    >>> parse("H moll")
    Traceback (most recent call last):
    sonovec.errors.UsageError: 'H moll' is not a key; write it as 'C major', 'F# minor' or '8A'
    """
    written = text.strip()
    if found := _OPEN_KEY.fullmatch(written):  # the wheel from C major on, d and m for major and minor
        written = f"{(int(found[1]) + 6) % 12 + 1}{'B' if found[2].lower() == 'd' else 'A'}"
    if found := _CAMELOT.fullmatch(written):
        hour, side = int(found[1]), found[2].upper()
        major = (7 * (hour - 8)) % 12
        return Key(major, "major") if side == "B" else Key((major - 3) % 12, "minor")
    if found := _NAME.fullmatch(written):
        shift = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}[found[2].lower()]
        mode = found[3]
        is_minor = mode.lower().startswith("min") or mode == "m"
        return Key((_LETTERS[found[1].upper()] + shift) % 12, "minor" if is_minor else "major")
    raise UsageError(f"{text!r} is not a key; write it as 'C major', 'F# minor' or '8A'")


def distance(one: Key, other: Key) -> int:
    """Steps between two keys on the Camelot wheel: along it, and one more between major and minor.

    Examples
    --------
    >>> distance(parse("8A"), parse("8B")), distance(parse("8A"), parse("9A")), distance(parse("1A"), parse("12B"))
    (1, 1, 2)
    """
    round_ = (one.hour - other.hour) % 12
    return min(round_, 12 - round_) + (one.mode != other.mode)


def compatible(one: Key, other: Key) -> bool:
    """Whether two keys mix, as disc jockeys have it: the same, a neighbour on the wheel, or the relative key.

    Examples
    --------
    >>> compatible(parse("C major"), parse("A minor")), compatible(parse("C major"), parse("C minor"))
    (True, False)
    """
    return distance(one, other) <= 1


def mirex_score(heard: Key, truth: Key) -> float:
    """What an answer is worth: 1 for the key, 0.5 a fifth away, 0.3 the relative, 0.2 the parallel key, 0 for others.

    Examples
    --------
    >>> truth = parse("C major")
    >>> [mirex_score(parse(each), truth) for each in ("C", "G", "F", "Am", "Cm", "D")]
    [1.0, 0.5, 0.5, 0.3, 0.2, 0.0]
    """
    if heard == truth:
        return 1.0
    if heard.mode == truth.mode:
        return _FIFTH if (heard.tonic - truth.tonic) % 12 in (5, 7) else 0.0
    if heard.hour == truth.hour:
        return _RELATIVE
    return _PARALLEL if heard.tonic == truth.tonic else 0.0
