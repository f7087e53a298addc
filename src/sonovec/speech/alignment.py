"""Forced alignment: when each word of a known text is said, by the best path of a CTC model that writes just this text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sonovec.embedding.source import Sound, open_source, source_of
from sonovec.errors import UsageError
from sonovec.speech.ctc import CtcRecogniser, Voice
from sonovec.speech.loading import load
from sonovec.speech.recogniser import RATE
from sonovec.speech.spans import Span, word_of
from sonovec.speech.transcript import Segment, Transcript, Word
from sonovec.speech.trellis import aligned
from sonovec.speech.vocabulary import Vocabulary
from sonovec.words import listed

Floats = NDArray[np.float32]
Unit = Literal["words", "characters"]


@dataclass(frozen=True)
class Line:
    """A line of a text: its words as they are written there, and the tokens of each."""

    text: str
    words: list[str]
    tokens: list[list[int]]


def spelled(text: str, vocabulary: Vocabulary) -> tuple[list[Line], list[str]]:
    """Spell a text line by line; what no token can write is left out, and named.

    Returns
    -------
    tuple
        The lines with words in them, and notes of what was left out.

    Raises
    ------
    UsageError
        If the text is empty, or words of letters or digits in it have no character that the model writes.
    """
    lines, left_out, foreign = [], dict[str, None](), dict[str, None]()
    for row in text.splitlines():
        words, tokens = [], []
        for word in row.split():
            numbers, missing = vocabulary.spell(word)
            letters = [sign for sign in missing if sign.isalnum()]
            left_out.update(dict.fromkeys(letters))
            if numbers:
                words.append(word)
                tokens.append(numbers)
            elif letters:
                foreign[word] = None
        if words:
            lines.append(Line(" ".join(row.split()), words, tokens))
    if foreign:
        raise UsageError(
            f"the model has no letter of {listed([repr(word) for word in foreign])}; write in the text what is said, with "
            f"the letters {_alphabet(vocabulary)}"
        )
    if not lines:
        raise UsageError("the text has no word that could be aligned; give what is said in the sound")
    note = f"the model does not know {listed([repr(sign) for sign in left_out])}: the rest of the words was aligned"
    return lines, [note] if left_out else []


def _alphabet(vocabulary: Vocabulary) -> str:
    letters = sorted(token for token in vocabulary.alphabet if token.isalpha())
    return " ".join(letters[:40]) + (" ..." if len(letters) > 40 else "")


def align(
    sound: Sound,
    text: str,
    model: str | CtcRecogniser,
    *,
    unit: Unit = "words",
    start: float = 0.0,
    end: float | None = None,
    **options: Any,
) -> Transcript:
    """Find when each word of a known text is said.

    A sound of any length: it is heard in windows of 30 seconds with 2 seconds of context on both sides.

    Parameters
    ----------
    sound : path, Waveform or (samples, rate)
    text : str
        What is said, all of it and no more. Each line becomes a segment. Signs that the model does not write, such as
        punctuation, stay in the words and are not looked for.
    model : str or CtcRecogniser
        A CTC model by hub id or folder, or what `sonovec.speech.load` made of it.
    unit : {"words", "characters"}
        What the words of the transcript are.
    start, end : float
        The range of the sound, in seconds; times are those of the whole sound.
    **options
        Those of `sonovec.speech.load`, if `model` is a name.

    Returns
    -------
    Transcript
        The confidence of a word is the mean probability that the model gives its letters where they are.

    Raises
    ------
    UsageError
        If the text is empty, too long for the sound, or has words that the model has no letter of; or the model is none
        of CTC.
    AudioError
        If the sound cannot be decoded.
    """
    recogniser = load(model, **options) if isinstance(model, str | Path) else model
    if not isinstance(recogniser, CtcRecogniser):
        raise UsageError(
            f"{getattr(recogniser, 'name', recogniser)!r} does not write letters by frames; give a CTC model"
        )
    if unit not in ("words", "characters"):
        raise UsageError(f"unit={unit!r} is unknown; give one of: words, characters")
    voice = recogniser.voice()
    lines, notes = spelled(text, voice.vocabulary)
    with open_source(source_of(sound, start, end), RATE) as stream:
        log_posteriors, duration = voice.listen(stream)
        notes += stream.notes
    tokens = _joined([word for line in lines for word in line.tokens], voice.vocabulary.delimiter)
    spans = iter(aligned(log_posteriors, tokens, voice.vocabulary.blank))
    segments = []
    for line in lines:
        words = [
            each.moved(start)
            for word, numbers in zip(line.words, line.tokens, strict=True)
            for each in _timed(word, _taken(spans, len(numbers), voice.vocabulary), unit, voice, duration)
        ]
        segments.append(Segment.of(words, line.text, recogniser.language))
    return Transcript(
        segments, start + duration, recogniser.language, f"{recogniser.name}@{recogniser.version}", tuple(notes)
    )


def _joined(words: Iterable[Sequence[int]], delimiter: int | None) -> list[int]:
    """The tokens of all words, with delimiters between them."""
    between = [] if delimiter is None else [delimiter]
    tokens: list[int] = []
    for word in words:
        tokens += [*(between if tokens else []), *word]
    return tokens


def _taken(spans: Iterator[Span], count: int, vocabulary: Vocabulary) -> list[Span]:
    """The next spans of tokens that are no delimiters."""
    taken: list[Span] = []
    while len(taken) < count:
        span = next(spans)
        if not vocabulary.parts_words(span.token):
            taken.append(span)
    return taken


def _timed(word: str, spans: list[Span], unit: Unit, voice: Voice, duration: float) -> list[Word]:
    if unit == "words":
        return [word_of(spans, word, voice.seconds, duration)]
    return [word_of([span], voice.vocabulary.text([span.token]), voice.seconds, duration) for span in spans]
