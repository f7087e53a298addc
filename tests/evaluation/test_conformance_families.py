"""Every family keeps every promise: with random weights through the real loading path, with the real ones where they are."""

from __future__ import annotations

from functools import partial

import pytest

import sonovec
from sonovec.embedding.encoder import load_with, settings_of
from sonovec.evaluation.conformance import breaches, check
from tests.models import test_byola, test_efficientat, test_openl3, test_panns, tiny

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

# The checkpoints that the families' own tests make, under names that do not collide.
byola_folder = test_byola.folder
panns_folder = test_panns.folder
openl3_folder = test_openl3.folder
made, golden, folder = test_efficientat.made, test_efficientat.golden, test_efficientat.folder
unpacked = test_openl3.unpacked

#: One of each kind of code: HuBERT, WavLM, data2vec and UniSpeech run through that of wav2vec 2.0, and
#: tests/models/test_transformers.py holds the numbers of each.
TINY = {
    "wav2vec2-group": partial(tiny.waveform, "wav2vec2-group"),
    "wav2vec2-layer": partial(tiny.waveform, "wav2vec2-layer"),
    "sew": partial(tiny.waveform, "sew"),
    "mert": tiny.mert,
    "w2v-bert": tiny.w2v_bert,
    "whisper": tiny.whisper,
    "ast": partial(tiny.ast, classified=True),
    "clap": partial(tiny.clap, fusion=False),
}


def conforms(*arguments, **settings):
    results = check(partial(sonovec.load, *arguments, **settings), quick=True)
    assert not breaches(results)


@pytest.mark.parametrize("kind", TINY)
def test_transformers(kind, tmp_path):
    conforms(str(TINY[kind](tmp_path / kind)))


def test_panns(panns_folder):
    conforms("panns-mobilenetv1", weights=panns_folder)


def test_byola(byola_folder):
    conforms("byola-512", weights=byola_folder)


def test_openl3(openl3_folder):
    def load(**settings):  # with gaps, which `sonovec.load` refuses: a third of the work
        return load_with("openl3-music-512", settings_of(openl3_folder, hop=3.0, **settings))

    assert not breaches(check(load, quick=True))


def test_efficientat(folder):
    conforms("efficientat-dymn04", weights=folder)


def test_vggish(vggish_weights):
    conforms("vggish", weights=vggish_weights)


@pytest.mark.parametrize(("name", "file"), [("yamnet", "yamnet.tflite"), ("efficientat-mn04", "mn04_as_mAP_432.pt")])
def test_real_weights(name, file, shared_data):
    conforms(name, weights=shared_data / "weights" / file)
