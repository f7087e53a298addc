from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import sonovec
from sonovec.errors import UsageError
from sonovec.learn.tuning.network import Tuned, class_weights, loss
from tests.learn.tuning import small

torch = pytest.importorskip("torch")
functional = torch.nn.functional


def tuned(finish, network, dim=16):
    model = replace(small.encoder().model, dim=dim, finish=finish)
    return Tuned(model, network, n_classes=2)


class Frames(torch.nn.Module):
    """Five frames of four numbers from what it is given."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(6, 20)

    def forward(self, rows):
        return self.layer(rows).unflatten(1, (5, 4))


@pytest.mark.parametrize(
    ("finish", "reading"),
    [
        (lambda rows, coverage: np.stack([row.mean(0) for row in rows]), "mean of all frames"),
        (lambda rows, coverage: np.stack([row.max(0) for row in rows]), "largest of all frames"),
        (lambda rows, coverage: np.stack([row[0] for row in rows]), "first frame"),
        (
            lambda rows, coverage: np.stack([r[: round(5 * c)].mean(0) for r, c in zip(rows, coverage, strict=True)]),
            "mean of frames",
        ),
    ],
)
def test_vectors_are_those_that_the_model_makes_of_frames(finish, reading):
    found = tuned(finish, Frames(), dim=4)
    rows = np.random.default_rng(0).standard_normal((3, 6)).astype(np.float32)
    coverage = np.array([1, 0.4, 0.6], np.float32)
    found.settle_reading(rows, coverage)
    assert found.reading == reading
    out = found.network(torch.from_numpy(rows)).detach().numpy()
    np.testing.assert_allclose(found.vectors(rows, coverage).detach().numpy(), finish(out, coverage), atol=1e-6)


def test_rows_of_several_lengths_are_never_padded():
    class Sums(torch.nn.Module):
        def forward(self, rows):
            return torch.stack([rows.sum(1), rows.mean(1)], 1)

    found = tuned(lambda rows, coverage: np.stack(rows), Sums(), dim=2)
    rows = [np.ones(3, np.float32), np.ones(3, np.float32), np.full(5, 2, np.float32)]
    found.settle_reading(rows, np.ones(3, np.float32))
    assert found.vectors(rows, np.ones(3, np.float32)).tolist() == [[3, 1], [3, 1], [10, 2]]


def test_a_model_that_does_more_than_can_be_trained_through_is_refused():
    found = tuned(lambda rows, coverage: np.round(np.stack(rows) * 2), small.network())
    with pytest.raises(UsageError, match="'logmel' cannot be trained with these options"):
        found.settle_reading(
            np.random.default_rng(0).standard_normal((2, 192)).astype(np.float32), np.ones(2, np.float32)
        )


def test_the_built_in_network_is_read_without_its_scores():
    encoder = sonovec.load("default", precision="f32")
    found = Tuned(encoder.model, encoder.module(), n_classes=2)
    samples = np.random.default_rng(0).standard_normal((2, 64000)).astype(np.float32) / 10
    samples[1, 30000:] = 0
    coverage = np.array([1, 30000 / 64000], np.float32)
    rows = encoder.model.features(samples, coverage)
    found.settle_reading(rows, coverage)
    expected = np.stack(
        [encoder.embed((s[: round(c * 64000)], 32000)).vector for s, c in zip(samples, coverage, strict=True)]
    )
    vectors = functional.normalize(found.vectors(rows, coverage).detach()).numpy()
    np.testing.assert_allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-4)


def test_what_nobody_knows_does_not_count():
    scores = torch.tensor([[2.0, -1.0], [0.5, 3.0]])
    weights = torch.ones(2, 2)
    known = loss(scores, torch.tensor([[1, 0], [0, -1]], dtype=torch.int8), weights)
    expected = functional.binary_cross_entropy_with_logits(
        torch.tensor([2.0, -1.0, 0.5]), torch.tensor([1.0, 0.0, 0.0])
    )
    assert float(known) == pytest.approx(float(expected))
    assert float(loss(scores, torch.full((2, 2), -1, dtype=torch.int8), weights)) == 0.0


def test_balanced_weights_let_both_sides_count_the_same():
    targets = np.array([[1, 0], [0, 0], [0, -1], [0, 1]], np.int8)
    weights = class_weights(targets, "balanced")
    for number, wanted in enumerate(targets.T):
        assert float(weights[number, 1] * (wanted == 1).sum()) == pytest.approx(
            float(weights[number, 0] * (wanted == 0).sum())
        )
    assert class_weights(targets, "none").tolist() == [[1, 1], [1, 1]]


def test_the_head_as_a_detector_has_it_gives_the_same_scores():
    found = tuned(lambda rows, coverage: np.stack(rows), small.network())
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((40, 16)).astype(np.float32)
    targets = (vectors[:, :2] > 0).astype(np.int8)
    found.fit_head(vectors, targets, class_weights(targets, "balanced"))
    expected = found.scores(torch.from_numpy(vectors)).detach().numpy()
    np.testing.assert_allclose(found.as_head().scores(vectors), expected, atol=1e-4)
    assert ((expected > 0) == targets).mean() > 0.9


def test_normalisations_keep_what_they_learned():
    network = torch.nn.Sequential(torch.nn.Linear(192, 16), torch.nn.BatchNorm1d(16), torch.nn.Dropout(0.5))
    tuned(lambda rows, coverage: np.stack(rows), network).train()
    assert (network[1].training, network[2].training) == (False, True)
    Tuned(small.encoder().model, network, n_classes=2, from_scratch=True).train()
    assert network[1].training
