"""A run that is ended anywhere goes on to the same weights, and one that cannot go on says so and keeps what it has."""

from __future__ import annotations

import random
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest

from sonovec.errors import Cancelled, TrainingError, UsageError, WeightsError
from sonovec.jobs import Job
from sonovec.learn.tuning import checkpoint, generators
from sonovec.learn.tuning.loop import Diverged, ahead
from tests.learn.tuning import small, sounds

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return sounds.write(tmp_path_factory.mktemp("sounds"), seconds=1.5)


@pytest.fixture
def stack():
    with ExitStack() as opened, generators.own():
        yield opened


def end_of(run):
    """The weights of the last step, and not of the best epoch alone, and what the optimiser knows."""
    run.run()
    state = checkpoint.read(run.folder / checkpoint.CHECKPOINT, run.identity)
    moments = {f"{n}.{k}": v for n, each in state["optimiser"]["state"].items() for k, v in each.items()}
    return {**state["weights"], **moments, **{f"best.{k}": v for k, v in run.tuned.state_dict().items()}}


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory):
    """The weights of a run in one piece, its history, and its number of steps."""
    with ExitStack() as opened, generators.own():
        run = small.training(opened, folder, tmp_path_factory.mktemp("whole"))
        weights = end_of(run)
        assert run.best.number > 0  # or there would be little to compare
        return weights, run.history, run.step


def ending(step):
    """A job that is cancelled at a step."""
    job = Job(lambda progress: progress.stage == "fine-tuning" and progress.done == step and job.cancel())
    return job


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    "ends", [(3, 5), *(pytest.param(ends, marks=pytest.mark.slow) for ends in [(0,), (1,), (4,), (7, 8, 9), (15,)])]
)
def test_a_run_that_is_cancelled_goes_on_to_the_same_bits(folder, tmp_path, stack, whole, ends):
    weights, history, steps = whole
    assert steps == 16
    for end in ends:
        with pytest.raises(Cancelled):
            small.training(stack, folder, tmp_path, job=ending(end)).run()
    torch.manual_seed(99)  # what the process drew before does not matter
    run = small.training(stack, folder, tmp_path)
    assert same(end_of(run), weights)
    assert run.resumed_at == ends[-1]
    assert run.history == history
    # Once more: it is over, and nothing is trained.
    again = small.training(stack, folder, tmp_path)
    assert same(end_of(again), weights) and again.step == steps


@pytest.mark.slow
def test_another_seed_gives_other_weights(folder, tmp_path, stack, whole):
    assert not same(end_of(small.training(stack, folder, tmp_path, replace(small.PLAN, seed=1))), whole[0])


@pytest.mark.slow
def test_generators_of_the_caller_go_on_as_if_nothing_had_happened(folder, tmp_path):
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = random.random(), np.random.random(), torch.rand(1)
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    with ExitStack() as opened, generators.own():
        small.training(opened, folder, tmp_path).run()
    assert (random.random(), np.random.random(), torch.rand(1)) == expected


def test_a_step_draws_the_same_from_every_generator():
    with generators.own():
        drawn = []
        for _ in range(2):
            generators.begin(3, 7)
            drawn.append((random.random(), np.random.random(), float(torch.rand(1))))
        generators.begin(3, 8)
        assert drawn[0] == drawn[1] and random.random() != drawn[0][0]


@pytest.mark.slow
def test_it_learns(folder, tmp_path, stack):
    run = small.training(
        stack, folder, tmp_path, replace(small.PLAN, epochs=20, augment=0.0, rate=0.01, head_rate=0.01)
    )
    run.run()
    assert run.best.held_out.average_precision == 1.0 and run.best.number > 0
    assert run.best.held_out.loss < 0.7 * run.history[0].held_out.loss


def test_the_head_alone_leaves_the_network_as_it_is(folder, tmp_path, stack):
    run = small.training(stack, folder, tmp_path, replace(small.PLAN, layers="head"))
    before = {name: each.clone() for name, each in run.tuned.network.state_dict().items()}
    head = run.tuned.head.weight.clone()
    for batch in ahead(run._lessons.batch, 0, 3):
        run._learn(batch)
    assert same(run.tuned.network.state_dict(), before)
    assert not torch.equal(run.tuned.head.weight, head)


@pytest.mark.slow
def test_layers_before_the_chosen_one_stay(folder, tmp_path, stack):
    run = small.training(stack, folder, tmp_path, replace(small.PLAN, layers=-1))
    before = {name: each.clone() for name, each in run.tuned.network.state_dict().items()}
    for batch in ahead(run._lessons.batch, 0, 3):
        run._learn(batch)
    after = run.tuned.network.state_dict()
    assert {name for name in before if not torch.equal(before[name], after[name])} == {"3.weight", "3.bias"}


def test_a_run_ends_when_nothing_gets_better(folder, tmp_path, stack):
    plan = replace(small.PLAN, epochs=50, patience=2, rate=1e-12, head_rate=1e-12)
    run = small.training(stack, folder, tmp_path, plan)
    run.run()
    last = run.history[-1].number
    assert last < 50 and last == run.best.number + 2


def test_a_run_that_diverges_says_where_and_keeps_the_last_good_state(folder, tmp_path, stack):
    run = small.training(stack, folder, tmp_path)
    learn = run._learn

    def poisoned(batch):
        if run.step == 6:
            run.tuned.network[0].weight.data[0, 0] = float("nan")
        learn(batch)

    run._learn = poisoned
    with pytest.raises(Diverged, match=r"step 7 of 16: the loss is nan"):
        run.run()
    run.take_best()
    assert all(torch.isfinite(each).all() for each in run.tuned.state_dict().values())
    # The last checkpoint is good too, and the run can go on from it.
    assert small.training(stack, folder, tmp_path).run() is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"encoder": "other"}, "the encoder differs \\(small there, other now\\)"),
        ({"rate": 0.5}, "rate differs \\(0.003 there, 0.5 now\\)"),
        ({"architecture": "x"}, "the network differs"),
        ({"data": "1"}, "what the labelled sounds hold differs"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(folder, tmp_path, stack, change, told):
    first = small.training(stack, folder, tmp_path, architecture="a", data="0")
    first._measure(None)
    other = small.training(stack, folder, tmp_path, **{"architecture": "a", "data": "0", **change})
    with pytest.raises(UsageError, match=f"is of another run: {told}.*delete"):
        other.run()


@pytest.mark.parametrize(
    "damage", [lambda content: content[: len(content) // 2], lambda content: b"", lambda content: b"{}"]
)
def test_a_damaged_checkpoint_is_told(folder, tmp_path, stack, damage):
    run = small.training(stack, folder, tmp_path)
    run._measure(None)
    file = tmp_path / checkpoint.CHECKPOINT
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(WeightsError, match=r"checkpoint\.pt: cannot be read as a checkpoint .*to begin anew"):
        small.training(stack, folder, tmp_path).run()


def test_a_full_disk_is_told_and_the_run_goes_on_afterwards(folder, tmp_path, stack, whole):
    """A limit on the size of files stands for it: the system refuses to write on, as a full disk does."""
    resource = pytest.importorskip("resource", reason="limits of POSIX")
    run = small.training(stack, folder, tmp_path)
    measure, limits = run._measure, resource.getrlimit(resource.RLIMIT_FSIZE)

    def full(mean):
        if len(run.history) == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        measure(mean)

    run._measure = full
    try:
        with pytest.raises(TrainingError, match=r"step 8 cannot be written \(File too large; \d+ MiB are free there\)"):
            run.run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name for path in tmp_path.iterdir() if path.suffix == ".pt"} == {"checkpoint.pt", "best.pt"}
    assert same(end_of(small.training(stack, folder, tmp_path)), whole[0])
