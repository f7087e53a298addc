from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.errors import UsageError
from sonovec.features.mel import KALDI, LOGARITHMS, MEL_FORMULAS, VGGISH, WINDOWS, LogMel, mel_bank

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


@st.composite
def fronts(draw):
    """Front ends of all kinds, with the samples of a few dozen frames."""
    window = draw(st.integers(2, 400))
    emphasis = draw(st.sampled_from([0.0, 0.97]))
    front = LogMel(
        rate=16000,
        window_length=window,
        hop_length=draw(st.integers(1, 200)),
        fft_length=window + draw(st.integers(0, 120)),
        n_mels=draw(st.integers(1, 90)),
        f_min=draw(st.sampled_from([0.0, 60.0])),
        f_max=draw(st.sampled_from([4000.0, 8000.0])),
        mel=draw(st.sampled_from(list(MEL_FORMULAS))),
        power=draw(st.sampled_from([1, 2])),
        log_offset=1e-3,
        shift=draw(st.sampled_from([0.0, -4.0])),
        scale=draw(st.sampled_from([1.0, 2.0])),
        window=draw(st.sampled_from(list(WINDOWS))),
        centre=draw(st.sampled_from(["none", "reflect", "zeros"])),
        triangles=draw(st.sampled_from(["mel", "hertz"])),
        area_norm=draw(st.booleans()),
        floor=draw(st.sampled_from(["add", "max"])),
        log=draw(st.sampled_from(list(LOGARITHMS))),
        pre_emphasis=emphasis,
        kaldi_frames=draw(st.booleans()),
    )
    return front, noise(2, draw(st.integers(0, 6000)), seed=draw(st.integers(0, 99)))


def by_definition(front, row):
    """The spectrogram of a row as the record's fields are documented, all in float64."""
    row = row.astype(np.float64)
    if front.pre_emphasis and not front.kaldi_frames:
        row = row[1:] - front.pre_emphasis * row[:-1]
    if front.centre != "none":
        row = np.pad(row, front.window_length // 2, mode="reflect" if front.centre == "reflect" else "constant")
    frames = np.lib.stride_tricks.sliding_window_view(row, front.window_length)[:: front.hop_length]
    if front.kaldi_frames:
        frames = frames - frames.mean(axis=1, keepdims=True)
        before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
        frames = frames - front.pre_emphasis * before
    spectrum = np.abs(np.fft.rfft(frames * WINDOWS[front.window](front.window_length), front.fft_length))
    bands = spectrum**front.power @ mel_bank(front)
    bands = bands + front.log_offset if front.floor == "add" else np.maximum(bands, front.log_offset)
    return (np.log(bands) * LOGARITHMS[front.log] - front.shift) / front.scale


@settings(max_examples=60, deadline=None)
@given(made=fronts())
def test_every_way_equals_its_definition(made):
    front, samples = made
    found = front(samples)
    assert found.shape == (2, front.frames(samples.shape[1]), front.n_mels)
    if found.size:
        wanted = np.stack([by_definition(front, row) for row in samples])
        np.testing.assert_allclose(found, wanted, atol=1e-4, rtol=0)
        np.testing.assert_array_equal(front(samples[1:])[0], found[1])


@pytest.mark.parametrize("front", [VGGISH, SLANEY, KALDI])
def test_a_row_of_many_blocks_is_the_same_alone_and_strided(front):
    samples = noise(3, 200_000)
    together = front(samples)
    np.testing.assert_array_equal(together[2], front(samples[2:])[0])
    np.testing.assert_array_equal(together, front(np.asfortranarray(samples)))
    np.testing.assert_array_equal(together[::2], front(samples[::2]))


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
