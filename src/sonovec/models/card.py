"""The record that a model is added with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sonovec.models.licences import commercial_use


@dataclass(frozen=True)
class WeightFile:
    """A file of weights: where it comes from and how it is checked.

    `sha256` in hexadecimal, or the first digits of it where no more was published; empty where none was, and then the one
    that the file had when it was first used is enforced. `size` in bytes, None where it was not published; `about` tells
    people how large it is.
    """

    name: str
    url: str
    sha256: str
    size: int | None = None
    about: str = ""


@dataclass(frozen=True)
class Option:
    """A choice that shapes the vectors of a model: its default, what it may be, and what it means.

    A type among `allowed` stands for every value of that type.
    """

    default: object
    allowed: tuple[object, ...]
    meaning: str

    def allows(self, value: object) -> bool:
        """Whether `value` may be chosen; ``True`` is not taken for 1."""
        return any(
            type(value) is choice if isinstance(choice, type) else type(value) is type(choice) and value == choice
            for choice in self.allowed
        )

    def __str__(self) -> str:
        names = {int: "a whole number", float: "a number", str: "a text", list: "a list"}
        return ", ".join(names[choice] if isinstance(choice, type) else str(choice) for choice in self.allowed)


@dataclass(frozen=True, repr=False)
class ModelCard:
    """Everything a user should know of a model before trusting its vectors.

    Attributes
    ----------
    name, family, revision, summary
    licence : str
        Of the weights, as an SPDX expression (https://spdx.org/licenses); ``NOASSERTION`` where none is known.
    rate : int
        Sample rate in Hz that the model hears.
    window_seconds, hop_seconds : float
        One model input, and the step from one to the next.
    dim : int
        Length of a vector.
    front_end : str
        What the samples are turned into.
    weights : tuple of WeightFile
        Files to fetch; empty for a model that has none.
    extras : tuple of str
        Extras of sonovec to install for it.
    options : mapping of str to Option
    bf16_cosine : float or None
        Lowest cosine of a bf16 vector with the float32 one that was measured or is promised; None forbids bf16.
    trained_on : str
    published_scores : mapping of str to float
        Each with its protocol in the name; protocols are not comparable with each other.
    compression : mapping of str to float
        Recall of the 10 nearest that smaller vectors keep, by what `sonovec.explore.compress` takes; "pq-16 re-ranked" with
        100 candidates ranked by the full vectors. Measured on ESC-10, fitted on other sounds: bench/compress.py.
    reference : str
        Paper and reference implementation.
    n_classes : int
        How many classes of sound it scores beside the vectors.
    place : str
        Where a model of the user's own lies, as an absolute path; empty for one that its name finds. It shapes no vector:
        such a model is known by its name and what it is made of, wherever it lies.
    """

    name: str
    family: str
    revision: str
    summary: str
    licence: str
    rate: int
    window_seconds: float
    hop_seconds: float
    dim: int
    front_end: str
    weights: tuple[WeightFile, ...] = ()
    extras: tuple[str, ...] = ()
    options: Mapping[str, Option] = field(default_factory=dict)
    bf16_cosine: float | None = None
    trained_on: str = ""
    published_scores: Mapping[str, float] = field(default_factory=dict)
    compression: Mapping[str, float] = field(default_factory=dict)
    reference: str = ""
    n_classes: int = 0
    place: str = ""

    def __repr__(self) -> str:
        heard = f"window={self.window_seconds:g} s, rate={self.rate}"
        return f"ModelCard({self.name!r}, dim={self.dim}, {heard}, licence={self.licence!r}: {self.summary})"

    @property
    def source(self) -> str:
        """What `sonovec.load` takes to find it here."""
        return self.place or self.name

    @property
    def commercial_use(self) -> bool | None:
        """Whether the licence allows commercial use; None where that is not known."""
        return commercial_use(self.licence)

    def to_json(self) -> dict[str, Any]:
        """All fields as plain JSON values."""
        allowed = {name: {**asdict(option), "allowed": str(option)} for name, option in self.options.items()}
        return {**asdict(self), "commercial_use": self.commercial_use, "options": allowed}
