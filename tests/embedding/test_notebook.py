from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec import demo
from sonovec.embedding.notebook import WIDTH, narrowed

RATE = 16_000


@pytest.fixture(scope="module")
def encoder():
    return sonovec.load()


@pytest.fixture(scope="module")
def bells(encoder, tmp_path_factory):
    path = tmp_path_factory.mktemp("sounds") / "a <b> & 'c'.wav"
    samples, _ = demo.clip("bells")
    soundfile.write(path, samples, demo.RATE)
    return encoder.embed(path)


def pictures(page):
    image = pytest.importorskip("matplotlib.image")
    found = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page)
    return [image.imread(io.BytesIO(base64.b64decode(each))) for each in found]


def test_a_prompt_shows_no_numbers_but_those_that_people_read(encoder, bells):
    shown = [
        bells,
        encoder,
        encoder.card,
        encoder.passport,
        encoder.model,
        encoder.embed((np.zeros(800, np.float32), RATE)),
    ]
    for record in shown[:4]:
        assert len(repr(record)) < 250 and "\n" not in repr(record)
    assert all(len(repr(record)) < 1500 for record in shown)
    assert repr(bells).startswith("Embedding(") and "sonovec-1" in repr(bells) and "512" in repr(bells)
    assert "samples in memory" in repr(shown[-1])
    assert encoder.passport.fingerprint in repr(encoder.passport) and "sonovec-1" in repr(encoder)


def test_a_notebook_shows_the_spectrogram_and_the_tags_over_time(bells):
    page = bells._repr_html_()
    spectrogram, *strips = pictures(page)
    assert spectrogram.shape[0] == 64 and 100 < spectrogram.shape[1] <= WIDTH
    assert [strip.shape[:2] for strip in strips] == [(1, len(bells.windows))] * 5
    assert all(tag.replace("'", "&#x27;") in page for tag, _ in bells.top_tags())


def test_the_name_of_a_file_is_escaped(bells):
    page = bells._repr_html_()
    assert "<b>" not in page and "a &lt;b&gt; &amp; &#x27;c&#x27;.wav" in page


def test_a_tone_is_drawn_where_it_is_and_high_bands_are_at_the_top(encoder, tmp_path):
    seconds = np.arange(3 * RATE) / RATE
    rows = []
    for hertz in (300, 3000):
        soundfile.write(tmp_path / f"{hertz}.wav", np.sin(2 * np.pi * hertz * seconds) / 2, RATE)
        picture = pictures(encoder.embed(tmp_path / f"{hertz}.wav")._repr_html_())[0]
        rows.append(int(picture[..., :3].sum(axis=(1, 2)).argmax()))
    assert rows[0] > rows[1] + 10


def test_what_is_not_there_is_not_drawn(encoder, bells, tmp_path):
    memory = encoder.embed((np.ones(800, np.float32) / 2, RATE))
    assert "spectrogram" not in memory._repr_html_() and len(pictures(memory._repr_html_())) == 5
    assert "spectrogram" in bells._repr_html_()
    assert "spectrogram" not in replace(bells, path=tmp_path / "gone.wav")._repr_html_()
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    assert "spectrogram" not in replace(bells, path=text)._repr_html_()
    assert "spectrogram" not in replace(bells, rate=8000)._repr_html_(), "another file is there now"


def test_a_part_is_drawn_as_the_part_that_it_is(encoder, bells):
    part = encoder.embed(bells.path, 1.0, 2.0)
    assert "from 1.0 to 2.0 s" in part._repr_html_()
    assert pictures(part._repr_html_())[0].shape[1] < pictures(bells._repr_html_())[0].shape[1] / 2


def test_of_a_long_sound_the_first_minute_is_drawn(tmp_path):
    path = tmp_path / "long.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, 90 * 8000), 8000)
    page = sonovec.load("logmel").embed(path)._repr_html_()
    assert "from 0.0 to 60.0 s, of 90.0 s in all" in page and pictures(page)[0].shape[1] == WIDTH


def test_a_short_peak_survives_narrowing():
    values = np.zeros((2, 100_003), np.float32)
    values[1, 77_777] = 1
    found = narrowed(values)
    assert found.shape == (2, WIDTH) and found[1].max() == 1 and np.flatnonzero(found[1]) == [77_777 * WIDTH // 100_003]


def test_an_encoder_shows_its_card_and_opens_no_network():
    encoder = sonovec.load("default", hop=1.0)
    page = encoder._repr_html_()
    assert "sonovec-1" in page and "512 numbers" in page and "one each 1 s" in page and "MIT" in page
    assert not encoder._networks
