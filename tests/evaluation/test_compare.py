"""Encoders compared on the demo's sounds, in Python, on the command line, and as a picture."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import click
import numpy as np
import pytest
from matplotlib.image import imread

import sonovec
from sonovec import demo
from sonovec.audio.scan import scan
from sonovec.cli import log
from sonovec.cli.compare import compare as command
from sonovec.embedding.encoder import Encoder
from sonovec.errors import MissingExtraError, UsageError
from sonovec.evaluation import metrics
from sonovec.evaluation.chart import draw, make_figure
from sonovec.evaluation.compare import Comparison, Row, compare
from sonovec.evaluation.metrics import Score
from sonovec.models import registry

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sounds(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("compare") / "sounds"
    demo.write(folder)
    return folder


@pytest.fixture(scope="module")
def loose(sounds) -> Path:
    """The same kinds of sounds without folders, and fewer of them."""
    folder = sounds.parent / "loose"
    folder.mkdir()
    for path in sorted(sounds.rglob("*-01.flac")):
        shutil.copy(path, folder)
    return folder


def loudness_alone() -> Encoder:
    """A poor encoder: the mean level, twice, and nothing else."""
    model = registry.build("logmel", {})
    level = replace(model, finish=lambda rows, coverage: np.repeat(np.mean(rows, axis=1, keepdims=True), 192, axis=1))
    return Encoder(level)


def deaf_to_what_is_long() -> Encoder:
    """An encoder that gives no numbers for a sound of which more than four windows come at once."""
    model = registry.build("logmel", {})
    picky = replace(model, finish=lambda rows, coverage: np.float32(rows) * (np.nan if len(rows) > 4 else 1))
    return Encoder(picky)


@pytest.fixture(scope="module")
def result(sounds) -> Comparison:
    encoders = {
        "logmel": sonovec.load("logmel"),
        "half steps": sonovec.load("logmel", hop=0.5),
        "loudness": loudness_alone(),
    }
    return compare(sounds, encoders)


@pytest.mark.slow
def test_figures_are_those_of_the_measures(sounds, result):
    paths = [item.path for item in scan([sounds]) if item.path.suffix == ".flac"]
    labels = [path.parent.name for path in paths]
    embeddings = list(sonovec.load("logmel").embed_many(paths))
    vectors = np.stack([e.vector for e in embeddings])
    row = result.rows[0]
    assert (result.sounds, len(result.classes), result.unlabelled) == (84, 14, "")
    assert set(result.classes.values()) == {6}
    assert row.probe == metrics.probe(vectors, labels)
    assert row.knn == metrics.knn(vectors, labels)
    assert (row.mean_average_precision, row.p10) == metrics.retrieval(vectors, labels)
    assert result.audio_seconds == pytest.approx(sum(e.duration for e in embeddings))
    assert row.bytes_per_track == 2 * 192 * 4, "no demo sound is longer than one segment"
    assert row.seconds_per_hour > 0 and row.precision == "f32" and row.dim == 192
    halves = np.stack([e.vector for e in sonovec.load("logmel", hop=0.5).embed_many(paths)])
    assert result.agreement[0][1] == result.agreement[1][0] == metrics.agreement(vectors, halves)
    assert row.agreement == pytest.approx(np.mean(result.agreement[0][1:]))
    assert [result.agreement[i][i] for i in range(3)] == [1, 1, 1]
    assert result.agreement_by_chance == 10 / 83


def test_advice_says_what_the_figures_say(result):
    assert result.rows[0].probe.low > result.rows[2].probe.high
    probe, knn, mean_average_precision, alike, cost = result.advice
    assert probe.startswith("By probe accuracy, ") and knn.startswith("By 5-NN accuracy, ")
    assert "loudness" not in probe
    assert mean_average_precision.startswith("By retrieval mAP, ")
    assert alike.startswith("logmel and half steps share most, ") and "by chance it would be 12%" in alike
    assert "took the least time" in cost and "logmel, half steps and loudness store the least, 1536 bytes" in cost
    assert any("the smallest class has 6 sounds, so at most 5 others are right" in note for note in result.notes)


def made(scores, seconds=None, unlabelled="") -> Comparison:
    """A comparison of which only what is given matters: a score as (value, low, high), or None."""
    rows = []
    for index, score in enumerate(scores):
        value = Score(*score, n=100) if score else None
        took = seconds[index] if seconds else 10.0 * (index + 1)
        rows.append(
            Row(f"model-{index}", 64, "f32", *4 * [value], agreement=0.5, seconds_per_hour=took, bytes_per_track=512)
        )
    n = len(rows)
    agreement = (0.5 * np.eye(n) + 0.5).tolist()
    return Comparison(
        "sounds", 100, 500.0, {} if unlabelled else {"a": 50, "b": 50}, unlabelled, rows, agreement, 10, 0.1
    )


@pytest.mark.parametrize(
    ("scores", "sentence"),
    [
        (
            [(0.9, 0.85, 0.95), (0.8, 0.7, 0.84)],
            "By probe accuracy, model-0 is best here with 90.0 % (95 % interval 85.0 % to 95.0 %); no other interval "
            "reaches that.",
        ),
        (
            [(0.8, 0.75, 0.86), (0.9, 0.85, 0.95)],
            "By probe accuracy, model-1 is best here with 90.0 % (95 % interval 85.0 % to 95.0 %); the interval of model-0 "
            "overlaps with it, so these sounds do not settle it.",
        ),
        (
            [(0.8, 0.7, 0.9), (0.9, 0.85, 0.95), (0.8, 0.7, 0.9)],
            "By probe accuracy, model-1 is best here with 90.0 % (95 % interval 85.0 % to 95.0 %); the intervals of model-0 "
            "and model-2 overlap with it, so these sounds do not settle it.",
        ),
        (
            [(0.9, 0.85, 0.95), (0.9, 0.85, 0.95), (0.5, 0.4, 0.6)],
            "By probe accuracy, model-0 and model-1 are level at 90.0 % (95 % interval 85.0 % to 95.0 %).",
        ),
        ([(0.9, 0.85, 0.95)], "model-0 has a probe accuracy of 90.0 % (95 % interval 85.0 % to 95.0 %)."),
    ],
)
def test_advice_never_says_more_than_the_numbers(scores, sentence):
    assert made(scores).advice[0] == sentence


def test_what_costs_least():
    scores = [(0.9, 0.85, 0.95)] * 2
    one, other = made(scores), made(scores, [30.0, 4.25])
    small = replace(one, rows=[replace(one.rows[0], bytes_per_track=256), one.rows[1]])
    assert small.advice[-1] == (
        "model-0 took the least time, 10 s for an hour of audio, and stores the least, 256 bytes per track."
    )
    assert other.advice[-1] == (
        "model-1 took the least time, 4.25 s for an hour of audio; model-0 and model-1 store the least, 512 bytes per track."
    )


def test_one_encoder_is_neither_best_nor_cheapest():
    assert len(made([(0.9, 0.85, 0.95)]).advice) == 3


def test_without_labels_agreement_and_cost_remain(loose):
    result = compare(loose, {"logmel": sonovec.load("logmel"), "loudness": loudness_alone()})
    assert result.unlabelled == "the sounds are not in sub-folders, one for each class"
    assert result.sounds == 14 and result.classes == {}
    for row in result.rows:
        assert row.probe is row.knn is row.mean_average_precision is row.p10 is None
        assert 0 <= row.agreement <= 1 and row.seconds_per_hour > 0
    assert result.agreement_k == 6
    assert any("Agreement is over the 6 nearest sounds instead of 10" in note for note in result.notes)
    assert result.advice[0].startswith(
        "Nothing here says which encoder is better, since accuracy needs labels: the sounds"
    )


def test_classes_of_one_and_loose_sounds(sounds, tmp_path):
    for name in ("a/1", "b/1", "b/2", "c/1"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(sounds / "bells/bells-01.flac", tmp_path / f"{name}.flac")
    encoders = {"logmel": sonovec.load("logmel"), "loudness": loudness_alone()}
    assert compare(tmp_path, encoders).unlabelled == ("1 of 3 sub-folders have two sounds or more, and two are needed")
    shutil.copy(sounds / "bells/bells-02.flac", tmp_path / "a" / "2.flac")
    labelled = compare(tmp_path, encoders)
    assert labelled.rows[0].probe.left_out == ("c",)
    assert "Left out of probe and 5-NN, since all their sounds are in one fold: c." in labelled.notes
    shutil.copy(sounds / "bells/bells-02.flac", tmp_path / "stray.flac")
    assert compare(tmp_path, encoders).unlabelled == "1 of 6 sounds are in no sub-folder and have no class"


@pytest.mark.slow
def test_folds_can_be_read_from_names(sounds):
    result = compare(sounds, {"logmel": sonovec.load("logmel")}, folds=r"-0(\d)")
    paths = [item.path for item in scan([sounds]) if item.path.suffix == ".flac"]
    vectors = np.stack([e.vector for e in sonovec.load("logmel").embed_many(paths)])
    labels, folds = [path.parent.name for path in paths], [path.stem[-1] for path in paths]
    assert result.rows[0].probe == metrics.probe(vectors, labels, folds)
    assert result.rows[0].knn == metrics.knn(vectors, labels, folds)


def test_what_one_encoder_cannot_read_is_left_out_for_all_and_named(sounds, tmp_path):
    shutil.copytree(sounds / "rain", tmp_path / "rain")
    shutil.copytree(sounds / "bells", tmp_path / "bells")
    (tmp_path / "rain" / "broken.wav").write_bytes(b"RIFF")
    lengths = {e.path: len(e.windows) for e in sonovec.load("logmel").embed_many(sorted(tmp_path.rglob("*.flac")))}
    too_long = {str(path) for path, n in lengths.items() if n > 4}
    assert 0 < len(too_long) < 10
    result = compare(tmp_path, {"logmel": sonovec.load("logmel"), "picky": deaf_to_what_is_long()})
    assert {path for path, _ in result.failures} == too_long | {str(tmp_path / "rain" / "broken.wav")}
    assert result.sounds == sum(result.classes.values()) == 12 - len(too_long)
    assert result.rows[0].p10.n == result.rows[1].p10.n == result.sounds


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"folder": "nowhere"}, "nowhere is not a folder; give one whose sub-folders hold"),
        ({"models": []}, "no models; give at least one, such as 'logmel'"),
        ({"models": ["logmel", "logmel"]}, r"models=\['logmel', 'logmel'\]; give a list of names, each once"),
        ({"models": "logmel"}, "models='logmel'; give a list of names"),
        ({"models": ["logmell"]}, "model 'logmell' is unknown; did you mean 'logmel'"),
        ({"weights": {"vggish": "x"}}, "weights of 'vggish', which is not compared; the models are: logmel"),
        ({"folds": "("}, r"folds='\(' is not a regular expression"),
        ({"folds": "x"}, "folds='x' finds nothing in '.*flac'; give one that fits every file name"),
        ({"folds": "flac"}, "0 of 14 classes have sounds in two folds"),
    ],
)
def test_refusals(sounds, change, message):
    arguments = {"folder": sounds, "models": ["logmel"], **change}
    with pytest.raises(UsageError, match=message):
        compare(**arguments)


def test_too_little_to_compare(sounds, loose, tmp_path):
    with pytest.raises(UsageError, match=r"0 audio files in .*; give a folder with at least 3"):
        compare(tmp_path, ["logmel"])
    with pytest.raises(UsageError, match="one model and no labels leave nothing to compare"):
        compare(loose, ["logmel"])
    for number in range(3):
        (tmp_path / f"{number}.wav").write_bytes(b"RIFF")
    with pytest.raises(UsageError, match="all encoders could read 0 of 3 sounds; give at least 3"):
        compare(tmp_path, {"logmel": sonovec.load("logmel"), "loudness": loudness_alone()})


def test_progress_tells_of_every_file_and_encoder(loose):
    told = []
    encoders = {"logmel": sonovec.load("logmel"), "loudness": loudness_alone()}
    compare(loose, encoders, progress=lambda news: told.append((news.stage, news.done, news.total)))
    stages = list(dict.fromkeys(stage for stage, *_ in told))
    assert stages == ["reading", "logmel", "loudness", "measuring"]
    assert set(told) >= {(stage, done, 14) for stage in stages[:3] for done in range(1, 15)}
    assert set(encoders) == {"logmel", "loudness"}, "the caller's mapping is left alone"


# -- picture


def boxes(figure):
    renderer = figure.canvas.get_renderer()
    return [text.get_window_extent(renderer) for text in figure.axes[0].texts]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [1, 2, 9])
def test_labels_cover_neither_each_other_nor_points(n, seed):
    from matplotlib.text import Text

    rng = np.random.default_rng(seed)
    values = rng.choice([0.8, 0.85, 0.9], n)
    figure = make_figure(made([(v, v - 0.03, v + 0.03) for v in values], np.exp(rng.uniform(0, 2, n)).tolist()))
    figure.canvas.draw()
    axes = figure.axes[0]
    labels = [Text.get_window_extent(label) for label in axes.texts]
    assert [label.get_text() for label in axes.texts] == [f"model-{i}" for i in range(n)]
    assert not any(a.overlaps(b) for a, b in combinations(labels, 2))
    points = axes.transData.transform(axes.collections[-1].get_offsets())
    assert not any(label.contains(*point) for label in labels for point in points)
    frame = axes.get_window_extent()
    assert all(frame.contains(*corner) for label in labels for corner in label.get_points())


def test_a_picture_is_written(tmp_path, result):
    draw(result, tmp_path / "new" / "models.png")
    pixels = imread(tmp_path / "new" / "models.png")
    assert pixels.shape[0] > 600 and pixels.shape[1] > 1400
    assert 0.6 < pixels[..., :3].mean() < 1
    draw(made([None, None], unlabelled="no folders"), tmp_path / "models.png")
    assert imread(tmp_path / "models.png").shape[1] > 1400


def test_a_picture_of_odd_names(tmp_path):
    odd = replace(made([(0.9, 0.8, 1.0)] * 2), folder="Sons d'été $a_b$ \\alpha")
    rows = [replace(row, model=name) for row, name in zip(odd.rows, ("$x^2$", "me/" + "long" * 30), strict=True)]
    draw(replace(odd, rows=rows), tmp_path / "odd.png")
    assert imread(tmp_path / "odd.png").shape[1] < 4000


def test_a_picture_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"models\.png: cannot be written \(Not a directory\)"):
        draw(made([(0.9, 0.8, 1.0)]), tmp_path / "file" / "models.png")


# -- command line


@pytest.fixture
def sonovec_compare(capsys):
    """Run the command in this process: exit code, what it printed, what it complained of."""

    def run(*arguments):
        capsys.readouterr()
        with log.shown():
            code = command.main([str(argument) for argument in arguments], standalone_mode=False)
        return code, *capsys.readouterr()

    return run


def test_the_command_prints_tables_and_advice(sonovec_compare, sounds):
    code, out, err = sonovec_compare(sounds, "--models", "logmel")
    lines = [line.split("\t") for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert lines[0] == ["model", "dim", "probe %", "5-NN %", "mAP", "P@10", "s per hour", "bytes per track"]
    assert lines[1][:2] == ["logmel", "192"] and lines[1][-1] == "1536"
    assert "logmel has a probe accuracy of " in out


def test_the_command_prints_one_json_object_and_draws(sonovec_compare, sounds, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for kind, number, name in (("bells", 1, "a"), ("bells", 2, "a"), ("rain", 1, "b"), ("rain", 2, "b")):
        shutil.copy(sounds / kind / f"{kind}-0{number}.flac", tmp_path / name)
    (tmp_path / "a" / "broken.wav").write_bytes(b"RIFF")
    code, out, err = sonovec_compare(tmp_path, "--models", "logmel", "--json", "--picture", tmp_path / "out.png")
    answer = json.loads(out)
    assert code == 1
    assert err.count("\n") == 1 and "broken.wav" in err
    assert answer["failures"][0]["path"] == str(tmp_path / "a" / "broken.wav")
    assert answer["classes"] == {"a": 2, "b": 2}
    assert set(answer["rows"][0]["probe"]) == {"value", "low", "high", "n", "left_out"}
    assert len(answer["advice"]) == 3 and answer["agreement"] == [[1.0]]
    assert imread(tmp_path / "out.png").ndim == 3


@pytest.mark.slow
def test_weights_are_given_by_name(sonovec_compare, loose, vggish_weights):
    code, out, _ = sonovec_compare(
        loose, "--models", "logmel, vggish", "--weights", f"vggish={vggish_weights}", "--precision", "f32", "--json"
    )
    answer = json.loads(out)
    assert code == 0
    assert [(row["model"], row["dim"]) for row in answer["rows"]] == [("logmel", 192), ("vggish", 128)]
    assert answer["rows"][1]["bytes_per_track"] == 2 * 128 * 4
    assert answer["unlabelled"].startswith("the sounds are not in sub-folders")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--models", "logmel", "--weights", "vggish"],
            "--weights 'vggish' is not of the form NAME=PATH; give, for example",
        ),
        (
            ["--models", "logmel", "--picture", "out.jpg"],
            "out.jpg: a picture is written as PNG; give a name such as out.png",
        ),
        (["--models", " , "], "no models; give at least one, such as 'logmel'"),
        ([], "Missing option '-m' / '--models'"),
        (["--models", "logmel", "--device", "tpu"], "'tpu' is not one of"),
    ],
)
def test_the_command_refuses(sonovec_compare, sounds, arguments, message):
    with pytest.raises((UsageError, click.UsageError)) as raised:
        sonovec_compare(sounds, *arguments)
    error = raised.value
    assert message in (error.format_message() if isinstance(error, click.ClickException) else str(error))


@pytest.mark.parametrize(
    ("module", "needs"),
    [("sklearn", "comparing encoders needs scikit-learn"), ("matplotlib", "drawing needs matplotlib")],
)
def test_a_missing_package_is_named_with_its_pip_line(sounds, module, needs):
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from sonovec.cli.compare import compare\n"
        f"compare.main([{str(sounds)!r}, '--models', 'logmel', '--picture', 'out.png'], standalone_mode=False)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    line = f"sonovec.errors.{MissingExtraError.__name__}: {needs}: pip install 'sonovec[evaluate]'"
    assert run.stderr.splitlines()[-1] == line


def test_the_command_is_quick_to_import():
    code = "import sys, sonovec.cli.compare; print([m for m in ('numpy', 'sklearn', 'matplotlib') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


@pytest.mark.slow
def test_real_sounds_give_the_published_figures(shared_data):
    """ESC-10 with its own folds; statistics of log-mel bands were measured before: 77.8, 74.0, .495 and .640."""
    result = compare(shared_data / "esc10", ["logmel"], folds=r"^(\d)")
    row = result.rows[0]
    assert (result.sounds, len(result.classes)) == (400, 10)
    assert row.probe.value == pytest.approx(0.778, abs=0.02)
    assert row.knn.value == pytest.approx(0.740, abs=0.01)
    assert row.mean_average_precision.value == pytest.approx(0.495, abs=0.005)
    assert row.p10.value == pytest.approx(0.640, abs=0.005)
