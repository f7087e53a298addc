"""A detector as an analyser: a library keeps what it hears as labels and as a column of its tracks."""

from __future__ import annotations

from typing import Any, Literal

from sonovec.analysis.analyser import Analyser, Field, Findings, Noted, VectorAnalyser
from sonovec.embedding.passport import Passport
from sonovec.embedding.pooled import Windows
from sonovec.learn.detector import Detector
from sonovec.learn.events import Detection, Grid, Rules, Tracker
from sonovec.library.columns import fault, free, scores_of

#: What the version of a detector ends with where it heard segments, whose times are coarse.
COARSE = "-segments"


def analyser(
    detector: Detector, unit: Literal["windows", "segments"] = "windows", rules: Rules | None = None
) -> type[Analyser]:
    """The class of an analyser that hears with a detector; for `Library.add` and `Library.analyse`.

    What it hears becomes labels of the track, with the source ``name@version``, and a column of the detector's name: the
    classes, best first, which filters find (``crows has 'crow'``). A second column, whose name ends in ``_scores``, has
    the highest probability of each.

    Parameters
    ----------
    detector : Detector
        A name that no column may have is changed to one that it may.
    unit : {"windows", "segments"}
        Windows are those of the library's encoder, which embeds sounds that are in the library already once more. Segments
        are what the library stores: their sound need not be there, and edges are as coarse as they are long (10 s). Where a
        track was heard by windows, segments do not replace that.
    rules : Rules, optional

    Examples
    --------
    ``library.add("recordings", analysers=[analyser(detector)])``, and then ``library.tracks("crows has 'crow'")``.

    >>> analyser(Detector.load("crows.detector"))
    Traceback (most recent call last):
    sonovec.errors.UsageError: crows.detector: is not a detector; give a folder that sonovec train wrote
    """
    name = detector.name if fault(detector.name) is None else free(detector.name)
    asked = rules or Rules()

    class Detecting(VectorAnalyser):
        between = "@"
        fields = (Field(name, list[str], "labels"), Field(scores_of(name), list[float]))

        @classmethod
        def check(cls, passport: Passport) -> None:
            detector.check(passport)

        def begin(self, passport: Passport) -> None:  # type: ignore[override]
            detector.check(passport)
            grid = (
                Grid.of(passport.window / passport.rate, passport.hop / passport.rate) if unit == "windows" else Grid()
            )
            self._tracker = Tracker(detector, asked, grid)
            self._found: list[Detection] = []

        def push(self, windows: Windows) -> None:  # type: ignore[override]
            self._found += self._tracker.push(windows.times, windows.vectors, windows.silent)

        def finish(self) -> Findings:
            return findings(name, [*self._found, *self._tracker.finish()])

    attributes: dict[str, Any] = {"name": name, "version": detector.version, "unit": unit}
    if unit == "segments":
        attributes |= {"version": detector.version + COARSE, "as_good": frozenset({detector.version})}
    return type("Detecting", (Detecting,), attributes)


def findings(name: str, found: list[Detection]) -> Findings:
    """What a library keeps of what was heard in a track."""
    best: dict[str, float] = {}
    for event in found:
        best[event.name] = max(best.get(event.name, 0.0), event.probability)
    ranked = sorted(best, key=lambda each: (-best[each], each))
    labels = [Noted(each.start, each.end, each.name, each.probability) for each in found if each.end is not None]
    return Findings({name: ranked, scores_of(name): [best[each] for each in ranked]}, labels=labels)
