"""Short texts of records: what a person sees of one at the prompt, without the numbers that it holds."""

from __future__ import annotations

import reprlib
from dataclasses import fields
from typing import Any

#: Characters of a value that are shown.
LONGEST = 60


class _Values(reprlib.Repr):
    """Writes values: of an array its type and shape, of a long list the first few items."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = LONGEST
        self.maxlist = self.maxtuple = self.maxdict = 3

    def repr_ndarray(self, array: Any, level: int) -> str:
        """Write no number of an array."""
        return f"<{array.dtype} {array.shape}>"


_VALUES = _Values()


def short(value: object) -> str:
    """A value as a message shows it: on one line, and of an array its type and shape.

    Examples
    --------
    >>> import numpy as np
    >>> short(np.zeros(16000)), short([1, 2, 3, 4])
    ('<float64 (16000,)>', '[1, 2, 3, ...]')
    """
    return " ".join(_VALUES.repr(value).split())


def shortened(text: str, most: int = LONGEST, mark: str = "...") -> str:
    """A text with at most so many characters, with a mark in place of what is cut out of its middle.

    Examples
    --------
    >>> shortened("a/very/long/path/to/some.wav", 17)
    'a/very/...ome.wav'
    """
    if len(text) <= most:
        return text
    kept = most - len(mark)
    return f"{text[: kept // 2]}{mark}{text[len(text) - (kept - kept // 2) :]}"


class Brief:
    """A dataclass with a short ``repr``: arrays as their shapes, and of long texts and lists the ends.

    The decorator of the dataclass takes ``repr=False``, or it writes one of its own.

    Examples
    --------
    >>> import numpy as np
    >>> from dataclasses import dataclass
    >>> @dataclass(repr=False)
    ... class Sound(Brief):
    ...     samples: np.ndarray
    ...     rate: int
    >>> Sound(np.zeros(16000), 16000)
    Sound(samples=<float64 (16000,)>, rate=16000)
    """

    def __repr__(self) -> str:
        shown = [field for field in fields(self) if field.repr]  # type: ignore[arg-type]  # it is a dataclass
        values = (f"{field.name}={short(getattr(self, field.name))}" for field in shown)
        return f"{type(self).__name__}({', '.join(values)})"
