"""The conformance suite finds nothing where nothing is wrong, and each fault where one is made."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import sonovec
from sonovec.cli.main import run
from sonovec.embedding.encoder import Encoder, EncoderSettings
from sonovec.evaluation.conformance import breaches, check


def broken(**changes):
    """An encoder that is `logmel` but for what is changed in its model."""

    def load(precision="auto"):
        encoder = sonovec.load("logmel")
        return Encoder(replace(encoder.model, **changes), EncoderSettings(precision=precision))

    return load


def names(load) -> set[str]:
    return {result.check for result in breaches(check(load, quick=True))}


@pytest.mark.slow
def test_the_baseline_conforms_with_ten_minutes_and_memory():
    results = check(partial(sonovec.load, "logmel"))
    assert not breaches(results)
    assert {"600 s", "memory of a long sound", "speed"} <= {result.check for result in results}


@pytest.mark.slow
def test_a_network_with_weights_conforms(vggish_weights):
    results = check(partial(sonovec.load, "vggish", weights=vggish_weights), quick=True)
    assert not breaches(results)


CARD = sonovec.load("logmel").card
FEATURES = sonovec.load("logmel").model.features


def of_its_company(samples, coverage):
    return FEATURES(samples, coverage) + np.float32(1e-3) * len(samples)


def not_a_number_for_silence(samples, coverage):
    rows = FEATURES(samples, coverage)
    rows[np.abs(samples).max(axis=1) == 0] = np.nan
    return rows


CALLS = iter(range(10**9))


def another_each_time(samples, coverage):
    return FEATURES(samples, coverage) + np.float32(1e-3) * next(CALLS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"card": replace(CARD, licence="")}, {"card is complete"}),
        ({"card": replace(CARD, n_classes=3)}, {"card agrees with the encoder"}),
        ({"features": not_a_number_for_silence}, {"silence"}),
        ({"classes": ("loud",), "dim": 191}, {"card agrees with the encoder", "scores"}),
    ],
)
def test_each_fault_is_found_and_no_other(changes, found):
    assert names(broken(**changes)) == found


def test_vectors_that_change_are_found():
    assert "the same twice" in names(broken(features=another_each_time))


def test_windows_that_know_of_each_other_are_found():
    assert names(broken(features=of_its_company)) >= {"a window alone and in its sound"}


def test_an_error_is_a_breach_and_the_other_checks_go_on():
    def fails(samples, coverage):
        if samples.shape[0] and np.abs(samples).max() == 0:
            raise sonovec.SonovecError("no silence, please")
        return FEATURES(samples, coverage)

    results = check(broken(features=fails), quick=True)
    assert [(r.check, r.found) for r in breaches(results)] == [("silence", "SonovecError: no silence, please")]
    assert any(result.check == "constant offset" for result in results)


def test_the_command_prints_and_exits_by_the_outcome(capsys, tmp_path):
    assert run(["models", "check", "logmel", "--quick", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["breaches"] == 0 and {result["status"] for result in told["results"]} >= {"ok"}
    assert run(["models", "check", "logmell", "--quick"]) == 2
    assert "did you mean 'logmel'" in capsys.readouterr().err
    assert run(["models", "check", "logmel", "--quick", "--hop", "0.7"]) == 0
    assert "0 breaches" in capsys.readouterr().out
