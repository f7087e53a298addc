from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest

from tests.learn.tuning import sounds

pytest.importorskip("torch")
from sonovec.learn.tuning.loop import ahead
from tests.learn.tuning import small


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return sounds.write(tmp_path_factory.mktemp("sounds"), per_class=4)


def test_an_epoch_hears_every_stretch_once_and_steps_can_be_made_in_any_order(folder, tmp_path):
    with ExitStack() as stack:
        lessons = small.training(stack, folder, tmp_path, replace(small.PLAN, augment=0.0))._lessons
        batches = list(ahead(lessons.batch, 0, 2 * lessons.per_epoch))
        assert sum(len(batch.targets) for batch in batches[: lessons.per_epoch]) == 9
        assert np.sum([batch.targets.sum(0) for batch in batches[: lessons.per_epoch]], axis=0).tolist() == [3, 3, 3]
        for step in (4, 0, 3):
            again = lessons.batch(step)
            assert np.array_equal(again.rows, batches[step].rows) and np.array_equal(
                again.targets, batches[step].targets
            )
        assert not np.array_equal(batches[0].rows, batches[lessons.per_epoch].rows)


def test_a_sound_over_another_keeps_its_class_and_the_others_is_not_known(folder, tmp_path):
    with ExitStack() as stack:
        lessons = small.training(stack, folder, tmp_path, replace(small.PLAN, augment=1.0))._lessons
        targets = np.concatenate([lessons.batch(step).targets for step in range(lessons.per_epoch)])
        assert ((targets == 1).sum(1) == 1).all() and ((targets == -1).sum(1) <= 1).all()
        assert (targets == -1).any()


def test_padding_stays_silent_whatever_is_done_to_the_sound(folder, tmp_path):
    with ExitStack() as stack:
        lessons = small.training(stack, folder, tmp_path, replace(small.PLAN, augment=1.0))._lessons
        rng = np.random.default_rng(0)
        for number in range(9):
            samples, coverage, _ = lessons._window(number, rng)
            assert not samples[round(coverage * len(samples)) :].any() and np.isfinite(samples).all()
