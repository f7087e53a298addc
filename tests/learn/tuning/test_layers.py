from __future__ import annotations

import pytest

from sonovec.errors import UsageError
from sonovec.learn.tuning.layers import Layer, chosen, layers_of, rates

torch = pytest.importorskip("torch")


class Network(torch.nn.Module):
    """Uses its parts in another order than it makes them, one of them not at all, and one for scores alone."""

    def __init__(self) -> None:
        super().__init__()
        self.last = torch.nn.Linear(4, 2)
        self.unused = torch.nn.Linear(4, 4)
        self.blocks = torch.nn.ModuleList(
            torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 4)) for _ in range(2)
        )
        self.scores = torch.nn.Linear(2, 3)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        vector = self.last(x)
        self.scores(vector)
        return vector


def test_layers_come_in_the_order_of_use_and_without_what_shapes_no_vector():
    network = Network()
    layers = layers_of(network, lambda: network(torch.ones(1, 4)))
    assert [layer.name for layer in layers] == ["blocks.0", "blocks.1", "last"]
    assert layers[0].modules == ("blocks.0.0", "blocks.0.2")
    assert all(each.grad is None for each in network.parameters())


def test_an_unknown_layer_is_told_with_those_that_there_are():
    layers = [Layer("a", ()), Layer("b", ())]
    for wanted in ("c", 2, -3):
        with pytest.raises(UsageError, match=r"has no such layer; give a number from -2 to 1, or one of: a, b"):
            chosen(layers, wanted, "mine")


def test_no_layer_learns_faster_than_the_one_behind_it():
    assert rates([], 1.0, 0.5) == []
    assert rates([Layer("a", ()), Layer("b", ())], 0.1, 1.0) == [0.1, 0.1]
