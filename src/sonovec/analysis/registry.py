"""The analysers that there are: those of this package, and those of others, by the entry point group `sonovec.analysers`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import entry_points

from sonovec.analysis.analyser import Analyser
from sonovec.errors import UsageError

GROUP = "sonovec.analysers"
#: Our own, by name: where the class is. A module is only imported when its analyser is asked for.
BUILT_IN = {
    "fingerprint": ("sonovec.analysis.fingerprint", "Fingerprint"),
    "loudness": ("sonovec.analysis.loudness", "Loudness"),
}


def names() -> list[str]:
    """Names of all analysers."""
    return sorted({*BUILT_IN, *(point.name for point in entry_points(group=GROUP))})


def find(wanted: Iterable[str]) -> list[type[Analyser]]:
    """The classes of some analysers, each once.

    Raises
    ------
    UsageError
        If there is none of a name, or the package that registers it fails.

    Examples
    --------
    >>> [each.name for each in find(["loudness"])]
    ['loudness']
    >>> find(["loudnes"])
    Traceback (most recent call last):
    sonovec.errors.UsageError: there is no analyser 'loudnes'; did you mean 'loudness'? ...
    """
    return [_find(name) for name in dict.fromkeys(wanted)]


def _find(name: str) -> type[Analyser]:
    if name in BUILT_IN:
        module, kind = BUILT_IN[name]
        built_in: type[Analyser] = getattr(import_module(module), kind)
        return built_in
    point = next(iter(entry_points(group=GROUP, name=name)), None)
    if point is None:
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(
            f"there is no analyser {name!r}; {hint}installed: {', '.join(names())}. The package of another may be gone: "
            "install it again"
        )
    try:
        found = point.load()
    except Exception as error:  # whatever the package of somebody else raises
        raise UsageError(
            f"analyser {name!r} ({point.value}) cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not (isinstance(found, type) and issubclass(found, Analyser)) or found.name != name:
        raise UsageError(
            f"analyser {name!r} ({point.value}) is no subclass of sonovec.analysis.analyser.Analyser of this name"
        )
    return found
