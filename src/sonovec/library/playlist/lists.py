"""A playlist, as it was made: its tracks in order, and why there are no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sonovec.brief import shortened
from sonovec.library.playlist import files
from sonovec.library.playlist.cues import Cues
from sonovec.library.playlist.files import Item, LeftOut
from sonovec.library.records import Value, title_of
from sonovec.music.keys import Key
from sonovec.paths import display


@dataclass(frozen=True)
class Step:
    """How far a track lies from the one before it: `sound`, `tempo` and `key`, each as `Weights` says, None for unknown.

    `cost` is their sum by the weights.
    """

    sound: float
    tempo: float | None
    key: float | None
    cost: float


@dataclass(frozen=True, repr=False)
class Listed:
    """A track of a playlist.

    Attributes
    ----------
    id, path : str
        The track, as in a `Hit`.
    seconds : float
        How long it is heard: between its cue points, where there are any.
    tempo : float or None
        In beats a minute: the heard one or the file's.
    key : Key or None
    score : float or None
        Cosine similarity with the nearest seed; None without seeds.
    step : Step or None
        From the track before it.
    cues : Cues or None
        Of a playlist without gaps.
    fields : mapping
        Everything else that is stored with the track.
    """

    id: str
    path: str
    seconds: float
    tempo: float | None
    key: Key | None
    score: float | None
    step: Step | None
    cues: Cues | None = None
    fields: Mapping[str, Value] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What the file says is its title, or else the file's name without its ending."""
        return title_of(self.path, self.fields)

    def __repr__(self) -> str:
        return f"Listed({shortened(display(self.path))}, {self.tempo} BPM, {self.key})"

    @property
    def item(self) -> Item:
        """What files hold of it."""
        known = {files.TEMPO: self.tempo and f"{self.tempo:g}", files.KEY: self.key and str(self.key)}
        about = {name: text for name, text in known.items() if text}
        start, end = (None, None) if self.cues is None else (self.cues.start, self.cues.end)
        return Item(self.path, self.fields, start, end, self.cues, about)

    def to_json(self) -> dict[str, Any]:
        """All of it but `fields`, with artist and title, as JSON values."""
        return {
            "id": self.id,
            "path": self.path,
            "title": self.title,
            "artist": self.fields.get("artist"),
            "seconds": self.seconds,
            "tempo": self.tempo,
            "key": None if self.key is None else str(self.key),
            "camelot": None if self.key is None else self.key.camelot,
            "score": self.score,
            "step": None if self.step is None else asdict(self.step),
            "cues": None if self.cues is None else self.cues.to_json(),
        }


@dataclass(frozen=True, repr=False)
class Playlist:
    """Tracks in order.

    Attributes
    ----------
    tracks : tuple of Listed
    weights : mapping of str to float
        By which distances were added up.
    min_score : float or None
        What each track scores at least, where the list was grown until no more fits.
    notes : tuple of str
        What there is to know of it, such as that there is less than was asked for.
    reason : str or None
        Why there are no tracks, where there are none: which of the conditions left nothing.
    """

    tracks: tuple[Listed, ...]
    weights: Mapping[str, float]
    min_score: float | None = None
    notes: tuple[str, ...] = ()
    reason: str | None = None

    def __len__(self) -> int:
        return len(self.tracks)

    def __iter__(self) -> Iterator[Listed]:
        return iter(self.tracks)

    def __repr__(self) -> str:
        if not self.tracks:
            return f"Playlist(no tracks: {self.reason})"
        return f"Playlist({len(self.tracks)} tracks, {self.seconds / 60:.1f} min)"

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return sum(track.seconds for track in self.tracks)

    def write(self, target: Path | str, *, title: str = "", relative_to: Path | str | None = None) -> list[LeftOut]:
        """Write it as M3U8, XSPF, JSPF or JSON, by the ending of the name.

        Parameters
        ----------
        target : path
            It ends in .m3u8, .m3u, .xspf, .jspf or .json.
        title : str
            Of the playlist.
        relative_to : path, optional
            Paths as they are seen from this folder, such as the folder of `target`; without it, paths from the root.

        Returns
        -------
        list of LeftOut
            Tracks that the format cannot hold, each with its `path` and the `reason`.

        Raises
        ------
        UsageError
            If the ending is unknown, or the file cannot be written.
        """
        items = [track.item for track in self.tracks]
        return files.write(Path(target), items, title, None if relative_to is None else Path(relative_to))

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "tracks": [track.to_json() for track in self.tracks],
            "seconds": self.seconds,
            "weights": dict(self.weights),
            "min_score": self.min_score,
            "notes": list(self.notes),
            "reason": self.reason,
        }
