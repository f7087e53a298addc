from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.errors import UsageError
from sonovec.features.logmel import VGGISH, LogMel

WINDOW = 15600
SLANEY = LogMel(22050, 1024, 512, 1024, 40, 0.0, 11025.0, mel="slaney", power=2, log_offset=1e-6, shift=-4.0, scale=2.0)


def noise(n, length=WINDOW, seed=0, loudness=0.1):
    return (np.random.default_rng(seed).standard_normal((n, length)) * loudness).astype(np.float32)


def test_equals_the_reference_on_noise_tones_and_silence(vggish_golden):
    made, golden = vggish_golden
    for name, samples in made.sounds().items():
        patch = VGGISH(samples[None, :WINDOW])
        np.testing.assert_allclose(patch, golden[f"examples/{name}"], atol=1e-4, rtol=0, err_msg=name)


@pytest.mark.data
def test_equals_the_reference_on_real_clips(vggish_golden, shared_data):
    made, golden = vggish_golden
    clips = [name for name in golden if name.startswith("clip/")]
    assert len(clips) >= 3
    for name in clips:
        samples = made.clip_start(shared_data / "esc10" / name.removeprefix("clip/"))
        windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::15360]
        found = VGGISH(windows).reshape(-1)[:: made.CLIP_STEP]
        np.testing.assert_allclose(found, golden[name], atol=1e-4, rtol=0, err_msg=name)


@settings(max_examples=25)
@given(n=st.integers(1, 40), seed=st.integers(0, 99), rows=st.data())
def test_a_row_does_not_depend_on_its_batch_mates(n, seed, rows):
    samples = noise(n, seed=seed)
    together = VGGISH(samples)
    row = rows.draw(st.integers(0, n - 1))
    np.testing.assert_array_equal(together[row], VGGISH(samples[row : row + 1])[0])


@pytest.mark.parametrize("front", [VGGISH, SLANEY])
@given(length=st.integers(0, 5000))
def test_frames_are_as_many_as_fit(front, length):
    spectrogram = front(noise(2, length))
    assert spectrogram.shape == (2, front.frames(length), front.n_mels)
    assert spectrogram.dtype == np.float32 and np.isfinite(spectrogram).all()


def test_a_tone_is_loudest_in_its_band():
    t = np.arange(WINDOW) / 16000
    peaks = [
        VGGISH((0.5 * np.sin(2 * np.pi * hertz * t)).astype(np.float32)[None]).mean(axis=(0, 1)).argmax()
        for hertz in (200, 440, 1000, 3000, 7000)
    ]
    assert peaks == sorted(set(peaks))


def test_power_is_the_square_of_magnitude_within_the_log():
    samples = noise(1)
    magnitude = np.exp(replace(VGGISH, n_mels=8, log_offset=1e-9)(samples))
    power = np.exp(replace(VGGISH, n_mels=8, log_offset=1e-9, power=2)(samples))
    assert (power > magnitude**2 / 200).all() and (power != magnitude).any()


def test_normalisation_is_applied():
    plain, normalised = replace(SLANEY, shift=0.0, scale=1.0)(noise(1)), SLANEY(noise(1))
    np.testing.assert_allclose(normalised, (plain + 4.0) / 2.0, rtol=1e-5)


def test_every_field_stands_in_the_description():
    changed = replace(
        VGGISH, window="povey", centre="zeros", triangles="hertz", area_norm=True, floor="max", log="log10",
        pre_emphasis=0.97, kaldi_frames=True,
    )  # fmt: skip
    for field in fields(changed):
        assert f"{field.name}={getattr(changed, field.name)}" in changed.describe()
    assert VGGISH.describe() == (
        "logmel-2(rate=16000, window_length=400, hop_length=160, fft_length=512, n_mels=64, f_min=125.0, f_max=7500.0, "
        "mel=htk, power=1, log_offset=0.01, shift=0.0, scale=1.0)"
    ), "vectors made before the later fields keep their passport"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"mel": "bark"}, "mel='bark'.*htk, slaney"),
        ({"power": 3}, "power=3"),
        ({"hop_length": 0}, "hop_length=0"),
        ({"fft_length": 256}, "fft_length=256"),
        ({"f_max": 9000.0}, "f_max=9000.0 do not fit rate=16000.*8000"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_value(change, says):
    with pytest.raises(UsageError, match=says):
        replace(VGGISH, **change)
