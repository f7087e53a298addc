"""Log-mel front ends described as data, and the one implementation that computes them all."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError
from sonovec.features.spectra import Spectra

#: Code version of the implementation, for the passport.
VERSION = "logmel-2"

#: Bins of the transforms that are computed at once, about: so many that they stay in the processor's cache.
BLOCK = 1 << 16
#: How many neighbouring bands are multiplied at once: together they have weights for some of the bins only.
BANDS = 32

Array = NDArray[np.float64]


def _htk(hertz: Array) -> Array:
    return np.asarray(1127.0 * np.log1p(hertz / 700.0))


def _slaney(hertz: Array) -> Array:
    """Linear to 1 kHz, then 27 steps for a factor of 6.4 (Slaney's Auditory Toolbox)."""
    logarithmic = 15.0 + 27.0 * np.log(np.maximum(hertz, 1.0) / 1000.0) / np.log(6.4)
    return np.where(hertz < 1000.0, hertz * 3.0 / 200.0, logarithmic)


def _htk_to_hertz(mel: Array) -> Array:
    return np.asarray(700.0 * np.expm1(mel / 1127.0))


def _slaney_to_hertz(mel: Array) -> Array:
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0))


#: From hertz to mel, and back.
MEL_FORMULAS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "htk": (_htk, _htk_to_hertz),
    "slaney": (_slaney, _slaney_to_hertz),
}


WINDOWS: dict[str, Callable[[int], Array]] = {
    "hann": lambda length: 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length),
    "hann_symmetric": lambda length: 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / (length - 1)),
    "povey": lambda length: (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / (length - 1))) ** 0.85,
}
#: What the natural logarithm is multiplied with.
LOGARITHMS = {"ln": 1.0, "log10": 1 / np.log(10), "decibel": 10 / np.log(10)}

#: What each field with a choice may be.
_CHOICES: dict[str, Collection[object]] = {
    "mel": MEL_FORMULAS,
    "power": (1, 2),
    "window": WINDOWS,
    "centre": ("none", "reflect", "zeros"),
    "triangles": ("mel", "hertz"),
    "floor": ("add", "max"),
    "log": (*LOGARITHMS, "none"),
}


@dataclass(frozen=True)
class LogMel:
    """A log-mel front end; call it with samples to get spectrograms.

    Frame i starts at sample ``i * hop_length``, or is centred there. Each frame is weighted by the window and padded with
    zeros to `fft_length`.

    Parameters
    ----------
    rate : int
        Sample rate in Hz.
    window_length, hop_length, fft_length : int
        In samples.
    n_mels : int
    f_min, f_max : float
        Range of the mel bands in Hz.
    mel : {"htk", "slaney"}
        Formula of the mel scale; Kaldi uses the former.
    power : {1, 2}
        1 for the magnitude of the spectrum, 2 for its power.
    log_offset : float
        Keeps the logarithm of silence finite, as `floor` says.
    shift, scale : float
        Normalisation: ``(log_mel - shift) / scale``.
    window : {"hann", "hann_symmetric", "povey"}
        The first is periodic, as in TensorFlow and librosa; Kaldi's is the last.
    centre : {"none", "reflect", "zeros"}
        Whether frames are centred, on a signal that is continued by its mirror image or by zeros, or lie within the samples.
    triangles : {"mel", "hertz"}
        The sides of a band are straight over the mel axis (TensorFlow, Kaldi) or over frequency (librosa).
    area_norm : bool
        Divide each band by half its width in Hz ("Slaney norm").
    floor : {"add", "max"}
        ``log(x + log_offset)``, or ``log(max(x, log_offset))``.
    log : {"ln", "log10", "decibel", "none"}
        The last leaves the bands as they are, without an offset too.
    pre_emphasis : float
        ``x[t + 1] - pre_emphasis * x[t]`` over the whole signal, which loses one sample; with `kaldi_frames` over each
        frame, whose first sample is multiplied by ``1 - pre_emphasis``.
    kaldi_frames : bool
        Take the mean off each frame first, as Kaldi does.

    Examples
    --------
    >>> patch = VGGISH(np.zeros((2, 15600), np.float32))
    >>> patch.shape, patch.dtype
    ((2, 96, 64), dtype('float32'))
    >>> round(float(patch[0, 0, 0]), 4)
    -4.6052
    """

    rate: int
    window_length: int
    hop_length: int
    fft_length: int
    n_mels: int
    f_min: float
    f_max: float
    mel: str = "htk"
    power: int = 1
    log_offset: float = 0.01
    shift: float = 0.0
    scale: float = 1.0
    window: str = "hann"
    centre: str = "none"
    triangles: str = "mel"
    area_norm: bool = False
    floor: str = "add"
    log: str = "ln"
    pre_emphasis: float = 0.0
    kaldi_frames: bool = False

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if (value := getattr(self, name)) not in allowed:
                raise UsageError(f"{name}={value!r} is unknown; give one of: {', '.join(map(str, allowed))}")
        if not (self.hop_length > 0 and 1 < self.window_length <= self.fft_length):
            raise UsageError(
                f"hop_length={self.hop_length}, window_length={self.window_length}, fft_length={self.fft_length} do not "
                "fit; give 0 < hop_length and 1 < window_length <= fft_length"
            )
        if not 0 <= self.f_min < self.f_max <= self.rate / 2:
            raise UsageError(
                f"f_min={self.f_min}, f_max={self.f_max} do not fit rate={self.rate}; "
                f"give 0 <= f_min < f_max <= {self.rate / 2}"
            )

    def frames(self, n_samples: int) -> int:
        """How many frames fit in so many samples."""
        n_samples -= self._emphasises_signal
        if self.centre != "none":
            n_samples += self.window_length // 2 * 2 if n_samples > self._mirrored else 0
        return max(0, 1 + (n_samples - self.window_length) // self.hop_length)

    @property
    def silence(self) -> float:
        """What a band of digital silence is in a spectrogram."""
        return float(self._logarithm(np.zeros(1, np.float32))[0])

    @property
    def hertz(self) -> Array:
        """The middle of each band in Hz, shape (n_mels,).

        Examples
        --------
        >>> VGGISH.hertz[[0, -1]].round().tolist()
        [155.0, 7215.0]
        """
        return np.asarray(MEL_FORMULAS[self.mel][1](_corners(self)[1:-1]))

    def describe(self) -> str:
        """A stable line of text for the passport: the implementation's version and every field.

        Fields that were added later stand in it only where they are not what they were before they could be chosen, so
        that vectors made earlier keep their passports.
        """
        values = ", ".join(
            f"{field.name}={getattr(self, field.name)}"
            for field in fields(self)
            if field.name not in _LATER or getattr(self, field.name) != field.default
        )
        return f"{VERSION}({values})"

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute spectrograms.

        Parameters
        ----------
        samples : array, shape (n, length), float32

        Returns
        -------
        array, shape (n, frames, n_mels), float32
            A row does not depend on the others: it is bit-identical in any batch.
        """
        result = np.empty((len(samples), self.frames(samples.shape[1]), self.n_mels), np.float32)
        if result.size:
            tables = _tables(self)
            # As many frames in each block as in the others, since each block has its own cost.
            blocks = max(1, round(result.shape[1] * self.fft_length / BLOCK))
            spectra = tables.spectra(-(-result.shape[1] // blocks))
            # One row at a time, so that its bits cannot depend on the batch.
            with np.errstate(over="ignore", invalid="ignore"):  # absurdly loud: the vector is checked to be finite
                for row, out in zip(np.asarray(samples, np.float32), result, strict=True):
                    self._fill(out, self._signal(row), tables, spectra)
        return result

    def _fill(self, out: NDArray[np.float32], signal: NDArray[np.float32], tables: _Tables, spectra: Spectra) -> None:
        """Write the spectrogram of one row into `out` (frames, n_mels)."""
        for first in range(0, len(out), spectra.at_once):
            block = out[first : first + spectra.at_once]
            start = first * self.hop_length
            energy = spectra.power(signal[start : start + (len(block) - 1) * self.hop_length + self.window_length])
            if self.power == 1:
                np.sqrt(energy, out=energy)
            for bins, bands, weights in tables.bank:
                np.matmul(energy[:, bins], weights, out=block[:, bands])
            self._logarithm(block)

    def _signal(self, row: NDArray[np.float32]) -> NDArray[np.float32]:
        """The samples that frames are cut from: emphasised, and continued on both sides."""
        margin = 0 if self.centre == "none" else self.window_length // 2
        signal = np.zeros(len(row) - self._emphasises_signal + 2 * margin, np.float32)
        inner = signal[margin : len(signal) - margin]
        if self._emphasises_signal:
            np.multiply(row[:-1], np.float32(-self.pre_emphasis), out=inner)
            inner += row[1:]
        else:
            inner[:] = row
        if self.centre == "reflect":
            signal[:margin] = signal[2 * margin : margin : -1]
            signal[len(signal) - margin :] = signal[-margin - 2 : -2 * margin - 2 : -1]
        return signal

    @property
    def _emphasises_signal(self) -> bool:
        return self.pre_emphasis != 0 and not self.kaldi_frames

    @property
    def _mirrored(self) -> int:
        """A mirror image of half a window needs one sample more than that."""
        return self.window_length // 2 if self.centre == "reflect" else 0

    def _logarithm(self, bands: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logarithm and normalisation, in place."""
        if self.log != "none":
            offset = np.float32(self.log_offset)
            np.add(bands, offset, out=bands) if self.floor == "add" else np.maximum(bands, offset, out=bands)
            np.log(bands, out=bands)
        if self.log not in ("ln", "none"):
            bands *= np.float32(LOGARITHMS[self.log])
        if (self.shift, self.scale) != (0.0, 1.0):
            bands -= np.float32(self.shift)
            bands /= np.float32(self.scale)
        return bands


#: Fields that `describe` leaves out at their defaults.
_LATER = ("window", "centre", "triangles", "area_norm", "floor", "log", "pre_emphasis", "kaldi_frames")


class _Tables:
    """What a front end multiplies with.

    Attributes
    ----------
    spectra : callable
        From how many frames are computed at once to what computes the bins that any band has a weight for.
    bank : list of (slice, slice, array)
        The mel bank in parts of a few bands, which have weights for few bins: these, among the computed ones; the bands; and
        their weights (bins, bands), float32.
    """

    def __init__(self, front: LogMel) -> None:
        whole = mel_bank(front)
        used = _nonzero(whole)
        self.spectra = partial(
            Spectra,
            WINDOWS[front.window](front.window_length),
            front.hop_length,
            front.fft_length,
            used,
            kaldi_emphasis=front.pre_emphasis if front.kaldi_frames else None,
        )
        weights = whole[used].astype(np.float32)
        self.bank = []
        for first in range(0, front.n_mels, BANDS):
            bands = slice(first, first + BANDS)
            bins = _nonzero(weights[:, bands])
            self.bank.append((bins, bands, np.ascontiguousarray(weights[bins, bands])))


def _nonzero(weights: NDArray[np.floating]) -> slice:
    """The rows from the first to the last that hold a number other than zero."""
    rows = np.flatnonzero(weights.any(axis=1))
    return slice(int(rows[0]), int(rows[-1]) + 1) if len(rows) else slice(0, 0)


@lru_cache(maxsize=32)
def _tables(front: LogMel) -> _Tables:
    return _Tables(front)


def mel_bank(front: LogMel) -> Array:
    """Weights of the FFT bins in the mel bands, shape (fft_length // 2 + 1, n_mels), float64."""
    to_mel, to_hertz = MEL_FORMULAS[front.mel]
    hertz = np.linspace(0.0, front.rate / 2, front.fft_length // 2 + 1)
    corners = _corners(front)
    corners_hertz = to_hertz(corners)
    axis, edges = (to_mel(hertz), corners) if front.triangles == "mel" else (hertz, corners_hertz)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (axis[:, None] - lower) / (centre - lower)
    falling = (upper - axis[:, None]) / (upper - centre)
    bank = np.maximum(0.0, np.minimum(rising, falling))
    bank[0] = 0.0  # a constant offset is not a sound
    return bank * (2 / (corners_hertz[2:] - corners_hertz[:-2])) if front.area_norm else bank


def _corners(front: LogMel) -> Array:
    """Where the bands begin, have their middle and end, on the mel axis: that of one is the middle of the next."""
    to_mel, _ = MEL_FORMULAS[front.mel]
    low, high = to_mel(np.array([front.f_min, front.f_max], np.float64))
    return np.linspace(low, high, front.n_mels + 2)


def described(text: str) -> LogMel | None:
    """The front end of which a text holds what `LogMel.describe` wrote; None if it holds none.

    Examples
    --------
    >>> described(f"{VGGISH.describe()}, each window by itself") == VGGISH
    True
    >>> described("waveform") is None
    True
    """
    found = re.search(rf"{VERSION}\(([^)]*)\)", text)
    if found is None:
        return None
    given = dict(pair.split("=") for pair in found[1].split(", "))
    return LogMel(
        **{field.name: _READ[str(field.type)](given[field.name]) for field in fields(LogMel) if field.name in given}
    )


#: What a field of each type is read with.
_READ: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "str": str, "bool": "True".__eq__}


#: VGGish's front end (https://github.com/tensorflow/models/tree/master/research/audioset/vggish): 96 frames of 64 bands
#: from 15,600 samples.
VGGISH = LogMel(
    rate=16000, window_length=400, hop_length=160, fft_length=512, n_mels=64, f_min=125.0, f_max=7500.0, log_offset=0.01
)

#: Kaldi's filter bank, with its usual numbers (https://kaldi-asr.org/doc/feat.html).
KALDI = LogMel(
    rate=16000,
    window_length=400,
    hop_length=160,
    fft_length=512,
    n_mels=80,
    f_min=20.0,
    f_max=8000.0,
    power=2,
    log_offset=float(np.finfo(np.float32).eps),
    window="povey",
    floor="max",
    pre_emphasis=0.97,
    kaldi_frames=True,
)
