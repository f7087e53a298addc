"""Encoders as a scikit-learn transformer: sounds in, a table of vectors out."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray

import sonovec
from sonovec.audio.waveform import Waveform
from sonovec.brief import short
from sonovec.embedding.embedding import Failure
from sonovec.embedding.source import Sound
from sonovec.errors import AudioError, MissingExtraError, UsageError

try:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.utils.validation import validate_data
except ImportError:
    raise MissingExtraError("sonovec.sklearn needs scikit-learn: pip install 'sonovec[evaluate]'") from None

#: Kinds of NumPy types that are numbers.
NUMBERS = "biufc"


class AudioEmbedder(TransformerMixin, BaseEstimator):
    """Sounds to clip vectors, as a step of a scikit-learn pipeline.

    It learns nothing: `fit` only checks its input and loads the encoder. Encoders are kept for the process, so that the
    copies that a grid search makes do not each load one; a pickle holds the parameters alone.

    Parameters
    ----------
    model : str
        A name that `sonovec.load` takes.
    weights : path, optional
    hop : float, optional
        Seconds from one window to the next; without it the model's own.
    tail : {"pad", "drop"}
    precision : {"auto", "f32", "bf16"}
    device : {"auto", "cpu", "cuda"}
    options : mapping, optional
        The model's own options, such as ``{"pca": True}`` for VGGish.
    rate : int, optional
        Samples a second of sounds that are given as rows of numbers; other input says its own.
    on_error : {"raise", "nan"}
        What a file that cannot be embedded does: an error that names all of them, or a row of NaN and a warning.

    Notes
    -----
    X is a list, an array, a column, or a table of one column, of paths, Waveforms and tuples (samples, rate). Or X is
    numbers, shape (n_sounds, n_samples), float, within -1..1, at `rate`: as everywhere in scikit-learn, they must be
    finite and have as many columns as those of `fit`; sounds of different lengths go in as tuples.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import SVC
    >>> rng = np.random.default_rng(0)
    >>> noises = [(rng.standard_normal(n).astype(np.float32) / 10, 16000) for n in (16000, 20000)]
    >>> tones = [(np.sin(np.arange(n) * f, dtype=np.float32) / 2, 8000) for n, f in ((8000, 0.2), (9000, 0.3))]
    >>> classifier = make_pipeline(AudioEmbedder("logmel"), SVC()).fit(noises + tones, ["noise"] * 2 + ["tone"] * 2)
    >>> classifier.predict([(rng.standard_normal(16000).astype(np.float32) / 10, 16000)]).tolist()
    ['noise']
    """

    def __init__(
        self,
        model: str = "default",
        *,
        weights: str | os.PathLike[str] | None = None,
        hop: float | None = None,
        tail: str = "pad",
        precision: str = "auto",
        device: str = "auto",
        options: Mapping[str, object] | None = None,
        rate: int | None = None,
        on_error: Literal["raise", "nan"] = "raise",
    ) -> None:
        self.model = model
        self.weights = weights
        self.hop = hop
        self.tail = tail
        self.precision = precision
        self.device = device
        self.options = options
        self.rate = rate
        self.on_error = on_error

    @property
    def encoder(self) -> sonovec.Encoder:
        """The encoder that the parameters name; loaded on first use.

        Raises
        ------
        UsageError
            If the model, an option or a value is unknown.
        WeightsError
            If weights are missing and cannot be fetched, or are not the right ones.
        """
        settings = {name: getattr(self, name) for name in ("weights", "hop", "tail", "precision", "device")}
        return _load(self.model, json.dumps(settings | dict(self.options or {}), sort_keys=True, default=_plain))

    def fit(self, X: Any, y: object = None) -> Self:
        """Check the input and load the encoder.

        Parameters
        ----------
        X : sounds
            See the notes of the class.
        y : ignored

        Raises
        ------
        UsageError
            If a parameter is wrong, or something in X is not a sound.
        WeightsError
            If weights are missing and cannot be fetched, or are not the right ones.
        ValueError
            If X are numbers that scikit-learn does not take: not finite, complex, or not in two dimensions.
        """
        if self.on_error not in ("raise", "nan"):
            raise UsageError(f"on_error={self.on_error!r} is unknown; give 'raise' or 'nan'")
        self._sounds(X, reset=True)
        self.encoder  # noqa: B018 - loads it, so that a wrong name fails here
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Embed the sounds.

        Parameters
        ----------
        X : sounds
            See the notes of the class.

        Returns
        -------
        array, shape (n_sounds, dim), float32
            Clip vectors; or a table, where `set_output` asks for one.

        Raises
        ------
        AudioError
            If files cannot be embedded and ``on_error="raise"``; the message names all of them.
        UsageError
            If something in X is not a sound.
        ValueError
            If X are numbers that scikit-learn does not take, or not as many columns as in `fit`.

        Examples
        --------
        >>> AudioEmbedder("logmel").transform(["missing.wav"])
        Traceback (most recent call last):
        sonovec.errors.AudioError: 1 of 1 sounds cannot be embedded: X[0] missing.wav: no such file...
        >>> AudioEmbedder("logmel", rate=16000).transform(np.zeros((3, 8000))).shape
        (3, 192)
        """
        sounds = self._sounds(X, reset=False)
        vectors = np.full((len(sounds), self.encoder.dim), np.nan, np.float32)
        failures = []
        for row, result in enumerate(self.encoder.embed_many(sounds)):
            if isinstance(result, Failure):
                failures.append(f"X[{row}] {result.reason}")
            else:
                vectors[row] = result.vector
        if failures:
            self._report(f"{len(failures)} of {len(sounds)} sounds cannot be embedded: {'; '.join(failures)}")
        return vectors

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Names of the columns: the model's and a number.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        array, shape (dim,), str objects

        Examples
        --------
        >>> AudioEmbedder("logmel").get_feature_names_out()[:2].tolist()
        ['logmel_0', 'logmel_1']
        """
        encoder = self.encoder
        return np.array([f"{encoder.card.name}_{i}" for i in range(encoder.dim)], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _report(self, message: str) -> None:
        if self.on_error == "raise":
            raise AudioError(f"{message}; leave them out, or give on_error='nan' for rows of NaN")
        warnings.warn(f"{message}; their rows are NaN", stacklevel=4)

    def _sounds(self, X: Any, reset: bool) -> list[Sound]:
        given = X.to_numpy() if hasattr(X, "to_numpy") else X
        if (
            isinstance(given, np.ndarray)
            and given.ndim == 2
            and given.shape[1] == 1
            and given.dtype.kind not in NUMBERS
        ):
            given = given[:, 0]  # a table of one column
        items = _items(given)
        if not any(_is_sound(item) for item in items):
            if len({np.shape(item) for item in items if isinstance(item, np.ndarray) and item.ndim}) > 1:
                raise UsageError(
                    f"X[0] is {short(items[0])}: arrays of different lengths have no rate; give tuples (samples, rate), such "
                    "as [(x, 16000) for x in X]"
                )
            return self._rows(X, reset)
        for row, item in enumerate(items):
            if not _is_sound(item):
                raise UsageError(
                    f"X[{row}]={short(item)} is not a sound; give a path, a Waveform, or a tuple (samples, rate)"
                )
        return cast(list[Sound], items)

    def _rows(self, X: Any, reset: bool) -> list[Sound]:
        """Numbers as one sound for each row, by scikit-learn's own rules for numbers."""
        samples = validate_data(self, X, reset=reset)
        if samples.dtype.kind != "f":
            raise UsageError(
                "X are whole numbers, whose full scale is unknown; give float samples within -1..1, such as X / 32768 "
                "for 16 bits"
            )
        if self.rate is None:
            raise UsageError(
                f"X are numbers of shape {samples.shape} but rate=None; give samples a second, such as "
                "AudioEmbedder(rate=16000)"
            )
        return [Waveform(row.astype(np.float32), self.rate) for row in samples]


def _items(given: Any) -> list[Any]:
    if isinstance(given, str | os.PathLike):
        raise UsageError(f"X={str(given)!r} is one path; give a list, such as [{str(given)!r}]")
    if isinstance(given, np.ndarray) and (given.dtype.kind in NUMBERS or given.ndim == 0):
        return []
    sparse = hasattr(given, "toarray")  # not to be iterated, and scikit-learn says best what is wrong with it
    return list(given) if hasattr(given, "__iter__") and not sparse else []


def _is_sound(item: object) -> bool:
    if isinstance(item, tuple):
        return len(item) == 2 and np.ndim(item[0]) > 0
    return isinstance(item, str | os.PathLike | Waveform)


def _plain(value: object) -> object:
    """A setting as JSON can hold it: grid searches give NumPy's numbers, users give paths."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return os.fspath(value) if isinstance(value, os.PathLike) else repr(value)


@lru_cache(maxsize=2)
def _load(model: str, settings: str) -> sonovec.Encoder:
    return sonovec.load(model, **json.loads(settings))
