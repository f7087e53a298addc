"""What evaluates encoders can be watched, and cancelled at every stage."""

from __future__ import annotations

from functools import partial

import pytest

import sonovec
from sonovec import demo
from sonovec.errors import Cancelled
from sonovec.evaluation import conformance
from sonovec.evaluation.compare import compare
from sonovec.evaluation.dataset import read
from sonovec.evaluation.evaluate import evaluate

STAGES = {
    "evaluate": ["opening the encoder", "clean", "mp3 64 kbit/s", "training the probe", "measuring"],
    "compare": ["reading", "logmel", "half", "measuring"],
    "check": ["checking", "embedding in company", "embedding 30 s"],
}


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    demo.write(folder, per_kind=2)
    logmel, half = sonovec.load("logmel"), sonovec.load("logmel", hop=0.5)
    return {
        "evaluate": lambda job: evaluate(read(folder), logmel, perturbations=["gain"], progress=job),
        "compare": lambda job: compare(folder, {"logmel": logmel, "half": half}, progress=job),
        "check": lambda job: conformance.check(partial(sonovec.load, "logmel"), quick=True, progress=job),
    }


@pytest.mark.slow
@pytest.mark.parametrize("call", STAGES)
def test_it_ends_where_it_is_cancelled(calls, call):
    told = []
    calls[call](told.append)
    stages = list(dict.fromkeys(each.stage for each in told))
    assert stages[0] == STAGES[call][0] and len(stages) >= 3

    def ending(stage):
        job = sonovec.Job(lambda progress: progress.stage == stage and job.cancel())
        return job

    for stage in stages:
        job = ending(stage)
        with pytest.raises(Cancelled, match=f"cancelled while {stage}: "):
            calls[call](job)
        assert job.state == "cancelled" and job.progress.stage == stage
