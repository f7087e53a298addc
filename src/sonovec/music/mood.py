"""The analyser `mood`: valence, arousal and named moods of music.

Where the library's encoder is the built-in one, the music head hears the stored segments, without their sound. Elsewhere
the analyser runs the built-in encoder itself. Where MusiCNN's weights were fetched, its own tags take the place of those
that the head learnt from it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from sonovec.analysis.analyser import Analyser, Field, Findings, VectorAnalyser
from sonovec.embedding.passport import Passport
from sonovec.embedding.pooled import Windows
from sonovec.embedding.pooling import windows_per_segment
from sonovec.errors import PassportError
from sonovec.models.defaults import DEFAULT
from sonovec.music import musicnn
from sonovec.music.columns import AROUSAL, MOODS, VALENCE
from sonovec.music.head import logit, read
from sonovec.music.moods import MUSIC, evidence, told

if TYPE_CHECKING:
    from sonovec.embedding.encoder import Encoder

FIELDS = (Field(VALENCE, float, "scalar"), Field(AROUSAL, float, "scalar"), Field(MOODS, list[str], "labels"))
#: Code version of what is made of the tags.
VERSION = f"1-{read().id}"
WITH_MUSICNN = f"{VERSION}-musicnn"
#: A segment counts as music from this probability on; a piece has moods if so much of its time is music.
LEAST_MUSIC, LEAST_SHARE = 0.2, 0.25
#: A vector of a segment that is shorter is of digital silence.
SILENT = 0.2
#: Of a segment, where the analyser makes them itself: those of a library with the built-in encoder.
SEGMENT_SECONDS = 10.0


class _Heard:
    """The tags of the segments of a piece, gathered while they come; `who` hears them, see `MusicHead.scales`."""

    def __init__(self, who: str) -> None:
        self._who, self._head = who, read()
        self._music = self._head.tags.index(MUSIC)
        self._evidence = np.zeros(len(self._head.scales[f"{who}_moods"].mean))
        self._of_music = self._of_all = 0.0

    def add(self, vectors: NDArray[np.float32], logits: NDArray[np.float64], seconds: NDArray[np.floating]) -> None:
        """Take the next segments: vectors (n, 512), logits of tags (n, n_tags), and how many seconds of sound each has."""
        sounds = np.linalg.norm(vectors, axis=1) > SILENT
        is_music = sounds & (logits[:, self._music] >= logit(np.array(LEAST_MUSIC)))
        weights = seconds * is_music
        spreads = self._head.scales[self._who].of(logits)
        self._evidence += weights @ evidence(spreads, self._head.tags)
        self._of_music += float(weights.sum())
        self._of_all += float(seconds.sum())

    def findings(self) -> Findings:
        """Moods; nothing where little of it is music."""
        if not self._of_music or self._of_music < LEAST_SHARE * self._of_all:
            return Findings()
        mean = self._evidence / self._of_music
        heard = told(self._head.scales[f"{self._who}_moods"].of(mean))
        return Findings({VALENCE: heard.valence, AROUSAL: heard.arousal, MOODS: heard.moods})


class Mood(VectorAnalyser):
    """Columns `valence`, `arousal` and `moods`, heard in segments of the built-in encoder; empty where little is music."""

    name, version, fields = "mood", VERSION, FIELDS
    as_good = frozenset({WITH_MUSICNN})

    @classmethod
    def suited(cls, passport: Passport) -> type[Analyser]:
        """Where MusiCNN was fetched, what asks it; where the vectors are not those of the head, what hears the sound."""
        if musicnn.is_fetched():
            return MusicnnMood
        return cls if read().takes(passport) else SoundMood

    @classmethod
    def check(cls, passport: Passport) -> None:
        """Refuse vectors of other encoders."""
        if not read().takes(passport):
            raise PassportError(
                f"analyser 'mood' hears vectors of {read().passport.model!r}, and these are of {passport.model!r}; "
                "use Mood.suited(passport), which hears the sound"
            )

    def begin(self, passport: Passport) -> None:  # type: ignore[override]
        """Begin a track."""
        self.check(passport)
        self._heard = _Heard("head")

    def push(self, windows: Windows) -> None:  # type: ignore[override]
        """Hear segments."""
        seconds = (windows.times[:, 1] - windows.times[:, 0]) * windows.coverage
        self._heard.add(windows.vectors, read().logits(windows.vectors), seconds)

    def finish(self) -> Findings:
        """Give the moods."""
        return self._heard.findings()


class SoundMood(Analyser):
    """The same, heard in sound, by the built-in encoder beside that of the library."""

    name, version, fields = "mood", VERSION, FIELDS
    as_good = Mood.as_good
    rate = read().passport.rate
    #: Networks are loaded, and those of MusiCNN converted, while the first track is heard.
    limit = 600.0
    #: See `MusicHead.scales`.
    who: ClassVar[str] = "head"

    def begin(self, rate: int, channels: int) -> None:
        """Begin a track."""
        self._heard, self._waiting, self._length = _Heard(self.who), [np.empty(0, np.float32)], 0
        window = _encoder().window
        self._segment = window.hop * windows_per_segment(SEGMENT_SECONDS, window.hop / rate)
        self._rate = rate

    def push(self, block: NDArray[np.float32]) -> None:
        """Hear the next samples (n,)."""
        self._waiting.append(block)
        self._length += len(block)
        if self._length >= self._segment:
            samples = np.concatenate(self._waiting)
            while len(samples) >= self._segment:
                self._hear(samples[: self._segment])
                samples = samples[self._segment :]
            self._waiting, self._length = [samples], len(samples)

    def finish(self) -> Findings:
        """Hear what is left, and give the moods."""
        if self._length:
            self._hear(np.concatenate(self._waiting))
        return self._heard.findings()

    def _hear(self, samples: NDArray[np.float32]) -> None:
        vectors = _encoder().embed((samples, self._rate)).vector[None]
        self._heard.add(vectors, self.logits(vectors, samples), np.array([len(samples) / self._rate]))

    def logits(self, vectors: NDArray[np.float32], samples: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logits of the tags (1, n_tags) of a segment, by its vector (1, 512) or its samples (n,)."""
        return read().logits(vectors)


class MusicnnMood(SoundMood):
    """The same, with tags of MusiCNN itself; AudioSet's classes are heard by the head."""

    version, as_good, who = WITH_MUSICNN, frozenset(), "musicnn"

    def logits(self, vectors: NDArray[np.float32], samples: NDArray[np.float32]) -> NDArray[np.float64]:
        """The first 100 are MusiCNN's."""
        found = super().logits(vectors, samples)
        tags = logit(musicnn.probabilities(samples, self._rate))
        found[0, : len(tags)] = tags
        return found


@lru_cache(maxsize=1)
def _encoder() -> Encoder:
    from sonovec.embedding.encoder import load

    return load(DEFAULT, jobs=1)
