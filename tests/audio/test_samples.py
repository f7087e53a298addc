"""Samples in memory: whatever layout, type and rate people have, the right sound or a refusal with the corrected call."""

from __future__ import annotations

import re

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from sonovec.audio.checks import LOUDEST
from sonovec.audio.samples import MOST_CHANNELS, open_samples, open_waveform
from sonovec.audio.stream import open_mono
from sonovec.audio.waveform import Waveform
from sonovec.errors import AudioError, UsageError

RATE = 16000


def noise(*shape, seed=0):
    return (np.random.default_rng(seed).standard_normal(shape) / 10).astype(np.float32)


def read(samples, rate=RATE, **options):
    with open_samples(samples, rate, RATE, **options) as stream:
        return np.concatenate(list(stream)), stream


@given(channels=st.integers(1, MOST_CHANNELS), n=st.integers(MOST_CHANNELS + 1, 3000), seed=st.integers(0, 9))
def test_both_layouts_are_the_same_sound(channels, n, seed):
    samples = noise(n, channels, seed=seed)
    (last, told), (first, _) = read(samples), read(samples.T)
    np.testing.assert_array_equal(first, last)
    assert told.info.channels == channels and told.source_frames == n
    np.testing.assert_allclose(last, samples.mean(axis=1), atol=1e-6)


@given(n=st.integers(1, 100))
def test_one_channel_may_have_any_length(n):
    samples = noise(n)
    for shaped in (samples, samples[:, None], samples[None]):
        np.testing.assert_array_equal(read(shaped)[0], samples)


@given(
    shape=st.one_of(
        st.tuples(st.integers(2, MOST_CHANNELS), st.integers(2, MOST_CHANNELS)),
        st.tuples(st.integers(MOST_CHANNELS + 1, 99), st.integers(MOST_CHANNELS + 1, 99)),
    )
)
def test_a_shape_that_may_be_either_is_refused_with_the_corrected_call(shape):
    with pytest.raises(
        UsageError, match=rf"{re.escape(str(shape))}.*cannot tell which axis.*\(samples\[:, 0\], rate\)"
    ):
        read(noise(*shape))


def test_several_sounds_at_once_are_refused_with_the_corrected_call():
    with pytest.raises(UsageError, match=r"\(4, 2, 8000\); give those of one sound.*\(samples\[0\], rate\)"):
        read(noise(4, 2, 8000))


@pytest.mark.parametrize(
    "given",
    [
        lambda x: x.astype(np.float64),
        lambda x: x.astype(np.longdouble),
        lambda x: x.tolist(),
        lambda x: np.repeat(x, 2)[::2],  # not contiguous
        lambda x: np.ma.masked_array(x),
        lambda x: x.astype(">f4"),
    ],
)
def test_what_numpy_takes_for_floats_is_taken(given):
    samples = noise(1000)
    np.testing.assert_allclose(read(given(samples))[0], samples, atol=1e-7)


def test_half_precision_and_tensors():
    torch = pytest.importorskip("torch")
    samples = noise(2, 1000)
    expected = read(samples)[0]
    np.testing.assert_allclose(read(samples.astype(np.float16))[0], expected, atol=1e-3)
    np.testing.assert_array_equal(read(torch.from_numpy(samples))[0], expected)
    with pytest.raises(UsageError, match=r"type Tensor cannot be read as an array \(.*detach.*\); give a NumPy array"):
        read(torch.from_numpy(samples).requires_grad_())


def test_the_callers_array_is_never_written_to():
    samples = noise(1000, 2)
    samples[5] = np.nan
    samples.setflags(write=False)
    assert np.isfinite(read(samples)[0]).all()


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (np.zeros(100, np.int16), r"dtype int16 .*\(samples / 32768, rate\)"),
        (np.zeros(100, np.int32), r"dtype int32 .*\(samples / 2147483648, rate\)"),
        (np.zeros(100, np.uint8), r"dtype uint8 .*\(\(samples - 128.0\) / 128, rate\)"),
        (np.zeros(100, np.int8), r"dtype int8 .*\(samples / 128, rate\)"),
        (np.zeros(100, np.int64), r"dtype int64 .*32768"),
        (np.zeros(100, bool), "dtype bool"),
        (np.zeros(100, complex), "dtype complex128"),
        (np.zeros(100, object), "dtype object"),
        ([0.1, None], "dtype object"),
        ([[0.1], [0.1, 0.2]], "type list cannot be read as an array"),
        ("song.wav", r"dtype <U8 and shape \(\)"),
        (0.5, r"shape \(\)"),
    ],
)
def test_what_is_not_floats_is_refused(samples, says):
    with pytest.raises(UsageError, match=says) as caught:
        read(samples)
    assert "\n" not in str(caught.value)


@given(bits=st.sampled_from([8, 16, 24, 32]), level=st.floats(-40, 0), seed=st.integers(0, 9))
def test_floats_of_the_size_of_integers_are_refused(bits, level, seed):
    """As `scipy.io.wavfile.read` and `astype(float)` give them."""
    scaled = np.round(noise(500, seed=seed) * 10 ** (level / 20) * 2 ** (bits - 1))
    if np.abs(scaled).max() >= 2:
        with pytest.raises(
            UsageError, match=r"in whole numbers: they are not within -1..1; .*\(samples / 32768, rate\)"
        ):
            read(scaled)


@given(factor=st.floats(LOUDEST * 10.0001, 1e30), holes=st.booleans())
def test_floats_that_no_gain_explains_are_refused(factor, holes):
    samples = np.sin(np.arange(500)) / 10 * factor
    samples[5] = factor / 10
    if holes:
        samples[[7, 9]] = np.nan, np.inf
    with pytest.raises(UsageError, match=r"reach .*\(samples / abs\(samples\).max\(\), rate\)"):
        read(samples)


@pytest.mark.parametrize("samples", [np.sin(np.arange(500)) * 4, np.sign(np.sin(np.arange(500))), np.zeros(500)])
def test_loud_square_and_silent_sounds_are_sounds(samples):
    np.testing.assert_allclose(read(samples)[0], samples, rtol=1e-6)


@pytest.mark.parametrize("rate", [16000, 16000.0, np.int32(16000), np.float32(16000), np.array(16000)])
def test_a_rate_is_any_whole_number(rate):
    _, stream = read(noise(100), rate)
    assert stream.info.rate == 16000 and type(stream.info.rate) is int


@pytest.mark.parametrize("rate", [0, -16000, 44100.5, np.nan, np.inf, None, "16000", True, 1j, [16000]])
def test_what_is_not_a_rate_is_refused(rate):
    with pytest.raises(
        UsageError,
        match=r"is not a positive whole number of Hz up to 4294967295; give, for example, \(samples, 16000\)",
    ):
        read(noise(100), rate)


def test_a_channel_of_nan_is_named_and_the_other_is_heard():
    samples = np.stack([noise(1000), np.full(1000, np.nan)], axis=1)
    for layout in (samples, samples.T):
        heard, stream = read(layout)
        np.testing.assert_allclose(heard, samples[:, 0] / 2, atol=1e-7)
        assert stream.notes == ["channel 2 of 2 has no sample that is a number and counts as silence"]


def test_single_samples_that_are_no_numbers_are_counted():
    samples = noise(1000, 2)
    samples[3, 0], samples[[5, 6], 1] = np.inf, np.nan
    heard, stream = read(samples)
    expected = np.where(np.isfinite(samples), samples, 0).mean(axis=1)
    np.testing.assert_allclose(heard, expected, atol=1e-7)
    assert stream.notes == ["3 sample(s) were NaN or infinite and were set to 0"]


def test_masked_samples_are_refused():
    with pytest.raises(UsageError, match=r"10 of the samples are masked; give \(samples.filled\(0\), rate\)"):
        read(np.ma.masked_array(noise(100), mask=np.arange(100) < 10))


@pytest.mark.parametrize("samples", [np.full(100, np.nan), np.full((2, 100), np.inf)])
def test_nothing_but_nan_is_refused(samples):
    with pytest.raises(AudioError, match="no sample is a number"):
        read(samples)


@pytest.mark.parametrize("shape", [(0,), (0, 2), (2, 0)])
def test_no_samples_are_refused(shape):
    with pytest.raises(AudioError, match=r"none from 0.0 s on, of 0.00 s; give samples"):
        read(np.zeros(shape))


def test_a_waveform_is_mono_and_as_strict():
    with pytest.raises(UsageError, match=r"a Waveform is mono.*\(1000, 2\).*\(samples, rate\)"):
        open_waveform(Waveform(noise(1000, 2), RATE), RATE)
    with pytest.raises(UsageError, match="dtype int16"):
        open_waveform(Waveform(np.zeros(100, np.int16), RATE), RATE)
    with pytest.raises(UsageError, match="rate=nan"):
        open_waveform(Waveform(noise(100), np.nan), RATE)


ODD = {
    "holes": lambda x: np.where(np.arange(x.size).reshape(x.shape) % 1000 == 7, np.nan, x),
    "one channel of NaN": lambda x: np.where(np.arange(x.shape[1]) == 1, np.nan, x),
    "inverted": lambda x: np.where(np.arange(x.shape[1]) == 0, x[:, :1], -x[:, :1] / max(1, x.shape[1] - 1)),
    "offset": lambda x: x + 0.3,
    "clipped": lambda x: np.clip(20 * x, -1, 1),
}


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("kind", ODD)
def test_samples_are_heard_as_their_file_is_and_what_is_odd_is_told_alike(tmp_path, kind, channels):
    samples = ODD[kind](noise(70_000, channels)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", samples, 22050, subtype="FLOAT")
    for start, end in ((0.0, None), (1.0, 2.5)):
        with open_mono(tmp_path / "a.wav", RATE, start, end) as file:
            expected = np.concatenate(list(file))
        for same in (samples, samples.T, samples.astype(np.float64)):
            heard, stream = read(same, 22050, start=start, end=end)
            np.testing.assert_array_equal(heard, expected)
            assert stream.notes == file.notes
    assert file.notes or channels == 1
