"""The analysers that there are: those of this package, and those of others, by the entry point group `sonovec.analysers`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import entry_points

from sonovec.analysis.analyser import Analyser
from sonovec.errors import UsageError

GROUP = "sonovec.analysers"
_BASE = "sonovec.analysis.analyser.Analyser"
#: Our own, by name: where the class is. A module is only imported when its analyser is asked for.
BUILT_IN = {
    "bandwidth": ("sonovec.analysis.bandwidth", "Bandwidth"),
    "fingerprint": ("sonovec.analysis.fingerprint", "Fingerprint"),
    "loudness": ("sonovec.analysis.loudness", "Loudness"),
}


def names() -> list[str]:
    """Names of all analysers."""
    return sorted({*BUILT_IN, *(point.name for point in entry_points(group=GROUP))})


def find(wanted: Iterable[str | type[Analyser]]) -> list[type[Analyser]]:
    """The classes of some analysers, each once; a class, such as one that was made around a fitted head, is its own.

    Raises
    ------
    UsageError
        If there is none of a name, the package that registers it fails, or two have one name.

    Examples
    --------
    >>> [each.name for each in find(["loudness"])]
    ['loudness']
    >>> find(["loudnes"])
    Traceback (most recent call last):
    sonovec.errors.UsageError: there is no analyser 'loudnes'; did you mean 'loudness'? ...
    """
    found: dict[str, type[Analyser]] = {}
    for each in dict.fromkeys(wanted):
        kind = _find(each) if isinstance(each, str) else _checked(each)
        if found.setdefault(kind.name, kind) is not kind:
            raise UsageError(f"two analysers are called {kind.name!r}; give one of them another name")
    return list(found.values())


def _checked(kind: object) -> type[Analyser]:
    """A class that can be used as an analyser, which owns columns and more by its name."""
    if not (isinstance(kind, type) and issubclass(kind, Analyser)):
        raise UsageError(f"{kind!r} is not an analyser; give a name, such as 'loudness', or a subclass of {_BASE}")
    for attribute in ("name", "version"):
        value = getattr(kind, attribute, None)
        if not (isinstance(value, str) and value and not re.search(r"\s", value)):
            raise UsageError(
                f"{kind.__name__}: {attribute}={value!r}; give a text without spaces, such as 'tempo' or '1'"
            )
    return kind


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
            f"there is no analyser {name!r}; {hint}installed: {', '.join(names())}. If it came with another "
            "package, install that package again"
        )
    try:
        found = point.load()
    except Exception as error:  # whatever the package of somebody else raises
        raise UsageError(
            f"analyser {name!r} ({point.value}) cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not (isinstance(found, type) and issubclass(found, Analyser)) or getattr(found, "name", None) != name:
        raise UsageError(f"analyser {name!r} ({point.value}) is not a subclass of {_BASE} of this name")
    return _checked(found)
