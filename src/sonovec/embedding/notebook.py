"""What a notebook shows of embeddings and encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import SonovecError
from sonovec.html import Html, block, element, facts, image, table
from sonovec.paths import display
from sonovec.png import heat_map
from sonovec.words import counted

if TYPE_CHECKING:
    from sonovec.embedding.embedding import Embedding
    from sonovec.embedding.encoder import Encoder

#: Pixels of a picture, and bands of a spectrogram.
WIDTH, HEIGHT, STRIP, BANDS = 600, 128, 12, 64
#: Seconds of a sound that are drawn, and decibels below the loudest that are still seen.
MOST_SECONDS, RANGE = 60.0, 80.0
#: Tags that are shown.
TAGS = 5


def embedding_html(embedding: Embedding) -> Html:
    """The facts of an embedding, the spectrogram of its sound where the file is there, and its tags over time."""
    passport, notes = embedding.passport, "; ".join(embedding.notes)
    channels = counted(embedding.channels, "channel")
    told = facts(
        {
            "sound": f"{embedding.duration:.2f} s, {embedding.rate} Hz, {channels}, {embedding.codec}",
            "vectors": f"{len(embedding.windows)} windows of {embedding.windows.shape[1]} numbers, each "
            f"{passport.window / passport.rate:g} s long, one each {passport.hop / passport.rate:g} s",
            "encoder": f"{passport.model} ({passport.precision})",
            "notes": notes,
        }
    )
    title = display(embedding.path) if embedding.path else "samples in memory"
    return block(f"Embedding of {title}", told, *_spectrogram(embedding), *_tags(embedding))


def _spectrogram(embedding: Embedding) -> list[Html]:
    """The log-mel spectrogram of what the encoder heard, from the file; nothing where the file is gone or another."""
    start, last = float(embedding.times[0, 0]), float(embedding.times[-1, 1])
    end = min(last, start + MOST_SECONDS)
    samples = _samples(embedding, start, end)
    if samples is None or not samples.any():
        return []
    part = f", of {last - start:.1f} s in all" if end < last else ""
    text = f"log-mel spectrogram: from {start:.1f} to {end:.1f} s{part}; up to {embedding.passport.rate // 2} Hz"
    drawn = image(heat_map(_decibels(samples, embedding.passport.rate)), text, WIDTH, HEIGHT)
    return [drawn, element("div", text, style="opacity:.65;font-size:smaller")]


def _samples(embedding: Embedding, start: float, end: float) -> NDArray[np.float32] | None:
    from sonovec.audio.stream import open_mono

    if embedding.path is None:
        return None
    try:
        # In a child process: to look at an embedding must not end the notebook.
        with open_mono(embedding.path, embedding.passport.rate, start, end, isolate=True) as stream:
            info = stream.info
            same = (info.rate, info.channels, info.codec) == (embedding.rate, embedding.channels, embedding.codec)
            return np.concatenate(list(stream)) if same else None
    except (SonovecError, OSError, ValueError):
        return None


def _decibels(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """A spectrogram from 0 to 1, high bands first, of at most `WIDTH` columns."""
    from sonovec.features.mel import LogMel

    window, hop = round(0.032 * rate), max(1, round(0.01 * rate), len(samples) // (4 * WIDTH))
    front_end = LogMel(
        rate=rate,
        window_length=window,
        hop_length=hop,
        fft_length=1 << (window - 1).bit_length(),
        n_mels=BANDS,
        f_min=20.0,
        f_max=rate / 2,
        power=2,
        log_offset=1e-10,
        log="decibel",
        centre="zeros",
    )
    levels = narrowed(front_end(samples[None])[0].T[::-1])
    return np.asarray((levels - levels.max()) / RANGE + 1, np.float32)


def narrowed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of at most `WIDTH` numbers: of neighbours the largest, so that nothing short is lost.

    Examples
    --------
    >>> narrowed(np.arange(1200.0)[None]).shape
    (1, 600)
    """
    columns = values.shape[1]
    if columns <= WIDTH:
        return values
    return np.maximum.reduceat(values, np.arange(WIDTH) * columns // WIDTH, axis=1)


def _tags(embedding: Embedding) -> list[Html]:
    """The best tags of the whole, each with a strip of its score over time."""
    rows = []
    for name, score in embedding.top_tags(TAGS):
        scores = embedding.scores[:, embedding.classes.index(name)]
        text = f"{name}: from {scores.min():.2f} to {scores.max():.2f} over {len(scores)} windows"
        rows.append((name, f"{score:.2f}", image(heat_map(narrowed(scores[None])), text, WIDTH // 2, STRIP)))
    return [table(["tag", "score", "over time, dark 0 to light 1"], rows)] if rows else []


def encoder_html(encoder: Encoder) -> Html:
    """The card of an encoder, and how it is windowed and run; opens no network."""
    card, window, settings = encoder.card, encoder.window, encoder.settings
    return block(
        f"Encoder {card.name}",
        facts(
            {
                "what it is": card.summary,
                "vector": f"{encoder.dim} numbers",
                "window": f"{window.length / card.rate:g} s, one each {window.hop / card.rate:g} s; tail: {window.tail}",
                "hears": f"{card.rate} Hz; {card.front_end}",
                "classes": f"{len(encoder.classes)} classes of sound" if encoder.classes else "none",
                "words": "yes: embed_text" if encoder.knows_words else "no",
                "options": ", ".join(f"{name}={value!r}" for name, value in encoder.options.items()),
                "runs with": f"precision={settings.precision!r}, device={settings.device!r}, jobs={encoder.jobs}",
                "trained on": card.trained_on,
                "licence": card.licence,
                "reference": _reference(card.reference),
            }
        ),
    )


def _reference(text: str) -> object:
    """A reference, as a link where it is one address."""
    if not text.startswith("https://") or any(letter in text for letter in " ;,"):
        return text
    return element("a", text, href=text, target="_blank", rel="noopener")
