"""Encoders: a sound in, an Embedding out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.resample import RESAMPLER
from sonovec.audio.waveform import Waveform
from sonovec.audio.windows import Tail, WindowSpec
from sonovec.embedding.embedding import Embedding, Failure
from sonovec.embedding.passport import Passport
from sonovec.embedding.pipeline import Raw, Source, run
from sonovec.embedding.pooling import POOLING
from sonovec.errors import AudioError, UsageError
from sonovec.models import registry

if TYPE_CHECKING:
    from sonovec.models.card import ModelCard
    from sonovec.models.model import Model
    from sonovec.runtime import Network

#: What can be embedded: a path, a Waveform, or a tuple of samples and their rate in Hz.
Sound = str | os.PathLike[str] | Waveform | tuple[NDArray[np.floating], int]


def load(
    name: str = registry.ALIAS,
    *,
    weights: str | os.PathLike[str] | None = None,
    hop: float | None = None,
    tail: Tail = "pad",
    precision: str = "auto",
    device: str = "auto",
    **options: object,
) -> Encoder:
    """Load an encoder by name.

    Parameters
    ----------
    name : str
        ``"default"``, the built-in encoder; a model that ``sonovec models`` lists, such as ``"yamnet"``; a hub id, such as
        ``"facebook/wav2vec2-base-960h"``, with ``@`` and a revision if it should not be the newest; a folder in Hugging
        Face's layout; or a network of one's own, by its ``card.yaml`` or the folder that holds it.
    weights : path, optional
        A file, or the folder that holds the model's files; without it the cache and then a download serve.
    hop : float, optional
        Seconds from one window to the next; without it the model's own.
    tail : {"pad", "drop"}
        Audio that does not fill a window is padded with zeros, or dropped. A sound shorter than one window is always
        padded, so that no sound yields nothing.
    precision : {"auto", "f32", "bf16", "int8"}
        ``"auto"`` takes bf16 where the processor has it and the model's card allows it; int8 has to be calibrated once, by
        ``sonovec models quantize`` or `sonovec.embedding.quantization.quantize`.
    device : {"auto", "cpu", "cuda"}
    **options
        The model's own options, such as ``pca=True`` for VGGish; its card lists them.

    Returns
    -------
    Encoder

    Raises
    ------
    UsageError
        If the name, an option or a value is unknown.
    WeightsError
        If weights are missing and cannot be fetched, or are not the right ones.

    Examples
    --------
    >>> import numpy as np
    >>> encoder = load("default")
    >>> noise = np.random.default_rng(0).standard_normal(160_000).astype(np.float32) / 10
    >>> e = encoder.embed((noise, 16000))
    >>> e.vector.shape, e.windows.shape
    ((512,), (5, 512))
    >>> e.times.tolist()
    [[0.0, 2.0], [2.0, 4.0], [4.0, 6.0], [6.0, 8.0], [8.0, 10.0]]
    >>> any("noise" in tag for tag, score in e.top_tags())
    True
    """
    model = registry.build(name, options, None if weights is None else Path(weights))
    window = model.window if hop is None else replace(model.window, hop=_hop_samples(hop, model.card.rate))
    return Encoder(model, replace(window, tail=tail), precision, device)


def _hop_samples(hop: float, rate: int) -> int:
    if hop * rate < 1:
        raise UsageError(f"hop={hop} is shorter than one sample; give seconds, such as hop=0.5")
    return round(hop * rate)


class Encoder:
    """A model, how it is windowed and how it is run. Made by `load`.

    Attributes
    ----------
    card : ModelCard
    dim : int
        Length of a vector.
    rate : int
        Sample rate in Hz that the model hears; every sound is resampled to it.
    window : WindowSpec
        Window length, hop and tail policy, in samples at `rate`.
    model : Model
        What it is made of.
    """

    def __init__(self, model: Model, window: WindowSpec, precision: str = "auto", device: str = "auto") -> None:
        self.window = window
        self.model = model
        self._precision = precision
        self._device = device

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        return self.model.card

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.model.dim

    @property
    def rate(self) -> int:
        """Sample rate in Hz that the model hears."""
        return self.model.card.rate

    @property
    def options(self) -> Mapping[str, object]:
        """The model's options, defaults included."""
        return self.model.options

    @cached_property
    def network(self) -> Network | None:
        """What executes the model's graph; opened on first use. None if it has no graph."""
        if self.model.graph is None:
            return None
        from sonovec.runtime import open_network

        return open_network(self.model.graph, self._precision, self._device)

    @cached_property
    def passport(self) -> Passport:
        """What shapes this encoder's vectors. Opens the network, which settles the precision."""
        return Passport(
            model=self.card.name,
            revision=self.card.revision,
            options=dict(self.model.options),
            weights=self.model.weights_hash,
            front_end=self.model.front_end,
            resampler=RESAMPLER,
            pooling=POOLING,
            rate=self.rate,
            window=self.window.length,
            hop=self.window.hop,
            tail=self.window.tail,
            precision=self.network.precision if self.network else "f32",
        )

    def embed(self, sound: Sound, start: float = 0.0, end: float | None = None) -> Embedding:
        """Embed one sound, or the seconds `start` to `end` of it.

        Parameters
        ----------
        sound : path, Waveform, or (samples, rate)
            Samples are float, shape (n,) or (n, channels), nominally within -1 and 1.
        start, end : float
            Seconds of the sound; `times` of the result are seconds of the whole sound.

        Returns
        -------
        Embedding

        Raises
        ------
        AudioError
            If the file cannot be decoded or the range holds no sound.
        """
        result = next(self._run([source_of(sound, start, end)]))
        if isinstance(result, Failure):
            raise result.error
        return result

    def embed_many(self, sounds: Iterable[Sound]) -> Iterator[Embedding | Failure]:
        """Embed many sounds, using all cores, and yield one result for each in the order of the input.

        A sound that cannot be embedded gives a `Failure` with its `path` and `reason`; the others go on.

        Examples
        --------
        >>> [result.reason for result in load("logmel").embed_many(["missing.wav"])]
        ['missing.wav: no such file...']
        """
        return self._run(source_of(sound) for sound in sounds)

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of words, comparable by cosine with those of sounds.

        Parameters
        ----------
        texts : sequence of str
            Such as ``["glass breaking"]``.

        Returns
        -------
        array, shape (n_texts, dim), float32

        Raises
        ------
        UsageError
            If the model only hears, as most do, or a text is empty.

        Examples
        --------
        >>> load("logmel").embed_text(["a dog barks"])
        Traceback (most recent call last):
        sonovec.errors.UsageError: model 'logmel' knows no words; load one with a text tower, such as ...
        """
        if self.model.text is None:
            raise UsageError(
                f"model {self.card.name!r} knows no words; load one with a text tower, such as 'laion/clap-htsat-unfused'"
            )
        if isinstance(texts, str) or not all(isinstance(text, str) and text.strip() for text in texts):
            raise UsageError(f"texts={texts!r}; give a list of texts, such as ['glass breaking']")
        rows = self._text_network.run([self.model.text.tokens(text) for text in texts]) if texts else []
        return np.asarray(rows, np.float32).reshape(-1, self.dim)

    @property
    def knows_words(self) -> bool:
        """Whether `embed_text` works: the model has a text tower."""
        return self.model.text is not None

    @property
    def tags(self) -> tuple[str, ...]:
        """Names of the classes that the model scores; empty if it scores none."""
        return self.model.tags

    @cached_property
    def _text_network(self) -> Network:
        from sonovec.runtime import open_network

        assert self.model.text is not None
        return open_network(self.model.text.graph, self._precision, self._device)

    def prepare(self) -> None:
        """Open every network now, and convert it if that was not done yet, so that nothing is left for the first use."""
        _ = self.passport
        if self.model.text is not None:
            _ = self._text_network

    def _run(self, sources: Iterable[Source]) -> Iterator[Embedding | Failure]:
        passport = self.passport
        for raw in run(sources, self.model, self.window, self.network):
            yield self._result(raw, passport)

    def _result(self, raw: Raw, passport: Passport) -> Embedding | Failure:
        if raw.error is not None:
            return Failure(raw.source.path, raw.error)
        rows = np.concatenate(raw.vectors)
        if not np.isfinite(rows).all():
            name = raw.source.name
            return Failure(
                raw.source.path, AudioError(f"{name}: samples are too large for a vector; scale them to -1..1")
            )
        places = np.stack([np.concatenate(raw.starts), np.concatenate(raw.ends)], axis=1)
        return Embedding(
            path=raw.source.path,
            windows=rows[:, : self.dim],
            times=raw.source.start + places / self.rate,
            coverage=np.concatenate(raw.coverage),
            silent=np.concatenate(raw.silent),
            rate=raw.rate,
            channels=raw.channels,
            codec=raw.codec,
            duration=raw.duration,
            notes=raw.notes,
            passport=passport,
            scores=rows[:, self.dim :],
            tags=self.model.tags,
        )


def check_range(start: float, end: float | None) -> None:
    """Refuse what is no range of seconds."""
    if start < 0 or (end is not None and end <= start):
        raise UsageError(f"start={start}, end={end} is no range of seconds; give 0 <= start < end")


def source_of(sound: Sound, start: float = 0.0, end: float | None = None) -> Source:
    """What the pipeline reads, for all that can be embedded."""
    check_range(start, end)
    if isinstance(sound, tuple):
        samples, rate = sound
        sound = Waveform(_mono(np.asarray(samples)), rate)
    return Source(sound if isinstance(sound, Waveform) else Path(sound), start, end)


def _mono(samples: NDArray[np.floating]) -> NDArray[np.float32]:
    if not np.issubdtype(samples.dtype, np.floating) or samples.ndim not in (1, 2):
        raise UsageError(
            f"samples of dtype {samples.dtype} and shape {samples.shape}; give float samples within -1..1, "
            "shape (n,) or (n, channels), such as (int16_samples / 32768, rate)"
        )
    return np.asarray(samples if samples.ndim == 1 else samples.mean(axis=1), np.float32)
