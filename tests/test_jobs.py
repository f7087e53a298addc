"""Jobs: how far a long call is, how it is cancelled, and what it says it became; the same for every long call."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
import soundfile
from rich.console import Console

import sonovec
from sonovec import bars, jobs
from sonovec.errors import Cancelled, UsageError

SHORT = (np.zeros(8000, np.float32), 16000)


@pytest.fixture(scope="module")
def encoder():
    return sonovec.load("logmel")


@pytest.fixture(scope="module")
def long():
    """Half an hour, which takes longer than a few ticks."""
    return np.tile(np.random.default_rng(0).standard_normal(160_000).astype(np.float32) / 10, 180), 16000


# -- a job by itself


def test_a_job_is_queued_runs_and_is_done():
    told = []
    job = sonovec.Job(told.append)
    assert (job.state, job.progress, job.error) == ("queued", None, None)
    with jobs.running(job) as same:
        assert same is job is jobs.current() and job.state == "running"
        job.report(sonovec.Progress("reading", 1, 2, "files"))
    assert (job.state, job.error) == ("done", None) and jobs.current() is not job
    assert told == [job.progress] == [sonovec.Progress("reading", 1, 2, "files")]


@pytest.mark.parametrize(
    ("error", "state", "told"),
    [
        (ValueError("a\nb"), "failed", "a b"),
        (ZeroDivisionError(), "failed", "ZeroDivisionError"),
        (KeyboardInterrupt(), "cancelled", "interrupted"),
        (Cancelled("enough"), "cancelled", "enough"),
    ],
)
def test_what_ends_a_job_is_its_state_and_comes_out(error, state, told):
    job = sonovec.Job()
    with pytest.raises(type(error)), jobs.running(job):
        raise error
    assert (job.state, job.error) == (state, told)


def test_a_job_that_was_cancelled_before_does_nothing():
    job, done = sonovec.Job(), []
    job.cancel()
    with pytest.raises(Cancelled, match="cancelled before it began"), jobs.running(job):
        done.append("work")
    assert job.state == "cancelled" and done == []


def test_a_job_is_of_one_call(encoder):
    job = sonovec.Job()
    list(encoder.embed_many([SHORT], progress=job))
    assert job.state == "done"
    with pytest.raises(
        UsageError, match=r"this job is done already; give each call one of its own: progress=sonovec.J"
    ):
        encoder.embed(SHORT, progress=job)
    with pytest.raises(UsageError, match="progress=3; give True for a bar, a callable that takes a Progress"):
        encoder.embed(SHORT, progress=3)


def test_what_a_listener_calls_is_no_part_of_the_job(encoder):
    told = []

    def tell(progress):
        told.append(progress)
        assert len(told) < 10, "it was told of what it did itself"
        jobs.current().report(sonovec.Progress("its own"))
        encoder.embed(SHORT)

    encoder.embed(SHORT, progress=tell)
    assert {each.stage for each in told} == {"embedding"}


def test_a_result_that_is_waited_for_may_be_an_error_of_time():
    future: Future = Future()
    future.set_exception(TimeoutError("its own"))
    with pytest.raises(TimeoutError, match="its own"):
        sonovec.Job().wait_for(future, lambda: None)


# -- sounds


@pytest.mark.slow
def test_progress_moves_inside_a_long_sound(encoder, long):
    for call in (
        lambda tell: encoder.embed(long, progress=tell),
        lambda tell: list(encoder.embed_many([long, SHORT], progress=tell)),
    ):
        told = []
        call(told.append)
        inside = [each.audio_seconds for each in told if each.done == 0]
        assert len({*inside}) > 2 and inside == sorted(inside) and inside[-1] <= 1800.5
        assert told[-1].done == told[-1].total and told[-1].audio_seconds >= 1800


def test_a_sound_is_done_when_the_next_is_asked_for(encoder):
    job = sonovec.Job()
    done = [job.progress.done for _ in encoder.embed_many((SHORT for _ in range(3)), progress=job)]
    assert done == [0, 1, 2] and job.progress == sonovec.Progress("embedding", 3, None, "sounds", 1.5)


def test_a_cancel_ends_a_long_sound_within_a_second(encoder, long, tmp_path):
    path = tmp_path / "long.wav"
    soundfile.write(path, np.tile(long[0], 2), long[1])
    calls = {
        "embed": lambda job: encoder.embed(path, progress=job),
        "embed_many": lambda job: list(encoder.embed_many([path], progress=job)),
    }
    for call in calls.values():
        job, began = sonovec.Job(), time.monotonic()
        threading.Timer(0.1, job.cancel).start()
        with pytest.raises(Cancelled, match="cancelled while embedding: 0 of 1 sounds were done"):
            call(job)
        assert time.monotonic() - began < 2 and job.state == "cancelled"
    assert encoder.embed(SHORT).duration == 0.5, "the encoder goes on"


def test_what_a_listener_raises_ends_the_loop(encoder):
    def tell(progress):
        if progress.done == 2:
            raise ZeroDivisionError("of the listener")

    got = []
    with pytest.raises(ZeroDivisionError, match="of the listener"):
        for result in encoder.embed_many([SHORT] * 5, progress=tell):
            got.append(result)
    assert len(got) == 2


def test_a_loop_that_is_left_cancels_its_job(encoder):
    job = sonovec.Job()
    results = encoder.embed_many([SHORT] * 3, progress=job)
    assert job.state == "queued"
    next(results)
    assert job.state == "running"
    results.close()
    results.close()
    assert job.state == "cancelled" and list(results) == []


def test_many_jobs_run_at_once(encoder):
    def embed(number):
        job = sonovec.Job(lambda progress: number % 2 and progress.done == 1 and job.cancel())
        try:
            return job, len(list(encoder.embed_many([SHORT] * (number + 2), progress=job)))
        except Cancelled:
            return job, None

    with ThreadPoolExecutor(8) as pool:
        for number, (job, count) in enumerate(pool.map(embed, range(8))):
            assert (job.state, count) == (("cancelled", None) if number % 2 else ("done", number + 2))


# -- the bar


def drawn(*reports):
    file = io.StringIO()
    bar = bars.TerminalBar(Console(file=file, force_terminal=True, width=120))
    for progress in reports:
        bar(progress)
    bar.close()
    bar.close()
    return file.getvalue()


def test_the_bar_shows_stage_count_sound_and_note():
    text = drawn(sonovec.Progress("indexing", 3, 7, "files", 90.0, "[b]x"), sonovec.Progress("pruning", 7, 7, "files"))
    assert "pruning" in text and "7/7" in text
    text = drawn(sonovec.Progress("indexing", 3, 7, "files", 90.0, "[b]x" + "y" * 100))
    assert "3/7" in text and "1.5 min of sound" in text and "[b]xyyy" in text and "y..." in text
    assert "1.5/3.0 MB" in drawn(sonovec.Progress("fetching", 1_500_000, 3_000_000, "bytes"))
    assert drawn() == ""


def test_in_a_notebook_the_bar_is_html_with_the_same_texts():
    page = bars.page_of(sonovec.Progress("indexing", 3, 7, "files", 90.0, "<b>x"), 65.4)
    assert (
        'max="7"' in page and 'value="3"' in page and "indexing  3/7 files  1.5 min of sound" in page and "1:05" in page
    )
    assert "<b>" not in page and "&lt;b&gt;x" in page
    open_ended = bars.page_of(sonovec.Progress("embedding", 3, None, "sounds"), 0)
    assert "value=" not in open_ended and "embedding  3 sounds" in open_ended
    assert 'max="1"' in bars.page_of(sonovec.Progress("indexing", 0, 0, "files"), 0), "a bar of nothing is drawn too"


def test_where_nobody_looks_no_bar_is_drawn_and_nothing_is_counted(encoder, capfd):
    job = jobs.job_of(True)
    assert not job.counts and jobs.job_of(print).counts and sonovec.Job().counts
    encoder.embed(SHORT, progress=True)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_on_a_terminal_calls_and_commands_draw_one_bar(tmp_path):
    for number in range(3):
        noise = np.random.default_rng(number).standard_normal(16000) / 10
        soundfile.write(tmp_path / f"{number}.wav", noise, 16000)
    code = f"import sonovec; sonovec.Library({str(tmp_path / 'l')!r}, model='logmel').add({str(tmp_path)!r}, progress=True)"
    assert "3/3" in on_a_terminal(["-c", code])
    main = ["-c", "from sonovec.cli.main import main; main()", "index", str(tmp_path), "-l", str(tmp_path / "m")]
    assert "4/4" in on_a_terminal([*main, "-m", "logmel"])
    assert on_a_terminal([*main, "--quiet", "--json"]) == ""


def on_a_terminal(arguments):
    """What a process writes on its error stream, a terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "150", "TERM": "xterm"}
    with subprocess.Popen(
        [sys.executable, *arguments], stderr=theirs, stdout=subprocess.DEVNULL, env=environment
    ) as run:
        os.close(theirs)
        text = b""
        while True:
            try:
                block = os.read(ours, 65536)
            except OSError:  # what Linux says of a terminal that was closed
                break
            if not block:
                break
            text += block
    os.close(ours)
    assert run.returncode == 0, text
    return text.decode()


# -- what belongs to the whole process is left alone

TOUCH = """
import logging, sys, warnings
from pathlib import Path

def state():
    root = logging.getLogger()
    return root.level, list(root.handlers), logging.getLoggerClass(), logging.root.manager.disable, list(warnings.filters)

from functools import partial
{imports}
before = state()
out, err = sys.stdout, sys.stderr
import sonovec
from sonovec import demo
folder = Path(sys.argv[1])
paths = demo.write(folder / "sounds", per_kind=2)
{work}
assert (out, err) == (sys.stdout, sys.stderr)
now = state()
assert now == before, [pair for pair in zip(now, before) if pair[0] != pair[1]]
assert [type(each).__name__ for each in logging.getLogger("sonovec").handlers] == ["NullHandler"]
assert logging.getLogger("sonovec").level == 0
"""
LIBRARY = """
with sonovec.Library(folder / "library", model="logmel") as library:
    library.add(folder / "sounds", progress=True)
    library.add(folder / "sounds", prune=True, analysers=["fingerprint"])
    library.search(paths[0])
    library.jobs()
"""
REST = """
from sonovec.evaluation import compare, conformance, evaluate
from sonovec.evaluation.dataset import read
from sonovec.embedding.quantization import quantize
encoder = sonovec.load("logmel")
evaluate.evaluate(read(folder / "sounds"), encoder, perturbations=["gain"], progress=True)
compare.compare(folder / "sounds", ["logmel", "default"], progress=True)
conformance.check(partial(sonovec.load, "logmel"), quick=True, progress=True)
quantize(sonovec.load("default"), paths[:4], progress=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("work", "imports"),
    [
        (LIBRARY, "import numpy, pyarrow, openvino, soundfile, av"),
        # What they need changes the filters of warnings when it is imported: that is theirs.
        (REST, "import numpy, openvino, sklearn.linear_model, scipy, soundfile, av"),
    ],
    ids=["library", "rest"],
)
def test_calls_leave_logging_warnings_and_streams_of_the_process_alone(tmp_path, work, imports):
    code = TOUCH.format(work=work, imports=imports)
    run = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert (run.stdout, run.stderr) == ("", "")
