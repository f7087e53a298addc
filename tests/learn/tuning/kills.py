"""Trainings that are killed: by `kill -9`, at moments that are drawn by chance, each behind a new checkpoint."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from pathlib import Path

from sonovec.learn.tuning.folders import PARTIAL

KILLS = 2


def killed_and_resumed(command: list[str], target: Path, latest: float = 1.0) -> int:
    """Run a training into `target`, kill it twice and let it end; give how often it was killed before it ended by itself.

    It is killed up to `latest` seconds behind a new checkpoint.
    """
    chance, checkpoint = random.Random(), target.with_name(target.name + PARTIAL) / "checkpoint.pt"
    for kills in range(KILLS):
        written = checkpoint.stat().st_mtime_ns if checkpoint.exists() else None
        process = subprocess.Popen([*command, str(target)])
        try:
            while process.poll() is None and (not checkpoint.exists() or checkpoint.stat().st_mtime_ns == written):
                time.sleep(0.01)
            time.sleep(chance.uniform(0, latest))
        finally:
            process.kill()
        assert process.wait() in (-signal.SIGKILL, 0)
        if process.returncode == 0:
            return kills
    done = subprocess.run([*command, str(target), "--json"], check=True, capture_output=True, text=True)
    assert json.loads(done.stdout)["resumed_at"] > 0
    return KILLS
