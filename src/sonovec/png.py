"""Small pictures of numbers as PNG files, without a library for pictures."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

#: Colours of the numbers from 0 to 1, at even steps: from dark blue over red to pale yellow, ever lighter.
_STOPS = ((8, 10, 40), (62, 18, 99), (138, 38, 104), (208, 68, 76), (246, 130, 46), (250, 198, 80), (252, 250, 205))


def colours() -> NDArray[np.uint8]:
    """The colour of each of the 256 levels, shape (256, 3)."""
    steps = np.linspace(0, 1, len(_STOPS))
    channels = np.array(_STOPS, np.float64).T
    return np.stack([np.interp(np.linspace(0, 1, 256), steps, each) for each in channels], axis=1).astype(np.uint8)


def heat_map(values: NDArray[np.floating]) -> bytes:
    """A PNG file with a pixel for each number.

    Parameters
    ----------
    values : array, shape (rows, columns)
        From 0, dark, to 1, light; the first row is at the top. What lies outside has the colour of the nearer end.

    Returns
    -------
    bytes

    Examples
    --------
    >>> heat_map(np.eye(3))[:8]
    b'\\x89PNG\\r\\n\\x1a\\n'
    """
    levels = np.round(255 * np.clip(np.nan_to_num(values), 0, 1)).astype(np.uint8)
    rows, columns = levels.shape
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), levels], axis=1)  # each line begins with its filter: none
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)),  # 8 bits, by a palette
            _chunk(b"PLTE", colours().tobytes()),
            _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
