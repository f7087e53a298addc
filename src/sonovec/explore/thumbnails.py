"""Small spectrograms of tracks, for the cards of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import SonovecError, UsageError
from sonovec.explore.projection import watch
from sonovec.explore.record import Map
from sonovec.jobs import Watched, running
from sonovec.log import LOGGER
from sonovec.paths import from_text
from sonovec.png import heat_map

if TYPE_CHECKING:
    from sonovec.library.library import Library

#: Pixels of a picture; what is heard of a track, in seconds; decibels below the loudest that are seen.
WIDTH, BANDS, SECONDS, RANGE, RATE = 64, 24, 10.0, 70.0, 16_000
#: Tracks whose files are read for a page: each takes a moment, and a kilobyte.
MOST = 5_000


def thumbnails(library: Library, found: Map, *, progress: Watched = None) -> dict[str, bytes]:
    """A small log-mel spectrogram of the first ten seconds of each track, as PNG files by id.

    Files that are not here, or cannot be decoded, are left out, with a line in the log.

    Parameters
    ----------
    library : Library
    found : Map
    progress : True, callable or Job, optional
        Watch it, or cancel it; see `sonovec.Job`.

    Raises
    ------
    UsageError
        There are too many tracks.
    """
    if len(found) > MOST:
        raise UsageError(f"{len(found)} tracks: spectrograms are drawn of {MOST} at most; leave --thumbnails out")
    made: dict[str, bytes] = {}
    with running(progress) as job:
        tell = watch(job, "drawing", len(found))
        for done, (id, path) in enumerate(library.paths_of(found.ids).items(), start=1):
            try:
                made[id] = _picture(path)
            except (SonovecError, OSError) as error:
                LOGGER.warning("%s", f"no spectrogram: {error}")
            tell(done)
    return made


def _picture(path: str) -> bytes:
    from sonovec.audio.stream import load

    return heat_map(_levels(load(from_text(path), RATE, end=SECONDS).samples))


def _levels(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """A spectrogram from 0 to 1, high bands first, of about `WIDTH` columns.

    Examples
    --------
    >>> _levels(np.sin(np.arange(16000, dtype=np.float32))).shape
    (24, 65)
    """
    from sonovec.features.mel import LogMel

    front_end = LogMel(
        rate=RATE,
        window_length=512,
        hop_length=max(128, len(samples) // WIDTH),
        fft_length=512,
        n_mels=BANDS,
        f_min=50.0,
        f_max=RATE / 2,
        power=2,
        log_offset=1e-10,
        log="decibel",
        centre="zeros",
    )
    levels = front_end(samples[None])[0].T[::-1]
    return np.asarray((levels - levels.max()) / RANGE + 1, np.float32)
