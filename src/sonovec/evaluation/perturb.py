"""What recordings suffer: noise, a telephone, mp3, another level, a room, a late start; and the levels that are measured."""

from __future__ import annotations

from dataclasses import dataclass

from sonovec.augment.waveform import Change, gain, late_start, mp3, noise, reverberation, telephone


@dataclass(frozen=True)
class Perturbation:
    """A kind of harm, and the levels of it that are measured, mild ones first.

    Attributes
    ----------
    name, unit : str
    levels : tuple of float
    meaning : str
    apply : callable
        Samples (n,) float32, their rate in Hz, a level and a generator to samples.
    """

    name: str
    unit: str
    levels: tuple[float, ...]
    meaning: str
    apply: Change


PERTURBATIONS = {
    kind.name: kind
    for kind in (
        Perturbation("noise", "dB SNR", (20.0, 10.0, 0.0), "white noise", noise),
        Perturbation("telephone", "Hz", (8000.0,), "300 to 3,400 Hz", telephone),
        Perturbation("mp3", "kbit/s", (32.0,), "mp3, mono", mp3),
        Perturbation("gain", "dB", (6.0, -6.0, -20.0, -40.0), "another level", gain),
        Perturbation("reverberation", "s RT60", (0.3, 0.6, 1.2), "a room", reverberation),
        Perturbation("start", "s late", (0.1, 0.25, 0.5, 1.0), "the start is cut off", late_start),
    )
}
