from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.errors import UsageError
from sonovec.learn import calibration, linear
from sonovec.learn.fit import Fitted, fit, trained


def sounds(
    per_class: int = 20, classes: int = 3, dim: int = 16, seed: int = 0, noise: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of classes that overlap a little, and their targets."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(classes), per_class)
    return (rng.normal(size=(classes, dim))[codes] + noise * rng.normal(size=(len(codes), dim))), np.eye(
        classes, dtype=np.int8
    )[codes]


def same(one: Fitted, other: Fitted) -> bool:
    return all(np.array_equal(a, other.head.arrays()[name], equal_nan=True) for name, a in one.head.arrays().items())


@pytest.mark.parametrize("kind", ["auto", *linear.KINDS])
def test_it_tells_classes_apart_and_means_what_it_says(kind: str) -> None:
    vectors, targets = sounds(60, noise=0.9)
    fitted = fit(vectors[::2], targets[::2], kind=kind)
    said = fitted.head.probabilities(vectors[1::2])
    assert (said.argmax(axis=1) == targets[1::2].argmax(axis=1)).mean() > 0.9
    assert calibration.error(said, targets[1::2]) < 0.05 and fitted.calibrated
    assert (fitted.kind, fitted.strength) in {(trial.kind, trial.strength) for trial in fitted.trials}


def test_held_out_probabilities_are_of_heads_that_did_not_hear_the_group() -> None:
    # Two rows of each recording are almost the same sound, and its class is drawn by lot: only a leak can tell it.
    rng = np.random.default_rng(1)
    takes = rng.normal(size=(60, 32))
    vectors = np.repeat(takes, 2, axis=0) + 0.01 * rng.normal(size=(120, 32))
    lots = np.repeat(rng.permutation(np.repeat([0, 1], 30)), 2)[:, None]
    groups = [str(i // 2) for i in range(120)]
    apart = fit(vectors, lots, groups, kind="logistic").probabilities
    leaked = fit(vectors, lots, kind="logistic").probabilities
    assert calibration.brier(apart, lots) > 0.2 > calibration.brier(leaked, lots)


def test_the_same_input_gives_the_same_bits() -> None:
    vectors, targets = sounds()
    assert same(fit(vectors, targets), fit(vectors.copy(), targets.copy()))


def test_sounds_may_overlap_and_none_may_be_heard() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (200, 2))
    parts = np.array([[1.0, 0, 0, 0], [0, 1.0, 0, 0]])
    vectors = truth @ parts + [0, 0, 0.5, 0] + 0.1 * rng.normal(size=(200, 4))
    said = fit(vectors, truth).head.probabilities([[1, 1, 0.5, 0], [0, 0, 0.5, 0]])
    assert (said[0] > 0.8).all() and (said[1] < 0.2).all()


def test_rows_that_nobody_knows_are_left_out_for_the_class() -> None:
    vectors, targets = sounds()
    odd = np.vstack([vectors, -vectors[:5]])
    unknown = np.vstack([targets, np.full((5, 3), -1)]).astype(np.int8)
    for kind in linear.KINDS:
        known = trained(vectors, targets, kind=kind, strength=1.0)
        left_out = trained(odd, unknown, kind=kind, strength=1.0)
        assert np.allclose(known.scores(vectors), left_out.scores(vectors), atol=1e-3)


@settings(max_examples=10)
@given(st.sampled_from(list(linear.KINDS)), st.integers(0, 5))
def test_a_weight_of_two_is_a_copy(kind: str, seed: int) -> None:
    vectors, targets = sounds(6, seed=seed)
    weights = np.random.default_rng(seed).integers(1, 3, len(vectors))
    copied = trained(np.repeat(vectors, weights, axis=0), np.repeat(targets, weights, axis=0), kind=kind, strength=1.0)
    weighed = trained(vectors, targets, weights, kind=kind, strength=1.0)
    assert np.allclose(copied.scores(vectors), weighed.scores(vectors), atol=1e-3)


def test_one_example_of_each_class_is_enough_to_begin_and_says_what_it_lacks() -> None:
    vectors, targets = sounds(1, noise=0.0)
    fitted = fit(vectors, targets, classes=["crow", "owl", "jay"])
    assert (fitted.head.probabilities(vectors).argmax(axis=1) == [0, 1, 2]).all()
    assert not fitted.calibrated and np.isnan(fitted.trials[0].log_loss)
    assert fitted.trials[0].to_json()["log_loss"] is None
    assert sum("all its examples are of one group" in note for note in fitted.notes) == 3


def test_one_recording_says_that_nothing_can_be_known() -> None:
    vectors, targets = sounds(5)
    fitted = fit(vectors, targets, ["tape 1"] * 15)
    assert np.isnan(fitted.probabilities).all() and not fitted.calibrated
    assert "all examples are of one group (tape 1)" in fitted.notes[0]


def test_a_class_heard_in_one_recording_does_not_stop_the_others() -> None:
    vectors, targets = sounds(20)
    groups = ["jay tape" if row[2] else str(i) for i, row in enumerate(targets)]
    fitted = fit(vectors, targets, groups, classes=["crow", "owl", "jay"])
    assert (
        np.isfinite(fitted.probabilities[:40, :2]).all() and np.isnan(fitted.probabilities[targets[:, 2] == 1, 2]).all()
    )
    assert np.isfinite(fitted.head.probabilities(vectors)).all()
    assert any(note.startswith("jay: all its examples are of one group (jay tape)") for note in fitted.notes)


GOOD = np.eye(3), np.eye(3)


@pytest.mark.parametrize(
    ("arguments", "options", "told"),
    [
        ((np.full((3, 2), np.nan), np.eye(3)), {}, "give finite numbers"),
        ((np.eye(3), np.eye(2)), {}, r"targets of shape \(2, 2\) for 3 vectors"),
        ((np.eye(3), np.eye(3) * 2), {}, "give only these"),
        ((np.eye(3), np.eye(3), ["a"]), {}, "1 groups for 3 examples"),
        ((np.eye(3), np.eye(3), None, [1, 0, 1]), {}, "give a number above 0"),
        ((np.eye(3), [[1, 0]] * 2 + [[0, 0]]), {"classes": ["crow", "owl"]}, "'owl' is heard in no example"),
        ((np.eye(3), [[1], [1], [-1]]), {"classes": ["crow"]}, "'crow' is heard in every example"),
        (GOOD, {"classes": ["crow"]}, "1 classes for targets of 3"),
        (GOOD, {"kind": "forest"}, "kind='forest' is unknown; there are: auto, both, logistic"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(arguments: Any, options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        fit(*arguments, **options)


def test_a_fixed_kind_is_fitted_once_for_each_fold_and_once_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a head is refitted while a person waits."""
    vectors, targets = sounds(50, 10, 16, noise=3.0)
    fits = []
    kinds = {name: lambda *given, name=name, kind=kind: (fits.append(name), kind(*given))[1]
             for name, kind in linear.KINDS.items()}  # fmt: skip
    monkeypatch.setattr(linear, "KINDS", kinds)
    fitted = fit(vectors, targets, kind="logistic")
    assert fits == ["logistic"] * (len(set(fitted.folds)) + 1)


def test_what_is_like_the_background_is_none_of_the_classes() -> None:
    vectors, targets = sounds(20)
    rng = np.random.default_rng(3)
    others = rng.normal(size=(1, 16)) + 0.3 * rng.normal(size=(60, 16))
    plain, against = fit(vectors, targets, kind="both"), fit(vectors, targets, kind="both", background=others[::2])
    heard = against.head.probabilities(others[1::2]).max(axis=1)
    assert heard.mean() < 0.6 * plain.head.probabilities(others[1::2]).max(axis=1).mean()
    assert against.background.shape == (30, 3) and np.isfinite(against.background).all()
    assert against.probabilities.shape == plain.probabilities.shape
    assert same(against, fit(vectors, targets, kind="both", background=others[::2]))


def test_no_background_is_the_same_as_none() -> None:
    vectors, targets = sounds()
    assert same(fit(vectors, targets, kind="both"), fit(vectors, targets, kind="both", background=np.empty((0, 16))))


def test_a_background_that_holds_a_class_says_nothing_of_it() -> None:
    vectors, targets = sounds(20, noise=0.2)
    held_out, _ = sounds(20, noise=0.2)
    others = vectors[targets[:, 0] == 1]
    fitted = fit(vectors, targets, kind="both", background=others)
    assert np.isnan(fitted.background[:, 0]).all() and np.isfinite(fitted.background[:, 1:]).all()
    assert (fitted.head.probabilities(held_out)[targets[:, 0] == 1, 0] > 0.7).all()


@pytest.mark.parametrize("wrong", [np.ones(16), np.ones((3, 15)), np.full((2, 16), np.nan)])
def test_a_background_of_other_vectors_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(UsageError, match="a background of shape"):
        fit(*sounds(), background=wrong)
