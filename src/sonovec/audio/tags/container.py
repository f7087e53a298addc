"""The tags of containers that only FFmpeg is asked for, such as WebM, AVI and CAF."""

from __future__ import annotations

from collections.abc import Iterator

from sonovec.audio.ffmpeg import open_container
from sonovec.audio.section import Section
from sonovec.audio.tags.names import WANTED


def read(file: Section) -> Iterator[tuple[str, str]]:
    """Give the texts by FFmpeg's names, which are the same for all containers."""
    file.seek(0)
    with open_container(file) as container:
        texts = dict(container.metadata)
    for name, text in texts.items():
        if name.lower() in WANTED:
            yield name.lower(), text
