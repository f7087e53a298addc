"""The passport: everything that shapes a vector, so that vectors of two kinds are never mixed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, fields, replace

from sonovec.errors import PassportError

#: Precisions in which the same network gives vectors of cosine .9999 and more to each other.
FLOATING = frozenset({"f32", "bf16"})


@dataclass(frozen=True, repr=False)
class Passport:
    """Everything that shapes a vector.

    A field that a later version adds has a default, which says what vectors were made with before; a field at its default is
    left out of JSON and of the fingerprint, so that those of earlier versions stay as they are.

    Parameters
    ----------
    model, revision
        Name and revision of the model card.
    options : mapping
        The model's options, such as ``{"pca": False}`` for VGGish.
    weights : str
        Hash of the weights; empty where a model has none.
    front_end, resampler, pooling : str
        Names of the algorithms, each with its code version.
    rate : int
        Sample rate in Hz that the model hears.
    window, hop : int
        Window length and hop in samples at `rate`.
    tail : str
        What happens to audio that does not fill a window: ``"pad"`` or ``"drop"``.
    precision : str
        ``"f32"`` or ``"bf16"``.
    vad, trim, denoise : str
        How the sound was cleaned before it was cut into windows; empty for a step that was not taken.

    Examples
    --------
    >>> a = Passport("logmel", "1", {}, "", "mel", "soxr", "mean", 16000, 16000, 16000, "pad", "f32")
    >>> a == Passport.from_json(a.to_json())
    True
    >>> len(a.fingerprint)
    16
    """

    model: str
    revision: str
    options: Mapping[str, object]
    weights: str
    front_end: str
    resampler: str
    pooling: str
    rate: int
    window: int
    hop: int
    tail: str
    precision: str
    vad: str = ""
    trim: str = ""
    denoise: str = ""

    def __repr__(self) -> str:
        return (
            f"Passport({self.model!r}, revision={self.revision!r}, {self.precision}, fingerprint={self.fingerprint!r})"
        )

    def to_json(self) -> dict[str, object]:
        """Plain JSON values of the fields that are not at their defaults; the inverse of `from_json`."""
        values = {**asdict(self), "options": dict(self.options)}
        return {field.name: values[field.name] for field in fields(self) if values[field.name] != _default(field)}

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> Passport:
        """Read what `to_json` wrote.

        Raises
        ------
        PassportError
            If a field is missing or unknown, as in a library written by another version.
        """
        names = {field.name for field in fields(cls)}
        needed = {field.name for field in fields(cls) if _default(field) is MISSING}
        if odd_names := (values.keys() - names) | (needed - values.keys()):
            odd = ", ".join(sorted(odd_names))
            raise PassportError(f"passport of another version of sonovec (fields that differ: {odd}); index again")
        return cls(**values)  # type: ignore[arg-type]

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that are equal only if every field is."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def differences(self, other: Passport) -> list[tuple[str, object, object]]:
        """Fields that differ, as (name, own value, the other's value)."""
        pairs = ((field.name, getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return [(name, mine, theirs) for name, mine, theirs in pairs if mine != theirs]

    def is_comparable(self, other: Passport) -> bool:
        """Whether vectors of the two may be compared: everything is the same, or only the floating-point precision differs.

        What is stored together must be the same in everything. Whole numbers (int8) are too far from the others: they took
        the cosine to .95 (mn04) and .85 (YAMNet).

        Examples
        --------
        >>> a = Passport("logmel", "1", {}, "", "mel", "soxr", "mean", 16000, 16000, 16000, "pad", "f32")
        >>> a.is_comparable(replace(a, precision="bf16")), a.is_comparable(replace(a, hop=8000))
        (True, False)
        """
        both_float = {self.precision, other.precision} <= FLOATING
        return self == other or (both_float and replace(self, precision=other.precision) == other)


def _default(field: Field[object]) -> object:
    """The default of a field, or MISSING where it has none."""
    return field.default if field.default_factory is MISSING else field.default_factory()
