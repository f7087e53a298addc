"""An encoder's network with a head on top, as one module of PyTorch's that is trained; imported only where that is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sonovec.errors import UsageError
from sonovec.learn.head import Head
from sonovec.models.model import Model, Rows
from sonovec.vectors import cosines

#: How what a network gives may become a vector, (rows, ...) to (rows, dim), given `dim`, the number of classes that are
#: scored behind the vector, and the share of each row that is sound. A model's own way, `Model.finish`, is NumPy's, through
#: which no gradient goes: the first of these that gives the same is taken.
READINGS: Mapping[str, Callable[[Tensor, int, int, Tensor], Tensor]] = {
    "as it is": lambda out, dim, classes, coverage: out[:, :dim],
    "before the scores": lambda out, dim, classes, coverage: out[:, -(dim + classes) : out.shape[1] - classes],
    "from above zero": lambda out, dim, classes, coverage: out[:, :dim].relu(),
    "mean of frames": lambda out, dim, classes, coverage: _mean(out, coverage),
    "largest of frames": lambda out, dim, classes, coverage: _heard(out, coverage, -torch.inf).amax(1),
    "first frame": lambda out, dim, classes, coverage: out[:, 0],
    "mean of all frames": lambda out, dim, classes, coverage: out.mean(1),
    "largest of all frames": lambda out, dim, classes, coverage: out.amax(1),
    "largest of a map": lambda out, dim, classes, coverage: out.reshape(len(out), -1, dim).amax(1),
}
#: Cosine from which on two ways to read a vector are the same.
SAME = 0.9999
#: Least deviation of a number of a vector of length 1, in shares of that of random ones, that a head divides by: of a network
#: with random weights all vectors are nearly the same, and would be far apart soon.
LEAST_SCALE = 0.25


def _frames_of(out: Tensor, coverage: Tensor) -> Tensor:
    """Which frames hold sound: (rows, frames)."""
    counts = (coverage * out.shape[1] - 1e-4).ceil().clamp(min=1)
    return torch.arange(out.shape[1], device=out.device) < counts[:, None]


def _heard(out: Tensor, coverage: Tensor, instead: float) -> Tensor:
    return torch.where(_frames_of(out, coverage)[..., None], out, instead)


def _mean(out: Tensor, coverage: Tensor) -> Tensor:
    return _heard(out, coverage, 0.0).sum(1) / _frames_of(out, coverage).sum(1, keepdim=True)


class Tuned(nn.Module):
    """Features of windows to vectors, and to a score of each class.

    Parameters
    ----------
    model : Model
    network : torch.nn.Module
        That of the model.
    n_classes : int
    from_scratch : bool
        Whether its weights are random: then its normalisations learn means and deviations too.
    """

    def __init__(self, model: Model, network: nn.Module, n_classes: int, from_scratch: bool = False) -> None:
        super().__init__()
        self.from_scratch = from_scratch
        self.network = network
        self.head = nn.Linear(model.dim, n_classes)
        nn.init.zeros_(self.head.weight)  # what PyTorch draws would be another in each process
        nn.init.zeros_(self.head.bias)
        self.register_buffer("center", torch.zeros(model.dim))
        self.register_buffer("scale", torch.full((model.dim,), model.dim**-0.5))
        self._shape = model.dim, len(model.classes)
        self._model = model
        self.reading = ""

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.head.weight.device

    def vectors(self, rows: Rows, coverage: NDArray[np.float32]) -> Tensor:
        """Vectors (n, dim) of rows of features; rows of one shape run together, none of them padded."""
        found: list[Tensor] = []
        for _, alike in groupby(range(len(rows)), key=lambda row: rows[row].shape):
            places = list(alike)
            covered = torch.from_numpy(np.asarray(coverage[places], np.float32)).to(self.device)
            found.append(READINGS[self.reading](self._out([rows[row] for row in places]), *self._shape, covered))
        return torch.cat(found)

    def _out(self, rows: Sequence[NDArray[Any]]) -> Tensor:
        batch = torch.from_numpy(np.ascontiguousarray(np.stack(rows))).to(self.device)
        out = self.network(batch)
        return torch.cat(out, dim=-1) if isinstance(out, tuple) else out

    def scores(self, vectors: Tensor) -> Tensor:
        """Scores (n, n_classes) of vectors; see `Head`."""
        return self.head((nn.functional.normalize(vectors.float(), dim=1, eps=1e-12) - self.center) / self.scale)

    def train(self, mode: bool = True) -> Tuned:
        """Train, or not; means and deviations that normalisations have learned stay, for a few sounds would spoil them."""
        super().train(mode)
        for module in self.network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and not self.from_scratch:
                module.eval()
        return self

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def settle_reading(self, rows: Rows, coverage: NDArray[np.float32]) -> None:
        """Find how what the network gives becomes the vectors that the model gives for the same rows.

        Raises
        ------
        UsageError
            If in no way that can be trained through, as after a quantisation.
        """
        self.eval()
        out = [self._out([row])[0] for row in rows]
        expected = self._model.finish([each.float().cpu().numpy() for each in out], coverage)[:, : self._shape[0]]
        for name in READINGS:
            self.reading = name
            try:
                found = self.vectors(rows, coverage).float().cpu().numpy()
            except (RuntimeError, IndexError):  # of a shape that cannot be read so
                continue
            if found.shape == expected.shape and bool((cosines(found, expected) > SAME).all()):
                return
        options = ", ".join(f"{name}={value}" for name, value in self._model.options.items()) or "none"
        raise UsageError(
            f"model {self._model.card.name!r} cannot be trained with these options ({options}): its vectors are not what its "
            "network gives; leave the options at their defaults"
        )

    def fit_head(
        self, vectors: NDArray[np.float32], targets: NDArray[np.int8], weights: Tensor, steps: int = 100
    ) -> None:
        """Fit the head alone to vectors of the network as it is: a logistic regression for each class.

        Parameters
        ----------
        vectors : array, shape (n, dim), float32
        targets : array, shape (n, n_classes), int8
        weights : tensor, shape (n_classes, 2)
            Of what is not heard and of what is; see `class_weights`.
        """
        seen = nn.functional.normalize(torch.from_numpy(vectors).to(self.device), dim=1, eps=1e-12)
        self.center.copy_(seen.mean(0))
        self.scale.copy_(seen.std(0, correction=0).clamp(min=LEAST_SCALE * seen.shape[1] ** -0.5))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        wanted = torch.from_numpy(targets).to(self.device)
        optimiser = torch.optim.LBFGS(self.head.parameters(), max_iter=steps, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimiser.zero_grad()
            # As strong as the L2 penalty of scikit-learn's logistic regression with C = 1.
            penalty = 0.5 * self.head.weight.square().sum() / len(seen) / len(self.head.weight)
            total = loss(self.scores(seen), wanted, weights) + penalty
            total.backward()
            return total

        optimiser.step(closure)

    def as_head(self) -> Head:
        """The head as a detector has it, not calibrated yet."""
        seen = (self.center, self.scale, self.head.weight, self.head.bias)
        center, scale, weights, bias = (each.detach().cpu().numpy().copy() for each in seen)
        return Head(center, scale, weights, bias, np.ones_like(bias), np.zeros_like(bias))


def class_weights(targets: NDArray[np.int8], kind: str) -> Tensor:
    """Weights (n_classes, 2) of what is not heard and of what is; balanced ones let both count the same in sum.

    Examples
    --------
    >>> class_weights(np.array([[1], [0], [0], [0]], np.int8), "balanced").tolist()
    [[0.666..., 2.0]]
    """
    counts = np.stack([(targets == value).sum(0) for value in (0, 1)], axis=1)
    if kind == "none":
        return torch.ones(counts.shape)
    shares = np.where(counts > 0, counts.sum(1, keepdims=True) / np.maximum(2 * counts, 1), 0.0)
    return torch.from_numpy(shares.astype(np.float32))


def loss(scores: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Mean cross entropy of scores (n, n_classes), each class against all the rest; what nobody knows (-1) does not count."""
    known = targets >= 0
    heard = targets == 1
    each = nn.functional.binary_cross_entropy_with_logits(scores.float(), heard.float(), reduction="none")
    counts = torch.where(heard, weights[:, 1], weights[:, 0]) * known
    return (each * counts).sum() / counts.sum().clamp(min=1e-9)
