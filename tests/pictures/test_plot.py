"""Pictures of sounds: what they show, where, for every encoder and any length."""

from __future__ import annotations

import sys
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.errors import MissingExtraError, UsageError
from sonovec.features.mel import described
from sonovec.models import registry
from sonovec.pictures import hearing
from sonovec.pictures.hearing import frames, front_end, hear, similarities
from sonovec.pictures.plot import PANELS, draw, plot, save

RATE = 32000


@pytest.fixture(scope="module")
def encoder() -> sonovec.Encoder:
    return sonovec.load("default")


@pytest.fixture
def clip() -> tuple[np.ndarray, int]:
    """Six seconds: a tone of 1 kHz in the third and fourth, else silence."""
    samples = np.zeros(6 * RATE, np.float32)
    samples[2 * RATE : 4 * RATE] = np.sin(2 * np.pi * 1000 * np.arange(2 * RATE) / RATE) / 2
    return samples, RATE


def test_the_front_end_is_read_from_what_every_card_says():
    known = {card.name: described(card.front_end) for card in registry.cards()}
    assert {name for name, front in known.items() if front is None} == {"yamnet"}
    for card in registry.cards():
        if (front := known[card.name]) is not None:
            assert front.describe() in card.front_end and front.rate == card.rate


@pytest.mark.parametrize("name", ["default", "logmel"])
@pytest.mark.parametrize("sizes", [[100], [7, 50_000, 1, 3], [16_000] * 6])
def test_the_spectrogram_of_a_stream_is_that_of_the_whole(name, sizes):
    front, own = front_end(sonovec.load(name))
    samples = np.random.default_rng(0).standard_normal(sum(sizes)).astype(np.float32) / 10
    found = np.concatenate(
        [np.empty((0, front.n_mels), np.float32), *frames(np.split(samples, np.cumsum(sizes)[:-1]), front)]
    )
    assert own
    np.testing.assert_allclose(found, front(samples[None])[0], atol=1e-5)


@pytest.mark.parametrize(
    "front",
    dict.fromkeys(front for card in registry.cards() if (front := described(card.front_end)) is not None),
    ids=lambda front: f"{front.rate}-{front.n_mels}-{front.centre}",
)
def test_every_front_end_can_be_streamed(front):
    """But for the ends, where some mirror the sound."""
    samples = np.random.default_rng(0).standard_normal(front.rate).astype(np.float32) / 10
    found = np.concatenate(list(frames(np.split(samples, [5000, 5001, 12_345]), front)))
    whole = front(samples[None])[0]
    assert abs(len(found) - len(whole)) <= 1
    np.testing.assert_allclose(found[3 : len(whole) - 3], whole[3:-3], atol=1e-3, rtol=1e-3)


def test_the_spectrogram_is_what_the_network_is_given(encoder):
    """But for the ends of a window, behind which the encoder puts zeros and the picture what comes next."""
    samples = np.random.default_rng(0).standard_normal(3 * encoder.window.length).astype(np.float32) / 10
    given = encoder.model.features(samples.reshape(3, -1), np.ones(3, np.float32))
    strip = hear(encoder, (samples, encoder.rate), embed=False).spectrogram
    n = given.shape[1]
    for window in range(3):
        np.testing.assert_allclose(strip.columns[window * n + 2 : (window + 1) * n - 2], given[window, 2:-2], atol=1e-4)


def test_what_is_drawn_lies_where_it_sounds(encoder, clip):
    heard = hear(encoder, clip, start=1.0)
    assert (heard.start, heard.end) == (1.0, 6.0)
    for strip, level in ((heard.waveform, 0.1), (heard.spectrogram, 0.0)):
        loud = np.flatnonzero(strip.columns.max(axis=1) > level)
        assert strip.first + strip.step * loud[0] == pytest.approx(2.0, abs=0.05)
        assert strip.first + strip.step * (loud[-1] + 1) == pytest.approx(4.0, abs=0.05)
    loudest = heard.spectrogram.columns.max(axis=0).argmax()
    assert heard.front.hertz[loudest] == pytest.approx(1000, rel=0.05)
    assert heard.embedding is not None
    found, meet = similarities(heard.embedding)
    assert (meet[0], meet[-1]) == (1.0, 6.0) and np.isnan(found[-1]).all() and np.nanmax(found) > 0.99


def test_an_hour_becomes_as_few_numbers_as_a_minute(tmp_path, monkeypatch):
    """Of small numbers, so that it is quick; the bounds are the same."""
    monkeypatch.setattr(hearing, "COLUMNS", 64)
    monkeypatch.setattr(hearing, "MANY", 30)
    monkeypatch.setattr(hearing, "CELLS", 16)
    noise = np.random.default_rng(0).standard_normal(200 * 8000).astype(np.float32) / 10
    soundfile.write(tmp_path / "long.wav", noise, 8000)
    heard = hear(sonovec.load("logmel", hop=0.25), tmp_path / "long.wav")
    assert len(heard.waveform.columns) <= 64 and len(heard.spectrogram.columns) <= 64
    assert heard.waveform.last >= heard.end == 200
    assert heard.embedding is not None
    # No more windows than many, but as many as leave nothing out.
    assert len(heard.embedding.windows) == 200
    assert similarities(heard.embedding)[0].shape == (16, 16)


@pytest.mark.slow
def test_a_png_is_the_same_again_and_an_svg_is_one(tmp_path, encoder, clip):
    one, two, drawing = tmp_path / "one.png", tmp_path / "two.PNG", tmp_path / "three.svg"
    figure = plot(clip, one, encoder=encoder)
    plot(clip, two, encoder=encoder)
    save(figure, drawing)
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes().startswith(b"\x89PNG")
    assert ElementTree.parse(drawing).getroot().tag.endswith("svg")
    assert len(figure.axes) == len(PANELS)


@pytest.mark.parametrize("length", [1, 100, 1000])
def test_a_sound_may_be_shorter_than_a_frame(encoder, length):
    assert plot((np.full(length, 0.1, np.float32), RATE), encoder=encoder).axes


def test_silence_is_drawn(encoder):
    assert plot((np.zeros(RATE, np.float32), RATE), encoder=encoder).axes


def test_an_encoder_that_hears_the_waveform_has_a_general_spectrogram_that_says_so(encoder, clip):
    raw = sonovec.load("default")
    raw.model = replace(raw.model, front_end="waveform")
    heard = hear(raw, clip, embed=False)
    (axes,) = draw(heard, "raw", ["spectrogram"]).axes
    assert not heard.own and axes.get_title(loc="left") == "Spectrogram, not raw's own: it hears the waveform"


def test_no_state_of_matplotlib_changes(encoder, clip):
    import matplotlib

    before, backend = dict(matplotlib.rcParams), matplotlib.rcParams._get_backend_or_none()
    plot(clip, encoder=encoder)
    assert dict(matplotlib.rcParams) == before and matplotlib.rcParams._get_backend_or_none() == backend


def test_a_title_is_drawn_without_a_warning_whatever_the_name(tmp_path, encoder, clip, recwarn):
    name = tmp_path / ("$a$ 歌 " + "x" * 150 + ".wav")
    soundfile.write(name, clip[0], RATE)
    figure = plot(name, tmp_path / "out.png", encoder=encoder, panels=["waveform"])
    assert [str(each.message) for each in recwarn] == [] and figure.get_suptitle().startswith(r"\$a\$ ? x")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"panels": ["colour"]}, "panel 'colour' is unknown; give some of: waveform, spectrogram, tags, similarity"),
        ({"panels": []}, "no panel was given; give some of: waveform"),
        ({"panels": ["tags"], "encoder": "logmel"}, "model 'logmel' scores no classes; leave the panel tags out"),
        ({"target": "sound.jpg"}, "sound.jpg: a picture is written as PNG or SVG; give a name such as sound.png"),
        ({"start": 3.0, "end": 2.0}, "start=3.0, end=2.0 is not a range of seconds"),
    ],
)
def test_what_cannot_be_drawn_is_refused(clip, arguments, message):
    with pytest.raises(UsageError) as caught:
        plot(clip, **arguments)
    assert str(caught.value).startswith(message)


def test_without_matplotlib_the_message_says_what_to_install(monkeypatch, clip):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'sonovec\[evaluate\]'"):
        plot(clip)
