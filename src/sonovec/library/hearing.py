"""Analysers hear one sound: it is decoded once, and embedded only where they hear vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sonovec.analysis.analyser import Analyser
from sonovec.analysis.listening import Heard, Listening, hear, hear_vectors, of_segments, of_windows
from sonovec.embedding.embedding import Failure, Part
from sonovec.embedding.passport import Passport
from sonovec.embedding.pooled import Windows
from sonovec.embedding.source import Source

if TYPE_CHECKING:
    from sonovec.embedding.encoder import Encoder
    from sonovec.library.records import Segment

Kinds = Sequence[type[Analyser]]


def hear_source(
    source: Source,
    kinds: Kinds,
    encoder: Callable[[], Encoder],
    segment_seconds: float,
    *,
    isolate: bool,
    watch: Callable[[float], None] = lambda seconds: None,
) -> Mapping[str, Heard]:
    """Let analysers hear a sound; the encoder is asked for only where they hear vectors.

    `watch` is called meanwhile, with the seconds that were heard; what it raises ends it.

    Raises
    ------
    AudioError
        If it cannot be decoded.
    """
    if not (of_windows(kinds) or of_segments(kinds)):
        return hear(source, kinds, isolate=isolate, watch=watch)
    used = encoder()
    [pooled] = used.pool_many(
        [source.sound],
        segment_seconds,
        listener(kinds),
        lambda handed_over, seconds: watch(seconds),
        source.start,
        source.end,
    )
    if isinstance(pooled, Failure):
        raise pooled.error
    return {**pooled.heard, **hear_segments(pooled.parts, used.passport, kinds)}


def listener(kinds: Kinds) -> Callable[[Source], Listening]:
    """What makes the listener of a source that is embedded: of those that hear its sound or its windows."""
    later = of_segments(kinds)
    streaming = [kind for kind in kinds if kind not in later]
    return lambda source: Listening(streaming)


def hear_segments(parts: Sequence[Part] | Sequence[Segment], passport: Passport, kinds: Kinds) -> Mapping[str, Heard]:
    """Let those that hear segments hear a track's."""
    wanted = of_segments(kinds)
    if not wanted:
        return {}
    together = Windows(
        np.array([(part.start, part.end) for part in parts], np.float64),
        np.array([part.coverage for part in parts], np.float32),
        np.stack([part.vector for part in parts]),
    )
    return hear_vectors(together, passport, wanted)
