"""Several analysers hear one decode, each at its own rate; what goes wrong with one is its own."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

import sonovec
from sonovec.analysis.analyser import Analyser, Field, Findings, Spoken
from sonovec.analysis.listening import Listening
from sonovec.audio.samples import open_samples

X = (np.random.default_rng(0).standard_normal((44100 * 3, 2)) / 10).astype(np.float32)


class Counter(Analyser):
    """Keeps what it hears, to be looked at."""

    name, version, rate = "counter", "1", 16000
    fields = (Field("samples", int),)

    def begin(self, rate, channels):
        self.began, self.blocks = (rate, channels), []

    def push(self, block):
        assert not block.flags.writeable
        self.blocks.append(np.array(block))

    def finish(self):
        type(self).seen = (self.began, np.concatenate(self.blocks))
        return Findings({"samples": np.int64(len(type(self).seen[1]))}, [Spoken(0, 1, "hello")])


class Raw(Counter):
    name, rate = "raw", None


class Raises(Counter):
    name = "raises"

    def push(self, block):
        raise ValueError("two\nlines")


class Hangs(Counter):
    name, limit = "hangs", 0.3
    stop = threading.Event()

    def push(self, block):
        self.stop.wait(30)


class HangsAtTheEnd(Counter):
    name, limit = "hangs at the end", 0.3

    def finish(self):
        Hangs.stop.wait(30)


def gives(what, kind=float):
    class Gives(Counter):
        name, fields = "gives", (Field("value", kind),)

        def finish(self):
            return what

    return Gives


def hear(*kinds):
    listening = Listening(kinds)
    with open_samples(X, 44100, 16000) as stream:
        stream.tap = listening.begin(stream.info)
        mono = np.concatenate(list(stream))
    listening.end()
    return mono, listening.finish()


def test_each_hears_at_its_own_rate():
    mono, heard = hear(Counter, Raw)
    began, samples = Counter.seen
    assert began == (16000, 1)
    np.testing.assert_array_equal(samples, mono)
    began, samples = Raw.seen
    assert began == (44100, 2)
    np.testing.assert_array_equal(samples, X)
    assert heard["counter"].findings.columns == {"samples": 48_000} and heard["raw"].findings.columns == {
        "samples": 132_300
    }
    assert heard["counter"].findings.passages == (Spoken(0, 1, "hello"),)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Raises, "raises: ValueError: two lines"),
        (Hangs, "hangs: took more than 0.3 seconds"),
        (HangsAtTheEnd, "hangs at the end: took more than 0.3 seconds to end"),
        (gives(Findings({"value": float("nan")})), "gives: gave nan for value, which takes float"),
        (gives(Findings({"value": float("inf")})), "gives: gave inf for value"),
        (gives(Findings({"value": "loud"})), "gives: gave loud for value, which takes float"),
        (gives(Findings({"value": True})), "gives: gave True for value"),
        (gives(Findings({"other": 1.0})), "gives: gave 'other', which it does not declare; its fields are: value"),
        (gives({"value": 1.0}), "gives: gave a dict; finish must return Findings"),
        (gives(None), "gives: gave a NoneType"),
        (gives(Findings({"value": ["a", 1]}), list[str]), "gives: gave ['a', 1] for value, which takes list"),
        (gives(Findings({"value": "half \ud800"}), str), r"gives: gave half \ud800 for value, which takes str"),
        (gives(Findings({}, [Spoken(2, 1, "x")])), "gives: gave the passage Spoken(start=2, end=1"),
    ],
)
def test_what_goes_wrong_with_one_costs_its_own_columns(kind, reason):
    try:
        _, heard = hear(kind, Counter)
    finally:
        Hangs.stop.set()
        Hangs.stop.clear()
    assert heard[kind.name].findings is None and heard[kind.name].reason.startswith(reason)
    assert heard["counter"].findings.columns == {"samples": 48_000} and heard["counter"].reason is None


def test_a_track_that_comes_to_no_end_leaves_no_thread(new_threads):
    for _ in range(5):
        listening = Listening([Counter, Raw])
        with open_samples(X, 44100, 16000) as stream:
            stream.tap = listening.begin(stream.info)
            next(iter(stream))
            stream.tap = None
        del listening
    gc.collect()
    assert not new_threads(10)


def test_the_encoder_gives_the_same_whoever_listens():
    encoder = sonovec.load("logmel")
    (alone,) = encoder.pool_many([(X, 44100)], 1.0)
    (together,) = encoder.pool_many([(X, 44100)], 1.0, lambda source: Listening([Counter, Raw, Raises]))
    np.testing.assert_array_equal(alone.vector, together.vector)
    assert set(together.heard) == {"counter", "raw", "raises"} and not alone.heard
