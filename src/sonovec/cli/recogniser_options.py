"""How text is searched for in speech: options that ``transcribe`` and ``index --transcribe`` share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import click

from sonovec.errors import UsageError
from sonovec.paths import display


class _Option(NamedTuple):
    """How an option is typed, its help, its settings in click, and the option without which it has no effect."""

    flag: str
    value: str
    text: str
    settings: Mapping[str, Any]
    needs: str | None = None


#: By their names in `sonovec.speech.load`.
_OPTIONS = {
    "language": _Option("--language", "CODE", "what is spoken, such as en; most models can tell it themselves.", {}),
    "beam": _Option(
        "--beam", "N", "texts that are kept as one is searched for.  [default: 1]", {"type": click.IntRange(1)}
    ),
    "language_model": _Option("--lm", "FILE", "n-grams in ARPA format, for a CTC model.", {"type": click.Path()}),
    "alpha": _Option(
        "--alpha", "FLOAT", "weight of --lm, for a CTC model.  [default: 0.5]", {"type": float}, "language_model"
    ),
    "beta": _Option(
        "--beta",
        "FLOAT",
        "what each word adds to the score, for a CTC model with --lm.  [default: 1]",
        {"type": float},
        "language_model",
    ),
    "hot_words": _Option("--hot-word", "WORD", "a word to expect; repeatable.", {"multiple": True}),
    "hot_weight": _Option(
        "--hot-weight",
        "FLOAT",
        "what each hot word adds to the score, for a CTC model.  [default: 3]",
        {"type": float},
        "hot_words",
    ),
}


def recogniser_options(only_with: str | None = None) -> Sequence[Callable[[Any], Any]]:
    """The options; with `only_with`, their help begins with the option of the command that they need."""

    def told(text: str) -> str:
        return text[0].upper() + text[1:] if only_with is None else f"With {only_with}: {text}"

    return [
        click.option(each.flag, name, metavar=each.value, help=told(each.text), **each.settings)
        for name, each in _OPTIONS.items()
    ]


def parted(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was given of these options, and the other options of a command.

    Raises
    ------
    UsageError
        If one is given without the other that it needs, such as a weight without what it weighs.

    Examples
    --------
    >>> parted({"beam": 5, "alpha": None, "hot_words": (), "device": "cpu"})
    ({'beam': 5}, {'device': 'cpu'})
    """
    given = {name: settings[name] for name in _OPTIONS if settings.get(name) not in (None, ())}
    for name in given:
        needed = _OPTIONS[name].needs
        if needed is not None and needed not in given:
            raise _works_only_with(name, given[name], _OPTIONS[needed].flag, _OPTIONS[needed].value)
    return given, {name: value for name, value in settings.items() if name not in _OPTIONS}


def refuse(given: Mapping[str, Any], only_with: str, value: str) -> None:
    """Refuse what was given of these options to a command that did not get the option that they need.

    Raises
    ------
    UsageError
        If anything was given.

    Examples
    --------
    >>> refuse({"hot_words": ("Tilney", "Allen")}, "--transcribe", "MODEL")
    Traceback (most recent call last):
    sonovec.errors.UsageError: --hot-word Tilney works only with --transcribe; add --transcribe MODEL
    """
    for name in given:
        raise _works_only_with(name, given[name], only_with, value)


def _works_only_with(name: str, given: Any, needed: str, value: str) -> UsageError:
    first = given[0] if isinstance(given, tuple) else given
    shown = display(first) if isinstance(first, str) else f"{first:g}"
    return UsageError(f"{_OPTIONS[name].flag} {shown} works only with {needed}; add {needed} {value}")
