"""What vectors can be compressed to: how many numbers are kept, and how each is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from sonovec.errors import UsageError
from sonovec.library.codes import HALF, PLAIN, SIGNS, WHOLE, bytes_of, is_pieces, pieces_of

_EXAMPLES = "64, 128, pca-95%, float16, int8, binary, pq-16, or two joined such as 128+int8"
_SHARE = re.compile(r"pca-(\d+(?:\.\d+)?)%?")


@dataclass(frozen=True)
class Kind:
    """One way to compress.

    Attributes
    ----------
    text : str
        As it was given.
    numbers : int or None
        How many numbers of a principal component analysis are kept.
    share : float or None
        In place of `numbers`: as many as hold this share of the variance, in (0, 1].
    dtype : str
        The number type; see `sonovec.library.codes`.
    """

    text: str
    numbers: int | None = None
    share: float | None = None
    dtype: str = PLAIN

    @property
    def is_reduced(self) -> bool:
        """Whether fewer numbers are kept than there are."""
        return self.numbers is not None or self.share is not None

    @property
    def needs_fit(self) -> bool:
        """Whether it learns from the vectors."""
        return self.is_reduced or is_pieces(self.dtype)


def parse(text: str) -> Kind:
    """Read what to compress to.

    Raises
    ------
    UsageError
        It cannot be read.

    Examples
    --------
    >>> parse("128+int8")
    Kind(text='128+int8', numbers=128, share=None, dtype='int8')
    >>> parse("pca-95%").share
    0.95
    """
    numbers, share, dtype = None, None, PLAIN
    parts = text.strip().lower().split("+")
    for part in parts:
        if part.isdecimal() and int(part) > 0:
            numbers = int(part)
        elif (found := _SHARE.fullmatch(part)) and 0 < float(found[1]) <= 100:
            share = float(found[1]) / 100
        elif part in (HALF, WHOLE, SIGNS) or is_pieces(part):
            dtype = part
            if is_pieces(part):
                pieces_of(part)
        else:
            _refuse(text)
    given = [numbers is not None, share is not None, dtype != PLAIN]
    if sum(given) != len(parts) or (numbers is not None and share is not None):
        _refuse(text)
    return Kind("+".join(parts), numbers, share, dtype)


def _refuse(text: str) -> NoReturn:
    raise UsageError(f"--to {text!r} is unknown; give one of: {_EXAMPLES}")


def name_of(kind: Kind, source: str, whiten: bool) -> str:
    """What a space is called where no name is given.

    Examples
    --------
    >>> name_of(parse("pca-95%+int8"), "main", whiten=True)
    'main_pca_95_int8_white'
    """
    words = [source, *re.findall(r"[a-z0-9]+", kind.text), *(["white"] if whiten else [])]
    return "_".join(words)[:40]


def check(kind: Kind, dim: int) -> None:
    """Refuse a kind that makes nothing smaller, or does not fit the length of the vectors.

    Raises
    ------
    UsageError
    """
    if kind.numbers is not None and kind.numbers >= dim:
        raise UsageError(
            f"--to {kind.text}: the vectors have {dim} numbers; give fewer, such as --to {max(1, dim // 4)}"
        )
    if is_pieces(kind.dtype) and kind.share is None:
        check_pieces(kind, kind.numbers or dim)


def check_pieces(kind: Kind, dim: int) -> None:
    """Refuse pieces that do not part a vector evenly.

    Raises
    ------
    UsageError
    """
    if not is_pieces(kind.dtype) or dim % pieces_of(kind.dtype) == 0:
        return
    fitting = [n for n in range(1, dim + 1) if dim % n == 0]
    best = min(fitting, key=lambda n: abs(n - pieces_of(kind.dtype)))
    raise UsageError(
        f"--to {kind.text}: {dim} numbers cannot be parted into {pieces_of(kind.dtype)} equal pieces; give --to "
        f"{kind.text.replace(kind.dtype, f'pq-{best}')}"
    )


def size(kind: Kind, dim: int) -> int:
    """Bytes of a vector that keeps `dim` numbers.

    Examples
    --------
    >>> size(parse("binary"), 512)
    64
    """
    return bytes_of(kind.dtype, dim)
