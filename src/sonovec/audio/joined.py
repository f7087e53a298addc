"""The parts of a file, decoded by FFmpeg one behind another, as one sound."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.decoder import Regroup, UndecodableError
from sonovec.audio.ffmpeg import Track, longest_gap, silence
from sonovec.audio.parts import Part, Parts
from sonovec.audio.section import Section
from sonovec.audio.timeline import Timeline

_MOST_REFUSED = 16


class FFmpegDecoder:
    """Reads an open file through FFmpeg; see `sonovec.audio.decoder.Decoder`."""

    name = "FFmpeg"

    def __init__(self, file: Section) -> None:
        self._parts = Parts(file)
        self._left = iter(self._parts)
        self._notes: list[str] = []
        self._refused = 0
        self._gaps = Timeline(longest=longest_gap(file))
        self._given = 0
        self._track = self._first()
        self.codec, self.rate, self.channels = self._track.codec, self._track.rate, self._track.channels
        self.claimed = None if self._parts.joined else self._track.claimed
        self._blocks = Regroup(self._chunks(), self.channels)

    @property
    def notes(self) -> list[str]:
        """What is worth knowing of the file, a sentence each; complete once all is read."""
        return list(dict.fromkeys([*self._parts.notes, *self._notes, *self._gaps.notes(), *self._track.notes]))

    @property
    def tolerance(self) -> float:
        """By how many seconds the claim may be wrong."""
        return self._track.tolerance

    def read(self, frames: int) -> NDArray[np.float32]:
        """Give the next frames; see `Decoder.read`."""
        return self._blocks.read(frames)

    def seek(self, frame: int, /) -> int:
        """Go to a frame, or a little before it, where its container knows each frame's place."""
        if self._parts.joined or not self._track.seekable:
            return 0
        reached = self._track.seek(frame)
        if reached is None:
            self._track.close()
            self._left = iter(self._parts)
            self._track = self._first()
        return reached or 0

    def close(self) -> None:
        """Free the decoder."""
        self._track.close()

    def _first(self) -> Track:
        """Open the first part that decodes."""
        refused: UndecodableError | None = None
        for part in self._following():
            try:
                return Track(part.source)
            except UndecodableError as error:
                refused = refused or error
                self._note_refused(part, error)
        raise refused or UndecodableError("no stream begins in it")

    def _chunks(self) -> Iterator[NDArray[np.float32]]:
        link_given, link_begins = 0, self._track.begins
        yield from self._of_track()
        for part in self._following():
            try:
                track = Track(part.source, like=self._track, base=self._given / self.rate)
            except UndecodableError as error:
                self._note_refused(part, error)
                continue
            self._notes += self._track.notes
            self._track.close()
            self._track = track
            if not part.continues:
                link_given, link_begins = self._given, track.begins
            elif track.begins is not None and link_begins is not None:
                yield from self._lost(track.begins - link_begins - (self._given - link_given) / self.rate)
            yield from self._of_track()

    def _of_track(self) -> Iterator[NDArray[np.float32]]:
        for chunk in self._track.chunks():
            self._given += len(chunk)
            yield chunk

    def _lost(self, seconds: float) -> Iterator[NDArray[np.float32]]:
        """Silence in place of what is lost between two parts of one stream."""
        if not 0 < seconds <= self._gaps.longest:
            return
        self._gaps.at = self._given / self.rate
        self._gaps.add_gap(seconds)
        frames = round(seconds * self.rate)
        self._given += frames
        yield from silence(frames, self.channels)

    def _following(self) -> Iterator[Part]:
        """Give the parts that are left, as long as not too many of them are refused."""
        for part in self._left:
            if self._refused > _MOST_REFUSED:
                self._notes.append(f"more than {_MOST_REFUSED} parts do not decode; what follows was not read")
                return
            yield part

    def _note_refused(self, part: Part, error: UndecodableError) -> None:
        self._refused += 1
        size = f", {len(part.source)} bytes," if isinstance(part.source, Section) else ""
        self._notes.append(f"a part of the file{size} does not decode ({error})")
