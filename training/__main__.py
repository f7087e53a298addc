"""One command: ``python -m training training/full.yaml --data DATA --work WORK --out encoder.onnx``."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path


def main() -> None:
    """Decode, mix, train and export; what is there already in `--work` is not done again."""
    parser = argparse.ArgumentParser(prog="python -m training", description=main.__doc__)
    parser.add_argument("config", type=Path, help="settings, such as training/full.yaml or training/smoke.yaml")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SONOVEC_DATA", "../shared/data")))
    parser.add_argument("--work", type=Path, default=Path("training/work"), help="corpus, mixes, checkpoint and log")
    parser.add_argument("--out", type=Path, help="the network, as ONNX; by default encoder.onnx in the work folder")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--workers", type=int, help="processes that make mixes; by default all cores but one")
    arguments = parser.parse_args()

    import torch

    from training.config import Config
    from training.corpus import open_corpus
    from training.curves import draw
    from training.export import export
    from training.mixes import start_workers
    from training.train import Training

    began = time.monotonic()
    config, work = Config.read(arguments.config), arguments.work
    device = arguments.device if arguments.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    work.mkdir(parents=True, exist_ok=True)
    open_corpus(arguments.data, work, config.clips)
    workers = arguments.workers or max(1, (os.cpu_count() or 2) - 1)
    makers = start_workers(arguments.data, work, config.seed, config.shards, workers)
    training = Training(config, arguments.data, work, torch.device(device))
    training.run()
    for maker in makers:
        maker.terminate()
    export(training.averaged.encoder, arguments.out or work / "encoder.onnx")
    draw(work / "log.jsonl", work / "curves.png")
    print(f"{(time.monotonic() - began) / 60:.1f} minutes on {device}, {config.steps} steps")


if __name__ == "__main__":
    main()
