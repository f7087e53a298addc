"""Wrong labels and copies that are planted are found, and little else."""

from __future__ import annotations

import numpy as np

from sonovec.learn.outcomes import NONE, Outcomes
from sonovec.learn.suspects import label_suspects, leaks


def outcomes_of(targets: np.ndarray, probabilities: np.ndarray, groups: list[str]) -> Outcomes:
    n = len(targets)
    paths = tuple(f"{row:03}.wav" for row in range(n))
    times = np.stack([np.arange(n), np.arange(n) + 2.0], axis=1)
    classes = tuple("abcdef"[: targets.shape[1]])
    return Outcomes(classes, targets.astype(np.int8), probabilities, tuple(groups), paths, times)


def test_planted_label_errors_are_found() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 300)
    probabilities = np.clip(np.eye(3)[truth] * 0.9 + rng.normal(0.05, 0.04, (300, 3)), 0.001, 0.999)
    labels = truth.copy()
    swapped = rng.choice(300, 12, replace=False)
    labels[swapped] = (truth[swapped] + 1) % 3
    found = label_suspects(outcomes_of(np.eye(3)[labels], probabilities, ["g"] * 300))
    named = {int(each.path[:3]): each for each in found}
    assert set(swapped) <= set(named)
    assert len(named) <= len(swapped) + 3
    for row in swapped.tolist():
        assert (named[row].label, named[row].suggested) == ("abc"[labels[row]], "abc"[truth[row]])
        assert (named[row].start, named[row].end) == (row, row + 2)
    assert [each.probability for each in found] == sorted((each.probability for each in found), reverse=True)


def test_a_sound_with_nothing_in_it_is_suggested_to_be_none() -> None:
    targets = np.array([[1, 0]] * 6 + [[0, 1]] * 6)
    probabilities = np.where(targets == 1, 0.9, 0.05)
    probabilities[0] = 0.01
    [only] = label_suspects(outcomes_of(targets, probabilities, ["g"] * 12))
    assert (only.path, only.label, only.suggested, only.probability) == ("000.wav", "a", NONE, 0.99)


def test_what_is_not_known_is_no_suspect() -> None:
    targets = np.array([[1], [1], [0], [0], [-1]])
    probabilities = np.array([[0.9], [np.nan], [0.1], [np.nan], [0.99]])
    assert label_suspects(outcomes_of(targets, probabilities, ["g"] * 5)) == []


def test_planted_copies_are_found_across_groups_alone() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((100, 64)).astype(np.float32)
    vectors[10] = 3 * vectors[5]  # the same, but louder
    vectors[20] = vectors[6] + 0.01 * rng.standard_normal(64)
    vectors[30] = vectors[7]
    groups = [f"g{row}" for row in range(100)]
    groups[30] = groups[7]
    targets = np.eye(2)[np.arange(100) % 2]
    found = leaks(outcomes_of(targets, np.full((100, 2), 0.5), groups), vectors)
    assert [each.paths for each in found] == [("005.wav", "010.wav"), ("006.wav", "020.wav")]
    assert [each.identical for each in found] == [True, False]
    assert found[0].labels == ("b", "a")
    assert found[0].times == ((5, 7), (10, 12))


def test_silent_vectors_are_not_alike() -> None:
    targets = np.array([[1], [0]])
    assert leaks(outcomes_of(targets, np.full((2, 1), 0.5), ["a", "b"]), np.zeros((2, 8))) == []


def test_background_that_is_alike_is_no_leak_but_what_is_like_an_example_is() -> None:
    vectors = np.eye(8)[[0, 1, 1, 0]]
    found = leaks(outcomes_of(np.array([[1], [0], [0], [0]]), np.full((4, 1), 0.5), list("abcd")), vectors)
    assert [each.paths for each in found] == [("000.wav", "003.wav")]
