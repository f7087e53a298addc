"""What the writers of all formats share: what is added, what is copied, and why a file is left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from sonovec.audio.section import Section
from sonovec.errors import AudioError

BLOCK = 1 << 20
#: Bytes of tags that are held at once.
MOST_HELD = 1 << 26


class NotWrittenError(AudioError):
    """A file is left as it is; the text says why."""


class Said(NamedTuple):
    """What a tag is to say: beats a minute, and a key such as ``F#m``; None where it is to say nothing."""

    tempo: float | None = None
    key: str | None = None

    @property
    def whole_tempo(self) -> int | None:
        """The tempo as the formats want it that know whole numbers alone: ID3 and MP4."""
        return None if self.tempo is None else round(self.tempo)

    @property
    def exact_tempo(self) -> str | None:
        """The tempo as a text, to a tenth."""
        return None if self.tempo is None else f"{self.tempo:.1f}".removesuffix(".0")


#: Gives the bytes of the sound with its tags inside, with what is said added.
Writer = Callable[[Section, Said], Iterator[bytes]]


def copied(section: Section) -> Iterator[bytes]:
    """Give the bytes of a section, a block at a time."""
    source = section.part()
    while block := source.read(BLOCK):
        yield block


def held(section: Section, what: str) -> bytes:
    """Give the bytes of a section that is held at once.

    Raises
    ------
    NotWrittenError
        There are too many.
    """
    if len(section) > MOST_HELD:
        raise NotWrittenError(f"{what} takes {len(section)} bytes, more than is held at once")
    return section.part().read()
