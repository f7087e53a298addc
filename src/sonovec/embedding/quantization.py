"""Quantise an encoder to 8 bits on sounds, and measure on other sounds what that costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sonovec.embedding.encoder import Encoder
from sonovec.embedding.source import Sound, open_source, source_of
from sonovec.errors import UsageError
from sonovec.jobs import Job, Progress, Watched, running
from sonovec.log import LOGGER, as_failure
from sonovec.models.model import Rows
from sonovec.vectors import cosines, nearest_others

if TYPE_CHECKING:
    from sonovec.graph import Graph

#: Windows that calibrate, at most; as many others measure.
MOST_WINDOWS = 300


@dataclass(frozen=True)
class Loss:
    """What 8 bits cost, against float32, on windows that did not calibrate them.

    Attributes
    ----------
    precision : str
        Name of the calibration, as it stands in passports.
    windows : int
        How many were compared.
    lowest_cosine, mean_cosine : float
        Between the two vectors of a window.
    same_neighbour : float
        Share of windows whose nearest other window is the same.
    """

    precision: str
    windows: int
    lowest_cosine: float
    mean_cosine: float
    same_neighbour: float


def quantize(encoder: Encoder, sounds: Iterable[Sound], *, progress: Watched = None) -> Loss:
    """Quantise an encoder's network, and keep it and its loss in the cache: ``load(name, precision="int8")`` takes it.

    Parameters
    ----------
    encoder : Encoder
    sounds : iterable of sounds
        Some minutes of what it is for. Every other window calibrates, the others measure. What cannot be read is left
        out, with a warning to the logger "sonovec".
    progress : True, callable or Job, optional
        Watch it, or cancel it; see `sonovec.Job`.

    Returns
    -------
    Loss

    Raises
    ------
    UsageError
        If the encoder has no network, or there is too little sound.
    MissingExtraError
        If NNCF is not installed.
    """
    if encoder.model.graph is None:
        raise UsageError(f"model {encoder.card.name!r} has no network, so it cannot be quantised; use it unchanged")
    with running(progress) as job:
        return _quantized(encoder, encoder.model.graph, sounds, job)


def _quantized(encoder: Encoder, graph: Graph, sounds: Iterable[Sound], job: Job) -> Loss:
    from sonovec.runtime import open_network
    from sonovec.runtime.int8 import quantize as quantize_graph
    from sonovec.runtime.int8 import record_loss

    model = encoder.model
    rows, coverage = _windows(encoder, sounds, job)
    if len(rows) < 8:
        raise UsageError(f"{len(rows)} windows of sound are too few to quantise by; give some minutes")
    calibrating, measured = rows[::2], rows[1::2]

    def tell(done: int) -> None:
        job.report(Progress("calibrating", done, len(calibrating), "windows"))

    precision = quantize_graph(graph, calibrating, tell)

    def vectors(name: str) -> NDArray[np.float32]:
        job.report(Progress("measuring", 0, len(measured), "windows", note=name))
        return model.finish(open_network(graph, name, "cpu").run(measured), coverage[1::2])[:, : encoder.dim]

    exact, eight = vectors("f32"), vectors(precision)
    alike = cosines(exact, eight)
    same = float(np.mean(nearest_others(exact) == nearest_others(eight)))
    loss = Loss(precision, len(measured), float(alike.min()), float(alike.mean()), same)
    record_loss(graph, asdict(loss))
    return loss


def _windows(
    encoder: Encoder, sounds: Iterable[Sound], job: Job
) -> tuple[list[NDArray[np.float32]], NDArray[np.float32]]:
    """Features of at most twice `MOST_WINDOWS` windows, and how much of each is sound; silent ones are left out."""
    rows: list[NDArray[np.float32]] = []
    coverage: list[float] = []
    for sound in sounds:
        source = source_of(sound)
        try:
            with open_source(source, encoder.rate, encoder.isolate) as stream:
                for windows in encoder.settings.cleaning.begin(stream.rate).windows(stream, encoder.window):
                    job.report(Progress("reading windows", len(rows), 2 * MOST_WINDOWS, "windows", note=source.name))
                    heard = ~windows.silent
                    features: Rows = encoder.model.features(windows.samples[heard], windows.coverage[heard])
                    rows.extend(features)
                    coverage.extend(windows.coverage[heard])
                    if len(rows) >= 2 * MOST_WINDOWS:
                        return rows[: 2 * MOST_WINDOWS], np.array(coverage[: 2 * MOST_WINDOWS], np.float32)
        except Exception as error:  # noqa: BLE001 - it is this sound's alone
            LOGGER.warning("%s; left out", as_failure(source.name, error))
    return rows, np.array(coverage, np.float32)
