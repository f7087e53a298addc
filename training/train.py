"""The training loop: resumable at any step, on a CPU or on CUDA, in bf16."""

from __future__ import annotations

import copy
import json
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from training.augment import Augment
from training.check import HeldOut
from training.config import Config
from training.corpus import open_corpus
from training.lessons import Batch, Lecture
from training.loss import Student, Targets, loss, steps_of
from training.mixes import Lessons, held_out, shard_file
from training.network import Encoder, mean_of_steps
from training.teachers import MN04, mn04


class Training:
    """A run: what is trained, and how far it is."""

    def __init__(self, config: Config, data: Path, work: Path, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        self.config, self.work, self.device = config, work, device
        corpus = open_corpus(data, work, config.clips)
        self.student = Student(Encoder()).to(device, memory_format=torch.channels_last)
        self.targets = _targets(data, work, config.shards).to(device)
        with torch.no_grad():
            self.student.encoder.logits.bias.copy_(self.targets.logits_mean)
        self.averaged = copy.deepcopy(self.student)
        self.optimiser = torch.optim.AdamW(self._groups(), lr=config.rate, weight_decay=config.decay)
        self.held_out = HeldOut(held_out(data, work, corpus, config.held_out), corpus, device)
        self.augment = Augment(device, config.gaps)
        self.step, self.seconds = 0, 0.0
        self._resume()

    def run(self) -> None:
        """Train to the last step."""
        config = self.config
        lecture = Lecture(
            self.work, config.seed, config.shards, config.batch, config.replay, config.first_shards, config.together
        )
        if self.step == 0:
            self._log({"config": asdict(config), "device": str(self.device), "threads": torch.get_num_threads()})
            self._log({"teachers": self.held_out.teachers(self.targets)})
        sums: dict[str, float] = {}
        began = time.monotonic()
        for batch in lecture.batches(self.step, self.device):
            if self.step >= config.steps:
                break
            for name, part in self._learn(batch).items():
                sums[name] = sums.get(name, 0.0) + float(part) / config.report
            self.step += 1
            if self.step % config.report == 0:
                now = time.monotonic()
                self.seconds, began = self.seconds + now - began, now
                self._log(
                    {"step": self.step, "seconds": round(self.seconds, 1), "rate": self._rate(), "loss": _rounded(sums)}
                )
                sums = {}
            if self.step % config.check == 0 or self.step == config.steps:
                self._log({"step": self.step, "held_out": _rounded(self.held_out.check(self.averaged, self.targets))})
                self._save()

    def _learn(self, batch: Batch) -> dict[str, Tensor]:
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate() * group["share"]
        heard = self.augment(batch.mel)
        total, parts = loss(self.student, self.targets, heard, batch, self.config.loss)
        if self.config.agreement:
            parts["agreement"] = self._agreement(heard, batch)
            total = total + self.config.agreement * parts["agreement"]
        self.optimiser.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 5.0)
        self.optimiser.step()
        self._average()
        return {name: part.detach() for name, part in parts.items()}

    def _agreement(self, heard: Tensor, batch: Batch) -> Tensor:
        """How far the vector of one view is from the averaged student's of another (Grill et al. 2020, "BYOL")."""
        with torch.no_grad():
            other = mean_of_steps(steps_of(self.averaged.encoder, self.augment(batch.mel)), batch.weights)
        mine = mean_of_steps(steps_of(self.student.encoder, heard), batch.weights)
        return (1 - functional.cosine_similarity(mine, other)).mean()

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(self.config.average, (1 + self.step) / (10 + self.step))
        for mean, now in zip(self.averaged.state_dict().values(), self.student.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(now, 1 - keep)

    def _rate(self) -> float:
        risen = min(1.0, (self.step + 1) / self.config.warmup)
        return self.config.rate * risen * 0.5 * (1 + math.cos(math.pi * min(1.0, self.step / self.config.steps)))

    def _groups(self) -> list[dict[str, Any]]:
        """Convolutions learn faster than the linear layers, whose scale no normalisation undoes; only weights decay."""
        convolutions = [each for each in self.student.parameters() if each.ndim == 4]
        matrices = [each for each in self.student.parameters() if each.ndim == 2]
        rest = [each for each in self.student.parameters() if each.ndim < 2]
        linear = self.config.linear_rate
        return [
            {"params": convolutions, "share": 1.0},
            {"params": matrices, "share": linear},
            {"params": rest, "share": linear, "weight_decay": 0.0},
        ]

    # -- on disk

    def _save(self) -> None:
        partial = self.work / "checkpoint.partial"
        state = {name: getattr(self, name).state_dict() for name in ("student", "averaged", "optimiser")}
        torch.save({**state, "step": self.step, "seconds": self.seconds, "random": torch.get_rng_state()}, partial)
        partial.replace(self.work / "checkpoint.pt")

    def _resume(self) -> None:
        file = self.work / "checkpoint.pt"
        if file.exists():
            state = torch.load(file, map_location=self.device, weights_only=True)
            for name in ("student", "averaged", "optimiser"):
                getattr(self, name).load_state_dict(state[name])
            self.step, self.seconds = state["step"], state["seconds"]
            torch.set_rng_state(state["random"].cpu())

    def _log(self, line: dict[str, Any]) -> None:
        with (self.work / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)


def _targets(data: Path, work: Path, shards: int) -> Targets:
    """Targets, normalised by the first shards."""
    first = Lessons.join([_waited(shard_file(work, number)) for number in range(min(2, shards))])
    tensors = (torch.from_numpy(array).float() for array in (first.steps, first.yamnet))
    return Targets(mn04(data / MN04), *tensors).requires_grad_(False).eval()


def _waited(file: Path) -> Lessons:
    while not file.exists():
        time.sleep(0.5)
    return Lessons.read(file)


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}
