"""Messages of Protocol Buffers, read by the numbers of their fields; what is large is passed over, not read."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class Field(NamedTuple):
    """A field of a message: a number in `value`, or bytes that lie from `start` to `stop`."""

    number: int
    kind: int
    start: int
    stop: int
    value: int = 0


def fields(file: BinaryIO, end: int) -> Iterator[Field]:
    """Give the fields of the message that begins where the file stands and ends there.

    Raises
    ------
    ValueError
        It is none.
    """
    at = file.tell()
    while at < end:
        file.seek(at)
        tag = varint(file)
        number, kind, start = tag >> 3, tag & 7, file.tell()
        if kind == VARINT:
            value = varint(file)
            at = file.tell()
        elif kind in (FIXED64, FIXED32):
            content = file.read(8 if kind == FIXED64 else 4)
            value = int.from_bytes(content, "little")
            at = file.tell()
        elif kind == BYTES:
            value, size = 0, varint(file)
            start = file.tell()
            at = start + size
        else:
            raise ValueError("no message of Protocol Buffers")
        if at > end:
            raise ValueError("a field is longer than its message")
        yield Field(number, kind, start, at, value)


def varint(file: BinaryIO) -> int:
    """A whole number of seven bits a byte, lowest first.

    Examples
    --------
    >>> varint(io.BytesIO(bytes([0xAC, 0x02])))
    300
    """
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("the message is cut off")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("a number of more than 64 bits")


class Message:
    """A message in memory: the values of its fields, by number.

    Examples
    --------
    >>> message = Message(b"\\x08\\x07\\x12\\x02hi")
    >>> message.number(1), message.content(2), message.number(3), message.content(4)
    (7, b'hi', 0, b'')
    """

    def __init__(self, content: bytes) -> None:
        self._values: dict[int, list[int | bytes]] = {}
        for field in fields(io.BytesIO(content), len(content)):
            value = content[field.start : field.stop] if field.kind == BYTES else field.value
            self._values.setdefault(field.number, []).append(value)

    def number(self, field: int) -> int:
        """The number in a field; 0 where it is not there."""
        return next((value for value in reversed(self.all(field)) if isinstance(value, int)), 0)

    def content(self, field: int) -> bytes:
        """The bytes in a field; none where it is not there."""
        return next((value for value in reversed(self.all(field)) if isinstance(value, bytes)), b"")

    def messages(self, field: int) -> list[Message]:
        """The messages in a field that may be there several times."""
        return [Message(value) for value in self.all(field) if isinstance(value, bytes)]

    def all(self, field: int) -> list[int | bytes]:
        """All that is in a field, in order."""
        return self._values.get(field, [])
