"""What is trained on is what the encoder embeds: the same samples, window by window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import sonovec
from sonovec.audio.stream import load
from sonovec.jobs import Job
from sonovec.learn.tuning.sounds import Sounds
from tests.learn.tuning import sounds


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return sounds.write(tmp_path_factory.mktemp("sounds"), per_class=2)


@pytest.mark.parametrize("hop", [1.0, 0.4])
def test_a_row_is_the_window_that_the_encoder_embedded(folder, tmp_path, hop):
    encoder = sonovec.load("logmel", hop=hop)
    examples = sounds.examples(folder, encoder)
    with Sounds(examples, encoder, tmp_path, Job()) as kept:
        rows = [kept.row(row) for row in range(len(examples.paths))]
        vectors = encoder.model.features(np.stack([s for s, _ in rows]), np.array([c for _, c in rows], np.float32))
        np.testing.assert_allclose(vectors, examples.vectors, atol=1e-5)
    assert list(tmp_path.iterdir()) == []


def test_a_row_moves_towards_the_next_one_of_its_kind_and_no_further(folder, tmp_path):
    encoder = sonovec.load("logmel", hop=0.4)
    examples = sounds.examples(folder, encoder)
    other = examples.targets.copy()
    other[1] = 1 - other[1]  # the second window of the first sound is of something else
    with Sounds(replace(examples, targets=other), encoder, tmp_path, Job()) as kept:
        whole = load(examples.paths[0], 16000).samples
        for row, moved, start in ((0, 1.0, 0), (1, 0.5, 6400), (2, 0.0, 12800), (2, 0.5, 16000), (2, 1.0, 19200)):
            np.testing.assert_allclose(
                kept.row(row, moved)[0], whole[start : start + 16000], atol=1e-4, err_msg=f"{row}"
            )


def test_another_sound_has_another_digest(folder, tmp_path):
    encoder = sonovec.load("logmel")
    examples = sounds.examples(folder, encoder)
    copy = sounds.write(tmp_path / "others", per_class=2, seed=1)
    with Sounds(examples, encoder, tmp_path, Job()) as one, Sounds(examples, encoder, tmp_path, Job()) as same:
        assert one.digest == same.digest
        with Sounds(sounds.examples(copy, encoder), encoder, tmp_path, Job()) as other:
            assert one.digest != other.digest
