"""What was heard in the stretches of a sound becomes one transcript: times grow, and nothing is there twice."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace

from sonovec.cleaning.silero import RATE
from sonovec.speech.cutting import OVERLAP, Place, Stretch
from sonovec.speech.transcript import Segment, Word

#: Seconds of a pause from which on a new segment begins; behind a mark that ends a sentence, a shorter one is enough.
PAUSE, SENTENCE_PAUSE = 0.8, 0.2
SENTENCE_ENDS = (".", "!", "?", "。", "！", "？", "…")
#: Seconds that a word may reach beyond the speech that voice activity found.
SLACK = 0.1
#: Seconds by which two hearings of one word may differ.
SAME = 0.5
#: Seconds that a word lasts at least, where there is room.
SHORTEST = 0.02


class Stitcher:
    """Joins what was heard in the stretches of one sound.

    Examples
    --------
    >>> import numpy as np
    >>> stretch = Stretch(np.zeros(16000, np.float32), (Place(0, 16000, 80000, 84800, 91200),))
    >>> heard = Segment.of([Word(0.1, 0.6, "Open", 0.9), Word(0.6, 0.7, "it.", 0.8)])
    >>> [(word.start, word.end, word.text) for segment in Stitcher().push(stretch, [heard]) for word in segment.words]
    [(5.2, 5.6, 'Open'), (5.6, 5.7, 'it.')]
    """

    def __init__(self) -> None:
        self._held: list[Segment] = []
        self._joint: float | None = None
        self._free = 0.0  # the end of the last word

    def push(self, stretch: Stretch, heard: Sequence[Segment]) -> list[Segment]:
        """Take what was heard in the next stretch, and give the segments that are final."""
        segments = [_placed(segment, stretch.places) for segment in heard if segment.words]
        if self._joint is not None:
            segments = _joined(self._held, segments, self._joint)
            self._held = []
        self._joint = None if stretch.joins is None else stretch.joins / RATE
        if self._joint is None:
            return self._final(segments)
        # What ends well before the joint will not change.
        last = next(
            (i for i, each in enumerate(segments) if each.end > self._joint - 2 * OVERLAP / RATE), len(segments)
        )
        self._held = segments[last:]
        return self._final(segments[:last])

    def finish(self) -> list[Segment]:
        """What waits for a stretch that did not come."""
        held, self._held, self._joint = self._held, [], None
        return self._final(held)

    def _final(self, segments: Sequence[Segment]) -> list[Segment]:
        """Segments whose words do not overlap, parted at pauses and ends of sentences."""
        found = []
        for segment in segments:
            words = _ordered(segment.words, self._free)
            self._free = words[-1].end
            found += _sentences(replace(segment, words=words))
        return found


def _placed(segment: Segment, places: Sequence[Place]) -> Segment:
    """A segment of a stretch, in the seconds of the sound."""
    words = tuple(_moved(word, places) for word in segment.words)
    return replace(segment, start=words[0].start, end=words[-1].end, words=words)


def _moved(word: Word, places: Sequence[Place]) -> Word:
    middle = (word.start + word.end) / 2 * RATE
    place = next((place for place in places if middle < place.offset + place.length), places[-1])
    word = word.moved((place.start - place.offset) / RATE)
    low = max(place.begins / RATE - SLACK, place.start / RATE)
    high = min(place.ends / RATE + SLACK, (place.start + place.length) / RATE)
    return replace(word, start=min(max(word.start, low), high), end=max(min(word.end, high), low))


def _ordered(words: Sequence[Word], free: float) -> tuple[Word, ...]:
    """Words whose times grow from `free` on, none of which begins before the one before it ends."""
    found = []
    for word in words:
        start = max(free, word.start)
        free = max(word.end, start + SHORTEST)
        found.append(replace(word, start=round(start, 3), end=round(free, 3)))
        free = found[-1].end
    return tuple(found)


def _joined(left: Sequence[Segment], right: Sequence[Segment], joint: float) -> list[Segment]:
    """Two hearings of the seconds around a joint as one: they change over at a word that both have, or else at the joint."""
    before = [word for segment in left for word in segment.words]
    after = [word for segment in right for word in segment.words]
    shared = [
        (abs((one.start + other.start) / 2 - joint), i, j)
        for i, one in enumerate(before)
        for j, other in enumerate(after)
        if abs(one.start - other.start) < SAME and _plain(one) == _plain(other)
    ]
    if shared:
        _, last, first = min(shared)
        kept, begun = last + 1, first + 1
    else:
        kept = sum(_middle(word) < joint for word in before)
        begun = sum(_middle(word) < joint for word in after)
    return [*_some(left, 0, kept), *_some(right, begun, len(after))]


def _some(segments: Sequence[Segment], first: int, last: int) -> Iterator[Segment]:
    """What is left of segments of their words from one number to another."""
    for segment in segments:
        count = len(segment.words)
        start, end = max(0, first), min(count, last)
        if start < end:
            yield segment if end - start == count else _part(segment, start, end)
        first, last = first - count, last - count


def _sentences(segment: Segment) -> list[Segment]:
    """A segment, parted at long pauses and behind sentences."""
    cuts = [0]
    for number, (word, following) in enumerate(zip(segment.words, segment.words[1:], strict=False), start=1):
        needed = SENTENCE_PAUSE if word.text.endswith(SENTENCE_ENDS) else PAUSE
        if following.start - word.end >= needed:
            cuts.append(number)
    return [_part(segment, start, end) for start, end in zip(cuts, [*cuts[1:], len(segment.words)], strict=True)]


def _part(segment: Segment, first: int, last: int) -> Segment:
    """Some of the words of a segment, with their text as it is written there: not all languages have spaces."""
    places, at = [], 0
    for word in segment.words:
        found = segment.text.find(word.text, at)
        if found < 0:
            return Segment.of(segment.words[first:last], None, segment.language)
        at = found + len(word.text)
        places.append((found, at))
    text = segment.text[places[first][0] : places[last - 1][1]]
    return Segment.of(segment.words[first:last], text, segment.language)


def _plain(word: Word) -> str:
    """A word without case and marks."""
    letters = (sign for sign in unicodedata.normalize("NFKC", word.text).casefold() if sign.isalnum())
    return "".join(letters)


def _middle(word: Word) -> float:
    return (word.start + word.end) / 2
