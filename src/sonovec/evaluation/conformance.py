"""A conformance suite for any encoder: what every vector of this library is promised to be, checked one by one.

A third party's tests can run it over their own encoder::

    from functools import partial
    from sonovec.evaluation.conformance import breaches, check

    def test_it_conforms():
        assert not breaches(check(partial(sonovec.load, "my-encoder")))
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonovec import demo
from sonovec.embedding.embedding import Embedding
from sonovec.embedding.encoder import Encoder
from sonovec.embedding.engine import Engine
from sonovec.errors import Cancelled, UsageError
from sonovec.jobs import Job, Progress, Watched, running
from sonovec.vectors import cosines, nearest_others

#: What gives the encoder: called without arguments, and with ``precision=`` for the loss of precision.
Load = Callable[..., Encoder]
Samples = NDArray[np.float32]
Sound = tuple[Samples, int]

#: Lengths in seconds that catch what round ones do not; the first is one sample.
LENGTHS = (0.0, 0.01, 1.07, 1.98, 4.0)
LONG_SECONDS, QUICK_SECONDS = 600.0, 30.0
#: Growth of memory from a sound of `QUICK_SECONDS` to one of `LONG_SECONDS`, in MiB.
MEMORY_GROWTH = 256.0
#: Cosines that threads, or another compiled shape, may change a vector to.
COSINE = {"f32": 0.999999, "bf16": 0.99995, "int8": 0.99995}
#: Fields of a card that must say something.
CARD_FIELDS = (
    "name", "family", "revision", "summary", "licence", "rate", "window_seconds", "hop_seconds", "dim", "front_end",
    "trained_on", "reference",
)  # fmt: skip
RATES = (8000, 44100, 96000)


@dataclass(frozen=True)
class Result:
    """Outcome of one check: what was found, what the limit is, and ``"ok"``, ``"BREACH"`` or ``"skipped"``."""

    check: str
    found: str
    limit: str
    status: str


def ok_if(check: str, holds: bool, found: object, limit: str) -> Result:
    """A result that is a breach unless `holds`."""
    return Result(check, str(found), limit, "ok" if holds else "BREACH")


@dataclass
class Subject:
    """The encoder that is checked, with the sounds that it is checked on."""

    load: Load
    quick: bool
    folder: Path
    job: Job = field(default_factory=Job)
    _embeddings: dict[float, Embedding] = field(default_factory=dict)

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder with its own settings."""
        return self.load()

    @property
    def long_seconds(self) -> float:
        """Length of the longest sound."""
        return QUICK_SECONDS if self.quick else LONG_SECONDS

    def sound(self, seconds: float, seed: int = 0, rate: int | None = None) -> Sound:
        """Noise and a gliding tone whose loudness moves, at the encoder's rate or another."""
        rate = rate or self.encoder.rate
        t = np.arange(max(1, round(seconds * rate))) / rate
        noise = np.random.default_rng(seed).standard_normal(len(t))
        tone = np.sin(2 * np.pi * (300 + 40 * np.sin(t)) * t) * (0.6 + 0.4 * np.sin(2 * np.pi * 0.7 * t + seed))
        return (0.05 * noise + 0.3 * tone).astype(np.float32), rate

    def embedding(self, seconds: float) -> Embedding:
        """The embedding of a sound of that length; made once."""
        if seconds not in self._embeddings:
            self._embeddings[seconds] = self.encoder.embed(self.sound(seconds))
        return self._embeddings[seconds]

    def file(self, seconds: float) -> Path:
        """A sound as a WAV file of floats, which loses nothing; long ones are written block by block."""
        import soundfile

        path = self.folder / f"{seconds}.wav"
        if not path.exists():
            samples, rate = self.sound(min(seconds, QUICK_SECONDS))
            with soundfile.SoundFile(path, "w", rate, 1, "FLOAT") as out:
                for _ in range(max(1, round(seconds / QUICK_SECONDS))):
                    out.write(samples)
        return path


def check(load: Load, quick: bool = False, *, progress: Watched = None) -> list[Result]:
    """Run all checks over an encoder.

    Parameters
    ----------
    load : callable
        Gives the encoder, as ``partial(sonovec.load, "yamnet")`` does; it is called with ``precision=`` too.
    quick : bool
        Half a minute instead of ten for the long sound, and no measurement of memory.
    progress : True, callable or Job, optional
        Watch it, or cancel it; see `sonovec.Job`.

    Returns
    -------
    list of Result

    Examples
    --------
    >>> import sonovec
    >>> from functools import partial
    >>> breaches(check(partial(sonovec.load, "logmel"), quick=True))
    []
    """
    with running(progress) as job, tempfile.TemporaryDirectory() as folder:
        subject = Subject(load, quick, Path(folder), job)
        results: list[Result] = []
        for done, one in enumerate(CHECKS):
            job.report(Progress("checking", done, len(CHECKS), "checks", note=_name(one)))
            results += _guarded(one, subject)
        return results


def breaches(results: Iterable[Result]) -> list[Result]:
    """Those of the results that are breaches."""
    return [result for result in results if result.status == "BREACH"]


def _guarded(one: Callable[[Subject], Iterator[Result]], subject: Subject) -> Iterator[Result]:
    """A check that raises is a breach too, and the others go on; but an encoder that cannot be loaded ends them all."""
    _ = subject.encoder.passport
    try:
        yield from one(subject)
    except Cancelled:
        raise
    except Exception as error:  # noqa: BLE001 - whatever somebody's encoder raises
        reason = " ".join(str(error).split())[:160]
        yield Result(_name(one), f"{type(error).__name__}: {reason}", "no error", "BREACH")


def _name(check: Callable[[Subject], Iterator[Result]]) -> str:
    return check.__name__.strip("_").replace("_", " ")


# -- the checks


def _card(subject: Subject) -> Iterator[Result]:
    card, encoder = subject.encoder.card, subject.encoder
    empty = [name for name in CARD_FIELDS if not getattr(card, name)]
    yield ok_if(
        "card is complete",
        not empty,
        f"empty: {', '.join(empty)}" if empty else "complete",
        "every field has a value",
    )
    found = (card.rate, card.n_classes)
    yield ok_if(
        "card agrees with the encoder",
        found == (encoder.rate, len(encoder.classes)),
        found,
        f"{encoder.rate} Hz, {len(encoder.classes)} classes",
    )


def _shapes(subject: Subject) -> Iterator[Result]:
    e = subject.embedding(4.0)
    expected = (len(e.times), subject.encoder.dim)
    yield ok_if(
        "shape of windows",
        e.windows.shape == expected and e.vector.shape == expected[1:],
        e.windows.shape,
        f"{expected}",
    )
    yield ok_if(
        "numbers",
        e.windows.dtype == np.float32 and bool(np.isfinite(e.windows).all()),
        e.windows.dtype,
        "finite float32",
    )
    covered = f"{e.coverage.min():.3f} to {e.coverage.max():.3f}"
    yield ok_if("coverage", bool((e.coverage > 0).all() and (e.coverage <= 1).all()), covered, "above 0, at most 1")


def _times(subject: Subject) -> Iterator[Result]:
    e, rate, window = subject.embedding(4.0), subject.encoder.rate, subject.encoder.window
    steps = np.diff(np.round(e.times[:, 0] * rate)).astype(int)
    yield ok_if(
        "steps of windows",
        bool((steps == window.hop).all()),
        sorted(set(steps.tolist())) or "one window",
        f"{window.hop} samples",
    )
    end, whole = float(e.times[-1, 1]), e.duration
    yield ok_if(
        "end of the last window",
        abs(end - whole) <= 1 / rate or window.tail == "drop",
        f"{end:.5f} s",
        f"{whole:.5f} s, to a sample",
    )


def _determinism(subject: Subject) -> Iterator[Result]:
    again = subject.encoder.embed(subject.sound(4.0)).windows
    yield _same("the same twice", [again], [subject.embedding(4.0).windows], None)
    loaded = subject.load().embed(subject.sound(4.0)).windows
    yield _same("the same after loading again", [loaded], [subject.embedding(4.0).windows], None)


def _batches(subject: Subject) -> Iterator[Result]:
    sounds = [subject.sound(seconds, seed) for seed, seconds in enumerate((0.4, 4.0, 1.07, 12.3, 0.4, 1.98))]
    alone = [subject.encoder.embed(sound).windows for sound in sounds]
    company = _all(subject, sounds)
    yield _same("in a batch and alone", company, alone, _between_shapes(subject))
    yield _same("in another order", _all(subject, sounds[::-1])[::-1], company, None)


def _windows(subject: Subject) -> Iterator[Result]:
    """The samples of a window, embedded alone, give its vector: no window knows of those beside it."""
    window = subject.encoder.window
    samples, rate = subject.sound(max(4.0, 2.5 * window.length / subject.encoder.rate))
    e = subject.encoder.embed((samples, rate))
    full = np.flatnonzero(e.coverage == 1)
    places = [round(float(e.times[i, 0]) * rate) for i in (full[0], full[-1])]
    alone = [subject.encoder.embed((samples[at : at + window.length], rate)).windows[0] for at in places]
    within = e.windows[[full[0], full[-1]]]
    yield _same("a window alone and in its sound", [np.stack(alone)], [within], _between_shapes(subject))


def _all(subject: Subject, sounds: list[Sound]) -> list[Samples]:
    results = list(subject.encoder.embed_many(sounds, progress=subject.job.part("embedding in batches")))
    return [result.windows for result in results if isinstance(result, Embedding)]


def _threads(subject: Subject) -> Iterator[Result]:
    sounds = [subject.sound(seconds, seed) for seed, seconds in enumerate((4.0, 12.3, 1.07))]
    several = _all(subject, sounds)
    with Engine(subject.encoder, jobs=1) as engine:
        one = [result.windows for result in engine.embed_many(sounds) if isinstance(result, Embedding)]
    yield _same("one core as all", one, several, _between_shapes(subject))


def _between_shapes(subject: Subject) -> float:
    """The cosine that another compiled shape may change a vector to."""
    return COSINE[subject.encoder.passport.precision.split("-")[0]]


def _same(check: str, found: list[Samples], expected: list[Samples], cosine: float | None) -> Result:
    """Bit for bit, or up to a cosine."""
    shapes = [a.shape for a in found] == [a.shape for a in expected]
    if shapes and all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True)):
        return Result(check, "bit for bit", "bit for bit" if cosine is None else f"cosine {cosine}", "ok")
    if not shapes:
        return Result(check, "other shapes", "bit for bit", "BREACH")
    lowest = min(float(_cosines(a, b).min()) for a, b in zip(found, expected, strict=True))
    return ok_if(
        check,
        cosine is not None and lowest >= cosine,
        f"cosine {lowest:.7f}",
        f"cosine {cosine}" if cosine else "bit for bit",
    )


def _cosines(a: Samples, b: Samples) -> NDArray[np.float64]:
    """Cosines of rows; 1 where both are the same, zeros included."""
    return np.where((a == b).all(axis=1), 1.0, cosines(a, b))


def _lengths(subject: Subject) -> Iterator[Result]:
    for seconds in LENGTHS:
        samples, rate = subject.sound(seconds)
        e = subject.encoder.embed((samples, rate))
        whole = (
            len(e.windows) >= 1
            and bool(np.isfinite(e.windows).all())
            and abs(e.duration - len(samples) / rate) < 1 / rate
        )
        yield ok_if(f"{len(samples) / rate:.5g} s", whole, f"{len(e.windows)} windows", "one or more, finite, whole")


def _long(subject: Subject) -> Iterator[Result]:
    seconds, rate = subject.long_seconds, subject.encoder.rate
    short, _ = _peak(lambda: subject.encoder.embed(subject.file(QUICK_SECONDS)))
    watch = subject.job.part(f"embedding {seconds:g} s")
    began = time.perf_counter()
    peak, e = _peak(lambda: subject.encoder.embed(subject.file(seconds), progress=watch))
    took = time.perf_counter() - began
    whole = abs(e.duration - seconds) < 1 / rate and bool(np.isfinite(e.windows).all())
    yield ok_if(f"{seconds:g} s", whole, f"{len(e.windows)} windows, {e.duration:.2f} s", "whole and finite")
    yield Result("speed", f"{seconds / took:.0f} x real time", "-", "ok")
    if subject.quick:
        yield Result("memory of a long sound", "-", f"{MEMORY_GROWTH:g} MiB more than a short one", "skipped: quick")
        return
    vectors = e.windows.nbytes / 2**20
    yield ok_if(
        "memory of a long sound",
        peak - short - vectors <= MEMORY_GROWTH,
        f"{peak:.0f} MiB, {peak - short - vectors:+.0f} beside its vectors",
        f"{MEMORY_GROWTH:g} MiB more than a short one",
    )


def _peak(work: Callable[[], Embedding]) -> tuple[float, Embedding]:
    """Highest resident memory in MiB while `work` runs, and what it gives."""
    import psutil

    process, done, seen = psutil.Process(), threading.Event(), [0.0]

    def watch() -> None:
        while not done.wait(0.02):
            seen.append(process.memory_info().rss / 2**20)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        return_value = work()
    finally:
        seen.append(process.memory_info().rss / 2**20)
        done.set()
        watcher.join()
    return max(seen), return_value


def _streaming(subject: Subject) -> Iterator[Result]:
    path = subject.file(QUICK_SECONDS)
    yield _same(
        "a file as its samples", [subject.encoder.embed(path).windows], [subject.embedding(QUICK_SECONDS).windows], None
    )


def _silence(subject: Subject) -> Iterator[Result]:
    rate = subject.encoder.rate
    e = subject.encoder.embed((np.zeros(4 * rate, np.float32), rate))
    yield ok_if(
        "silence",
        bool(e.silent.all() and np.isfinite(e.windows).all()),
        f"{int(e.silent.sum())} of {len(e.silent)} marked",
        "all marked, finite",
    )


def _extremes(subject: Subject) -> Iterator[Result]:
    rate = subject.encoder.rate
    t = np.arange(3 * rate) / rate
    for name, samples in (
        ("full-scale square wave", np.sign(np.sin(2 * np.pi * 220 * t))),
        ("constant offset", np.full(len(t), 0.5)),
    ):
        e = subject.encoder.embed((samples.astype(np.float32), rate))
        yield ok_if(
            name,
            bool(np.isfinite(e.windows).all()),
            "finite" if np.isfinite(e.windows).all() else "not finite",
            "finite",
        )


def _sources(subject: Subject) -> Iterator[Result]:
    for rate in RATES:
        e = subject.encoder.embed(subject.sound(2.0, rate=rate))
        fine = bool(np.isfinite(e.windows).all()) and abs(e.duration - 2.0) < 1e-3
        yield ok_if(f"source at {rate} Hz", fine, f"{len(e.windows)} windows, {e.duration:.3f} s", "finite, 2 s")
    samples, rate = subject.sound(4.0)
    stereo = subject.encoder.embed((np.stack([samples, samples], axis=1), rate)).windows
    yield _same("two equal channels and one", [stereo], [subject.embedding(4.0).windows], None)


def _precision(subject: Subject) -> Iterator[Result]:
    limit = subject.encoder.card.bf16_cosine
    try:
        low = None if limit is None else subject.load(precision="bf16")
        _ = low and low.passport
    except UsageError as error:
        low, limit = None, None
        yield Result("loss in bf16", str(error)[:80], "-", "skipped: bf16 is not used here")
        return
    if low is None or limit is None:
        yield Result("loss in bf16", "-", "-", "skipped: the card forbids bf16")
        return
    paths = demo.write(subject.folder / "demo", per_kind=3)
    watch = subject.job.part("embedding in two precisions")
    exact, lower = (
        [r.vector for r in encoder.embed_many(paths, progress=watch) if isinstance(r, Embedding)]
        for encoder in (subject.load(precision="f32"), low)
    )
    a, b = np.stack(exact), np.stack(lower)
    lowest = float(_cosines(a, b).min())
    yield ok_if("loss in bf16", lowest >= limit, f"cosine {lowest:.6f}", f"cosine {limit}")
    same = float((nearest_others(a) == nearest_others(b)).mean())
    yield Result("same nearest sound in bf16", f"{same:.0%} of {len(a)}", "-", "ok")


def _scores(subject: Subject) -> Iterator[Result]:
    classes = subject.encoder.classes
    if not classes:
        yield Result("scores", "-", "-", "skipped: it scores no classes")
        return
    scores = subject.embedding(4.0).scores
    fine = scores.shape[1] == len(classes) and bool((scores >= 0).all() and (scores <= 1).all())
    yield ok_if(
        "scores",
        fine,
        f"{scores.shape[1]} scores, {scores.min():.3f} to {scores.max():.3f}",
        f"{len(classes)} within 0 and 1",
    )


def _words(subject: Subject) -> Iterator[Result]:
    encoder = subject.encoder
    if not encoder.knows_words:
        yield Result("words", "-", "-", "skipped: it knows none")
        return
    texts = ["glass breaking", "rain"]
    together, alone = encoder.embed_text(texts), np.concatenate([encoder.embed_text([text]) for text in texts])
    fine = together.shape == (2, encoder.dim) and bool(np.isfinite(together).all())
    yield ok_if("words", fine, together.shape, f"(2, {encoder.dim}), finite")
    yield _same("text in a batch and alone", [together], [alone], None)


CHECKS: tuple[Callable[[Subject], Iterator[Result]], ...] = (
    _card, _shapes, _times, _determinism, _windows, _batches, _threads, _lengths, _long, _streaming, _silence, _extremes,
    _sources, _precision, _scores, _words,
)  # fmt: skip
