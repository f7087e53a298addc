"""Detectors hear sounds: each sound is decoded once, and embedded once for all detectors that take the same vectors."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sonovec.audio.decode import AudioInfo
from sonovec.embedding.embedding import Failure
from sonovec.embedding.encoder import Encoder
from sonovec.embedding.engine import UNIT
from sonovec.embedding.gather import Facts, Heard, Tap, Vectors, check_finite, times_of
from sonovec.embedding.silence import Silence
from sonovec.embedding.source import Sound, Source, check_many, check_range, source_of
from sonovec.errors import UsageError
from sonovec.jobs import Progress, Watched, running
from sonovec.learn.detector import Detector
from sonovec.learn.events import Detection, Grid, Rules, Tracker
from sonovec.library.binding import stored_encoder
from sonovec.library.records import MAIN, Space
from sonovec.library.sound_tags import chosen
from sonovec.log import LOGGER

STAGE = "listening"
#: Windows begin this often within the length of one, unless a hop is asked for; see docs/detect.md.
OVERLAP = 8


@dataclass(frozen=True)
class Detected:
    """What detectors hear in one sound.

    Attributes
    ----------
    path : Path or None
        The file, or None for samples in memory.
    duration : float
        Seconds that were decoded.
    detections : tuple of Detection
        By their start.
    notes : tuple of str
        What is worth knowing of the sound: a truncated file, silence.
    """

    path: Path | None
    duration: float
    detections: tuple[Detection, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Panel:
    """Detectors that take the vectors of one encoder, which embeds each sound once for all of them."""

    encoder: Encoder
    detectors: tuple[Detector, ...]
    rules: Rules

    def trackers(self) -> list[Tracker]:
        """What hears one sound."""
        encoder = self.encoder
        grid = Grid.of(encoder.window.length / encoder.rate, encoder.window.hop / encoder.rate)
        return [Tracker(detector, self.rules, grid) for detector in self.detectors]


def detect(
    sounds: Iterable[Sound] | str | os.PathLike[str],
    detectors: Detector | str | os.PathLike[str] | Iterable[Detector | str | os.PathLike[str]],
    *,
    threshold: float | None = None,
    classes: Iterable[str] = (),
    min_duration: float = 0.0,
    gap: float = 0.0,
    hop: float | None = None,
    explain: int = 0,
    start: float = 0.0,
    end: float | None = None,
    encoder: Encoder | None = None,
    progress: Watched = None,
) -> Iterator[Detected | Failure]:
    """Find what detectors hear in sounds, and from when to when; results come in the order of the sounds.

    Each sound is decoded once, and embedded once for all detectors that were trained on vectors of one encoder. Memory stays
    the same however long a sound is.

    Parameters
    ----------
    sounds : iterable of sounds, or a path
        Paths, Waveforms, or tuples (samples, rate), as for `Encoder.embed_many`.
    detectors : Detector or path, or several
        A path is a folder that ``sonovec train`` wrote.
    threshold : float, optional
        The probability that an event reaches, up to 1; without it each class has the threshold of its detector. An event goes
        on while the probability is at least half of it.
    classes : iterable of str
        Only these, in any case; without them all.
    min_duration : float
        Seconds; shorter events are left out.
    gap : float
        Seconds; events of one class with a pause of at most this are one.
    hop : float, optional
        Seconds from one window to the next, at most the length of a window; without it an eighth of that. Edges are finer
        with a smaller one, which takes longer.
    explain : int
        How many of the nearest training examples each event names.
    start, end : float
        Seconds of each sound.
    encoder : Encoder, optional
        That of the detectors, if it is loaded already; its hop counts if there is no `hop`.
    progress : True, callable or Job, optional
        See `sonovec.Job`.

    Returns
    -------
    iterator of Detected or Failure

    Raises
    ------
    UsageError
        If a value is out of range, no detector has a class, or a folder is no detector.
    PassportError
        If the encoder is not that of a detector; the message names what differs.
    WeightsError
        If the files of a detector or of its encoder are damaged or missing.

    Examples
    --------
    The events of a sound are in its `detections`: ``for sound in detect(["dawn.wav"], "crows.detector")``.

    >>> detect(["dawn.wav"], "crows.detector")
    Traceback (most recent call last):
    sonovec.errors.UsageError: crows.detector: is not a detector; give a folder that sonovec train wrote
    """
    if isinstance(sounds, str | os.PathLike):
        sounds = [sounds]
    check_many(sounds)
    check_range(start, end)
    given = loaded(detectors)
    wanted = chosen(classes, [name for each in given for name in each.classes], "the detectors")
    rules = Rules(threshold, wanted, min_duration, gap, explain)
    return listened(panels(given, rules, hop, encoder), sounds, start, end, progress)


def loaded(
    detectors: Detector | str | os.PathLike[str] | Iterable[Detector | str | os.PathLike[str]],
) -> list[Detector]:
    """Detectors, from folders where they are not loaded yet.

    Raises
    ------
    UsageError
        If there is none, or two have one name.
    """
    several = [detectors] if isinstance(detectors, Detector | str | os.PathLike) else list(detectors)
    found = [each if isinstance(each, Detector) else Detector.load(Path(each)) for each in several]
    if not found:
        raise UsageError("no detectors; give the folder of one, such as crows.detector")
    sources = [each.source for each in found]
    if twice := next((source for source in sources if sources.count(source) > 1), None):
        raise UsageError(f"the detector {twice} is given twice; give each once")
    return found


def panels(
    detectors: Sequence[Detector],
    rules: Rules,
    hop: float | None = None,
    encoder: Encoder | None = None,
    **settings: Any,
) -> list[Panel]:
    """Detectors by the encoder that they take, which is loaded with a hop; `settings` are those of `sonovec.load`.

    Raises
    ------
    PassportError
        An encoder is not the one that a detector was trained with.
    """
    groups: list[list[Detector]] = []
    for detector in detectors:
        group = next((group for group in groups if group[0].takes(detector.passport)), None)
        if group is None:
            groups.append([detector])
        else:
            group.append(detector)
    if len(groups) > 1:
        names = ", ".join(sorted({group[0].passport.model for group in groups}))
        LOGGER.warning(
            "these detectors take vectors of %d encoders (%s): each sound is embedded %d times",
            len(groups),
            names,
            len(groups),
        )
    return [Panel(_encoder(group, hop, encoder, settings), tuple(group), rules) for group in groups]


def _encoder(
    group: Sequence[Detector], hop: float | None, encoder: Encoder | None, settings: dict[str, Any]
) -> Encoder:
    used = encoder or encoder_of(group[0], **settings)
    for detector in group:
        detector.check(used.passport)
    length = used.window.length / used.rate
    if hop is None:
        if encoder is not None:
            return encoder
        hop = max(1, used.window.length // OVERLAP) / used.rate
    if not 0 < hop <= length:
        raise UsageError(
            f"hop={hop:g}: a window of {used.card.name!r} is {length:g} s long; give more than 0, up to that"
        )
    return used.with_hop(hop)


def encoder_of(detector: Detector, model: str | None = None, weights: str | None = None, **settings: Any) -> Encoder:
    """The encoder that a detector was trained with; `model` and `weights` say where it lies, if it was moved.

    Raises
    ------
    PassportError
        What is found there is another one.
    LibraryError
        It is a network of the user's own, and is nowhere to be found.
    """
    options = dict(detector.model.get("options", {}))
    dim = len(detector.head.center)
    space = Space(MAIN, dim, detector.passport.to_json(), 0.0, str(detector.model["name"]), options)
    encoder = stored_encoder(f"detector {detector.name!r}", space, model, weights, settings)
    detector.check(encoder.passport)
    return encoder


class _Listening:
    """A sink that gives the vectors of a sound to trackers, and keeps nothing but the events."""

    def __init__(self, source: Source, heard: Heard, trackers: Sequence[Tracker]) -> None:
        self._source, self._heard, self._trackers = source, heard, trackers
        self._silence = Silence()
        self._found: list[Detection] = []

    def begin(self, info: AudioInfo) -> Tap | None:
        """Nothing hears the blocks but the encoder."""

    def end(self) -> None:
        """Nobody has to be waited for."""

    def push(self, vectors: Vectors) -> None:
        """Take the next windows."""
        check_finite(vectors.rows, self._source)
        self._silence.add(vectors.levels, vectors.silent)
        places = np.stack([vectors.starts, vectors.ends], axis=1)
        times = times_of(places, self._source, self._heard.passport)
        for tracker in self._trackers:
            self._found += tracker.push(times, vectors.rows[:, : self._heard.dim], vectors.silent)

    def finish(self, facts: Facts) -> Detected:
        """All events, by their start."""
        for tracker in self._trackers:
            self._found += tracker.finish()
        notes = [*facts.notes, *([self._silence.note] if self._silence.note else [])]
        return Detected(self._source.path, facts.duration, _ordered(self._found), tuple(notes))


def _ordered(found: Iterable[Detection]) -> tuple[Detection, ...]:
    return tuple(sorted(found, key=lambda each: (each.start, -each.probability, each.name)))


def listened(
    used: Sequence[Panel],
    sounds: Iterable[Sound],
    start: float = 0.0,
    end: float | None = None,
    progress: Watched = None,
) -> Iterator[Detected | Failure]:
    """What panels hear in sounds, in their order; see `detect`."""
    several = list(sounds) if len(used) > 1 or isinstance(sounds, Sequence) else sounds
    total = len(several) if isinstance(several, Sequence) else None
    with running(progress) as job:
        runs = [
            panel.encoder.engine.run_many(
                (source_of(sound, start, end) for sound in several),
                lambda source, panel=panel: _Listening(source, panel.encoder.engine.heard, panel.trackers()),  # type: ignore[misc]
                lambda done, seconds: job.report(Progress(STAGE, done, total, UNIT, seconds)),
            )
            for panel in used
        ]
        try:
            for results in zip(*runs, strict=True):
                yield _together(results)
        finally:
            for run in runs:
                run.close()


def _together(results: Sequence[Detected | Failure]) -> Detected | Failure:
    """What the detectors of several encoders hear in one sound."""
    if failed := next((each for each in results if isinstance(each, Failure)), None):
        return failed
    heard = [each for each in results if isinstance(each, Detected)]
    notes = dict.fromkeys(note for each in heard for note in each.notes)
    found = _ordered(event for each in heard for event in each.detections)
    return Detected(heard[0].path, heard[0].duration, found, tuple(notes))
