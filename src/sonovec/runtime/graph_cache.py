"""Folders of the cache that hold a converted graph: whole or not at all, and checked at every use."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sonovec.paths import cached
from sonovec.runtime.openvino_core import openvino

GRAPH = "graph.xml"
ABOUT = "about.json"


def place(key: str) -> Path:
    """The folder of a graph."""
    return cached("graphs", key)


def is_whole(folder: Path) -> bool:
    """A file that was cut short would crash the process, and a damaged one would give other vectors without a word."""
    try:
        sums = json.loads((folder / "sums.json").read_text())
        return all(_sum(folder / name) == expected for name, expected in sums.items())
    except (OSError, ValueError):
        return False


def _sum(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def about(folder: Path) -> dict[str, Any]:
    """What was kept with a graph."""
    content: dict[str, Any] = json.loads((folder / ABOUT).read_text())
    return content


def keep(model: Any, folder: Path, record: Mapping[str, object] | None = None, *, anew: bool = False) -> None:
    """Save a graph in float32, with its checksums and, if given, a record of what is known of it.

    Parameters
    ----------
    model : openvino.Model
    folder : Path
    record : mapping, optional
        JSON values.
    anew : bool
        Replace one that is there and whole.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".converting-") as scratch:
        made = Path(scratch, "graph")
        made.mkdir()
        openvino().save_model(model, made / GRAPH, compress_to_fp16=False)
        if record is not None:
            (made / ABOUT).write_text(json.dumps(record))
        sums = {file.name: _sum(file) for file in made.iterdir()}
        (made / "sums.json").write_text(json.dumps(sums))
        if folder.exists() and (anew or not is_whole(folder)):
            folder.rename(Path(scratch, "old"))
        try:
            made.rename(folder)
        except OSError:
            # Another process was quicker; what it made is as good.
            if not is_whole(folder):
                raise
