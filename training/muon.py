"""The optimiser of the convolutions: momentum whose matrices are made orthogonal (Jordan et al. 2024, "Muon")."""

from __future__ import annotations

import torch
from torch import Tensor

#: Coefficients of the Newton-Schulz iteration, and how often it is done; singular values come to lie around 1.
COEFFICIENTS, ITERATIONS = (3.4445, -4.7750, 2.0315), 5


class Muon(torch.optim.Optimizer):
    """Steps of equal size in all directions of a convolution's weights, taken as one matrix with a row for each filter.

    What follows a convolution is normalised, so the size of its weights does not matter and they do not decay.
    """

    def __init__(self, parameters: list[torch.nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__([{"params": parameters}], {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every weight that has a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
                ahead = weight.grad.lerp(state["momentum"], group["momentum"])
                moved = orthogonal(ahead.flatten(1)).reshape(weight.shape)
                weight.sub_(moved, alpha=group["lr"] * max(1.0, weight.shape[0] / weight[0].numel()) ** 0.5)


def orthogonal(matrix: Tensor) -> Tensor:
    """The nearest matrix whose singular values are all about 1, between 0.7 and 1.2; computed in bf16."""
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return (x.T if tall else x).to(matrix.dtype)
