"""What a step hears is a function of the seed and the step: equal lengths, nothing but sound, and all of it in an epoch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.speech.pretraining import shelves as module
from sonovec.speech.pretraining.plan import Plan
from sonovec.speech.pretraining.shelves import UNEVEN, Shelves, batched, crops_of, held_out, shelves
from sonovec.speech.pretraining.survey import Chapter

PLAN = Plan(steps=100, batch=2.0, longest=1.0)


class Told(Chapter):
    """A chapter whose samples count from its start, so that it needs no file."""

    def read(self):
        return np.arange(self.start, self.end, dtype=np.float32)


def pieces(lengths):
    """Pieces with a gap of 1,000 samples between them."""
    made, first = [], 0
    for length in lengths:
        made.append((first, length))
        first += length + 1000
    return tuple(made)


def chapters(lengths):
    return [Told("a.wav", 0, sum(each) + 1000 * len(each), pieces(each)) for each in lengths]


LENGTHS = st.lists(st.lists(st.integers(1360, 50000), min_size=1, max_size=5), min_size=1, max_size=12)


@given(LENGTHS, st.integers(0, 3))
def test_crops_are_sound_and_an_epoch_has_as_much_as_fits(lengths, epoch):
    given_chapters = chapters(lengths)
    crops = [crop for shelf in shelves(given_chapters, PLAN, epoch) for batch in shelf.batches for crop in batch]
    for crop in crops:
        assert any(
            first <= crop.first and crop.first + crop.length <= first + length
            for first, length in given_chapters[crop.chapter].pieces
        )
    fits = sum(max(1, length // 16000) for each in lengths for length in each)
    assert len(crops) == fits


@given(LENGTHS, st.integers(0, 3))
def test_crops_of_a_batch_have_one_length_near_their_own(lengths, seed):
    rng = np.random.default_rng(seed)
    crops = [crop for number, each in enumerate(chapters(lengths)) for crop in crops_of(number, each, 16000, rng)]
    batches = batched(crops, 32000, rng)
    assert sum(map(len, batches)) == len(crops)
    longest = {(crop.chapter, crop.first): crop.length for crop in crops}
    for batch in batches:
        (length,) = {crop.length for crop in batch}
        assert len(batch) == 1 or len(batch) * length <= 32000
        assert all(longest[crop.chapter, crop.first] <= UNEVEN * length for crop in batch)


@given(LENGTHS, st.integers(1, 40))
@settings(deadline=None, max_examples=30)
def test_a_run_that_begins_anywhere_hears_the_same(lengths, step):
    given_chapters = chapters(lengths)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SHELF", 60000)
        with Shelves(given_chapters, PLAN) as whole, Shelves(given_chapters, PLAN) as later:
            heard = [whole.batch(each) for each in range(step + 1)]
            assert np.array_equal(heard[-1], later.batch(step))
            assert np.array_equal(heard[0], later.batch(0))


def test_epochs_and_seeds_have_orders_of_their_own():
    given_chapters = chapters([[20000 + 10 * n] for n in range(30)])
    first = shelves(given_chapters, PLAN, 0)
    assert shelves(given_chapters, PLAN, 0)[0].batches == first[0].batches
    assert shelves(given_chapters, PLAN, 1)[0].chapters != first[0].chapters
    assert shelves(given_chapters, Plan(steps=100, seed=1), 0)[0].chapters != first[0].chapters


def test_no_more_than_two_shelves_are_kept(monkeypatch):
    monkeypatch.setattr(module, "SHELF", 40000)
    given_chapters = chapters([[20000]] * 40)
    with Shelves(given_chapters, PLAN) as kept:
        for step in range(30):
            kept.batch(step)
            assert len(kept._read) <= 2


@given(LENGTHS, st.floats(0, 0.5))
def test_what_is_held_out_is_not_learned_from(lengths, share):
    given_chapters = chapters(lengths)
    plan = Plan(steps=100, held_out=share)
    learned, held = held_out(given_chapters, plan)
    assert learned and len(learned) + len(held) == len(given_chapters)
    assert not {id(each) for each in learned} & {id(each) for each in held}
    if share > 0 and len(given_chapters) > 1:
        assert held
