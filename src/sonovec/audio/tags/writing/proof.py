"""What a file holds, to compare it before and after something was written into its tags."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

from sonovec.audio.decoder import UndecodableError
from sonovec.audio.ffmpeg import errors, open_container
from sonovec.audio.section import Section, without_tags
from sonovec.audio.tags.writing.pieces import NotWrittenError


class Held(NamedTuple):
    """What FFmpeg finds in a file."""

    samples: str
    """Digest of all decoded samples, with their rate and layout."""
    packets: tuple[str, ...]
    """Digest of each stream's set-up and packets; pictures of covers are streams, too."""
    texts: Counter[tuple[str, str]]
    """All tags that FFmpeg knows of."""


def held(path: Path, check: Callable[[], None]) -> Held:
    """Read and decode all of a file.

    Raises
    ------
    NotWrittenError
        It does not decode from end to end: what is damaged cannot be compared.
    """
    try:
        with path.open("rb", buffering=0) as file:
            samples = _samples(file, check)
            packets, texts = _packets(file, check)
    except (UndecodableError, *errors()) as error:  # type: ignore[misc]  # a tuple of unknown length is one, too
        raise NotWrittenError(f"it does not decode without errors ({error})") from error
    return Held(samples, packets, texts)


def _samples(file: FileIO, check: Callable[[], None]) -> str:
    """Decode without the tags around the sound, as sonovec does: an unknown one of them is no sound."""
    digest = hashlib.blake2b(digest_size=16)
    with open_container(without_tags(file)) as container:
        stream = next((each for each in container.streams.audio if each.codec_context is not None), None)
        if stream is None:
            raise NotWrittenError("it has no sound that decodes")
        digest.update(f"{stream.rate} {stream.layout.name}".encode())
        for frame in container.decode(stream):
            check()
            digest.update(frame.to_ndarray().tobytes())
    return digest.hexdigest()


def _packets(file: FileIO, check: Callable[[], None]) -> tuple[tuple[str, ...], Counter[tuple[str, str]]]:
    with open_container(Section(file)) as container:
        digests: dict[int, Any] = {}
        for stream in container.streams:
            digests[stream.index] = digest = hashlib.blake2b(digest_size=16)
            extra = stream.codec_context.extradata if stream.codec_context is not None else None
            digest.update(f"{stream.type} {stream.time_base} {stream.duration}".encode())
            if stream.type != "audio" or not container.format.name.startswith("ogg"):
                digest.update(extra or b"")  # of Ogg, the comments are a part of it
        for packet in container.demux():
            check()
            digests[packet.stream.index].update(f"{packet.pts} {packet.size}".encode() + bytes(packet))
        texts = Counter(_texts([container.metadata, *(stream.metadata for stream in container.streams)]))
    return tuple(digest.hexdigest() for digest in digests.values()), texts


def _texts(sources: Iterable[dict[str, str]]) -> Iterable[tuple[str, str]]:
    for source in sources:
        yield from ((name.lower(), text) for name, text in source.items())
