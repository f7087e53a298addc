"""The recogniser of Whisper, through faster-whisper and CTranslate2.

Each stretch runs alone, in the 30 seconds that Whisper hears, on one thread: as fast as batches on a processor, and what is
heard in it cannot depend on others. Nothing is drawn by chance: where the text of the plain search repeats itself or is
improbable, the search is run again with repeats forbidden (Radford et al. 2022, section 4.5, draws at rising temperatures
there).
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError, WeightsError
from sonovec.extras import require
from sonovec.paths import display
from sonovec.runtime.network import settle_jobs
from sonovec.speech import whisper_files
from sonovec.speech.transcript import Segment, Word
from sonovec.speech.whisper_files import Files
from sonovec.words import listed

#: Changes with what text becomes of the same sound.
VERSION = 1
#: Seconds that Whisper hears at once, and mel frames of them.
LONGEST, FRAMES = 30.0, 3000
#: A text repeats itself if it is compressed to less than one part in this many.
REPEATS = 2.4
#: A text is improbable if the mean log probability of its tokens is less.
IMPROBABLE = -1.0
#: The probability of silence from which on an improbable text is none.
SILENCE = 0.6
#: The searches, in the order in which they are tried: each number replaces that of the search before.
RETRIES: tuple[dict[str, int], ...] = (
    {},
    {"beam_size": 5, "no_repeat_ngram_size": 4},
    {"beam_size": 5, "no_repeat_ngram_size": 2},
)
#: Marks that belong to the word before or behind them.
OPENING, CLOSING = "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、"
#: Types that CTranslate2 computes in, by precision.
TYPES = {"auto": "int8", "int8": "int8", "f32": "float32", "bf16": "bfloat16"}


@dataclass(frozen=True)
class _Found:
    """A text that a search gave."""

    tokens: list[int]
    log_probability: float
    silence: float
    repeats: bool

    @property
    def is_fine(self) -> bool:
        """Whether no other search is needed."""
        return not self.repeats and (self.log_probability >= IMPROBABLE or self.silence > SILENCE)

    @property
    def is_speech(self) -> bool:
        """Whether it is kept."""
        return self.log_probability >= IMPROBABLE or self.silence <= SILENCE


class WhisperRecogniser:
    """Text from stretches of speech by Whisper; made by `sonovec.speech.load`.

    Parameters
    ----------
    files : Files
        See `whisper_files.find`.
    language : str, optional
        The language that is heard where none is asked for; without it, that of each stretch is detected.
    beam : int
        Texts that are kept as one is searched for.
    hot_words : sequence of str
        Words that the model is told before.
    precision : {"auto", "int8", "f32", "bf16"}
        auto is int8 on a processor, and float16 on CUDA.
    device : {"auto", "cpu", "cuda"}
    jobs : int, optional
        Stretches that are heard at once.
    """

    longest = LONGEST

    def __init__(
        self,
        files: Files,
        language: str | None = None,
        beam: int = 1,
        hot_words: Sequence[str] = (),
        precision: str = "auto",
        device: str = "auto",
        jobs: int | None = None,
    ) -> None:
        self.name = files.name
        self._beam, self._hot_words = beam, " ".join(hot_words)
        self._jobs = settle_jobs(jobs)
        device, kind = _computed(precision, device)
        self._model = _opened(files.folder, device, kind, self._jobs)
        self.languages: tuple[str, ...] = tuple(self._model.supported_languages)
        self._language = self._checked(language)
        parts = (VERSION, files.digest, kind, beam, self._hot_words, self._language, RETRIES)
        self.version = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    def hear(self, stretches: Sequence[NDArray[np.float32]], language: str | None = None) -> list[list[Segment]]:
        """Give the segments of each stretch; see `Recogniser.hear`."""
        asked = self._checked(language) or self._language
        with ThreadPoolExecutor(self._jobs) as threads:
            return list(threads.map(lambda stretch: self._segments(stretch, asked), stretches))

    def _checked(self, language: str | None) -> str | None:
        if language is not None and language not in self.languages:
            raise UsageError(f"language={language!r}: {self.name} has {listed(self.languages)}")
        return language

    def _segments(self, stretch: NDArray[np.float32], language: str | None) -> list[Segment]:
        if not len(stretch):
            return []
        features = self._model.feature_extractor(stretch)[..., :FRAMES]
        frames = min(FRAMES, -(-len(stretch) // self._model.feature_extractor.hop_length))
        sound = self._model.encode(np.pad(features, ((0, 0), (0, FRAMES - features.shape[1]))))
        code = language or self._detected(sound)
        tokenizer = self._tokenizer(code)
        found = self._searched(sound, tokenizer)
        if not found.is_speech:
            return []
        words = self._words(found.tokens, tokenizer, sound, frames)
        if not words:
            return []
        return [Segment.of(words, tokenizer.decode(found.tokens).strip(), code)]

    def _detected(self, sound: Any) -> str:
        if len(self.languages) == 1:
            return self.languages[0]
        ((token, _), *_) = self._model.model.detect_language(sound)[0]
        return str(token[2:-2])

    def _tokenizer(self, language: str) -> Any:
        from faster_whisper.tokenizer import Tokenizer

        return Tokenizer(
            self._model.hf_tokenizer, self._model.model.is_multilingual, task="transcribe", language=language
        )

    def _searched(self, sound: Any, tokenizer: Any) -> _Found:
        """The text of the first search that gives a fine one, or else the most probable of those that repeat least."""
        prompt = self._model.get_prompt(tokenizer, [], without_timestamps=True, hotwords=self._hot_words or None)
        suppressed = _suppressed(tokenizer)
        tried: list[_Found] = []
        for change in RETRIES:
            given = self._model.model.generate(
                sound,
                [prompt],
                return_scores=True,
                return_no_speech_prob=True,
                suppress_tokens=suppressed,
                **{"beam_size": self._beam, **change},
            )[0]
            tokens = given.sequences_ids[0]
            probable = given.scores[0] * len(tokens) / (len(tokens) + 1)
            tried.append(_Found(tokens, probable, given.no_speech_prob, _repeats(tokenizer.decode(tokens))))
            if tried[-1].is_fine:
                return tried[-1]
        return max(tried, key=lambda found: (not found.repeats, found.log_probability))

    def _words(self, tokens: list[int], tokenizer: Any, sound: Any, frames: int) -> list[Word]:
        from faster_whisper.transcribe import merge_punctuations

        said = [token for token in tokens if token < tokenizer.eot]
        (timed,) = self._model.find_alignment(tokenizer, [said], sound, frames) if said else [[]]
        merge_punctuations(timed, OPENING, CLOSING)
        words, free = list[Word](), 0.0
        for each in timed:
            if text := each["word"].strip():
                start = max(free, float(each["start"]))
                free = max(start, float(each["end"]))
                words.append(Word(start, free, text, min(1.0, float(each["probability"]))))
        return words


def _suppressed(tokenizer: Any) -> list[int]:
    """Tokens that no text has: signs for what is no speech, and tokens that steer the model."""
    steering = (tokenizer.transcribe, tokenizer.translate, tokenizer.sot, tokenizer.sot_prev, tokenizer.sot_lm)
    signs = (*tokenizer.non_speech_tokens, *steering, tokenizer.no_speech)
    return sorted({token for token in signs if token is not None})


def _repeats(text: str) -> bool:
    """Whether a text repeats itself.

    Examples
    --------
    >>> _repeats("What is said once."), _repeats("What is said. " * 8)
    (False, True)
    """
    content = text.strip().encode()
    return len(content) > REPEATS * len(zlib.compress(content))


def _computed(precision: str, device: str) -> tuple[str, str]:
    """The device, and the type that CTranslate2 computes in there."""
    import_ctranslate2()
    import ctranslate2

    if precision not in TYPES:
        raise UsageError(f"precision={precision!r} is unknown; give one of: {', '.join(TYPES)}")
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"device={device!r} is unknown; give one of: auto, cpu, cuda")
    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    kind = "float16" if precision == "auto" and device == "cuda" else TYPES[precision]
    able = ctranslate2.get_supported_compute_types(device)
    if kind not in able:
        raise UsageError(f"precision={precision!r}: CTranslate2 does not compute in {kind} here; give auto or f32")
    return device, kind


def import_ctranslate2() -> None:
    """Import what runs Whisper.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    require("faster_whisper", "Whisper", "speech")


def _opened(folder: Path, device: str, kind: str, jobs: int) -> Any:
    from faster_whisper import WhisperModel

    try:
        return WhisperModel(str(folder), device=device, compute_type=kind, cpu_threads=1, num_workers=jobs)
    except Exception as error:  # CTranslate2 raises RuntimeError and ValueError, tokenizers Exception itself
        reason = " ".join(str(error).split())[:160]
        raise WeightsError(
            f"{display(folder)}: cannot be read as a Whisper model ({reason}); fetch it again"
        ) from error


def load(name: str, options: Mapping[str, Any]) -> WhisperRecogniser:
    """The recogniser of a name, with the options of `sonovec.speech.load`."""
    import_ctranslate2()
    files = whisper_files.find(name, options["weights"])
    taken = ("language", "beam", "hot_words", "precision", "device", "jobs")
    return WhisperRecogniser(files, **{option: options[option] for option in taken})
