from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import psutil
import pytest

from sonovec.audio.pipe import Layout, open_pipe
from sonovec.audio.resample import Resampler
from sonovec.cleaning.chain import NAMES, Cleaning
from sonovec.embedding.encoder import load
from sonovec.learn.detection import Panel, detect, panels
from sonovec.learn.detector import Detector, Exemplars
from sonovec.learn.events import Detection, Rules
from sonovec.learn.head import Head
from sonovec.learn.live import Live
from tests.learn.detectors import BEEP, BUZZ, RATE, fitted, scene, tones

EVENTS = [(3.0, 3.6, BEEP), (8.0, 12.0, BUZZ), (10.0, 13.0, BEEP), (20.0, 22.0, BEEP), (24.5, 26.0, BUZZ)]
#: Seconds that an event may be told behind a window after its end; the rest is there to compute.
LATE = 0.2


def panel(**rules: object) -> Panel:
    (made,) = panels([tones()], Rules(**rules))
    return made


class Counting(io.RawIOBase):
    """A pipe that knows how many bytes were taken from it; it gives what a sound card gives at once, 10 ms."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data, self._step, self.given = data, step, 0

    def read1(self, count: int) -> bytes:
        piece = self._data[self.given : self.given + min(count, self._step)]
        self.given += len(piece)
        return piece


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_stream_gives_what_a_file_gives_less_than_a_window_and_200_ms_late(rate: int) -> None:
    samples = scene(26, EVENTS)
    if rate != RATE:
        resampler = Resampler(RATE, rate)
        samples = np.concatenate([resampler.process(samples), resampler.flush()])
    pipe = Counting(samples.tobytes(), rate // 100 * 4)
    live = Live(open_pipe(pipe, Layout(rate, 1, "f32le")), panel())
    told = [(event, pipe.given / 4 / rate) for event in live]
    (whole,) = detect([(samples, rate)], tones())
    heard, expected = [each for each, _ in told[:-1]], sorted(whole.detections, key=lambda each: each.end)[:-1]
    assert [each.name for each in heard] == [each.name for each in expected]
    np.testing.assert_allclose(
        [(each.start, each.end) for each in heard], [(each.start, each.end) for each in expected]
    )
    assert len(told) == len(EVENTS) and live.seconds == pytest.approx(26)
    delays = [taken - event.end for event, taken in told[:-1]]
    assert max(delays) < 1 + LATE / 2, "the other half is for what it takes to compute"
    assert told[-1][0].end == pytest.approx(26, abs=0.01), "nothing is lost at the end"


def test_a_stream_is_denoised_as_a_file_is_and_never_trimmed() -> None:
    made = tones()
    made = replace(made, passport=replace(made.passport, denoise=NAMES["denoise"]))
    samples = scene(12, EVENTS[:2])
    (panel,) = panels([made], Rules(), trim=True)
    assert panel.encoder.settings.cleaning == Cleaning(trim=True, denoise=True), "noise as the detector was trained"
    live = Live(open_pipe(Counting(samples.tobytes(), 640), Layout(RATE, 1, "f32le")), panel)
    told = list(live)
    (whole,) = detect([(samples, RATE)], made)
    assert sorted((each.start, each.name) for each in told) == [(each.start, each.name) for each in whole.detections]
    assert told and live.notes == []


def of_all_hiss(model: str, **changed: object) -> Detector:
    """A detector that hears its class in all sound that is not silent."""
    encoder = load(model)
    dim, one = encoder.dim, np.ones(1, np.float32)
    head = Head(
        np.zeros(dim, np.float32), np.ones(dim, np.float32), np.zeros((1, dim), np.float32), 4 * one, one, 0 * one
    )
    examples = Exemplars(np.empty((0, dim), np.float16), np.empty((0, 1), np.int8), np.empty((0, 2)), ())
    made = Detector(
        "sounds",
        ("sound",),
        one / 2,
        head,
        encoder.passport,
        {"name": model, "options": dict(encoder.options)},
        examples,
    )
    return replace(made, **changed)


def test_a_stream_is_heard_by_detectors_of_several_encoders_in_one_decode() -> None:
    """Their rates, windows and hops differ; each hears what it hears in a file."""
    detectors = [tones(), of_all_hiss("default")]
    samples = np.concatenate([scene(9, [(3.0, 3.6, BEEP)]), np.zeros(5 * RATE, np.float32), scene(6, [(2, 4, BUZZ)])])
    made = panels(detectors, Rules(), hop=1.0)
    assert [each.encoder.rate for each in made] == [RATE, 32_000]
    pipe = Counting(samples.tobytes(), 640)
    live = Live(open_pipe(pipe, Layout(RATE, 1, "f32le")), *made)
    told = [(event, pipe.given / 4 / RATE) for event in live]
    assert live.seconds == 20
    (whole,) = detect([(samples, RATE)], detectors, hop=1.0)
    assert {each.name for each in whole.detections} == {"beep", "buzz", "sound"}
    assert sorted((each.start, each.end, each.name) for each, _ in told) == sorted(
        (each.start, each.end, each.name) for each in whole.detections
    )
    first = next((event, when) for event, when in told if event.name == "sound")
    assert first[1] - first[0].end < 2 + LATE, "it does not wait for the other encoder, nor for the end"


def test_beginnings_are_told_within_a_window() -> None:
    pipe = Counting(scene(26, EVENTS).tobytes(), 640)
    told = [
        (event, pipe.given / 4 / RATE) for event in Live(open_pipe(pipe, Layout(RATE, 1, "f32le")), panel(begins=True))
    ]
    begun = [(event, heard) for event, heard in told if event.end is None]
    assert len(begun) == len(EVENTS) and len(told) == 2 * len(EVENTS)
    assert all(heard - event.start < 1.5 + LATE for event, heard in begun)


def test_a_stream_that_ends_within_a_frame_keeps_what_was_heard() -> None:
    samples = np.stack([scene(25, EVENTS)] * 2, axis=1)
    live = Live(open_pipe(io.BytesIO(samples.tobytes()[:-5]), Layout(RATE, 2, "f32le")), panel())
    assert len(list(live)) == len(EVENTS)
    assert live.notes == ["the stream ended within a frame of all channels: the last 3 bytes were left out"]


def test_a_stream_shorter_than_a_window_or_empty() -> None:
    assert [
        each.name
        for each in Live(open_pipe(io.BytesIO(scene(0.4, [(0, 1, BEEP)]).tobytes()), Layout(RATE, 1, "f32le")), panel())
    ] == ["beep"]
    assert list(Live(open_pipe(io.BytesIO(b""), Layout(RATE)), panel())) == []
    assert list(Live(open_pipe(io.BytesIO(bytes(RATE * 8)), Layout(RATE)), panel())) == []


def test_samples_that_are_no_numbers_are_silence_and_said() -> None:
    heard, notes = [], []
    for value in (np.nan, 0.0):
        samples = scene(25, EVENTS)
        samples[RATE : 2 * RATE] = value
        live = Live(open_pipe(io.BytesIO(samples.tobytes()), Layout(RATE, 1, "f32le")), panel())
        heard.append(list(live))
        notes.append(live.notes)
    assert heard[0] == heard[1] and len(heard[0]) >= len(EVENTS)
    assert notes == [["16000 sample(s) were NaN or infinite and were set to 0"], []]


def test_what_is_known_when_it_is_stopped() -> None:
    live = Live(
        open_pipe(io.BytesIO(scene(25, [(3, 3.6, BEEP), (10, 20, BUZZ)]).tobytes()), Layout(RATE, 1, "f32le")), panel()
    )
    for event in live:
        assert (event.name, event.end) == ("beep", pytest.approx(3.6, abs=0.5))
        break
    assert live.finish() == [], "the buzz was not heard yet"


@pytest.mark.slow
def test_the_built_in_encoder_in_real_time(tmp_path) -> None:
    """A process is fed as by a microphone, and its lines are timed as they come."""
    encoder = load("default", hop=0.5)
    events = [(4, 6, BEEP), (10, 11, BEEP), (15, 19, BEEP)]
    heard = encoder.embed((scene(24, events, seed=3), RATE))
    shared = np.array(
        [max(min(end, stop) - max(start, first) for start, stop, _ in events) for first, end in heard.times]
    )
    targets = np.where(shared >= 0.9, 1, np.where(shared <= 0, 0, -1)).astype(np.int8)[:, None]
    fitted("whistles", ("whistle",), heard.windows, targets, encoder, heard.times).save(tmp_path / "d.detector")
    marks = [(2, 4, BEEP), (9, 10.5, BEEP), (14, 15, BEEP), (18, 20, BEEP)]
    samples = (scene(24, marks) * 32767).astype("<i2").tobytes()
    command = [sys.executable, "-m", "sonovec", "detect", "-", "-d", str(tmp_path / "d.detector"), "--rate", str(RATE)]
    process = subprocess.Popen([*command, "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    assert process.stdin and process.stdout
    process.stdin.write(samples[: 8 * RATE * 2])
    first = json.loads(process.stdout.readline())  # now the encoder is loaded
    assert first["class"] == "whistle" and first["start"] == pytest.approx(2, abs=0.6)
    begun = time.monotonic() - 8
    lines: list[tuple[dict, float]] = []
    reader = threading.Thread(
        target=lambda: lines.extend((json.loads(line), time.monotonic() - begun) for line in process.stdout)
    )
    reader.start()
    piece = RATE // 25 * 2
    for at in range(8 * RATE * 2, len(samples), piece):
        time.sleep(max(0.0, begun + (at + piece) / 2 / RATE - time.monotonic()))
        process.stdin.write(samples[at : at + piece])
    process.stdin.close()
    assert process.wait(60) == 0
    reader.join()
    assert [line["class"] for line, _ in lines] == ["whistle"] * 3
    delays = [told - line["end"] for line, told in lines]
    assert min(delays) < 2 + LATE, f"{delays}; the others may have waited for a processor that others use"


def _hours(hours: float, chunk: bytes) -> Iterator[bytes]:
    for _ in range(round(hours * 3600 * RATE * 2 / len(chunk))):
        yield chunk


class Endless(io.RawIOBase):
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def read1(self, count: int) -> bytes:
        self._rest = self._rest or next(self._pieces, b"")
        given, self._rest = self._rest[:count], self._rest[count:]
        return given


@pytest.mark.slow
def test_hours_take_the_memory_of_minutes() -> None:
    """An hour and a half, with an event in every 10 s."""
    minute = (scene(60, [(start, start + 2, BEEP) for start in range(3, 60, 10)]) * 32767).astype("<i2").tobytes()
    process, sizes, count = psutil.Process(), [], 0
    live = Live(open_pipe(Endless(_hours(1.5, minute)), Layout(RATE)), panel())
    for event in live:
        assert isinstance(event, Detection)
        count += 1
        if count % 60 == 0:
            sizes.append(process.memory_info().rss)
    assert count == 1.5 * 360 and live.seconds == 1.5 * 3600
    assert sizes[-1] - sizes[2] < 4 << 20, "from 30 minutes on"


@pytest.mark.slow
def test_ctrl_c_ends_with_what_is_known(tmp_path) -> None:
    if os.name != "posix":
        pytest.skip("signals of POSIX")
    tones().save(tmp_path / "d.detector")
    command = [sys.executable, "-m", "sonovec", "detect", "-", "-d", str(tmp_path / "d.detector"), "--json"]
    process = subprocess.Popen(
        [*command, "--rate", str(RATE), "--encoding", "f32le", "-o", str(tmp_path / "out.srt")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdin.write(scene(10, [(2, 3, BEEP), (7, 10, BUZZ)]).tobytes())
    process.stdin.flush()
    first = json.loads(process.stdout.readline())
    assert first["class"] == "beep"
    time.sleep(0.5)  # the rest is heard meanwhile, and more may come
    process.send_signal(signal.SIGINT)
    rest, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    second = json.loads(rest.splitlines()[0])  # what stands behind it is the error, as of each command
    assert second["class"] == "buzz" and second["start"] == pytest.approx(7, abs=0.5)
    assert (tmp_path / "out.srt").read_text().startswith("1\n00:00:0")
    assert b"interrupted; what was printed by then is what was heard" in told
