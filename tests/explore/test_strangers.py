"""What does not belong, and what is new, by the ledger's times."""

from __future__ import annotations

import time

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec import demo
from sonovec.errors import UsageError
from sonovec.explore import outliers
from tests.explore.grouped import DIM, make, put, vectors


def test_a_stranger_comes_first_and_stands_out(tmp_path):
    with make(tmp_path / "library") as library:
        (lone,) = put(library, -sum(vectors(1, kind) for kind in range(3)), "lone")
        put(library, np.zeros((1, DIM), np.float32), "silence")
        found = outliers(library, neighbours=10)
        assert found.strangers[0].track.id == lone and found.strangers[0].stands_out
        assert found.strangers[0].factor > 2 and found.neighbours == 10 and found.compared == 61
        assert sum(each.stands_out for each in found.strangers) < 10 and len(found.without) == 1
        near = found.strangers[-1]
        assert near.nearest is not None and near.nearest.fields["genre"] == near.track.fields["genre"]
        assert outliers(library, filter="genre = 'Rain'", neighbours=100).neighbours == 19
        with pytest.raises(UsageError, match="neighbours=0"):
            outliers(library, neighbours=0)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_tracks_are_told(tmp_path, count):
    with make(tmp_path / "library", each=0) as library:
        put(library, vectors(count, 0), "rain")
        found = outliers(library)
        assert found.strangers == [] and found.reason == (
            f"{count} tracks have a vector with a direction, and it takes 3 to say what is unlike them"
        )


def test_equal_vectors_are_no_outliers(tmp_path):
    with make(tmp_path / "library", each=0) as library:
        put(library, np.tile(vectors(1, 0), (9, 1)), "rain")
        found = outliers(library)
        assert len(found.strangers) == 9 and not any(each.stands_out for each in found.strangers)


@pytest.mark.slow
def test_new_tracks_are_compared_with_older_ones(tmp_path):
    paths = demo.write(tmp_path / "sounds", per_kind=6)
    for path in paths:
        if path.parent.name not in ("rain", "bells"):
            path.unlink()
    first = next(path for path in paths if path.exists())
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(tmp_path / "sounds")
        assert outliers(library, since=time.time()).reason == "no track came since then"
        time.sleep(0.01)
        since = time.time()
        samples, rate = soundfile.read(first)
        soundfile.write(tmp_path / "sounds" / "new.wav", np.random.default_rng(0).uniform(-1, 1, len(samples)), rate)
        library.add(tmp_path / "sounds")
        found = outliers(library, since=since, neighbours=3)
        assert [each.track.path.endswith("new.wav") for each in found.strangers] == [True] and found.compared == 12
        assert found.strangers[0].arrived >= since
        (tmp_path / "sounds" / "new.wav").rename(tmp_path / "sounds" / "renamed.wav")
        library.add(tmp_path / "sounds", reread=True)
        assert len(outliers(library, since=since).strangers) == 1, "a file that was met again or moved is no newer"
