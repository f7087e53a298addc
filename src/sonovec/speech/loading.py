"""Load a recogniser by its name: Whisper or CTC, whichever the name stands for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from sonovec.errors import UsageError
from sonovec.models import huggingface as hf
from sonovec.paths import display
from sonovec.speech.recogniser import Recogniser

#: Options that every engine takes.
COMMON = frozenset({"language", "beam", "hot_words", "precision", "device", "weights", "jobs"})
#: Beginnings of a text that are kept where a search is needed and no number was given.
BEAM = 100


@dataclass(frozen=True)
class Engine:
    """One way to make text of speech: whether a name is for it, what makes its recogniser, and which options it takes."""

    title: str
    is_for: Callable[[str, Path | None], bool]
    load: Callable[[str, Mapping[str, Any]], Recogniser]
    options: frozenset[str]


def _is_ctc(name: str, weights: Path | None) -> bool:
    from sonovec.models import ctc

    return ctc.ctc_of(name, weights) is not None


def _load_ctc(name: str, options: Mapping[str, Any]) -> Recogniser:
    from sonovec.models import ctc
    from sonovec.speech import arpa
    from sonovec.speech.beam import Search
    from sonovec.speech.ctc import CtcRecogniser

    pretrained = ctc.ctc_of(name, options["weights"])
    assert pretrained is not None
    language_model = options["language_model"]
    search = None
    if options["beam"] > 1 or language_model is not None or options["hot_words"]:
        search = Search(
            options["beam"] if options["beam"] > 1 else BEAM,
            None if language_model is None else arpa.read(Path(language_model)),
            options["alpha"],
            0.0 if language_model is None else options["beta"],
            tuple(sorted(set(options["hot_words"]))),  # in another order they are the same search
            options["hot_weight"],
        )
    return CtcRecogniser(
        pretrained, options["language"], search, options["precision"], options["device"], options["jobs"]
    )


def _is_whisper(name: str, weights: Path | None) -> bool:
    from sonovec.speech import whisper_files

    return whisper_files.is_whisper(name, weights)


def _load_whisper(name: str, options: Mapping[str, Any]) -> Recogniser:
    from sonovec.speech import whisper

    return whisper.load(name, options)


#: The engines, in the order in which they are asked.
ENGINES = (
    Engine("Whisper", _is_whisper, _load_whisper, COMMON),
    Engine("CTC", _is_ctc, _load_ctc, COMMON | {"language_model", "alpha", "beta", "hot_weight"}),
)


def load(
    name: str | os.PathLike[str],
    *,
    language: str | None = None,
    beam: int = 1,
    language_model: str | os.PathLike[str] | None = None,
    alpha: float = 0.5,
    beta: float = 1.0,
    hot_words: Sequence[str] = (),
    hot_weight: float = 3.0,
    precision: str = "auto",
    device: str = "auto",
    weights: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
) -> Recogniser:
    """Load a recogniser of speech.

    Parameters
    ----------
    name : str
        A Whisper model by its size ("tiny", "base.en", "large-v3-turbo"), by hub id (Systran/faster-whisper-*,
        openai/whisper-*) or folder; or a CTC model of the Transformers families (wav2vec 2.0,
        HuBERT, WavLM, data2vec, UniSpeech, SEW, w2v-BERT, MMS) by hub id or folder.
    language : str, optional
        What is spoken; for a model of several languages.
    beam : int
        How many beginnings of a text are kept as it is searched for; 1 takes the best token of each frame. With a language
        model or hot words it is 100 where 1 is given.
    language_model : path, optional
        n-grams in ARPA format, also gzipped; CTC only.
    alpha, beta : float
        Weight of the language model, and what each word adds to the score; CTC only.
    hot_words : sequence of str
        Words that are expected.
    hot_weight : float
        What each hot word adds to the score, in natural logarithms; CTC only.
    precision, device, jobs
        As for `sonovec.load`.
    weights : path, optional
        The folder that holds the files of a hub id.

    Returns
    -------
    Recogniser

    Raises
    ------
    UsageError
        If no recogniser has that name, or it does not take an option or a value.
    WeightsError
        If files are missing and cannot be fetched, are damaged, or do not belong together.
    MissingExtraError
        If the model has to be converted for the first time, and what that needs is not installed.
    """
    options: dict[str, Any] = {
        "language": language, "beam": beam, "language_model": language_model, "alpha": alpha, "beta": beta,
        "hot_words": hot_words, "hot_weight": hot_weight, "precision": precision, "device": device,
        "weights": None if weights is None else Path(weights), "jobs": jobs,
    }  # fmt: skip
    _check(options)
    name = os.fspath(name)
    engine = next((engine for engine in ENGINES if engine.is_for(name, options["weights"])), None)
    if engine is None:
        raise _unknown(name, options["weights"])
    _refuse_foreign(engine, options)
    return engine.load(name, options)


#: What each option is where nothing is said.
DEFAULTS = {each.name: each.default for each in signature(load).parameters.values() if each.kind is each.KEYWORD_ONLY}


def _check(options: Mapping[str, Any]) -> None:
    beam, hot_words = options["beam"], options["hot_words"]
    if isinstance(beam, bool) or not isinstance(beam, int) or beam < 1:
        raise UsageError(f"beam={beam!r} is not a number of texts to keep; give a whole number from 1 on")
    if isinstance(hot_words, str) or not all(isinstance(word, str) and word.strip() for word in hot_words):
        raise UsageError(f"hot_words={hot_words!r} is not a list of words; give one, such as ['sonovec']")
    for name in ("alpha", "beta", "hot_weight"):
        value = options[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not -1e6 < value < 1e6:
            raise UsageError(
                f"{name}={value!r} is not a number; leave it out, or give one such as {name}={DEFAULTS[name]}"
            )
    if options["language_model"] is None and (options["alpha"], options["beta"]) != (
        DEFAULTS["alpha"],
        DEFAULTS["beta"],
    ):
        raise UsageError("alpha and beta weigh a language model; give language_model= a file in ARPA format")
    if not options["hot_words"] and options["hot_weight"] != DEFAULTS["hot_weight"]:
        raise UsageError("hot_weight weighs hot words; give hot_words=")


def _refuse_foreign(engine: Engine, options: Mapping[str, Any]) -> None:
    foreign = [name for name, value in options.items() if name not in engine.options and value != DEFAULTS[name]]
    if foreign:
        raise UsageError(
            f"{foreign[0]}={options[foreign[0]]!r}: {engine.title} does not take it; leave {foreign[0]} out"
        )


def _unknown(name: str, weights: Path | None) -> UsageError:
    pretrained = hf.locate(name, weights)
    if pretrained is not None:
        return UsageError(
            f"{display(name)} is of type {pretrained.type!r}, which writes no text here; give a CTC model, such as "
            f"facebook/wav2vec2-base-960h"
        )
    there = Path(name).expanduser().exists()
    what = "has no config.json" if there else "is no folder, no size of Whisper, and no hub id"
    return UsageError(
        f"recogniser {name!r} {what}; give a size of Whisper, such as base.en, or a model by hub id or folder"
    )
