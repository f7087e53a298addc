"""From sounds to transcripts: only where somebody speaks, whatever the length, in bounded memory.

A sound is decoded once and cut into stretches while it comes (`sonovec.speech.cutting`), a recogniser hears them, those of
several sounds together, and what it hears is joined (`sonovec.speech.stitching`).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.cleaning.chain import Cleaning
from sonovec.cleaning.voice import NAME
from sonovec.embedding.embedding import Failure
from sonovec.embedding.source import Sound, Source, check_many, check_range, open_source, source_of
from sonovec.jobs import Job, Progress, Watched, running
from sonovec.log import as_failure
from sonovec.speech.cutting import Cutter, Stretch
from sonovec.speech.denoised import AsItIs, Denoised
from sonovec.speech.recogniser import RATE, Recogniser
from sonovec.speech.stitching import Stitcher
from sonovec.speech.transcript import Segment, Transcript

#: Changes with voice activity, cutting or stitching: what is heard of a sound changes with it.
VERSION = f"{NAME}/1"
STAGE, UNIT = "transcribing", "sounds"
#: Stretches that are heard together: with more of them no core waits for the last, and they take more memory.
GROUP = 16
#: Seconds after which a live stream that never pauses is cut.
LIVE_LONGEST = 15.0
NOBODY = "nobody speaks in it"


class Transcribing:
    """One sound while it comes: samples in, segments out.

    Parameters
    ----------
    recogniser : Recogniser
    language : str, optional
        A code that the recogniser knows; without it a model that can tells the language of each stretch itself.
    live : bool
        Hear each turn of speech as soon as its pause has begun; without it several are heard together, with more context
        for each other.
    denoise : bool
        Take steady noise out of what is heard, by `sonovec.cleaning.denoise`; segments come up to four seconds later.

    Attributes
    ----------
    seconds : float
        Of sound that came.
    """

    def __init__(
        self, recogniser: Recogniser, language: str | None = None, live: bool = False, denoise: bool = False
    ) -> None:
        self._recogniser, self._language = recogniser, language
        longest = min(recogniser.longest, LIVE_LONGEST) if live else recogniser.longest
        self._reader = Reader(longest, together=not live, denoise=denoise)
        self._stitcher = Stitcher()

    def push(self, block: NDArray[np.float32]) -> list[Segment]:
        """Take samples, float32 ``(n,)`` at 16 kHz, and give the segments that are final, in seconds of the sound."""
        return self._heard(self._reader.push(block))

    def finish(self) -> list[Segment]:
        """The rest, at the end of the sound."""
        return [*self._heard(self._reader.finish()), *self._stitcher.finish()]

    @property
    def seconds(self) -> float:
        """Seconds of sound that came."""
        return self._reader.seconds

    @property
    def notes(self) -> list[str]:
        """What cleaning says of the sound; complete behind the end."""
        return self._reader.notes

    def _heard(self, stretches: Sequence[Stretch]) -> list[Segment]:
        heard = self._recogniser.hear([each.samples for each in stretches], self._language) if stretches else []
        found: list[Segment] = []
        for stretch, segments in zip(stretches, heard, strict=True):
            found += self._stitcher.push(stretch, segments)
        return found


class Reader:
    """Cuts one sound into stretches, without its steady noise if that is wanted.

    Parameters
    ----------
    longest, together
        As for `sonovec.speech.cutting.Cutter`.
    denoise : bool
    """

    def __init__(self, longest: float, together: bool = True, denoise: bool = False) -> None:
        self._cutter = Cutter(longest, together)
        self._noise: Denoised | AsItIs = Denoised() if denoise else AsItIs()

    @property
    def seconds(self) -> float:
        """Seconds of sound that were cut."""
        return self._cutter.seconds

    @property
    def notes(self) -> list[str]:
        """What cleaning says of the sound; complete behind the end."""
        return list(self._noise.notes)

    def push(self, block: NDArray[np.float32]) -> list[Stretch]:
        """Take samples, float32 ``(n,)`` at 16 kHz, and give the stretches that are complete."""
        return [stretch for clean, raw in self._noise.push(block) for stretch in self._cutter.push(clean, raw)]

    def finish(self) -> list[Stretch]:
        """The rest, at the end of the sound."""
        rest = [stretch for clean, raw in self._noise.finish() for stretch in self._cutter.push(clean, raw)]
        return rest + self._cutter.finish()


def transcribe(
    sounds: Iterable[Sound] | str | os.PathLike[str],
    model: str | os.PathLike[str] | Recogniser,
    *,
    language: str | None = None,
    start: float = 0.0,
    end: float | None = None,
    denoise: bool = False,
    progress: Watched = None,
    **options: Any,
) -> Iterator[Transcript | Failure]:
    """Write down what is said in sounds; results come in the order of the sounds.

    Each sound is decoded once. Only what voice activity (Silero) takes for speech is heard, cut in pauses; memory stays the
    same however long a sound is. The text of a sound does not depend on the others.

    Parameters
    ----------
    sounds : iterable of sounds, or a path
        Paths, Waveforms, or tuples (samples, rate), as for `Encoder.embed_many`.
    model : str, path or Recogniser
        A Whisper model by size ("tiny", "base.en", "large-v3"), or a Whisper or CTC model by hub id or folder; or what
        `sonovec.speech.load` gave.
    language : str, optional
        A code such as "en"; without it a model that can tells the language itself.
    start, end : float
        Seconds of each sound.
    denoise : bool
        Take steady noise out of what is heard, with `noisereduce`; docs/noise.md says when that helps.
    progress : True, callable or Job, optional
        See `sonovec.Job`.
    **options
        Those of `sonovec.speech.load`: beam, language_model, hot_words, precision, jobs and others.

    Returns
    -------
    iterator of Transcript or Failure
        Times are seconds of the whole sound; they grow, and no words overlap.

    Raises
    ------
    UsageError
        If a value is out of range, or no model has that name.
    WeightsError
        If files of the model are damaged, or missing and cannot be fetched.
    MissingExtraError
        If a package is not installed that the model or voice activity needs.

    Examples
    --------
    The text of one file is that of its transcript: ``next(transcribe("talk.mp3", "base.en")).text``.

    >>> transcribe(["talk.mp3"], "basic.en")
    Traceback (most recent call last):
    sonovec.errors.UsageError: recogniser 'basic.en' is no folder, ...
    """
    if isinstance(sounds, str | os.PathLike):
        sounds = [sounds]
    check_many(sounds)
    check_range(start, end)
    recogniser = loaded(model, language, options)
    return transcribed(sounds, recogniser, language, start, end, denoise, progress)


def loaded(model: str | os.PathLike[str] | Recogniser, language: str | None, options: dict[str, Any]) -> Recogniser:
    """A recogniser, which is loaded if it is not yet."""
    if isinstance(model, str | os.PathLike):
        from sonovec.speech.loading import load

        return load(model, language=language, **options)
    if options:
        raise TypeError(f"{next(iter(options))}: of a recogniser that is loaded nothing can be chosen any more")
    return model


def transcribed(
    sounds: Iterable[Sound],
    recogniser: Recogniser,
    language: str | None = None,
    start: float = 0.0,
    end: float | None = None,
    denoise: bool = False,
    progress: Watched = None,
) -> Iterator[Transcript | Failure]:
    """What a recogniser hears in sounds, in their order; see `transcribe`."""
    Cleaning(denoise=denoise).check()
    total = len(sounds) if isinstance(sounds, Sized) else None
    with running(progress) as job:
        desk = _Desk(recogniser, language, denoise, job, total)
        for sound in sounds:
            yield from desk.take(source_of(sound, start, end))
        yield from desk.finish()


@dataclass(eq=False)
class _Sheet:
    """A sound on its way: what was heard in it, and how many of its stretches are still to be heard."""

    source: Source
    stitcher: Stitcher = field(default_factory=Stitcher)
    segments: list[Segment] = field(default_factory=list)
    waiting: int = 0
    result: Transcript | Failure | None = None  # once it was read, without its segments


class _Desk:
    """Reads sounds one behind the other, and has their stretches heard in groups."""

    def __init__(
        self, recogniser: Recogniser, language: str | None, denoise: bool, job: Job, total: int | None
    ) -> None:
        self._recogniser, self._language, self._denoise = recogniser, language, denoise
        self._job, self._total = job, total
        self._model = f"{recogniser.name}@{recogniser.version}"
        self._sheets: deque[_Sheet] = deque()  # not given yet
        self._waiting: list[tuple[_Sheet, Stretch]] = []
        self._done, self._seconds = 0, 0.0

    def take(self, source: Source) -> Iterator[Transcript | Failure]:
        """Read a sound, and give the results that are complete by then."""
        sheet = _Sheet(source)
        self._sheets.append(sheet)
        before = self._seconds
        try:
            sheet.result = self._read(sheet, before)
        except Exception as error:  # noqa: BLE001 - it is this sound's alone
            sheet.result = Failure(source.path, as_failure(source.name, error))
        yield from self._complete()

    def finish(self) -> Iterator[Transcript | Failure]:
        """The rest, when no more sounds come."""
        self._hear()
        yield from self._complete()

    def _read(self, sheet: _Sheet, before: float) -> Transcript:
        reader = Reader(self._recogniser.longest, denoise=self._denoise)
        with open_source(sheet.source, RATE) as stream:
            for block in stream:
                self._put(sheet, reader.push(block))
                self._seconds = before + reader.seconds
                self._report()
            self._put(sheet, reader.finish())
            duration = stream.source_frames / stream.info.rate
            return Transcript((), duration, model=self._model, notes=(*stream.notes, *reader.notes))

    def _put(self, sheet: _Sheet, stretches: Sequence[Stretch]) -> None:
        for stretch in stretches:
            sheet.waiting += 1
            self._waiting.append((sheet, stretch))
            if len(self._waiting) >= GROUP:
                self._hear()

    def _hear(self) -> None:
        """Have all stretches heard that wait."""
        group, self._waiting = self._waiting, []
        if not group:
            return
        heard = self._recogniser.hear([stretch.samples for _, stretch in group], self._language)
        for (sheet, stretch), segments in zip(group, heard, strict=True):
            sheet.waiting -= 1
            sheet.segments += sheet.stitcher.push(stretch, segments)
        self._report()

    def _complete(self) -> Iterator[Transcript | Failure]:
        """The results of the first sounds of which nothing waits."""
        while self._sheets and self._sheets[0].result is not None and not self._sheets[0].waiting:
            sheet = self._sheets.popleft()
            self._done += 1
            self._report()
            yield _result(sheet)

    def _report(self) -> None:
        self._job.report(Progress(STAGE, self._done, self._total, UNIT, self._seconds))


def _result(sheet: _Sheet) -> Transcript | Failure:
    """The transcript of a sound of which everything was heard."""
    if not isinstance(sheet.result, Transcript):
        assert sheet.result is not None
        return sheet.result
    moved = sheet.source.start
    segments = [*sheet.segments, *sheet.stitcher.finish()]
    segments = [each.moved(moved) for each in segments] if moved else segments
    notes = sheet.result.notes if segments else (*sheet.result.notes, NOBODY)
    return Transcript(segments, sheet.result.duration, language_of(segments), sheet.result.model, notes)


def language_of(segments: Sequence[Segment]) -> str:
    """The language of the most speech; empty where there is none.

    Examples
    --------
    >>> language_of([Segment(0.0, 1.0, "Ja.", language="de"), Segment(1.0, 3.0, "Oh yes.", language="en")])
    'en'
    """
    seconds: dict[str, float] = {}
    for each in segments:
        seconds[each.language] = seconds.get(each.language, 0.0) + each.end - each.start
    return max(seconds, key=seconds.__getitem__, default="")
