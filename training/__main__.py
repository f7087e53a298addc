"""One command: ``python -m training training/first.yaml training/full.yaml --data DATA --work WORK --out encoder.onnx``."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path


def main() -> None:
    """Decode, mix, train and export, one run after another; what is there already in `--work` is not done again."""
    parser = argparse.ArgumentParser(prog="python -m training", description=main.__doc__)
    parser.add_argument("configs", nargs="+", type=Path, help="settings of a run, such as training/smoke.yaml")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SONOVEC_DATA", "../shared/data")))
    parser.add_argument("--work", type=Path, default=Path("training/work"), help="corpus, mixes, and a folder a run")
    parser.add_argument("--out", type=Path, help="a copy of the last run's network, as ONNX")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--workers", type=int, help="processes that make mixes; by default all cores but one")
    arguments = parser.parse_args()

    import torch

    device = arguments.device if arguments.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    workers = arguments.workers or max(1, (os.cpu_count() or 2) - 1)
    for config in arguments.configs:
        encoder = run(config, arguments.data, arguments.work, device, workers)
    if arguments.out:
        shutil.copyfile(encoder, arguments.out)


def run(file: Path, data: Path, work: Path, device: str, workers: int) -> Path:
    """Train by the settings in a file, in a folder of its name; where the encoder lies."""
    import torch

    from training.config import Config
    from training.corpus import open_corpus
    from training.curves import draw
    from training.export import export
    from training.mixes import start_workers
    from training.start import exported
    from training.train import Training

    config, target = Config.read(file), exported(work, file.stem)
    target.parent.mkdir(parents=True, exist_ok=True)
    open_corpus(data, work, config.clips)
    makers = start_workers(data, work, config.seed, config.shards, workers)
    training = Training(config, data, work, target.parent, torch.device(device))
    training.run()
    for maker in makers:
        maker.terminate()
    export(training.averaged.encoder, target)
    draw(target.with_name("log.jsonl"), target.with_name("curves.png"))
    print(f"{file.stem}: {config.steps} steps in {training.seconds / 60:.1f} minutes on {device}")
    return target


if __name__ == "__main__":
    main()
