"""Settings of a run, read from YAML."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path


@dataclass(frozen=True)
class Config:
    """Settings.

    Attributes
    ----------
    seed : int
    shards : int
        Of 512 mixes each.
    first_shards : int
        That have to be there before the training begins.
    replay : float
        How often a mix is heard, on average, while shards are still made.
    steps, warmup, cooldown : int
        Of the optimisers: all of them, and those in which the learning rates rise at the beginning and fall at the end.
    batch : int
        Mixes of 6 s.
    together : int
        Shards that are shuffled together.
    start : str
        The run whose encoder this one begins with; by default random weights.
    rate : float
        Highest learning rate of Muon, for the convolutions.
    linear_rate, decay : float
        Highest learning rate of AdamW, for everything else, and its weight decay.
    average : float
        Of the weights' moving average, which is what is shipped.
    report, check : int
        Steps between lines of the log, and between looks at the held-out recordings.
    clips, held_out : int
        Recordings to use at most; 0 is all of them.
    gaps : float
        Share of the mixes that have gaps where the student hears them: it has to tell what was there.
    agreement : float
        Weight of a further self-supervised part: two views of a mix must agree.
    loss : mapping of str to float
        Weights of the other parts.
    """

    seed: int = 1
    shards: int = 200
    first_shards: int = 12
    replay: float = 4.0
    steps: int = 8000
    warmup: int = 200
    cooldown: int = 2400
    batch: int = 48
    together: int = 6
    start: str = ""
    rate: float = 0.02
    linear_rate: float = 1e-3
    decay: float = 0.02
    average: float = 0.998
    report: int = 20
    check: int = 500
    clips: int = 0
    held_out: int = 1500
    gaps: float = 0.0
    agreement: float = 0.0
    loss: dict[str, float] = field(
        default_factory=lambda: {
            "steps": 2.0,
            "clip": 2.0,
            "yamnet": 0.7,
            "relations": 20.0,
            "hidden": 1.0,
            "logits": 1.0,
            "scores": 0.5,
        }
    )

    @staticmethod
    def read(file: Path) -> Config:
        """Read a file; an unknown setting is an error."""
        import yaml

        told = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        known = {each.name for each in fields(Config)}
        if odd := sorted(set(told) - known):
            raise SystemExit(f"{file}: unknown settings {', '.join(odd)}; there are: {', '.join(sorted(known))}")
        return Config(**told)
