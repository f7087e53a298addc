"""The recogniser of CTC models: letters by frames, through the project's own runtime."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.resample import Resampler
from sonovec.errors import UsageError
from sonovec.models import ctc
from sonovec.models.hub import HUB_ID
from sonovec.models.pretrained import Pretrained
from sonovec.runtime import Network, open_network
from sonovec.speech import vocabulary as vocabularies
from sonovec.speech.beam import Search
from sonovec.speech.recogniser import RATE
from sonovec.speech.spans import of_path, words_of
from sonovec.speech.transcript import Segment, Word
from sonovec.speech.trellis import aligned
from sonovec.speech.vocabulary import Vocabulary
from sonovec.words import listed

Floats = NDArray[np.float32]
#: Seconds of the longest stretch that is heard at once: attention costs their square, and models were trained on fewer.
LONGEST = 30.0
#: Seconds that a window of a long sound hears before and behind what is taken of it.
CONTEXT = 2.0
#: A pause between words from which on a new segment begins, in seconds.
PAUSE = 1.0
VERSION = 1


@dataclass(frozen=True)
class Voice:
    """A CTC model in one language, ready to run."""

    model: ctc.CtcModel
    vocabulary: Vocabulary
    network: Network

    @property
    def seconds(self) -> float:
        """From one frame to the next."""
        return self.model.hop / self.model.rate

    def log_posteriors(self, stretch: Floats) -> Floats:
        """Log probabilities of the tokens, shape (frames, tokens); none of what is shorter than one frame."""
        samples = stretch
        if self.model.rate != RATE:
            resampler = Resampler(RATE, self.model.rate)
            samples = np.concatenate([resampler.process(stretch), resampler.flush()])
        if len(samples) < self.model.shortest:
            return np.zeros((0, len(self.vocabulary.tokens)), np.float32)
        (scores,) = self.network.run([self.model.features(samples)])
        return self.vocabulary.log_posteriors(scores)

    def listen(self, blocks: Iterable[Floats]) -> tuple[Floats, float]:
        """Log posteriors of a sound of any length, shape (frames, tokens), and its duration in seconds.

        Parameters
        ----------
        blocks : iterable of arrays
            Mono at 16 kHz. What is longer than is heard at once is cut into windows, and frames near their edges are taken
            from the neighbour.
        """
        hop, rate = self.model.hop, self.model.rate
        # Windows begin where a frame does; where every second does for SEW, which makes two of one.
        grid = 2 * math.lcm(hop * RATE, rate) // rate
        context = round(CONTEXT * RATE) // grid * grid
        step = round(LONGEST * RATE) // grid * grid - 2 * context
        edge, middle = context * rate // (RATE * hop), step * rate // (RATE * hop)
        pieces: list[Floats] = []
        buffer, total, first = np.zeros(0, np.float32), 0, True
        for block in blocks:
            buffer = np.concatenate([buffer, block])
            total += len(block)
            while len(buffer) > step + 2 * context:
                frames = self.log_posteriors(buffer[: step + 2 * context])
                pieces.append(frames[0 if first else edge : edge + middle])
                buffer, first = buffer[step:], False
        frames = self.log_posteriors(buffer)
        pieces.append(frames if first else frames[edge:])
        return np.concatenate(pieces), total / RATE


class CtcRecogniser:
    """Text from stretches of speech by a CTC model; made by `sonovec.speech.load`.

    Each stretch runs alone and at its own length, so its words do not depend on what else is heard.

    Parameters
    ----------
    pretrained : Pretrained
        What `sonovec.models.ctc.find` gave.
    language : str, optional
        For a model that has an adapter for each language: the one that is heard where none is asked for.
    search : Search, optional
        How the text is searched for; without it, each frame writes its most probable token.
    precision, device, jobs
        As for `sonovec.load`.
    """

    longest = LONGEST

    def __init__(
        self,
        pretrained: Pretrained,
        language: str | None = None,
        search: Search | None = None,
        precision: str = "auto",
        device: str = "auto",
        jobs: int | None = None,
    ) -> None:
        self.name = pretrained.name if HUB_ID.fullmatch(pretrained.name) else pretrained.folder.name
        self.languages = vocabularies.languages(pretrained.folder)
        self._pretrained = pretrained
        self._search = search
        self._open = partial(open_network, precision=precision, device=device, jobs=jobs)
        self._voices: dict[str | None, Voice] = {}
        self._opening = threading.Lock()
        if language is None and self.languages:
            language = vocabularies.preset(pretrained.folder)
        self._language = self._checked(language)
        if self.languages and language is None:
            raise UsageError(
                f"{self.name} writes {len(self.languages)} languages; give language=, such as {self.languages[0]!r}"
            )
        voice = self.voice()
        if search is not None:
            search.hot(voice.vocabulary)  # refuses what cannot be written
        parts = (VERSION, voice.model.digest, voice.network.precision, voice.vocabulary, search, PAUSE)
        self.version = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    @property
    def language(self) -> str:
        """The language that is heard where none is asked for; empty where there is no choice."""
        return self._language or ""

    def voice(self, language: str | None = None) -> Voice:
        """The model in a language, opened on first use; that of the recogniser where none is given.

        Raises
        ------
        UsageError
            If the model does not have that language.
        """
        code = self._language if language is None else self._checked(language)
        with self._opening:
            if code not in self._voices:
                adapter = code if ctc.has_adapters(self._pretrained) else None
                model = ctc.build(self._pretrained, adapter)
                vocabulary = vocabularies.read(self._pretrained.folder, model.outputs, code)
                self._voices[code] = Voice(model, vocabulary, self._open(model.graph))
            return self._voices[code]

    def _checked(self, language: str | None) -> str | None:
        if language is not None and language not in self.languages:
            has = (
                f"has {listed(self.languages)}"
                if self.languages
                else "writes the one that it was trained on; leave it out"
            )
            raise UsageError(f"language={language!r}: {self.name} {has}")
        return language

    def hear(self, stretches: Sequence[Floats], language: str | None = None) -> list[list[Segment]]:
        """Give the segments of each stretch; see `Recogniser.hear`."""
        voice = self.voice(language)
        code = language or self.language
        with ThreadPoolExecutor(voice.network.streams) as threads:
            return list(threads.map(lambda stretch: self._segments(voice, stretch, code), stretches))

    def _segments(self, voice: Voice, stretch: Floats, language: str) -> list[Segment]:
        log_posteriors = voice.log_posteriors(stretch)
        if not len(log_posteriors):
            return []
        words = self._words(voice, log_posteriors, len(stretch) / RATE)
        return [Segment.of(group, language=language) for group in parted(words, PAUSE)]

    def _words(self, voice: Voice, log_posteriors: Floats, duration: float) -> list[Word]:
        vocabulary = voice.vocabulary
        if self._search is None:
            spans = of_path(log_posteriors.argmax(axis=1), log_posteriors, vocabulary.blank)
        else:
            tokens = self._search.best(log_posteriors, vocabulary)
            spans = aligned(log_posteriors, tokens, vocabulary.blank) if tokens else []
        return words_of(spans, vocabulary, voice.seconds, duration)


def parted(words: Sequence[Word], pause: float) -> list[list[Word]]:
    """Words in groups, between which nothing is said for `pause` seconds or more.

    Examples
    --------
    >>> words = [Word(0.0, 0.5, "one", 1.0), Word(0.6, 1.0, "two", 1.0), Word(2.5, 3.0, "three", 1.0)]
    >>> [[word.text for word in group] for group in parted(words, 1.0)]
    [['one', 'two'], ['three']]
    """
    groups: list[list[Word]] = []
    for word in words:
        if groups and word.start - groups[-1][-1].end < pause:
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups
