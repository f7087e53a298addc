"""A run that learns nothing is ended with the figure that says so and a remedy; one that learns is not."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from sonovec.speech.pretraining.collapse import Collapsed, Rule  # noqa: E402
from sonovec.speech.pretraining.objective import Heard  # noqa: E402


def heard(contrastive=2.0, accuracy=0.4, perplexity=(40.0, 30.0)):
    return Heard(torch.tensor(0.0), contrastive, accuracy, 1 / 51, perplexity)


BAD = {
    "uses 3.0 of its 64 codes": heard(perplexity=(40.0, 3.0)),
    "loss is 0.0000": heard(contrastive=0.0, accuracy=1.0),
    "in 2.0% of all cases, as by guessing": heard(accuracy=0.02),
}


@pytest.mark.parametrize("told", BAD)
def test_what_is_bad_for_long_behind_the_warm_up_ends_the_run(told):
    rule = Rule(codes=64, begins=10, tolerance=5)
    for step in range(14):
        rule.heard(step, BAD[told])
    with pytest.raises(Collapsed, match=rf"step 15: collapsed: for 5 steps .*{told}.*; give ") as error:
        rule.heard(14, BAD[told])
    assert "--" in str(error.value)


def test_a_run_that_recovers_goes_on():
    rule = Rule(codes=64, begins=0, tolerance=30)
    for step in range(200):
        rule.heard(step, heard() if step % 20 > 10 else BAD["uses 3.0 of its 64 codes"])


def test_its_state_goes_on_from_plain_values():
    whole, later = Rule(64, 0, 9), Rule(64, 0, 9)
    bad = BAD["in 2.0% of all cases, as by guessing"]
    for step in range(5):
        whole.heard(step, bad)
    later.means, later.counts = dict(whole.means), dict(whole.counts)
    for rule in (whole, later):
        for step in range(5, 8):
            rule.heard(step, bad)
        with pytest.raises(Collapsed):
            rule.heard(8, bad)
