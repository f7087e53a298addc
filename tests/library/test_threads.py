"""A library that threads share: what it needs is made once, and searches are those of one thread."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.embedding import encoder as encoders
from sonovec.errors import AudioError

CALLERS = 12


@pytest.fixture
def sounds(tmp_path):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for n in range(4):
        soundfile.write(folder / f"{n}.wav", np.random.default_rng(n).standard_normal(32000) / 9, 16000)
    return folder


def together(*calls):
    """Call all at the same moment, each in a thread of its own."""
    barrier = threading.Barrier(len(calls))

    def begin(call):
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(begin, calls))


def test_what_a_library_needs_is_made_once(sounds, tmp_path, monkeypatch):
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(sounds)
    with sonovec.Library(tmp_path / "library", model="logmel", hop=0.5) as library:
        library.add(sounds, space="second")
    loaded, original = [], encoders.load_with

    def load(*arguments, **options):
        loaded.append(arguments)
        return original(*arguments, **options)

    monkeypatch.setattr(encoders, "load_with", load)
    with sonovec.Library(tmp_path / "library") as library:
        assert len(set(map(id, together(*[lambda: library.encoder] * CALLERS)))) == 1
        assert len(set(map(id, together(*[lambda: library.encoder_of("second")] * CALLERS)))) == 1
        assert len(loaded) == 2
        assert len(set(map(id, together(*[lambda: library.ledger] * CALLERS)))) == 1


@pytest.mark.slow
def test_threads_search_while_one_indexes(sounds, tmp_path):
    sound = (np.random.default_rng(9).standard_normal(24000).astype(np.float32) / 9, 16000)
    more = tmp_path / "more"
    more.mkdir()
    for n in range(20):
        soundfile.write(more / f"{n}.wav", np.random.default_rng(100 + n).standard_normal(32000) / 9, 16000)
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(sounds)
    with sonovec.Library(tmp_path / "library") as library:

        def ask():
            for path in sorted(sounds.iterdir()):
                assert library.search(path, 1, include_self=True)[0].path == str(path)
                assert len(library.search(sound, 3, level="segment", filter="duration > 1")) == 3
                with pytest.raises(AudioError):
                    library.search("missing.wav")

        report, *_ = together(lambda: library.add(more), *[ask] * CALLERS)
        assert report.counts.indexed == 20 and len(library) == 24
        assert {Path(hit.path).parent for hit in library.search(sound, 24)} == {sounds, more}
