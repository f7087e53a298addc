"""Where a network is trained, and in which precision."""

from __future__ import annotations

import pytest

from sonovec.errors import UsageError
from sonovec.learn.tuning import devices


@pytest.mark.parametrize(
    ("precision", "hears_samples", "has_bf16", "is_low"),
    [
        ("auto", False, True, True),
        ("auto", True, True, False),  # wav2vec 2.0 hardly learns in bf16
        ("auto", False, False, False),
        ("bf16", True, True, True),
        ("f32", False, True, False),
    ],
)
def test_bf16_is_taken_where_networks_learn_in_it(precision, hears_samples, has_bf16, is_low, monkeypatch):
    monkeypatch.setattr(devices, "cpu_has_bf16", lambda: has_bf16)
    assert devices.settled("cpu", precision, hears_samples) == ("cpu", is_low)


def test_what_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(devices, "cpu_has_bf16", lambda: False)
    with pytest.raises(UsageError, match="precision='bf16': this cpu has no bf16; give precision='f32'"):
        devices.settled("cpu", "bf16", hears_samples=False)
    with pytest.raises(UsageError, match="device='gpu' is unknown; give one of: auto, cpu, cuda"):
        devices.settled("gpu", "auto", hears_samples=False)
