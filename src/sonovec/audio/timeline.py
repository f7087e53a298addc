"""Where decoded sound belongs in time, by the times that its file gives it."""

from __future__ import annotations

from dataclasses import dataclass, field

#: Times of most containers are rounded, and waver around the true ones; what is below this is no gap.
JITTER = 0.05
#: Gaps that a note lists one by one.
_LISTED = 3


@dataclass
class Timeline:
    """Tells gaps in a track from times that waver, restart or are wrong.

    Times are in seconds from the beginning of the track's time.

    Attributes
    ----------
    longest : float
        Seconds of silence that gaps may come to in all; what is beyond is taken for wrong times.
    base : float
        Where the track begins in what the notes speak of.
    at : float
        End of what was placed so far.

    Examples
    --------
    >>> timeline = Timeline(longest=60)
    >>> timeline.gap_before(0.0, 1.0, following=1.0), timeline.gap_before(3.0, 1.0, following=4.0), timeline.at
    (0.0, 2.0, 4.0)
    >>> timeline.notes()
    ['no sound is stored from 1.00 to 3.00 s; silence was put there']
    """

    longest: float
    base: float = 0.0
    at: float = 0.0
    _behind: float = 0.0
    _silence: float = 0.0
    _gaps: list[tuple[float, float]] = field(default_factory=list)
    _wrong: list[tuple[float, float]] = field(default_factory=list)

    def gap_before(
        self, begins: float | None, length: float, following: float | None, tolerance: float = JITTER
    ) -> float:
        """Place the next piece of sound, and give how many seconds of silence go before it.

        Parameters
        ----------
        begins : float or None
            When its file says that it begins; None where nothing is said.
        length : float
            Of the piece, in seconds.
        following : float or None
            When the piece behind it begins: a time that it does not agree with is wrong.
        tolerance : float
            Gaps up to this are none.
        """
        gap = 0.0
        if begins is not None:
            gap = self._judge(begins, length, following, tolerance)
        self.add_gap(gap)
        self.at += length
        return gap

    def add_gap(self, gap: float) -> None:
        """Place silence."""
        if gap > 0:
            self._silence += gap
            self._gaps.append((self.base + self.at, self.base + self.at + gap))
            self.at += gap

    def notes(self) -> list[str]:
        """Say what was missing, in one sentence for all of it."""
        notes = []
        if self._gaps and self._gaps[0][0] == 0:
            notes.append(f"the sound begins at {self._gaps[0][1]:.2f} s of the file's time; silence was put before it")
        inner = [gap for gap in self._gaps if gap[0] > 0]
        if inner and len(inner) <= _LISTED:
            spans = ", ".join(f"from {start:.2f} to {end:.2f} s" for start, end in inner)
            notes.append(f"no sound is stored {spans}; silence was put there")
        elif inner:
            total = sum(end - start for start, end in inner)
            notes.append(
                f"no sound is stored at {len(inner)} places, the first from {inner[0][0]:.2f} to {inner[0][1]:.2f} s, "
                f"{total:.2f} s in all; silence was put there"
            )
        if self._wrong:
            at, gap = self._wrong[0]
            notes.append(f"the file's times jump by {gap:.0f} s at {at:.2f} s, which was taken for an error")
        return notes

    def _judge(self, begins: float, length: float, following: float | None, tolerance: float) -> float:
        gap = begins - self._behind - self.at
        if abs(gap) <= tolerance:
            return 0.0
        if abs(begins - self.at) <= JITTER:  # times that went astray are right again
            self._behind = 0.0
            return 0.0
        if following is not None and not -JITTER <= following - begins - length <= self.longest:
            return 0.0  # one wrong time among right ones
        if 0 < gap <= self.longest - self._silence:
            return gap
        if gap > 0:
            self._wrong.append((self.base + self.at, gap))
        # Times that begin again, overlap or are wrong drop no sound, and the next gap counts from here.
        self._behind += gap
        return 0.0
