"""Order, independence of batch mates, callers and threads, bounded memory, and ways to end early."""

from __future__ import annotations

import asyncio
import gc
import pickle
import re
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import CancelledError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

import sonovec
from sonovec.audio.waveform import Waveform
from sonovec.audio.windows import WindowSpec
from sonovec.embedding.encoder import Encoder, EncoderSettings
from sonovec.embedding.engine import Engine
from sonovec.embedding.results import AHEAD
from sonovec.errors import AudioError, UsageError
from sonovec.graph import Graph
from sonovec.models.model import Model
from tests.promises import assert_same_vectors


def small_network():
    import torch
    from torch import nn

    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(400, 64), nn.ReLU(), nn.Linear(64, 16)).eval()


def small_encoder(features=lambda samples, coverage: samples):
    """A real network through the real runtime, small enough to be asked often."""
    card = sonovec.load("logmel").card
    model = Model(
        card=card,
        options={},
        window=WindowSpec(400, 400),
        dim=16,
        front_end="samples",
        weights_hash="seed 3",
        features=features,
        graph=Graph("test-small-network-3", (400,), small_network),
        finish=lambda rows, coverage: np.asarray(rows, np.float32),
    )
    return Encoder(model, EncoderSettings(precision="f32"))


@pytest.fixture(scope="module")
def encoder():
    return small_encoder()


def sounds(lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [Waveform(rng.standard_normal(n).astype(np.float32), 16000) for n in lengths]


@settings(max_examples=12)
@given(lengths=st.lists(st.integers(1, 40_000), min_size=1, max_size=12), seed=st.integers(0, 99))
def test_a_vector_does_not_depend_on_its_batch_mates(encoder, lengths, seed):
    together = list(encoder.embed_many(sounds(lengths, seed)))
    for sound, mixed in zip(sounds(lengths, seed), together, strict=True):
        alone = encoder.embed(sound)
        assert_same_vectors(alone.windows, mixed.windows)
        np.testing.assert_array_equal(alone.times, mixed.times)
    for again, mixed in zip(encoder.embed_many(sounds(lengths, seed)[::-1]), together[::-1], strict=True):
        np.testing.assert_array_equal(again.windows, mixed.windows)  # of one compiled shape


def test_rows_of_one_compiled_shape_are_bit_identical(encoder):
    """Two runs over the same long sound use full batches of one shape, whatever stands beside it."""
    size = encoder.network.rows
    long = sounds([400 * size * 4], seed=1)[0]
    alone = encoder.embed(long).windows
    for others in (sounds([400] * 7), sounds([4000, 100, 30_000])):
        mixed = list(encoder.embed_many([*others, long]))[-1].windows
        np.testing.assert_allclose(mixed, alone, rtol=1e-5, atol=1e-6)
        reference = encoder.network.run(np.asarray(long.samples.reshape(-1, 400)[:size]))
        np.testing.assert_array_equal(reference, encoder.network.run(long.samples.reshape(-1, 400)[:size]))


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_threads_change_nothing(encoder, jobs):
    several = sounds([1000, 50_000, 3, 7000, 12_345])
    with Engine(encoder, jobs=jobs) as engine:
        for found, sound in zip(engine.embed_many(several), several, strict=True):
            assert_same_vectors(found.windows, encoder.embed(sound).windows)


@pytest.mark.slow
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
    (expected,) = (e.windows for e in encoder.embed_many([sound]))

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
def test_an_early_end_ends_the_threads(encoder, request, end):
    encoder.prepare(), encoder.embed(sounds([400])[0])
    new_threads = request.getfixturevalue("new_threads")  # from here on: those of the encoder stay
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
    assert not new_threads(("drop" in end) * 10)  # garbage may be collected anywhere, and waits for nothing


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


# -- many callers


def test_two_hundred_callers_at_once(encoder):
    """Each gets its own sound's vectors, whoever came before or behind, and one that fails is that caller's alone."""
    lengths = [400 * (1 + i % 7) for i in range(200)]
    given = sounds(lengths, seed=5)
    expected = [result.windows for result in encoder.embed_many(given)]
    found: dict[int, np.ndarray | Exception] = {}

    def caller(i):
        try:
            found[i] = encoder.embed(given[i] if i % 10 else "missing.wav").windows
        except sonovec.SonovecError as error:
            found[i] = error

    callers = [threading.Thread(target=caller, args=(i,)) for i in range(200)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()
    for i, windows in enumerate(expected):
        if i % 10:
            assert_same_vectors(found[i], windows)
        else:
            assert "missing.wav: no such file" in str(found[i])


def test_batches_are_filled_across_callers():
    """Of rows that many callers bring, the network runs few calls."""
    encoder, calls = small_encoder(), []
    run = encoder.network.run
    encoder.network.run = lambda rows, quick=False: calls.append(len(rows)) or run(rows, quick)
    futures = [encoder.submit(sound) for sound in sounds([400 * 4] * 80)]
    assert all(future.result().windows.shape == (4, 16) for future in futures)
    assert sum(calls) == 320 and sorted(calls)[len(calls) // 2] == encoder.network.rows


def test_one_sound_runs_in_the_small_shape_and_many_in_the_large_one():
    sound = Waveform(sounds([5 * 16000])[0].samples / 10, 16000)
    one, many = sonovec.load("default"), sonovec.load("default")
    alone = one.embed(sound)
    (of_many,) = many.embed_many([sound])
    assert list(one.network._requests) == [one.network.quick_rows] == [2]
    assert list(many.network._requests) == [many.network.rows] == [16]
    assert_same_vectors(alone.windows, of_many.windows)
    assert_same_vectors(one.embed(sound).windows, of_many.windows)


def test_threads_are_as_many_as_jobs_whatever_the_callers(encoder, new_threads):
    with Engine(encoder, jobs=2) as engine:
        engine.embed(sounds([400])[0])
        first = new_threads()
        futures = [engine.submit(sound) for sound in sounds([4000] * 50)]
        assert first and new_threads() == first
        for future in futures:
            future.result()


@pytest.mark.parametrize("before", ["a long one", "many"])
def test_a_single_sound_comes_before_the_many_and_before_the_rest_of_a_long_one(encoder, before):
    """With one thread: a caller who waits for one sound does not wait for a library, nor for ten hours of another's."""
    long = Waveform(np.zeros(400 * 32 * 300, np.float32), 16000)
    done: list[int] = []
    with Engine(encoder, jobs=1) as engine:

        def caller():
            if before == "many":
                done.extend(len(result.windows) for result in engine.embed_many([long, long]))
            else:
                done.append(len(engine.embed(long).windows))

        thread = threading.Thread(target=caller)
        thread.start()
        while not engine._pipeline._decoding:
            time.sleep(0.001)
        engine.embed(sounds([400])[0])
        assert not done
        thread.join()
    assert done == [9600] * len(done) and done


def test_in_a_coroutine(encoder):
    given = sounds([400, 4000, 50_000])

    async def gather():
        futures = [asyncio.wrap_future(encoder.submit(sound)) for sound in given]
        return await asyncio.gather(
            *futures, asyncio.wrap_future(encoder.submit("missing.wav")), return_exceptions=True
        )

    *found, failure = asyncio.run(gather())
    assert isinstance(failure, AudioError)
    for e, sound in zip(found, given, strict=True):
        np.testing.assert_array_equal(e.windows, encoder.embed(sound).windows)


def test_a_range_that_is_none_is_refused_at_once(encoder):
    with pytest.raises(UsageError, match="start=2, end=1"):
        encoder.submit("a.wav", 2, 1)


@pytest.mark.parametrize("cancel", [False, True])
def test_close_while_work_is_under_way(encoder, new_threads, cancel):
    engine = Engine(encoder, jobs=2)
    futures = [engine.submit(sound) for sound in sounds([16000 * 5]) * 60]
    many = engine.embed_many(sounds([16000]) * 500)
    next(many)
    engine.close(cancel=cancel)
    assert all(future.done() for future in futures)
    done = [future for future in futures if not future.cancelled() and future.exception() is None]
    assert len(done) == 60 or cancel
    with pytest.raises((UsageError, CancelledError)):
        list(many)
    with pytest.raises(UsageError, match=r"this engine is closed; make another: sonovec.Engine\(encoder\)"):
        engine.submit("a.wav")
    engine.close()
    assert not new_threads(10)
    assert len(encoder.embed(sounds([400])[0]).windows) == 1, "the encoder's own goes on"


def test_an_error_inside_with_gives_up_what_is_left(encoder):
    futures = []
    with pytest.raises(ZeroDivisionError), Engine(encoder, jobs=1) as engine:
        futures += [engine.submit(sound) for sound in sounds([16000 * 60]) * 100]
        raise ZeroDivisionError
    assert all(future.done() for future in futures)
    assert sum(future.cancelled() or future.exception() is not None for future in futures) > 50


def test_a_cancelled_future_is_never_begun(encoder):
    with Engine(encoder, jobs=1) as engine:
        first = engine.submit(sounds([16000 * 60])[0])
        others = [engine.submit(sound) for sound in sounds([400] * 50)]
        cancelled = [future.cancel() for future in others]
        assert len(first.result().windows) == 2400
        assert sum(cancelled) > 40
        assert [future.cancelled() for future in others] == cancelled


def test_an_encoder_that_is_dropped_finishes_what_was_submitted_and_its_threads_end(new_threads):
    encoder = small_encoder()
    future = encoder.submit(sounds([400_000])[0])
    kept = weakref.ref(encoder)
    del encoder
    gc.collect()
    assert kept() is None, "no thread holds it"
    assert len(future.result().windows) == 1000
    assert not new_threads(10)


def test_close_of_an_encoder_ends_its_threads_and_it_goes_on(new_threads):
    encoder = small_encoder()
    first = encoder.embed(sounds([4000])[0]).windows
    assert new_threads()
    encoder.close()
    assert not new_threads()
    np.testing.assert_array_equal(encoder.embed(sounds([4000])[0]).windows, first)
    encoder.close()
    encoder.close()


def test_results_outlive_the_names_of_their_encoder():
    results = small_encoder().embed_many(sounds([400] * 200))
    assert next(results) is not None
    gc.collect()
    assert len(list(results)) == 199


def test_rows_do_not_wait_for_ever_for_what_another_caller_decodes(tmp_path):
    """A pipe that nobody writes to is a slow file: another caller's clip is answered all the same."""
    slow = threading.Event()

    def features(samples, coverage):
        if (samples == 0.625).any():
            slow.wait(60)
        return samples

    encoder = small_encoder(features)
    stuck = encoder.submit(Waveform(np.full(400, 0.625, np.float32), 16000))
    try:
        assert len(encoder.submit(sounds([400])[0]).result(timeout=30).windows) == 1
    finally:
        slow.set()
    assert len(stuck.result().windows) == 1


@pytest.mark.parametrize("jobs", [0, -1, 1.5, True, "2"])
def test_jobs_that_are_none(jobs):
    with pytest.raises(UsageError, match=re.escape(f"jobs={jobs!r} is not a number of threads")):
        sonovec.load("logmel", jobs=jobs)


def test_jobs_of_the_environment(monkeypatch):
    monkeypatch.setenv("SONOVEC_JOBS", "3")
    assert sonovec.load("logmel").jobs == 3 and sonovec.load("logmel", jobs=1).jobs == 1
    assert pickle.loads(pickle.dumps(sonovec.load("logmel", jobs=5))).jobs == 5
    monkeypatch.setenv("SONOVEC_JOBS", "many")
    with pytest.raises(UsageError, match=r"SONOVEC_JOBS='many' is not a number of threads; give a whole number"):
        sonovec.load("logmel")


#: Interrupts a loop at a random moment, many times; each time it ends soon, and the engine goes on.
INTERRUPTED = """
import _thread, random, sys, threading, time
import numpy as np
import sonovec
from sonovec.embedding.engine import Engine
moments = random.Random(int(sys.argv[1]))
sound = ((np.random.default_rng(0).standard_normal(48_000) / 10).astype(np.float32), 16000)
encoder = sonovec.load("default")
expected = encoder.embed(sound).vector
ended = 0
for _ in range(25):
    timer = threading.Timer(moments.uniform(0.0, 0.12), _thread.interrupt_main)
    try:
        timer.start()
        with Engine(encoder) as engine:
            while True:
                engine.embed(sound)
                for number, _ in enumerate(engine.embed_many([sound] * 30)):
                    if number > 5:
                        break
                engine.submit(sound)
    except KeyboardInterrupt:
        ended += 1
    timer.join()
assert ended == 25, ended
assert np.abs(encoder.embed(sound).vector - expected).max() < 1e-4
encoder.close()
deadline = time.monotonic() + 20
while threading.active_count() > 1 and time.monotonic() < deadline:
    time.sleep(0.05)
assert threading.active_count() == 1, threading.enumerate()
print("fine")
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_ctrl_c_at_any_moment_ends_it_cleanly(seed):
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(seed)], capture_output=True, text=True, timeout=200, check=False
    )
    assert (run.stdout, run.stderr, run.returncode) == ("fine\n", "", 0)
