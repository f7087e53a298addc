"""The training loop: resumable at any step, on a CPU or on CUDA, in bf16."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from sonovec.augment.spectrogram import Augment
from sonovec.models.builtin import FRONT_END
from sonovec.models.networks.sonovec_1 import Encoder, mean_of_steps
from training.check import HeldOut
from training.config import Config
from training.corpus import open_corpus
from training.lessons import Batch, Lecture
from training.loss import Student, Targets, loss, steps_of
from training.mixes import Lessons, held_out, shard_file, wait
from training.muon import Muon
from training.start import begin, exported
from training.teachers import MN04, mn04

#: What a checkpoint holds, beside numbers.
PARTS = ("student", "averaged", "muon", "adam")


class Training:
    """A run: what is trained, and how far it is. Mixes lie in `work`, and what is its own in `folder`."""

    def __init__(self, config: Config, data: Path, work: Path, folder: Path, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        self.config, self.work, self.folder, self.device = config, work, folder, device
        corpus = open_corpus(data, work, config.clips)
        self.student = Student(Encoder()).to(device, memory_format=torch.channels_last)
        first = Lessons.join([wait(shard_file(work, config.seed, number)) for number in range(min(2, config.shards))])
        self.targets = _targets(data, first).to(device)
        begin(self.student, self.targets, first, exported(work, config.start) if config.start else None)
        self.averaged = copy.deepcopy(self.student)
        convolutions = [each for each in self.student.parameters() if each.ndim == 4]
        self.muon = Muon(convolutions, config.rate)
        self.adam = torch.optim.AdamW(self._groups(), config.linear_rate, weight_decay=config.decay)
        self.held_out = HeldOut(held_out(data, work, corpus, config.held_out), corpus, device)
        self.augment = Augment(FRONT_END, device, config.gaps)
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
                    {
                        "step": self.step,
                        "seconds": round(self.seconds, 1),
                        "rate": round(share(self.config, self.step), 4),
                        "loss": _rounded(sums),
                    }
                )
                sums = {}
            if self.step % config.check == 0 or self.step == config.steps:
                self._log({"step": self.step, "held_out": _rounded(self.held_out.check(self.averaged, self.targets))})
                self._save()

    def _learn(self, batch: Batch) -> dict[str, Tensor]:
        for optimiser, rate in ((self.muon, self.config.rate), (self.adam, self.config.linear_rate)):
            for group in optimiser.param_groups:
                group["lr"] = rate * share(self.config, self.step)
        heard = self.augment(batch.mel)
        total, parts = loss(self.student, self.targets, heard, batch, self.config.loss)
        if self.config.agreement:
            parts["agreement"] = self._agreement(heard, batch)
            total = total + self.config.agreement * parts["agreement"]
        self.student.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 5.0)
        self.muon.step()
        self.adam.step()
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

    def _groups(self) -> list[dict[str, Any]]:
        """What is no convolution; only matrices decay."""
        matrices = [each for each in self.student.parameters() if each.ndim == 2]
        rest = [each for each in self.student.parameters() if each.ndim < 2]
        return [{"params": matrices}, {"params": rest, "weight_decay": 0.0}]

    # -- on disk

    def _save(self) -> None:
        partial = self.folder / "checkpoint.partial"
        state = {name: getattr(self, name).state_dict() for name in PARTS}
        torch.save({**state, "step": self.step, "seconds": self.seconds, "random": torch.get_rng_state()}, partial)
        partial.replace(self.folder / "checkpoint.pt")

    def _resume(self) -> None:
        file = self.folder / "checkpoint.pt"
        if file.exists():
            state = torch.load(file, map_location=self.device, weights_only=True)
            for name in PARTS:
                getattr(self, name).load_state_dict(state[name])
            self.step, self.seconds = state["step"], state["seconds"]
            torch.set_rng_state(state["random"].cpu())
        log = self.folder / "log.jsonl"
        if log.exists():  # what came after the checkpoint is done, and written, again
            lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = (line for line in lines if line.endswith("\n") and json.loads(line).get("step", 0) <= self.step)
            log.write_text("".join(kept) if self.step else "", encoding="utf-8")

    def _log(self, line: dict[str, Any]) -> None:
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)


def share(config: Config, step: int) -> float:
    """Of the highest learning rates: even, but for a rise at the beginning and a fall to nothing at the end.

    So a run can be made longer even after its fall has begun, by going on from a checkpoint before it.
    """
    return min(1.0, (step + 1) / config.warmup, (config.steps - step) / config.cooldown)


def _targets(data: Path, first: Lessons) -> Targets:
    """Targets, normalised by the first shards."""
    tensors = (torch.from_numpy(array).float() for array in (first.steps, first.yamnet))
    return Targets(mn04(data / MN04), *tensors).requires_grad_(False).eval()


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}
