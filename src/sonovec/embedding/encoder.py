"""Encoders: a sound in, an Embedding out."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonovec import forks
from sonovec.audio.resample import RESAMPLER
from sonovec.audio.windows import Tail, WindowSpec
from sonovec.cleaning.chain import AS_IT_IS, Cleaning
from sonovec.embedding.embedding import Embedding
from sonovec.embedding.engine import Engine
from sonovec.embedding.passport import Passport
from sonovec.embedding.pooled import ListenerOf, Pooled, Pooling
from sonovec.embedding.pooling import POOLING, is_number
from sonovec.embedding.results import Results, Watch
from sonovec.embedding.source import Sound, Source, check_many, check_range, source_of
from sonovec.errors import UsageError, WeightsError
from sonovec.jobs import Watched, running
from sonovec.models import registry, saved
from sonovec.models.defaults import ALIAS
from sonovec.paths import absolute, display
from sonovec.runtime import check_settings
from sonovec.runtime.network import settle_jobs

if TYPE_CHECKING:
    from sonovec.graph import Graph
    from sonovec.models.card import ModelCard
    from sonovec.models.model import Model
    from sonovec.runtime import Network

_LOG = logging.getLogger(__name__)

#: Encoders of other processes that are loaded once: a pool sends the encoder with each task.
MOST_UNPICKLED = 2


@dataclass(frozen=True)
class EncoderSettings:
    """How a model is loaded, windowed and run: what `load` takes beside its name, where each field is described.

    `options` are the model's own, as pairs.
    """

    weights: str | None = None
    hop: float | None = None
    tail: Tail | None = None
    precision: str = "auto"
    device: str = "auto"
    isolate: bool = False
    jobs: int | None = None
    cleaning: Cleaning = AS_IT_IS
    options: tuple[tuple[str, Any], ...] = ()

    def window(self, model: Model) -> WindowSpec:
        """A model's windows with this hop and this tail, where they are given.

        Raises
        ------
        UsageError
            If the hop is no number, or shorter than one sample.
        """
        spec = model.window if self.hop is None else replace(model.window, hop=_hop_samples(self.hop, model.card.rate))
        return replace(spec, tail=self.tail or spec.tail)


DEFAULTS = EncoderSettings()


def load(
    name: str | os.PathLike[str] = ALIAS,
    *,
    weights: str | os.PathLike[str] | None = None,
    hop: float | None = None,
    tail: Tail | None = None,
    precision: str = "auto",
    device: str = "auto",
    isolate: bool = False,
    jobs: int | None = None,
    vad: bool = False,
    trim: bool = False,
    denoise: bool = False,
    progress: Watched = None,
    **options: object,
) -> Encoder:
    """Load an encoder by name.

    Parameters
    ----------
    name : str or path
        ``"default"``, the built-in encoder; a model that ``sonovec models`` lists, such as ``"yamnet"``; a hub id, such as
        ``"facebook/wav2vec2-base-960h"``, with ``@`` and a revision if it should not be the newest; a folder that
        `Encoder.save` wrote, or one in Hugging Face's layout; or a network of one's own, by its ``card.yaml`` or the folder
        that holds it.
    weights : path, optional
        A file, or the folder that holds the model's files; without it the cache and then a download serve.
    hop : float, optional
        Seconds from one window to the next, at most the length of a window; without it the model's own.
    tail : {"pad", "drop"}, optional
        Audio that does not fill a window is padded with zeros, which is the default, or dropped. A sound shorter than one
        window is always padded, so that no sound yields nothing.
    precision : {"auto", "f32", "bf16", "int8"}
        ``"auto"`` takes bf16 where the processor has it and the model's card allows it; int8 has to be calibrated once, by
        ``sonovec models quantize`` or `sonovec.embedding.quantization.quantize`.
    device : {"auto", "cpu", "cuda"}
    isolate : bool
        Decode files in child processes, where a crash of a decoder is one file's failure: for files from strangers.
    jobs : int, optional
        Threads that decode, and calls of the network at once; without it the environment variable SONOVEC_JOBS, or one for
        each core that this process may use, quotas of containers included.
    vad : bool
        Leave out windows in which nobody speaks (extra `speech`). Of a sound without speech the loudest window stays.
    trim : bool
        Begin with the first sound, and end with the last: cut off what is 40 dB below the loudest moment.
    denoise : bool
        Take steady noise out (extra `denoise`). What these three do to results, good and bad, is in docs/noise.md. Times
        stay those of the source.
    progress : True, callable or Job, optional
        Watch how weights are fetched, if they have to be: True draws a bar; see `sonovec.Job`.
    **options
        The model's own options, such as ``pca=True`` for VGGish; its card lists them.

    Returns
    -------
    Encoder

    Raises
    ------
    UsageError
        If the name, an option or a value is unknown; if the hop would leave sound out; or if the model cannot be run with
        that precision or on that device.
    MissingExtraError
        If ``device="cuda"`` and PyTorch is not installed, or a package that a step of cleaning needs.
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
    settings = settings_of(weights, hop, tail, precision, device, isolate, jobs, vad, trim, denoise, **options)
    # Without, a load is a part of what goes on around it.
    with nullcontext() if progress is None else running(progress):
        encoder = load_with(os.fspath(name), settings)
    _refuse_gaps(encoder)
    return encoder


def settings_of(
    weights: str | os.PathLike[str] | None = None,
    hop: float | None = None,
    tail: Tail | None = None,
    precision: str = "auto",
    device: str = "auto",
    isolate: bool = False,
    jobs: int | None = None,
    vad: bool = False,
    trim: bool = False,
    denoise: bool = False,
    **options: object,
) -> EncoderSettings:
    """What `load` takes beside a name, as settings."""
    files = None if weights is None else os.fspath(weights)
    cleaning = Cleaning(vad, trim, denoise)
    return EncoderSettings(files, hop, tail, precision, device, isolate, jobs, cleaning, tuple(options.items()))


def _refuse_gaps(encoder: Encoder) -> None:
    """Refuse a hop that leaves sound out; a library of a former version may have one, and keeps it."""
    rate, window = encoder.rate, encoder.window
    if window.hop > window.length:
        length, hop = window.length / rate, window.hop / rate
        raise UsageError(
            f"hop={hop:g}: a window of {encoder.card.name!r} is {length:g} s long, so {hop - length:g} of every {hop:g} s of "
            f"sound would not be heard; give a hop of at most {length:g}"
        )


def load_with(name: str, settings: EncoderSettings) -> Encoder:
    """Load an encoder with settings that an encoder or a library already has; for the rest see `load`."""
    weights = settings.weights
    model = registry.build(name, dict(settings.options), None if weights is None else Path(weights))
    # Another process may load it from another folder: the weights, and the place in the card, are absolute.
    settings = replace(settings, weights=None if weights is None else str(absolute(weights)))
    check_settings(model.graph, settings.precision, settings.device)
    settings.cleaning.check()
    return Encoder(model, settings, model.card.source)


def _hop_samples(hop: Any, rate: int) -> int:
    if not is_number(hop) or hop * rate < 1:
        raise UsageError(f"hop={hop!r} is not a step of at least one sample; give seconds, such as hop=0.5")
    samples: int = round(hop * rate)
    return samples


class Encoder:
    """A model, how it is windowed and how it is run. Made by `load`.

    Parameters
    ----------
    model : Model
    settings : EncoderSettings
        Its weights and options are those that the model was made with.
    source : str, optional
        What `load` takes to load the model in another process; without it the encoder cannot be pickled.

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
    settings : EncoderSettings
    isolate : bool
        Whether files are decoded in child processes.
    jobs : int
        Threads that decode, and calls of the network at once.
    """

    def __init__(self, model: Model, settings: EncoderSettings = DEFAULTS, source: str | None = None) -> None:
        self.model = model
        self.settings = settings
        self.window = settings.window(model)
        self.jobs = settle_jobs(settings.jobs)
        self._source = source
        self._networks: dict[str, Network] = {}
        self._engine: Engine | None = None
        self._passport: Passport | None = None
        self.after_fork()
        forks.watch(self)

    def after_fork(self) -> None:
        """In a forked child: the lock may be held by a thread that stayed with the parent."""
        self._opening = threading.Lock()

    def __repr__(self) -> str:
        rate, window = self.rate, self.window
        cut = f"window={window.length / rate:g} s, hop={window.hop / rate:g} s"
        return f"Encoder({self.card.name!r}, dim={self.dim}, rate={rate}, {cut}, precision={self.settings.precision!r})"

    def _repr_html_(self) -> str:
        from sonovec.embedding.notebook import encoder_html

        return encoder_html(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the settings: the other process loads the encoder by them, and checks that the weights are the same."""
        if self._source is None:
            raise UsageError(
                f"this encoder of the model {self.card.name!r} cannot be pickled; only those that sonovec.load made can"
            )
        return _unpickled, (self._source, self.settings, self.model.weights_hash)

    def __copy__(self) -> Encoder:
        """An encoder of its own, with the same model and, if they are open, the same networks."""
        other = Encoder(self.model, self.settings, self._source)
        other._networks, other._passport = dict(self._networks), self._passport
        return other

    def __deepcopy__(self, memo: object) -> Encoder:
        return self.__copy__()

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        return self.model.card

    def with_hop(self, hop: float) -> Encoder:
        """The same encoder with windows that begin each `hop` seconds; the network is open once for both.

        Examples
        --------
        >>> encoder = load("logmel")
        >>> encoder.with_hop(0.25).window.hop, encoder.window.hop
        (4000, 16000)
        """
        other = Encoder(self.model, replace(self.settings, hop=hop), self._source)
        if self.model.graph is not None:
            assert self.network is not None  # opens it
            other._networks = dict(self._networks)
        return other

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.model.dim

    @property
    def isolate(self) -> bool:
        """Whether files are decoded in child processes."""
        return self.settings.isolate

    @property
    def rate(self) -> int:
        """Sample rate in Hz that the model hears."""
        return self.model.card.rate

    @property
    def options(self) -> Mapping[str, object]:
        """The model's options, defaults included."""
        return self.model.options

    @property
    def network(self) -> Network | None:
        """What executes the model's graph; opened on first use. None if it has no graph."""
        return None if self.model.graph is None else self._open("sound", self.model.graph)

    @property
    def engine(self) -> Engine:
        """What embeds for all callers of this encoder at once; begun on first use."""
        engine = self._engine
        if engine is None:
            made = Engine(self)  # opens the network, under the lock
            with self._opening:
                engine = self._engine = self._engine or made
        return engine

    def _open(self, name: str, graph: Graph) -> Network:
        with self._opening:
            if name not in self._networks:
                from sonovec.runtime import open_network

                network = open_network(graph, self._precision(), self.settings.device, self.jobs)
                _LOG.info(
                    "%s: its network for %s runs in %s on %s, up to %d calls at once",
                    *(self.card.name, name, network.precision, network.device, network.streams),
                )
                self._networks[name] = network
            return self._networks[name]

    def _precision(self) -> str:
        """The precision to open networks in: that of the settings, unless bf16 breaks the promise of the model's card.

        Raises
        ------
        UsageError
            If bf16 was asked for.
        """
        from sonovec.runtime import computes_in_bf16

        asked, graph, promised = self.settings.precision, self.model.graph, self.card.bf16_cosine
        if graph is None or promised is None or not computes_in_bf16(graph, asked, self.settings.device):
            return asked
        from sonovec.embedding.bf16 import lowest_cosine

        lowest = lowest_cosine(self.model, graph)
        if lowest >= promised:
            return asked
        broken = (
            f"with the weights of {self.card.name!r} vectors keep a cosine of {lowest:.4f}, and {promised} is promised"
        )
        if asked == "auto":
            _LOG.info("bf16 is not used: %s", broken)
            return "f32"
        raise UsageError(f"precision={asked!r}: {broken}; give precision='f32'")

    @property
    def passport(self) -> Passport:
        """What shapes this encoder's vectors. Opens the network, which settles the precision."""
        if self._passport is None:
            self._passport = Passport(
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
                **self.settings.cleaning.passport,
            )
        return self._passport

    def embed(
        self, sound: Sound, start: float = 0.0, end: float | None = None, *, progress: Watched = None
    ) -> Embedding:
        """Embed one sound, or the seconds `start` to `end` of it.

        Parameters
        ----------
        sound : path, Waveform, or (samples, rate)
            Samples are float, nominally within -1 and 1, of shape (n,), (n, channels) or (channels, n): an axis of more
            than 32 is time. Integers, and floats of their size, are refused.
        start, end : float
            Seconds of the sound; `times` of the result are seconds of the whole sound.
        progress : True, callable or Job, optional
            Watch how much of it was heard, or cancel it; see `sonovec.Job`.

        Returns
        -------
        Embedding

        Raises
        ------
        AudioError
            If the file cannot be decoded or the range holds no sound.
        UsageError
            If `sound` is something else, or the samples, the rate or the range cannot be right.
        UnexpectedError
            If something went wrong that is a bug of sonovec.

        Examples
        --------
        >>> load("logmel").embed(np.zeros(16000, np.float32))
        Traceback (most recent call last):
        sonovec.errors.UsageError: an array of shape (16000,) has no rate; give (samples, rate), such as (x, 16000)
        """
        return self.engine.embed(sound, start, end, progress=progress)

    def submit(self, sound: Sound, start: float = 0.0, end: float | None = None) -> Future[Embedding]:
        """Begin to embed one sound and return at once; see `sonovec.Engine.submit`.

        Parameters and errors are those of `embed`; most errors are raised by the future's `result`.

        Returns
        -------
        concurrent.futures.Future
            Of an `Embedding`; ``await asyncio.wrap_future(...)`` waits for it in a coroutine.

        Examples
        --------
        >>> future = load("logmel").submit((np.zeros(16000, np.float32), 16000))
        >>> future.result().silent.tolist()
        [True]
        """
        return self.engine.submit(sound, start, end)

    def close(self) -> None:
        """Wait for what was submitted and end the threads; the encoder makes others when it is used again."""
        with self._opening:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def embed_many(
        self, sounds: Iterable[Sound], start: float = 0.0, end: float | None = None, *, progress: Watched = None
    ) -> Results[Embedding]:
        """Embed many sounds, using all cores, and yield one result for each in the order of the input.

        A sound that cannot be embedded, whatever the reason, gives a `Failure` with its `path` and `reason`, and so does
        an item that is not a sound; the others go on.

        Parameters
        ----------
        sounds : iterable of sounds
            Read as the results are; an error that it raises itself comes out behind the results of what came before.
        start, end : float
            Seconds of each sound.
        progress : True, callable or Job, optional
            Watch it, or cancel it; see `sonovec.Job`. A sound is done when the next one is asked for.

        Returns
        -------
        iterator of Embedding or Failure
            With ``close``, for a loop that is left early.

        Raises
        ------
        UsageError
            If `sounds` is a single sound, or the range is not one. At once, and not with the first result.

        Examples
        --------
        >>> [result.reason for result in load("logmel").embed_many(["missing.wav", None])]
        ['missing.wav: no such file...', 'None is not a sound; give a path, a Waveform, or a tuple (samples, rate)']
        """
        return self.engine.embed_many(sounds, start, end, progress=progress)

    def pool_many(
        self,
        sounds: Iterable[Sound],
        seconds: float,
        listener_of: ListenerOf = lambda source: None,
        watch: Watch | None = None,
        start: float = 0.0,
        end: float | None = None,
    ) -> Results[Pooled]:
        """As `embed_many`, but what is kept of each sound is its clip vector and parts of about `seconds`.

        Parameters
        ----------
        sounds : iterable of sounds
        seconds : float
            Of a part, as for `Embedding.parts`.
        listener_of : callable, optional
            Gives, for a source, what hears its decoded blocks and its vectors as well.
        watch : callable, optional
            Called before each result and while it is waited for, with the number of results that were handed over and the
            seconds of sound that were heard; what it raises ends the loop.
        start, end : float
            Seconds of each sound.

        Returns
        -------
        iterator of Pooled or Failure

        Examples
        --------
        >>> noise = np.random.default_rng(0).standard_normal(160_000).astype(np.float32) / 10
        >>> [pooled] = load("logmel").pool_many([(noise, 16000)], seconds=5)
        >>> pooled.vector.shape, [(part.start, part.end) for part in pooled.parts]
        ((192,), [(0.0, 5.0), (5.0, 10.0)])
        """
        check_many(sounds)
        check_range(start, end)
        engine = self.engine

        def pooling(source: Source) -> Pooling:
            return Pooling(source, engine.heard, seconds, listener_of(source))

        return engine.run_many((source_of(sound, start, end) for sound in sounds), pooling, watch)

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
        sonovec.errors.UsageError: model 'logmel' cannot embed text; load a model with a text encoder...
        """
        if self.model.text is None:
            raise UsageError(
                f"model {self.card.name!r} cannot embed text; load a model with a text encoder, for example "
                "'laion/clap-htsat-unfused'"
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
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that the model scores; empty if it scores none."""
        return self.model.classes

    @property
    def _text_network(self) -> Network:
        assert self.model.text is not None
        return self._open("text", self.model.text.graph)

    def prepare(self) -> None:
        """Open every network now, and convert it if that was not done yet, so that nothing is left for the first use."""
        _ = self.passport
        if self.model.text is not None:
            _ = self._text_network

    def module(self) -> Any:
        """The model's network as a ``torch.nn.Module`` with its weights, in evaluation mode: to be trained on, or run.

        It takes what ``encoder.model.features`` gives. Each call makes a new one; `save` writes it.

        Raises
        ------
        UsageError
            If the model has no network, or one that PyTorch cannot train.
        MissingExtraError
            If PyTorch is not installed.
        """
        return saved.trainable(self.model)()

    def save(self, folder: str | os.PathLike[str], network: Any = None) -> Path:
        """Write the encoder to a folder that `load` takes back: a card, and the weights.

        The folder can be moved, or taken to a machine without a network. Loaded, it has this encoder's passport; with a
        `network` that was trained on, one of its own, and the folder's name. How sounds are cleaned is no part of it: give
        `vad`, `trim` and `denoise` again to load it.

        Parameters
        ----------
        folder : path
            A new folder, or an empty one.
        network : torch.nn.Module, optional
            What `module` gave, trained on.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        UsageError
            If the folder is not empty, or the network is none of this model's.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as home:
        ...     folder = load("default", hop=1.0).save(home + "/mine")
        ...     load(folder).window.hop
        32000
        """
        target = absolute(Path(folder).expanduser())
        saved.save(self.model, self.window, target, network)
        return target


_load_once = lru_cache(maxsize=MOST_UNPICKLED)(load_with)


def _unpickled(source: str, settings: EncoderSettings, weights_hash: str) -> Encoder:
    try:
        encoder = _load_once(source, settings)
    except TypeError:  # an option that cannot be hashed, such as a list
        encoder = load_with(source, settings)
    if encoder.model.weights_hash != weights_hash:
        raise WeightsError(
            f"{display(settings.weights or source)}: its weights are not those of the encoder that was pickled "
            f"(SHA-256 {encoder.model.weights_hash[:16]}, and {weights_hash[:16]} there); put those here, or load this "
            f"one by its name: sonovec.load({source!r})"
        )
    return encoder
