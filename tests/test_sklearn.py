"""The transformer by scikit-learn's own checks, and in the places where people put one."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

import sonovec
from sonovec.audio.waveform import Waveform
from sonovec.errors import AudioError, UsageError
from sonovec.sklearn import AudioEmbedder
from tests.promises import assert_same_vectors

RATE = 16000
#: Checks of scikit-learn that do not apply, and why.
EXPECTED = {
    "check_estimators_dtypes": "it ends with whole numbers, and those are refused: their full scale is unknown, and to "
    "take int16 samples for floats would give wrong vectors in silence; floats are tested here",
    "check_fit_idempotent": "its numbers lie around 100, which no sound does, and they are refused as those of integers are",
}


@pytest.fixture(autouse=True)
def array_api(monkeypatch):
    """Scikit-learn skips a check of its own without this."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


@pytest.mark.slow
@parametrize_with_checks([AudioEmbedder(rate=RATE)], expected_failed_checks=lambda estimator: EXPECTED)
def test_scikit_learns_own(estimator, check):
    check(estimator)


@pytest.mark.slow
def test_no_check_is_skipped():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(AudioEmbedder(rate=RATE), expected_failed_checks=EXPECTED, on_fail=None)
    others = {result["check_name"]: result["status"] for result in results if result["status"] != "passed"}
    assert others == dict.fromkeys(EXPECTED, "xfail")
    assert len(results) > 40


def sound(seed: int, seconds: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(int(seconds * RATE)).astype(np.float32) / 10


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Twelve files: six of noise, six of tones."""
    folder = tmp_path_factory.mktemp("sounds")
    made = []
    for i in range(12):
        tone = np.sin(np.arange(RATE + 999 * i) * (0.1 + i / 20), dtype=np.float32) / 2
        made.append(str(folder / f"{i}.wav"))
        soundfile.write(made[-1], sound(i) if i < 6 else tone, RATE, subtype="FLOAT")
    return made


@pytest.fixture(scope="module")
def vectors(files):
    encoder = sonovec.load("default")
    return np.stack([e.vector for e in encoder.embed_many(files)])


KINDS = ["noise"] * 6 + ["tone"] * 6


@pytest.mark.parametrize(
    "wrap",
    [
        list,
        tuple,
        np.array,
        lambda files: np.array(files, dtype=object),
        lambda files: np.array(files)[:, None],
        pd.Series,
        lambda files: pd.DataFrame({"path": files}),
        lambda files: (file for file in files),
        lambda files: [Waveform(soundfile.read(file, dtype="float32")[0], RATE) for file in files],
        lambda files: [soundfile.read(file, dtype="float32") for file in files],
    ],
    ids=["list", "tuple", "array", "objects", "column", "Series", "DataFrame", "generator", "Waveforms", "samples"],
)
def test_sounds_come_in_many_forms(files, vectors, wrap):
    found = AudioEmbedder().transform(wrap(files))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, vectors)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_of_numbers_are_sounds_at_the_rate_given(dtype):
    rows = np.stack([sound(i) for i in range(3)])
    expected = [e.vector for e in sonovec.load("default").embed_many((row, 8000) for row in rows)]
    np.testing.assert_array_equal(AudioEmbedder(rate=8000).fit_transform(rows.astype(dtype)), np.stack(expected))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((2, 9)), "AudioEmbedder\\(rate=16000\\)"),
        (np.zeros((2, 9), np.int16), "X / 32768"),
        (["a.wav", 3], "X\\[1\\]=3 is not a sound"),
        (["a.wav", np.zeros(9)], r"X\[1\]=<float64 \(9,\)> is not a sound.*\(samples, rate\)"),
        ([np.zeros(9), np.zeros(8)], r"X\[0\] is <float64 \(9,\)>.*\(samples, rate\)"),
        ("a.wav", "\\['a.wav'\\]"),
    ],
)
def test_what_is_no_sound_is_named(X, message):
    with pytest.raises(UsageError, match=message):
        AudioEmbedder().fit(X)


@pytest.mark.parametrize(
    "parameters", [{"model": "vgish"}, {"on_error": "ignore"}, {"options": {"pca": True}}, {"hop": 0}]
)
def test_a_wrong_parameter_fails_in_fit_and_not_before(parameters):
    embedder = AudioEmbedder(**parameters)
    with pytest.raises(UsageError):
        embedder.fit([(sound(0), RATE)])


def test_all_files_that_fail_are_named(files, tmp_path):
    (tmp_path / "empty.wav").touch()
    given = [files[0], "missing.wav", files[1], str(tmp_path / "empty.wav")]
    with pytest.raises(AudioError, match=r"2 of 4 sounds .*X\[1\] missing.wav: .*X\[3\] .*empty.wav: .*on_error='nan'"):
        AudioEmbedder().fit(given).transform(given)


def test_or_their_rows_are_nan_and_a_warning_names_them(files, vectors):
    with pytest.warns(UserWarning, match=r"1 of 3 sounds .*X\[1\] missing.wav") as caught:
        found = AudioEmbedder(on_error="nan").transform([files[0], "missing.wav", files[1]])
    assert np.isnan(found[1]).all()
    np.testing.assert_array_equal(found[[0, 2]], vectors[:2])
    assert caught[0].filename == __file__


def test_a_pickle_and_a_clone_give_the_same(files, vectors):
    embedder = AudioEmbedder(options={}).fit(files)
    stored = pickle.dumps(embedder)
    assert len(stored) < 1000, "the encoder is not in it"
    for copy in (pickle.loads(stored), clone(embedder)):
        np.testing.assert_array_equal(copy.transform(files), vectors)


def test_a_parameter_that_is_set_later_counts(files, vectors):
    embedder = AudioEmbedder().fit(files).set_params(hop=0.5)
    assert embedder.encoder.window.hop == embedder.encoder.rate // 2
    assert embedder.encoder is clone(embedder).encoder, "loaded once"


@pytest.mark.slow
def test_a_grid_search_over_what_numpy_gives(files):
    pipeline = make_pipeline(AudioEmbedder(), KNeighborsClassifier(1))
    search = GridSearchCV(pipeline, {"audioembedder__hop": np.array([0.5, 1.0])}, cv=3, error_score="raise")
    assert search.fit(files, KINDS).best_score_ == 1
    assert search.predict(files[:1]).tolist() == ["noise"]


@pytest.mark.slow
def test_processes_of_joblib_can_use_it(files):
    scores = cross_val_score(make_pipeline(AudioEmbedder(), KNeighborsClassifier(1)), files, KINDS, cv=2, n_jobs=2)
    assert scores.tolist() == [1, 1]


@pytest.mark.slow
def test_options_reach_the_model(vggish_weights):
    embedder = AudioEmbedder("vggish", weights=vggish_weights, precision="f32", options={"pca": np.bool_(True)})
    found = embedder.fit_transform([(sound(0), RATE)])
    expected = sonovec.load("vggish", weights=vggish_weights, precision="f32", pca=True).embed((sound(0), RATE)).vector
    assert_same_vectors(found[0], expected)
    assert embedder.get_feature_names_out()[-1] == "vggish_127"


def test_a_table_out_keeps_the_index_of_a_table_in(files, vectors):
    table = pd.DataFrame({"path": files, "year": range(12)}, index=list("abcdefghijkl"))
    embedder = AudioEmbedder().set_output(transform="pandas")
    for column in (table["path"], table[["path"]]):
        found = embedder.fit_transform(column)
        assert found.columns[:2].tolist() == ["sonovec-1_0", "sonovec-1_1"]
        assert found.index.tolist() == list("abcdefghijkl")
        np.testing.assert_array_equal(found.to_numpy(), vectors)


def test_beside_other_columns_and_other_encoders(files, vectors):
    table = pd.DataFrame({"path": files, "year": range(12)})
    beside = make_column_transformer((AudioEmbedder(), ["path"]), ("passthrough", ["year"]))
    found = beside.set_output(transform="pandas").fit_transform(table)
    assert found.columns[[0, -1]].tolist() == ["audioembedder__sonovec-1_0", "passthrough__year"]
    np.testing.assert_array_equal(found.to_numpy()[:, :-1], vectors)
    both = make_union(AudioEmbedder(), AudioEmbedder(hop=0.5)).fit(files)
    assert both.transform(files).shape == (12, 1024) and len(set(both.get_feature_names_out())) == 1024


def test_without_scikit_learn_it_says_what_to_install():
    code = "import sys; sys.modules['sklearn'] = None; import sonovec.sklearn"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stderr.splitlines()[-1].endswith(
        "MissingExtraError: sonovec.sklearn needs scikit-learn: pip install 'sonovec[evaluate]'"
    )
