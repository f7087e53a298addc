"""Essentia's tempos and keys, for comparison alone: it has the licence AGPL, so the package never depends on it.

Install it by hand (pip install essentia) to give `--essentia` to `bench/tempo.py` and `bench/key.py`.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
import soxr
from numpy.typing import NDArray

#: What Essentia's algorithms expect.
RATE = 44100
#: Key profiles that are compared.
PROFILES = ("bgate", "edma", "temperley", "krumhansl")


def _standard() -> ModuleType:
    try:
        import essentia
    except ImportError:
        raise SystemExit("--essentia: Essentia is not installed; type: pip install essentia") from None
    essentia.log.infoActive = essentia.log.warningActive = False
    import essentia.standard

    return essentia.standard


def _samples(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    return np.asarray(soxr.resample(samples, rate, RATE), np.float32)


def tempos(samples: NDArray[np.float32], rate: int) -> dict[str, float]:
    """Beats a minute by method; 0 where a sound is too short for one."""
    standard, samples = _standard(), _samples(samples, rate)
    methods = {
        "essentia percival": lambda: standard.PercivalBpmEstimator()(samples),
        "essentia multifeature": lambda: standard.RhythmExtractor2013(method="multifeature")(samples)[0],
        "essentia degara": lambda: standard.RhythmExtractor2013(method="degara")(samples)[0],
    }
    found = {}
    for name, method in methods.items():
        try:
            found[name] = float(method())
        except RuntimeError:
            found[name] = 0.0
    return found


def keys(samples: NDArray[np.float32], rate: int) -> dict[str, str]:
    """The key by profile, such as "Eb major"."""
    standard, samples = _standard(), _samples(samples, rate)
    found = {}
    for name in PROFILES:
        key, scale, _ = standard.KeyExtractor(profileType=name, sampleRate=RATE)(samples)
        found[name] = f"{key} {scale}"
    return found
