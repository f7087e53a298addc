"""What the student is asked for: the teachers' features, hidden layer and scores, of steps, windows and whole mixes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from sonovec.models.builtin import FRAMES
from sonovec.models.networks.sonovec_1 import CLASSES, DIM, STEP, Encoder, mean_of_steps
from training.lessons import Batch

#: Length of the teachers' features.
MN04, YAMNET = 384, 1024
PER_WINDOW = FRAMES // STEP


class Student(nn.Module):
    """The encoder, with adapters from its vectors to the teachers' features that are thrown away afterwards."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.to_mn04 = nn.Linear(DIM, MN04)
        self.to_yamnet = nn.Linear(DIM, YAMNET)


class Targets(nn.Module):
    """The teachers' features brought to mean 0 and deviation 1, and mn04's own last layers."""

    def __init__(self, mn04: nn.Module, steps: Tensor, yamnet: Tensor) -> None:
        super().__init__()
        self.last = mn04.classifier[2:].eval()
        for name, values in (("steps", steps.flatten(0, 1)), ("yamnet", yamnet)):
            self.register_buffer(f"{name}_mean", values.mean(0))
            self.register_buffer(f"{name}_deviation", values.std(0).clamp(min=1e-3))
        with torch.no_grad():
            hidden, logits = self.scores(steps.mean(1))
        self.register_buffer("hidden_mean", hidden.mean(0))
        self.register_buffer("hidden_deviation", hidden.std(0).clamp(min=1e-3))
        self.register_buffer("logits_mean", logits.mean(0))
        self.register_buffer("logits_deviation", (logits - logits.mean(0)).std())

    def scores(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """mn04's hidden layer, before its activation, and logits, of its pooled features."""
        hidden = self.last[0](pooled)
        return hidden, self.last[1:](hidden)

    def normal(self, name: str, values: Tensor) -> Tensor:
        """Features with mean 0 and deviation 1."""
        return (values - getattr(self, f"{name}_mean")) / getattr(self, f"{name}_deviation")


def loss(
    student: Student, targets: Targets, heard: Tensor, batch: Batch, share: Mapping[str, float]
) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted sum of all parts, and the parts by name.

    Parameters
    ----------
    student, targets
    heard : Tensor, shape (n, 384, 64)
        What the student hears of the mixes, changed as it may be.
    batch : Batch
        What the teachers said of them.
    share : mapping of str to float
        Weight of each part.
    """
    n = len(heard)
    vectors = steps_of(student.encoder, heard)
    wanted = targets.normal("steps", batch.steps)
    clip, wanted_clip = mean_of_steps(vectors, batch.weights), mean_of_steps(wanted, batch.weights)
    windows = mean_of_steps(vectors.reshape(-1, PER_WINDOW, DIM), batch.weights.reshape(-1, PER_WINDOW))
    sounding = batch.weights.reshape(n * 3, -1).amax(1) > 0.5
    hidden, logits = student.encoder.scores(torch.cat([clip, windows[sounding]]))
    with torch.no_grad():
        # Silence counts here: without it, the means of short sounds are like none that mn04's last layers ever saw.
        of_windows = batch.steps.reshape(-1, PER_WINDOW, MN04).mean(1)
        pooled = torch.cat([batch.steps.mean(1), of_windows[sounding]])
        wanted_hidden, wanted_logits = targets.scores(pooled)
    mn04, yamnet = student.to_mn04(clip), student.to_yamnet(clip)
    wanted_yamnet = targets.normal("yamnet", batch.yamnet)
    hidden, wanted_hidden = targets.normal("hidden", hidden), targets.normal("hidden", wanted_hidden)
    parts = {
        "steps": (
            functional.smooth_l1_loss(student.to_mn04(vectors), wanted, reduction="none").mean(2) * batch.weights
        ).sum()
        / batch.weights.sum(),
        "clip": (1 - functional.cosine_similarity(mn04, wanted_clip)).mean(),
        "yamnet": (1 - functional.cosine_similarity(yamnet, wanted_yamnet)).mean(),
        # Only mn04 says what is near to what: YAMNet's features tell held-out kinds of sound apart much worse.
        "relations": relations(clip, wanted_clip, wanted_hidden[:n]),
        "hidden": functional.smooth_l1_loss(hidden, wanted_hidden),
        "logits": functional.smooth_l1_loss(
            logits / targets.logits_deviation, wanted_logits / targets.logits_deviation
        ),
        "scores": CLASSES / 10 * functional.binary_cross_entropy_with_logits(logits, wanted_logits.sigmoid()),
    }
    return sum((share[name] * part for name, part in parts.items()), torch.zeros(())), parts


def steps_of(encoder: Encoder, heard: Tensor) -> Tensor:
    """Step vectors of spectrograms (n, windows * 128, 64), each window by itself, as (n, windows * 8, 512)."""
    windows = heard.reshape(-1, FRAMES, heard.shape[2])
    # Half the precision where most of the work is; the losses stay in float32.
    with torch.autocast(heard.device.type, torch.bfloat16, enabled=encoder.training):
        steps = encoder(windows)
    return steps.float().reshape(len(heard), -1, DIM)


def relations(vectors: Tensor, *teachers: Tensor) -> Tensor:
    """Whether the clips of a batch are as near to each other as they are to the teachers, on average."""
    wanted = sum((_cosines(teacher) for teacher in teachers), torch.zeros(())) / len(teachers)
    return functional.mse_loss(_cosines(vectors), wanted)


def _cosines(vectors: Tensor) -> Tensor:
    unit = functional.normalize(vectors, dim=1)
    return unit @ unit.T
