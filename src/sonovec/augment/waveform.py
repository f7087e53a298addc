"""What is done to samples: noise, a telephone, mp3, another level, a room, an equaliser, a late start.

`sonovec.evaluation.perturb` measures what some of it costs an encoder, and encoders hear it in training: those that are
fine-tuned, and the built-in one, beside what was done to its spectrograms (`sonovec.augment.spectrogram`).

Each is a function of samples, their rate, a level and a random generator, and gives samples of the same rate. All but the
late start keep the length and what lies where. The same seed gives the same samples.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Rng = np.random.Generator
#: Samples (n,) float32, their rate in Hz, a level and a generator to samples.
Change = Callable[[Floats, int, float, Rng], Floats]

TELEPHONE_BAND = 300.0, 3400.0
#: Rates that an mp3 can have at 32 kbit/s; other sounds are resampled to the last of them and back.
MP3_RATES = (16000, 22050, 24000, 32000, 48000, 44100)


def noise(samples: Floats, rate: int, level: float, rng: Rng) -> Floats:
    """White noise, `level` decibels below the whole sound's power; silence stays silent.

    Examples
    --------
    >>> tone = np.sin(np.arange(16000, dtype=np.float32) / 5)
    >>> noisy = noise(tone, 16000, 10.0, np.random.default_rng(0))
    >>> round(float(10 * np.log10(np.mean(tone**2) / np.mean((noisy - tone) ** 2))), 2)
    10.0
    """
    added = rng.standard_normal(len(samples), np.float32)
    power, added_power = (
        float(np.mean(np.square(samples, dtype=np.float64))),
        float(np.mean(np.square(added, dtype=np.float64))),
    )
    noisy: Floats = samples + added * np.float32(np.sqrt(power / max(added_power, 1e-12) * 10 ** (-level / 10)))
    return noisy


def telephone(samples: Floats, rate: int, level: float, rng: Rng) -> Floats:
    """A telephone's band, 300 to 3,400 Hz at a rate of `level` Hz."""
    narrow = soxr.resample(samples, rate, level)
    if not len(narrow):  # shorter than one sample at that rate
        return np.zeros_like(samples)
    spectrum = np.fft.rfft(narrow)
    hertz = np.fft.rfftfreq(len(narrow), 1 / level)
    low, high = TELEPHONE_BAND
    # Slopes of a fourth-order filter, as telephones have, and no brick walls that ring.
    spectrum *= 1 / np.sqrt((1 + (low / np.maximum(hertz, 1e-3)) ** 8) * (1 + (hertz / high) ** 16))
    wide: Floats = soxr.resample(np.fft.irfft(spectrum, len(narrow)).astype(np.float32), level, rate)
    return fitted(wide, len(samples))


def mp3(samples: Floats, rate: int, level: float, rng: Rng) -> Floats:
    """To mp3 at `level` kbit/s and back, with the encoder's delay taken off."""
    own_rate = rate if rate in MP3_RATES else MP3_RATES[-1]
    given = samples if own_rate == rate else soxr.resample(samples, rate, own_rate)
    heard = _through_mp3(np.clip(given, -1, 1), own_rate, round(level * 1000))
    return fitted(heard if own_rate == rate else soxr.resample(heard, own_rate, rate), len(samples))


def gain(samples: Floats, rate: int, level: float, rng: Rng) -> Floats:
    """`level` decibels louder, and cut off at full scale as a file would be."""
    louder: Floats = np.clip(samples * np.float32(10 ** (level / 20)), -1, 1)
    return louder


def reverberation(samples: Floats, rate: int, level: float, rng: Rng) -> Floats:
    """A room whose sound falls by 60 dB in `level` seconds: noise that dies away, as loud as the direct sound; level kept."""
    time = np.arange(max(1, int(level * rate))) / rate
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / level)
    response = tail / np.sqrt(np.sum(tail**2))
    response[0] += 1
    size = len(samples) + len(response)
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)[: len(samples)]
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return np.asarray(wet * np.sqrt(power / max(float(np.mean(wet**2)), 1e-20)), np.float32)


def late_start(samples: Floats, rate: int, level: float, rng: Rng) -> Floats:
    """Without its first `level` seconds; of a sound shorter than twice that, without its first half."""
    return samples[min(round(level * rate), len(samples) // 2) :]


def fitted(samples: Floats, length: int) -> Floats:
    """Cut off, or continued by zeros, to a length."""
    return np.pad(samples[:length], (0, max(0, length - len(samples))))


def _through_mp3(samples: Floats, rate: int, bits: int) -> Floats:
    import av
    import soundfile

    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as container:
        stream: Any = container.add_stream("libmp3lame", rate=rate, layout="mono")
        stream.bit_rate = bits
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="fltp", layout="mono")
        frame.sample_rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    file.seek(0)
    # libsndfile reads the header that says how much of the beginning is the encoder's own.
    decoded: Floats = soundfile.read(file, dtype="float32")[0]
    return decoded


def equaliser(samples: Floats, rate: int, level: float, rng: Rng) -> Floats:
    """Gains that wander from octave to octave, by a deviation of `level` decibels."""
    spectrum = np.fft.rfft(samples)
    return np.fft.irfft(spectrum * wandering_gains(rng, len(spectrum), rate, level), len(samples)).astype(np.float32)


def wandering_gains(rng: Rng, bins: int, rate: int, deviation: float) -> Floats:
    """Gains of the bins of a spectrum that wander from octave to octave, by a deviation in decibels."""
    hertz = np.geomspace(20, rate / 2, 9)
    gains = 10 ** (rng.normal(0, deviation, 9) / 20)
    return np.interp(np.linspace(0, rate / 2, bins), hertz, gains).astype(np.float32)


def room(rng: Rng, rate: int) -> Floats:
    """A room's response: a direct sound, some echoes, and a tail of noise that falls by 60 dB in 0.1 to 1.5 s."""
    seconds = log_uniform(rng, 0.1, 1.5)
    length = int(seconds * rate)
    time = np.arange(length, dtype=np.float32) / rate
    tail = rng.standard_normal(length, np.float32) * np.exp(time * np.float32(-6.9 / seconds))
    # High frequencies die first.
    tail = np.convolve(tail, np.exp(-np.arange(24) / rng.uniform(0.5, 6)), mode="same")
    response = tail / np.sqrt(np.sum(tail**2)) * log_uniform(rng, 0.15, 1.5)
    response[0] += 1
    return np.asarray(response, np.float32)


def sped(samples: Floats, speed: float) -> Floats:
    """Faster or slower, and so higher or lower: read between the samples, along straight lines."""
    places = np.arange(0, len(samples) - 1, speed)
    before = places.astype(np.int64)
    share = (places - before).astype(np.float32)
    return np.asarray(
        samples[before] * (1 - share) + samples[before + 1] * share if len(places) else samples, np.float32
    )


def even(samples: Floats) -> Floats:
    """The same sound at an RMS of -20 dBFS, or at a peak of 0.9 if that is reached first; silence stays silence."""
    peak, level = float(np.abs(samples).max()), float(np.sqrt(np.mean(samples**2)))
    return np.asarray(samples * np.float32(min(0.9 / peak, 0.1 / level)), np.float32) if peak > 1e-5 else samples


def log_uniform(rng: Rng, low: float, high: float, size: int | None = None) -> Any:
    """Numbers whose logarithms are uniform."""
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


def mixed(samples: Floats, other: Floats, level: float) -> Floats:
    """A sound over another one of the same length that is `level` decibels quieter; over silence it stays alone."""
    power, other_power = (float(np.mean(np.square(each, dtype=np.float64))) for each in (samples, other))
    if not other_power:
        return samples
    return np.asarray(samples + other * np.sqrt(power / other_power * 10 ** (-level / 10)), np.float32)


#: What an encoder hears in training, and between which levels: milder than what is measured, for it must still be told.
HEARD_IN_TRAINING: tuple[tuple[Change, float, float], ...] = (
    (equaliser, 1.0, 6.0),
    (reverberation, 0.1, 0.8),
    (noise, 5.0, 30.0),
    (telephone, 8000.0, 8000.0),
    (gain, -20.0, 6.0),
)


def varied(samples: Floats, rate: int, share: float, rng: Rng) -> Floats:
    """A window as it might have been recorded elsewhere: each of `HEARD_IN_TRAINING` with a chance of `share`.

    Parameters
    ----------
    samples : array, shape (n,), float32
    rate : int
        In Hz.
    share : float
        Between 0 and 1.
    rng : Generator

    Returns
    -------
    array, shape (n,), float32

    Examples
    --------
    >>> tone = np.sin(np.arange(16000, dtype=np.float32) / 5)
    >>> np.array_equal(varied(tone, 16000, 0.0, np.random.default_rng(0)), tone)
    True
    """
    for change, low, high in HEARD_IN_TRAINING:
        if rng.random() < share:
            samples = change(samples, rate, rng.uniform(low, high), rng)
    return samples
