"""What is drawn of a sound: the numbers, as few as a picture shows, however long the sound is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.stream import MonoStream
from sonovec.embedding.embedding import Embedding
from sonovec.embedding.encoder import Encoder
from sonovec.embedding.source import Sound, open_source, source_of
from sonovec.features.mel import LogMel, described
from sonovec.pictures.columns import Columns
from sonovec.vectors import similarity

Floats = NDArray[np.float32]

#: Columns of a picture, about as many as it has pixels.
COLUMNS = 2000
#: Rows and columns of the self-similarity.
CELLS = 400
#: In a sound of more windows than `MANY` they overlap less, but none of it is left out. In one of less than `FEW` they
#: overlap more: so much that each moment is heard by at most `OVERLAP` of them.
MANY, FEW, OVERLAP = 2000, 20, 8


@dataclass(frozen=True, eq=False)
class Strip:
    """What is drawn from left to right in columns.

    Attributes
    ----------
    columns : array, shape (n, height)
    first, step : float
        Seconds of the sound at which the first column begins, and from one to the next.
    """

    columns: Floats
    first: float
    step: float

    @property
    def last(self) -> float:
        """Where the last column ends, in seconds."""
        return self.first + self.step * len(self.columns)


@dataclass(frozen=True, eq=False)
class Heard:
    """The numbers of a picture.

    Attributes
    ----------
    start, end : float
        Seconds of the sound that are drawn.
    waveform : Strip
        Lowest and highest sample of each column.
    spectrogram : Strip
        The highest value of each band in each column; none for a sound that is too short for a frame.
    front : LogMel
        What the spectrogram was computed with.
    own : bool
        Whether that is the encoder's own front end, and not a general one for a network that hears the waveform.
    embedding : Embedding or None
        None where it was not asked for.
    """

    start: float
    end: float
    waveform: Strip
    spectrogram: Strip
    front: LogMel
    own: bool
    embedding: Embedding | None


def hear(encoder: Encoder, sound: Sound, start: float = 0.0, end: float | None = None, embed: bool = True) -> Heard:
    """Hear a sound as samples, of which only columns are kept, and, with `embed`, a second time through the encoder.

    Parameters and errors are those of `Encoder.embed`.
    """
    front, own = front_end(encoder)
    rate = encoder.rate
    waves = Columns(COLUMNS, lambda rows: np.stack([rows[..., 0].min(axis=1), rows[..., 1].max(axis=1)], axis=1))
    bands = Columns(COLUMNS, lambda rows: rows.max(axis=1))
    with open_source(source_of(sound, start, end), rate, encoder.isolate) as stream:
        for block in frames(_kept(stream, waves), front):
            bands.add(block)
        seconds = stream.source_frames / stream.info.rate
    # A frame stands for the samples around its middle.
    middle = 0 if front.centre != "none" else front.window_length / 2
    return Heard(
        start,
        start + seconds,
        Strip(waves.rows, start, waves.step / rate),
        Strip(bands.rows, start + (middle - front.hop_length / 2) / rate, bands.step * front.hop_length / rate),
        front,
        own,
        _for_length(encoder, seconds).embed(sound, start, end) if embed else None,
    )


def front_end(encoder: Encoder) -> tuple[LogMel, bool]:
    """The spectrogram of an encoder, and whether it is its own; a general one where the network hears the waveform."""
    own = described(encoder.model.front_end)
    if own is not None:
        return own, True
    rate = encoder.rate
    window = round(0.025 * rate)
    return LogMel(rate, window, round(0.01 * rate), 1 << (window - 1).bit_length(), 64, 50.0, rate / 2, power=2), False


def frames(blocks: Iterable[Floats], front: LogMel) -> Iterator[Floats]:
    """The spectrogram of a stream, in blocks (n, n_mels): frames are the same however the stream is cut.

    Where the encoder continues each window by itself at its ends, here the sound is continued at its two ends alone.
    """
    margin = 0 if front.centre == "none" else front.window_length // 2
    inner = replace(front, centre="none")
    extra = 1 if front.pre_emphasis and not front.kaldi_frames else 0
    left = np.zeros(margin, np.float32)
    for block in _with_end(blocks, margin):
        left = np.concatenate([left, block])
        n = inner.frames(len(left))
        if n > 0:
            yield inner(left[None, : (n - 1) * front.hop_length + front.window_length + extra])[0]
            left = left[n * front.hop_length :]


def edges(embedding: Embedding) -> NDArray[np.float64]:
    """Where windows meet, in seconds (n + 1,): those that overlap do so in the middle of what they share."""
    times = embedding.times
    return np.concatenate([times[:1, 0], (times[1:, 0] + times[:-1, 1]) / 2, times[-1:, 1]])


def similarities(embedding: Embedding) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cosine of all pairs of windows (n, n), and where they meet (n + 1,); NaN where a window is silent.

    Where there are more than `CELLS` windows, some neighbours are taken together.
    """
    size = -(-len(embedding.windows) // CELLS)
    firsts = np.arange(0, len(embedding.windows), size)
    vectors = np.add.reduceat(np.where(embedding.silent[:, None], 0, embedding.windows), firsts, axis=0)
    found = similarity(vectors, vectors)
    silent = np.logical_and.reduceat(embedding.silent, firsts)
    found[silent] = np.nan
    found[:, silent] = np.nan
    meet = edges(embedding)
    return found, np.append(meet[firsts], meet[-1])


def _with_end(blocks: Iterable[Floats], margin: int) -> Iterator[Floats]:
    yield from blocks
    if margin:
        yield np.zeros(margin, np.float32)


def _kept(stream: MonoStream, waves: Columns) -> Iterator[Floats]:
    """The blocks of a stream, which become columns on their way."""
    for block in stream:
        waves.add(np.stack([block, block], axis=1))
        yield block


def _for_length(encoder: Encoder, seconds: float) -> Encoder:
    """The encoder, with windows that overlap no more than a picture shows; more in a short sound, unless a hop is given."""
    own, length = encoder.window.hop / encoder.rate, encoder.window.length / encoder.rate
    least = own if encoder.settings.hop else min(own, max(length / OVERLAP, seconds / FEW))
    hop = min(max(least, seconds / MANY), max(own, length))
    return encoder if hop == own else encoder.with_hop(hop)
