"""The spaces that analysers fill: each made for one version of its analyser, and searched by what that hears in a sound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sonovec.analysis import registry
from sonovec.analysis.analyser import Analyser, SpaceSpec, VectorAnalyser
from sonovec.embedding.embedding import Part
from sonovec.embedding.pooling import pool
from sonovec.embedding.source import Source
from sonovec.errors import AnalyserError, PassportError, UsageError
from sonovec.library.hearing import hear_source
from sonovec.library.ledger import Ledger
from sonovec.library.queries import lengths
from sonovec.library.records import Segment, Space
from sonovec.library.search import Query
from sonovec.library.store import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sonovec.embedding.encoder import Encoder
    from sonovec.embedding.passport import Passport


def space_of(kind: type[Analyser], spec: SpaceSpec, main: Passport) -> Space:
    """A space for the vectors that an analyser gives; those that are made of other vectors depend on theirs."""
    made_of = {"of": main.fingerprint} if issubclass(kind, VectorAnalyser) else {}
    passport = {"analyser": kind.name, "version": kind.version, **made_of}
    return Space(spec.name, spec.dim, passport, 0.0, kind.name, {}, spec.level)


def check(store: Store, kinds: Iterable[type[Analyser]]) -> None:
    """Refuse analysers whose spaces are there already, and are filled by something else.

    Raises
    ------
    UsageError
        The message says by what.
    """
    have = store.spaces()
    for kind in kinds:
        for spec in kind.spaces:
            there = have.get(spec.name)
            if there is not None and there.analyser != kind.name:
                raise UsageError(
                    f"{store.location}: the space {spec.name!r} of the analyser {kind.name!r} is there already, with the "
                    f"vectors of {there.model!r}; drop that one first: "
                    f"sonovec library drop-space {store.location} {spec.name}"
                )


def prepare(store: Store, ledger: Ledger, kinds: Iterable[type[Analyser]], main: Passport) -> None:
    """Have the spaces that analysers fill; those that another version filled are dropped, and all is heard again.

    The ledger forgets first: so a run that is killed in between is taken up by the next.
    """
    for kind in kinds:
        wanted = {spec.name: space_of(kind, spec, main) for spec in kind.spaces}
        have = {name: space for name, space in store.spaces().items() if space.analyser == kind.name}
        if wanted == have:
            continue
        ledger.forget_analyses(kind.name)
        for name, space in have.items():
            if wanted.get(name) != space:
                store.drop_space(name)
        for name, space in wanted.items():
            if have.get(name) != space:
                store.add_space(space)


#: What a store takes for a track: its id, its vector and its segments.
Item = tuple[str, "NDArray[np.float32]", Sequence[Segment]]


def item_of(track: str, given: NDArray[np.floating] | Sequence[Part]) -> Item:
    """What a space takes of what an analyser gave for a track: one vector, or parts."""
    if isinstance(given, np.ndarray):
        return track, np.asarray(given, np.float32), ()
    segments = [Segment(n, each.start, each.end, each.coverage, each.vector) for n, each in enumerate(given)]
    return track, _mean(given), segments


def _mean(parts: Sequence[Part]) -> NDArray[np.float32]:
    return pool(np.stack([part.vector for part in parts]), lengths(parts))


def query(
    place: object, space: Space, source: Source, encoder: Callable[[], Encoder], seconds: float, *, isolate: bool
) -> Query:
    """What to search a space for: the vectors that its analyser gives for a sound.

    Raises
    ------
    UsageError
        The analyser is not installed.
    PassportError
        Another version of it is.
    AnalyserError
        It gives no vector for this sound.
    """
    kind = _installed(place, space)
    found = hear_source(source, [kind], encoder, seconds, isolate=isolate)[kind.name]
    given = None if found.findings is None else found.findings.vectors.get(space.name)
    if given is None or not len(given):
        why = f" ({found.reason})" if found.reason else ""
        raise AnalyserError(
            f"{source.name}: the analyser {kind.name!r} gives no vector for it{why}; give another sound"
        )
    if isinstance(given, np.ndarray):
        vector = np.asarray(given, np.float32)
        return Query(vector, vector[None], None)
    # Vectors know the seconds of the whole sound, and blocks begin where the range does.
    offset = 0.0 if issubclass(kind, VectorAnalyser) else source.start
    times = np.array([(part.start + offset, part.end + offset) for part in given])
    return Query(_mean(given), np.stack([part.vector for part in given]), times)


def _installed(place: object, space: Space) -> type[Analyser]:
    try:
        [kind] = registry.find([str(space.analyser)])
    except UsageError as error:
        raise UsageError(
            f"{place}, space {space.name!r}: to search it by a sound needs the analyser that fills it ({error}); or search "
            "by an indexed file, or by the id of a track"
        ) from error
    if kind.version != space.passport.get("version"):
        raise PassportError(
            f"{place}, space {space.name!r}: filled by the analyser {kind.name!r} in version "
            f"{space.passport.get('version')}, and {kind.version} is installed; let it hear the tracks again: "
            f"sonovec index PATH -l {place} --analyser {kind.name}"
        )
    return kind
