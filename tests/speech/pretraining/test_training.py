"""A run that is ended anywhere goes on to the same weights, and one that cannot go on says so and keeps what it has."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from sonovec.errors import Cancelled, TrainingError, UsageError  # noqa: E402
from sonovec.jobs import Job  # noqa: E402
from sonovec.learn.tuning import checkpoint, generators  # noqa: E402
from sonovec.learn.tuning.loop import Diverged  # noqa: E402
from sonovec.speech.pretraining.collapse import Collapsed  # noqa: E402
from sonovec.speech.pretraining.training import LATEST  # noqa: E402
from tests.speech.pretraining import small  # noqa: E402


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    # With dropout and layer drop, so that chance is drawn in all places.
    return small.checkpoint(tmp_path_factory.mktemp("checkpoint") / "small", layerdrop=0.1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small.sounds(tmp_path_factory.mktemp("sounds"))


@pytest.fixture
def stack():
    with ExitStack() as opened, generators.own():
        yield opened


def end_of(run):
    run.run()
    state = checkpoint.read(run.folder / checkpoint.CHECKPOINT, run.identity)
    moments = {f"{n}.{k}": v for n, each in state["optimiser"]["state"].items() for k, v in each.items()}
    return {**state["weights"], **moments}


@pytest.fixture(scope="module")
def whole(start, folder, tmp_path_factory):
    with ExitStack() as opened, generators.own():
        run = small.training(opened, start, folder, tmp_path_factory.mktemp("whole"))
        return end_of(run), run.rows


def ending(step):
    job = Job(lambda progress: progress.stage == "pre-training" and progress.done == step and job.cancel())
    return job


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("ends", [(2, 7), *(pytest.param(e, marks=pytest.mark.slow) for e in [(0,), (4,), (5, 6, 11)])])
def test_a_run_that_is_cancelled_goes_on_to_the_same_bits(start, folder, tmp_path, stack, whole, ends):
    weights, rows = whole
    for end in ends:
        with pytest.raises(Cancelled):
            small.training(stack, start, folder, tmp_path, job=ending(end)).run()
    torch.manual_seed(99)  # what the process drew before does not matter
    run = small.training(stack, start, folder, tmp_path)
    assert same(end_of(run), weights)
    assert run.resumed_at == ends[-1] and run.rows == rows


def test_what_was_measured_is_told(whole):
    _, rows = whole
    assert [row.step for row in rows] == [0, 4, 8, 12]
    for row in rows:
        assert row.contrastive > 0 and 0 <= row.accuracy <= 1 and len(row.perplexity) == 2
        assert all(1 <= each <= 8 for each in (*row.perplexity, *row.learned_perplexity))
    assert rows[0].gradient is None and rows[1].gradient > 0
    assert rows[0].temperature == 2.0 and rows[-1].temperature == pytest.approx(0.5)


@pytest.mark.slow
def test_convolutions_learn_at_their_share_of_the_rate(start, folder, tmp_path, stack):
    moved = []
    for share in (1.0, 0.0):
        plan = replace(small.PLAN, feature_rate=share, weight_decay=0.0)
        run = small.training(stack, start, folder, tmp_path / str(share), plan)
        before = {name: each.detach().clone() for name, each in run.network.named_parameters()}
        run.run()
        after = dict(run.network.named_parameters())
        moved.append({name for name in before if not torch.equal(before[name], after[name])})
    assert (
        {name for name in moved[0] if name not in moved[1]}
        == {n for n in moved[0] if "feature_extractor" in n}
        != set()
    )


def test_measuring_draws_nothing_that_differs(start, folder, tmp_path, stack):
    run = small.training(stack, start, folder, tmp_path)
    assert run.measure() == run.measure()


@pytest.mark.slow
def test_another_seed_hears_and_masks_otherwise(start, folder, tmp_path, stack, whole):
    run = small.training(stack, start, folder, tmp_path, replace(small.PLAN, seed=1))
    assert not same(end_of(run), whole[0])


def test_numbers_that_are_not_finite_end_the_run_at_their_step(start, folder, tmp_path, stack, monkeypatch):
    run = small.training(stack, start, folder, tmp_path)
    real = run._lessons.batch

    def spoiled(step):
        samples = real(step)
        return samples * np.float32(np.nan) if step == 6 else samples

    monkeypatch.setattr(run._lessons, "batch", spoiled)
    with pytest.raises(Diverged, match="step 7 of 12: the loss is nan"):
        run.run()
    assert (tmp_path / LATEST / "model.safetensors").is_file()
    assert all(each.isfinite().all() for each in run.network.parameters())


def test_a_run_that_collapses_is_ended(start, folder, tmp_path, stack):
    run = small.training(stack, start, folder, tmp_path, replace(small.PLAN, warmup=0.0, tolerance=5))
    with torch.no_grad():  # one code for all sound, whatever is heard
        run.network.quantizer.weight_proj.weight.zero_()
        run.network.quantizer.weight_proj.bias.copy_(torch.tensor([40.0] + [0.0] * 7).repeat(2))
    with pytest.raises(Collapsed, match="the contrastive loss is 0.0000: all masked frames have one code"):
        run.run()


def test_another_run_does_not_go_on_from_its_checkpoint(start, folder, tmp_path, stack):
    with pytest.raises(Cancelled):
        small.training(stack, start, folder, tmp_path, job=ending(2)).run()
    shutil.rmtree(tmp_path / "survey", ignore_errors=True)
    with pytest.raises(UsageError, match="the settings: mask differs|mask differs"):
        small.training(stack, start, folder, tmp_path, replace(small.PLAN, mask=0.5)).run()


@pytest.mark.slow
def test_a_full_disk_leaves_the_checkpoint_before(start, folder, tmp_path, stack, monkeypatch):
    with pytest.raises(Cancelled):
        small.training(stack, start, folder, tmp_path, job=ending(2)).run()
    before = (tmp_path / checkpoint.CHECKPOINT).read_bytes()

    def full(*given, **named):
        raise OSError(28, os.strerror(28))

    run = small.training(stack, start, folder, tmp_path, job=ending(3))
    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(
        TrainingError, match="step 3 cannot be written .No space left.*it goes on from the state before"
    ):
        run.run()
    assert (tmp_path / checkpoint.CHECKPOINT).read_bytes() == before
