"""The folder that a training gives, and the one beside it, in which it lies until it is complete."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sonovec.errors import TrainingError, UsageError
from sonovec.paths import display

#: Behind the folder's name while it is not complete; and what is in it after numbers were not finite any more.
PARTIAL, LAST_GOOD = ".partial", "last-good"


@contextmanager
def partial_of(target: Path) -> Iterator[Path]:
    """The folder of what is not complete; it stays where there is something in it to go on from."""
    from sonovec.learn.tuning.checkpoint import CHECKPOINT

    folder = target.with_name(target.name + PARTIAL)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except OSError as error:
        raise TrainingError(
            f"{display(error.filename or folder)}: cannot be written ({error.strerror or error}); free some space, or give "
            "another -o, and run the same command again"
        ) from error
    finally:
        if not (folder / CHECKPOINT).exists():
            shutil.rmtree(folder, ignore_errors=True)


def check_output(target: Path) -> None:
    """Refuse a folder that holds something.

    Raises
    ------
    UsageError
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{display(target)}: is there and not empty; give a new folder, such as {display(target)}-2")
