"""What is heard in a step is a function of the seed and the step; each epoch hears every utterance once, like beside like."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from sonovec.jobs import Job
from sonovec.speech import corpus
from sonovec.speech.training.lessons import POOL, Lessons
from sonovec.speech.training.plan import Plan
from sonovec.speech.training.sounds import Sounds
from tests.speech.training import spoken


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    found = corpus.read(spoken.write(folder, count=23))
    with Sounds(found.utterances, 16000, folder, Job()) as decoded:
        yield decoded


def lessons(sounds, **changes):
    plan = replace(Plan(batch=4), **changes)
    return Lessons(lambda samples: samples, sounds, range(2, 23), [[number] for number in range(23)], plan)


def test_an_epoch_hears_every_utterance_once_and_steps_can_be_made_in_any_order(sounds):
    made = lessons(sounds)
    assert made.per_epoch == 6
    for epoch in (0, 1):
        steps = range(epoch * 6, (epoch + 1) * 6)
        batches = [made.batch(step) for step in reversed(steps)]
        assert sorted(number for batch in batches for (number,) in batch.wanted) == list(range(2, 23))
    first, again = made.batch(3), lessons(sounds).batch(3)
    assert first.wanted == again.wanted
    assert all(np.array_equal(one, other) for one, other in zip(first.rows, again.rows, strict=True))
    assert first.wanted != made.batch(9).wanted and first.wanted != lessons(sounds, seed=1).batch(3).wanted


def test_like_is_beside_like(sounds):
    """All is one pool here, so that no two batches overlap in length."""
    made = lessons(sounds)
    assert made.per_epoch <= POOL
    spans = sorted((min(map(len, batch.rows)), max(map(len, batch.rows))) for batch in map(made.batch, range(6)))
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_sounds_are_heard_faster_and_slower_within_bounds(sounds):
    made = lessons(sounds, speed=0.2)
    ratios = [
        len(sounds[wanted[0]]) / len(row)
        for step in range(30)
        for wanted, row in zip(made.batch(step).wanted, made.batch(step).rows, strict=True)
    ]
    assert 1 / 1.21 < min(ratios) < 0.9 and 1.1 < max(ratios) < 1.21


def test_sounds_are_changed_anew_in_each_step_and_keep_their_length(sounds):
    made = lessons(sounds, augment=1.0)
    heard = {wanted[0]: row for wanted, row in zip(made.batch(0).wanted, made.batch(0).rows, strict=True)}
    for number, row in heard.items():
        assert row.shape == sounds[number].shape and not np.array_equal(row, sounds[number])
    same = made.batch(0)
    assert all(np.array_equal(heard[number], row) for (number,), row in zip(same.wanted, same.rows, strict=True))
