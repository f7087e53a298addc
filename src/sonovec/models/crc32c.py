"""CRC-32C (Castagnoli; RFC 3720, appendix B.4), which TensorFlow's files are checked by, with NumPy alone."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

#: The polynomial, its bits reversed.
POLYNOMIAL = 0x82F63B78
#: Pieces that long data are cut into, which are computed side by side.
LANES = 1 << 13


def crc32c(content: bytes | memoryview) -> int:
    """CRC-32C of some bytes.

    Examples
    --------
    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    data = np.frombuffer(content, np.uint8)
    short = len(data) % (4 * LANES) if len(data) >= 8 * LANES else len(data)
    state = _of_few(data[:short].tobytes(), 0xFFFFFFFF)
    return (_of_many(data[short:], state) if short < len(data) else state) ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    """A CRC as TensorFlow keeps it beside data that hold CRCs themselves.

    Examples
    --------
    >>> hex(masked(crc32c(b"123456789")))
    '0xc78ab0e5'
    """
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


@cache
def _tables() -> Words:
    """What each value of a byte does to the register, that byte being followed by none to three others; (4, 256)."""
    tables = np.zeros((4, 256), np.uint32)
    tables[0] = np.arange(256)
    for _ in range(8):
        tables[0] = np.where(tables[0] & 1, tables[0] >> 1 ^ np.uint32(POLYNOMIAL), tables[0] >> 1)
    for i in range(1, 4):
        tables[i] = tables[0][tables[i - 1] & 0xFF] ^ tables[i - 1] >> 8
    return tables


def _of_few(content: bytes, state: int) -> int:
    table = _table_of_bytes()
    for byte in content:
        state = table[(state ^ byte) & 0xFF] ^ state >> 8
    return state


@cache
def _table_of_bytes() -> list[int]:
    return [int(value) for value in _tables()[0]]


def _of_many(data: NDArray[np.uint8], state: int) -> int:
    """The register after data that fill all lanes: each lane's own, and those of neighbours joined until one is left."""
    lanes = np.ascontiguousarray(data.view("<u4").reshape(LANES, -1).T)
    registers = np.zeros(LANES, np.uint32)
    registers[0] = state
    for words in lanes:
        registers = _applied(_tables()[::-1], registers ^ words)
    shift = _shift(4 * len(lanes))
    while len(registers) > 1:
        registers = _applied(shift, registers[::2]) ^ registers[1::2]
        shift = _applied(shift, shift)
    return int(registers[0])


def _applied(tables: Words, registers: Words) -> Words:
    """What tables, one for each byte of a register, lowest first, make of registers: a linear map over bits."""
    result: Words = tables[0][registers & 0xFF]
    for i in range(1, 4):
        result = result ^ tables[i][registers >> 8 * i & 0xFF]
    return result


def _shift(count: int) -> Words:
    """Tables of what so many zero bytes make of a register, by squaring."""
    byte = _values()
    step = _tables()[0][byte & 0xFF] ^ byte >> 8
    result = byte
    while count:
        if count & 1:
            result = _applied(step, result)
        step = _applied(step, step)
        count >>= 1
    return result


def _values() -> Words:
    """Tables that change nothing: each byte in its place."""
    return np.left_shift(np.arange(256, dtype=np.uint32), 8 * np.arange(4, dtype=np.uint32)[:, None], dtype=np.uint32)
