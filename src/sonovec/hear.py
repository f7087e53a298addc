"""The HEAR API (https://hearbenchmark.com/hear-api.html) for every encoder, so that HEAR's tools can evaluate it.

An encoder is named in one string, with its settings behind a question mark, since HEAR's tools pass no more than that:
``hear-validator sonovec.hear --model "vggish?relu=true&weights=/models/vggish"``.

Timestamps are 50 ms apart and each has a window of its own, the whole window of the encoder with the timestamp in its
middle. That is what HEAR asks for and it is dear: an encoder with a window of 10 s hears every second of sound 200 times,
one with a window of 1 s 20 times. Vectors of whole sounds cost what they cost anywhere in sonovec.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

import sonovec
from sonovec.audio.samples import open_waveform
from sonovec.audio.waveform import Waveform
from sonovec.brief import short
from sonovec.embedding.embedding import Embedding, Failure
from sonovec.errors import MissingExtraError, UsageError
from sonovec.models.defaults import DEFAULT

try:
    import torch
except ImportError:
    raise MissingExtraError("sonovec.hear needs PyTorch: pip install 'sonovec[torch]'") from None

#: Rates in Hz in which HEAR has its sounds.
RATES = (16000, 22050, 44100, 48000)
TIMESTAMPS_PER_SECOND = 20
#: Settings of `sonovec.load` that are text even if they look like a number.
TEXTS = ("weights", "tail", "precision", "device")


class HearModel(torch.nn.Module):
    """An encoder as HEAR's tools expect a model; made by `load_model`.

    It is a module without parameters: moving it to a device changes nothing. Where the network runs is the encoder's
    own setting, as in ``"vggish?device=cpu"``.

    Attributes
    ----------
    encoder : Encoder
    sample_rate : int
        Rate in Hz of the sounds to give: the lowest that HEAR has and the encoder does not lose by. An encoder that hears
        another rate, such as 32 kHz, resamples.
    scene_embedding_size, timestamp_embedding_size : int
        Length of a vector.
    """

    def __init__(self, encoder: sonovec.Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.sample_rate = next((rate for rate in RATES if rate >= encoder.rate), RATES[-1])
        self.scene_embedding_size = encoder.dim
        self.timestamp_embedding_size = encoder.dim


def load_model(model_file_path: str = "") -> HearModel:
    """Load an encoder for HEAR.

    Parameters
    ----------
    model_file_path : str
        A name that `sonovec.load` takes, and behind a ``?`` its settings and the model's own options, joined by ``&``:
        ``"vggish"``, ``"vggish?relu=true"``, ``"yamnet?weights=/models/yamnet.tflite&precision=f32"``. Empty for
        sonovec's default. `hop` and `tail` shape the vectors of whole sounds; timestamps are 50 ms apart whatever they are.

    Returns
    -------
    HearModel

    Raises
    ------
    UsageError
        If the name or a setting is unknown, or a setting is not of the form ``name=value``.
    WeightsError
        If weights are missing and cannot be fetched, or are not the right ones.

    Examples
    --------
    >>> model = load_model()
    >>> model.sample_rate, model.scene_embedding_size, model.timestamp_embedding_size
    (44100, 512, 512)
    >>> load_model("logmel?hop=0.5").encoder.window.hop
    8000
    """
    name, _, settings = str(model_file_path).partition("?")
    given = dict(_setting(text) for text in settings.split("&")) if settings else {}
    return HearModel(sonovec.load(name or DEFAULT, **given))  # type: ignore[arg-type]


def _setting(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise UsageError(f"setting {text!r} is not of the form name=value; give, for example, 'vggish?relu=true'")
    return name, value if name in TEXTS else _value(value)


def _value(text: str) -> object:
    """A value as JSON has it, or as Python writes its truths; anything else is text."""
    try:
        return json.loads(text.lower() if text in ("True", "False") else text)
    except ValueError:
        return text


def get_timestamp_embeddings(audio: torch.Tensor, model: HearModel) -> tuple[torch.Tensor, torch.Tensor]:
    """Give vectors every 50 ms of sounds.

    Both ends are padded with zeros, so that each timestamp is the middle of the window that its vector is of. The cost is
    20 windows for each second of sound.

    Parameters
    ----------
    audio : tensor, shape (n_sounds, n_samples), float
        Sounds of one length within -1..1 at ``model.sample_rate``, on any device.
    model : HearModel

    Returns
    -------
    embeddings : tensor, shape (n_sounds, n_timestamps, dim), float32
    timestamps : tensor, shape (n_sounds, n_timestamps), float32
        Milliseconds; 0, 50, 100 and so on, up to the end of the sounds. Both are on the device of `audio`.

    Raises
    ------
    UsageError
        If `audio` is not of that shape, or not float.
    AudioError
        If a sound holds no sample, or no number.

    Examples
    --------
    >>> embeddings, timestamps = get_timestamp_embeddings(torch.zeros(2, 4410), load_model())
    >>> embeddings.shape, timestamps[0].tolist()
    (torch.Size([2, 3, 512]), [0.0, 50.0, 100.0])
    """
    sounds = [_at_rate(sound, model) for sound in _sounds(audio)]
    count = audio.shape[1] * TIMESTAMPS_PER_SECOND // model.sample_rate + 1
    windows = (window for sound in sounds for window in _windows(sound, count, model.encoder))
    vectors = _vectors(windows, model.encoder)
    timestamps = torch.arange(count, dtype=torch.float32) * (1000 / TIMESTAMPS_PER_SECOND)
    embeddings = vectors.reshape(len(audio), count, model.encoder.dim)
    return embeddings.to(audio.device), timestamps.expand(len(audio), count).contiguous().to(audio.device)


def get_scene_embeddings(audio: torch.Tensor, model: HearModel) -> torch.Tensor:
    """Give one vector for each sound: the encoder's clip vector.

    Parameters
    ----------
    audio : tensor, shape (n_sounds, n_samples), float
        Sounds of one length within -1..1 at ``model.sample_rate``, on any device.
    model : HearModel

    Returns
    -------
    tensor, shape (n_sounds, dim), float32
        On the device of `audio`.

    Raises
    ------
    UsageError
        If `audio` is not of that shape, or not float.
    AudioError
        If a sound holds no sample, or no number.

    Examples
    --------
    >>> get_scene_embeddings(torch.zeros(2, 4410), load_model()).shape
    torch.Size([2, 512])
    """
    sounds = (Waveform(sound, model.sample_rate) for sound in _sounds(audio))
    return _vectors(sounds, model.encoder).to(audio.device)


def _sounds(audio: torch.Tensor) -> NDArray[np.float32]:
    if not isinstance(audio, torch.Tensor):
        raise UsageError(
            f"audio is {short(audio)}; give a tensor, such as torch.from_numpy(samples) of shape (n_sounds, n_samples)"
        )
    if audio.ndim != 2 or not len(audio) or not audio.is_floating_point():
        raise UsageError(
            f"audio of shape {tuple(audio.shape)} and {audio.dtype}; give float samples within -1..1 of shape "
            "(n_sounds, n_samples), such as torch.zeros(2, 16000)"
        )
    samples: NDArray[np.float32] = audio.detach().float().cpu().numpy()
    return samples


def _at_rate(sound: NDArray[np.float32], model: HearModel) -> NDArray[np.float32]:
    """Resample the whole sound at once: windows cut from it share most of their samples."""
    with open_waveform(Waveform(sound, model.sample_rate), model.encoder.rate) as stream:
        return np.concatenate(list(stream))


def _windows(sound: NDArray[np.float32], count: int, encoder: sonovec.Encoder) -> Iterator[Waveform]:
    """Windows whose middles are the timestamps, to half a sample, in a sound at the encoder's rate."""
    length = encoder.window.length
    padded = np.pad(sound, (length // 2, length))
    middles = (2 * np.arange(count) * encoder.rate + TIMESTAMPS_PER_SECOND) // (2 * TIMESTAMPS_PER_SECOND)
    for middle in middles.tolist():
        yield Waveform(padded[middle : middle + length], encoder.rate)


def _vectors(sounds: Iterable[Waveform], encoder: sonovec.Encoder) -> torch.Tensor:
    return torch.from_numpy(np.stack([_vector(result) for result in encoder.embed_many(sounds)]))


def _vector(result: Embedding | Failure) -> NDArray[np.float32]:
    if isinstance(result, Failure):
        raise result.error
    return result.vector
