"""Order, independence of batch mates and threads, bounded memory, and ways to end early."""

from __future__ import annotations

import gc
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

import sonovec
from sonovec.audio.waveform import Waveform
from sonovec.audio.windows import WindowSpec
from sonovec.embedding.encoder import Encoder
from sonovec.embedding.pipeline import AHEAD, Source, run
from sonovec.graph import Graph
from sonovec.models.model import Model


def small_network():
    import torch
    from torch import nn

    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(400, 64), nn.ReLU(), nn.Linear(64, 16)).eval()


@pytest.fixture(scope="module")
def encoder():
    """A real network through the real runtime, small enough to be asked often."""
    card = sonovec.load("logmel").card
    model = Model(
        card=card,
        options={},
        window=WindowSpec(400, 400),
        dim=16,
        front_end="samples",
        weights_hash="seed 3",
        features=lambda samples, coverage: samples,
        graph=Graph("test-small-network-3", (400,), small_network),
        finish=lambda rows, coverage: np.asarray(rows, np.float32),
    )
    return Encoder(model, model.window, "f32")


def sounds(lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [Waveform(rng.standard_normal(n).astype(np.float32), 16000) for n in lengths]


@settings(max_examples=20)
@given(lengths=st.lists(st.integers(1, 40_000), min_size=1, max_size=12), seed=st.integers(0, 99))
def test_a_vector_does_not_depend_on_its_batch_mates(encoder, lengths, seed):
    together = list(encoder.embed_many(sounds(lengths, seed)))
    for sound, mixed in zip(sounds(lengths, seed), together, strict=True):
        alone = encoder.embed(sound)
        assert alone.windows.shape == mixed.windows.shape
        a, b = alone.windows.astype(np.float64), mixed.windows.astype(np.float64)
        cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        assert cosine.min() > 0.999999
        np.testing.assert_array_equal(alone.times, mixed.times)


def test_rows_of_one_compiled_shape_are_bit_identical(encoder):
    """Two runs over the same long sound use full batches of one shape, whatever stands beside it."""
    size = max(encoder.network.batch_sizes)
    long = sounds([400 * size * 4], seed=1)[0]
    alone = encoder.embed(long).windows
    for others in (sounds([400] * 7), sounds([4000, 100, 30_000])):
        mixed = list(encoder.embed_many([*others, long]))[-1].windows
        np.testing.assert_allclose(mixed, alone, rtol=1e-5, atol=1e-6)
        reference = encoder.network.run(np.asarray(long.samples.reshape(-1, 400)[:size]))
        np.testing.assert_array_equal(reference, encoder.network.run(long.samples.reshape(-1, 400)[:size]))


@pytest.mark.parametrize("cores", [1, 2, 5])
def test_threads_change_nothing(encoder, cores):
    sources = [Source(sound) for sound in sounds([1000, 50_000, 3, 7000, 12_345])]
    raws = list(run(sources, encoder.model, encoder.window, encoder.network, cores))
    for raw, sound in zip(raws, sources, strict=True):
        np.testing.assert_allclose(
            np.concatenate(raw.vectors), encoder.embed(sound.sound).windows, rtol=1e-5, atol=1e-6
        )


def test_callers_at_once_change_no_bit_and_leave_blas_as_it_was():
    """The last bits of a matrix product depend on the threads of BLAS, which the first of several runs must not give back."""

    def threads():
        return [
            pool["num_threads"]
            for pool in threadpool_info()
            if pool["user_api"] == "blas" and pool["threading_layer"] != "openmp"  # these count for each thread
        ]

    encoder, before, different = sonovec.load("sonovec-1"), threads(), []
    sound = Waveform(sounds([48_000])[0].samples / 10, 16000)
    expected = encoder.embed(sound).windows

    def caller():
        for _ in range(5):
            different.extend(not np.array_equal(e.windows, expected) for e in encoder.embed_many([sound] * 10))

    callers = [threading.Thread(target=caller) for _ in range(3)]
    open_one = encoder.embed_many([sound] * 10)
    next(open_one)
    for thread in callers:
        thread.start()
    assert threads() == [1] * len(before)
    open_one.close()
    for thread in callers:
        thread.join()
    assert len(different) == 150 and not any(different)
    assert threads() == before


def test_order_is_the_inputs_whatever_takes_longest(encoder):
    lengths = [400_000, 400, 200_000, 400, 400, 90_000]
    times = [e.times[-1, 1] for e in encoder.embed_many(sounds(lengths))]
    np.testing.assert_allclose(times, np.array(lengths) / 16000)


def test_the_input_is_read_no_further_ahead_than_declared(encoder):
    pulled = []

    def endless():
        while True:
            pulled.append(1)
            yield sounds([400])[0]

    results = encoder.embed_many(endless())
    for _ in range(5):
        next(results)
    time.sleep(0.2)
    assert len(pulled) <= AHEAD + 5 + 1
    results.close()


def test_an_input_that_waits_for_its_answers_does_not_hang(encoder):
    """The next sound is only known when the last is answered: an incomplete batch must run."""
    answers = []
    ready = threading.Event()

    def interactive():
        for n in (400, 1000, 5000):
            ready.clear()
            yield sounds([n])[0]
            assert ready.wait(10), "no answer to the sound before"

    for answer in encoder.embed_many(interactive()):
        answers.append(answer)
        ready.set()
    assert len(answers) == 3


@pytest.mark.parametrize("end", ["close", "close in another thread", "drop", "drop in a cycle"])
def test_an_early_end_ends_the_threads(encoder, end):
    before = threading.active_count()
    results = encoder.embed_many(sounds([400] * 300))
    next(results)
    if end == "close":
        results.close()
    elif end == "close in another thread":
        closing = threading.Thread(target=results.close)
        closing.start()
        closing.join()
    elif end == "drop in a cycle":
        cycle = [results]
        cycle.append(cycle)
        del cycle
    del results
    gc.collect()
    assert threading.active_count() == before


def test_streaming_equals_whole(encoder, tmp_path):
    """A file that is read in blocks gives what one call over all its samples gives."""
    import soundfile

    samples = sounds([150_000], seed=4)[0].samples / 8
    soundfile.write(tmp_path / "a.flac", samples, 16000, subtype="PCM_24")
    whole, _ = soundfile.read(tmp_path / "a.flac", dtype="float32")
    e = encoder.embed(tmp_path / "a.flac")
    windows = whole.reshape(-1, 400)
    expected = np.concatenate([encoder.network.run(windows[i : i + 8]) for i in range(0, len(windows), 8)])
    np.testing.assert_allclose(e.windows, expected, rtol=1e-4, atol=1e-6)
