"""Which recogniser a name stands for, and options that do not fit it."""

from __future__ import annotations

import json

import pytest

import sonovec
from sonovec.errors import UsageError, WeightsError
from sonovec.speech.ctc import CtcRecogniser

pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_folder_with_a_ctc_head_is_read_by_ctc_and_stays_an_encoder(ctc_folder):
    assert isinstance(sonovec.speech.load(ctc_folder), CtcRecogniser)
    assert isinstance(sonovec.speech.load("facebook/wav2vec2-base-960h", weights=ctc_folder), CtcRecogniser)
    assert (
        sonovec.speech.load("facebook/wav2vec2-base-960h", weights=str(ctc_folder)).name
        == "facebook/wav2vec2-base-960h"
    )
    assert sonovec.load(str(ctc_folder)).dim == 64


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"beam": 0}, "beam=0 is not a number of texts to keep"),
        ({"beam": 1.5}, "beam=1.5"),
        ({"hot_words": "sonovec"}, "hot_words='sonovec' is not a list of words"),
        ({"hot_words": [" "]}, "is not a list of words"),
        ({"hot_words": ["zzz"]}, "hot word 'zzz': the model does not write z"),
        ({"alpha": 0.2}, "alpha and beta weigh a language model; give language_model="),
        ({"hot_weight": 2}, "hot_weight weighs hot words; give hot_words="),
        ({"hot_words": ["bad"], "hot_weight": float("nan")}, "hot_weight=nan is not a number"),
        ({"precision": "f64"}, "precision='f64' is unknown"),
        ({"device": "tpu"}, "device='tpu' is unknown"),
        ({"jobs": 0}, "jobs=0"),
        ({"language": "en"}, "language='en': tiny-ctc0 writes the one that it was trained on"),
    ],
)
def test_options_that_do_not_fit_are_refused(ctc_folder, options, says):
    with pytest.raises(UsageError, match=says) as caught:
        sonovec.speech.load(ctc_folder, **options)
    assert "\n" not in str(caught.value)


def test_a_language_model_that_is_not_there_is_named(ctc_folder, tmp_path):
    with pytest.raises(WeightsError, match=r"none.arpa: no such file; give a language model in ARPA format"):
        sonovec.speech.load(ctc_folder, language_model=tmp_path / "none.arpa")


def test_whisper_takes_no_language_model(tmp_path):
    with pytest.raises(
        UsageError, match="language_model='lm.arpa': Whisper does not take it; leave language_model out"
    ):
        sonovec.speech.load("tiny.en", language_model="lm.arpa")


def test_what_is_no_recogniser_is_said_with_what_to_give(tmp_path):
    with pytest.raises(UsageError, match="recogniser 'nothing' is no folder"):
        sonovec.speech.load("nothing")
    with pytest.raises(UsageError, match="has no config.json"):
        sonovec.speech.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clap"}))
    with pytest.raises(UsageError, match="is of type 'clap', which writes no text here; give a CTC model"):
        sonovec.speech.load(tmp_path)
