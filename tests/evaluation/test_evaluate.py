from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import sonovec
from sonovec import demo
from sonovec.cli.main import run
from sonovec.errors import UsageError
from sonovec.evaluation import metrics, report
from sonovec.evaluation.dataset import Dataset, read
from sonovec.evaluation.evaluate import Evaluation, evaluate


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    demo.write(folder, per_kind=3)
    return folder


@pytest.fixture(scope="module")
def dataset(sounds: Path) -> Dataset:
    return read(sounds)


@pytest.fixture(scope="module")
def result(dataset: Dataset) -> Iterator[Evaluation]:
    yield evaluate(dataset, sonovec.load("logmel"), perturbations=["noise", "start"])


@pytest.mark.slow
def test_clean_figures_are_those_of_the_metrics(dataset: Dataset, result: Evaluation) -> None:
    vectors = np.stack([e.vector for e in sonovec.load("logmel").embed_many(dataset.paths)])
    assert result.probe == metrics.probe(vectors, dataset.labels)
    assert result.knn == metrics.knn(vectors, dataset.labels)
    assert (result.mean_average_precision, result.p10) == metrics.retrieval(vectors, dataset.labels)
    assert sum(share * result.classes[name] for name, share in result.by_class.items()) == pytest.approx(
        result.probe.value * result.sounds
    )


@pytest.mark.slow
def test_harm_is_measured_against_clean_sounds(result: Evaluation) -> None:
    points = {(point.kind, point.level): point for point in result.robustness}
    assert points["noise", 20.0].cosine.value > points["noise", 0.0].cosine.value
    assert points["start", 0.1].cosine.value > 0.9
    assert points["start", 0.1].knn.value >= points["noise", 0.0].knn.value
    assert all(0 <= point.probe.low <= point.probe.value <= point.probe.high <= 1 for point in result.robustness)


@pytest.mark.slow
def test_it_gives_the_same_again(dataset: Dataset, result: Evaluation) -> None:
    again = evaluate(dataset, sonovec.load("logmel"), perturbations=["noise", "start"])
    assert again.robustness == result.robustness
    assert again.confusions == result.confusions


def test_queries_that_are_the_sounds_change_nothing(dataset: Dataset) -> None:
    vectors = np.random.default_rng(0).standard_normal((len(dataset.labels), 5))
    for measure in (metrics.probe, metrics.knn):
        assert measure(vectors, dataset.labels, queries=vectors) == measure(vectors, dataset.labels)
    assert metrics.retrieval(vectors, dataset.labels, queries=vectors) == metrics.retrieval(vectors, dataset.labels)
    with pytest.raises(UsageError, match="queries of shape"):
        metrics.knn(vectors, dataset.labels, queries=vectors[:3])


def test_an_unknown_perturbation_is_named(dataset: Dataset) -> None:
    with pytest.raises(UsageError, match="'wind' is unknown; there are: noise"):
        evaluate(dataset, sonovec.load("logmel"), perturbations=["wind"])


@pytest.mark.slow
def test_json_is_whole(result: Evaluation) -> None:
    told = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert told["sounds"] == 42
    assert told["passport"]["model"] == "logmel"
    assert len(told["robustness"]) == 7


def test_markdown_goes_between_its_marks(result: Evaluation, tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    card.write_text(f"# Mine\n\n{report.BEGIN}\nreplaced\n{report.END}\n\nafter\n")
    report.write_markdown(result, card)
    text = card.read_text()
    assert text.startswith("# Mine\n")
    assert text.endswith("after\n")
    assert "replaced" not in text
    assert report.percent(result.probe) in text
    (tmp_path / "other.md").write_text("precious")
    with pytest.raises(UsageError, match="has no lines"):
        report.write_markdown(result, tmp_path / "other.md")
    assert (tmp_path / "other.md").read_text() == "precious"
    report.write_markdown(result, tmp_path / "new.md")
    assert (tmp_path / "new.md").read_text().startswith("`logmel` on")


def test_a_panel_for_each_perturbation(result: Evaluation) -> None:
    figure = report.make_figure(result)
    titles = [axes.get_title() for axes in figure.axes]
    assert len(titles) == 3
    assert titles[1].startswith("noise")


@pytest.mark.slow
def test_the_command_writes_all_of_it(sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = {name: str(tmp_path / name) for name in ("r.json", "r.md", "r.png")}
    arguments = ["evaluate", str(sounds), "-m", "logmel", "--robustness", "gain"]
    code = run([*arguments, "-o", out["r.json"], "--markdown", out["r.md"], "--picture", out["r.png"]])
    printed = capsys.readouterr().out
    assert code == 0
    assert "gain -20 dB" in printed
    assert json.loads((tmp_path / "r.json").read_text())["model"] == "logmel"
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


def test_a_broken_file_is_named_and_the_rest_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo.write(tmp_path, per_kind=2)
    broken = sorted(path for path in tmp_path.glob("*/*") if path.suffix in (".wav", ".flac", ".ogg"))[0]
    broken.write_bytes(broken.read_bytes()[:30])
    code = run(["evaluate", str(tmp_path), "-m", "logmel", "--robustness", "none", "--json"])
    captured = capsys.readouterr()
    assert code == 1
    assert broken.name in captured.err
    assert json.loads(captured.out)["sounds"] == 27


def test_usage_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", str(tmp_path / "nowhere")]) == 2
    assert "neither a folder nor a CSV file" in capsys.readouterr().err


@pytest.mark.slow
def test_yamnet_on_esc10(shared_data: Path) -> None:
    """The design's own figures: 97.8, 94.8, .764 and .897."""
    dataset = read(shared_data / "esc10", folds=r"^(\d)-")
    encoder = sonovec.load("yamnet", weights=shared_data / "weights" / "yamnet.tflite")
    result = evaluate(dataset, encoder, perturbations=[])
    assert result.probe.value == pytest.approx(0.978, abs=0.01)
    assert result.knn.value == pytest.approx(0.948, abs=0.01)
    assert result.mean_average_precision.value == pytest.approx(0.764, abs=0.01)
    assert result.p10.value == pytest.approx(0.897, abs=0.01)
