"""Stretches as tasks of Label Studio: a task for each sound, in which the stretches are predictions to be checked.

The project needs the labels ``label`` of the sound ``audio``::

    <View><Labels name="label" toName="audio"><Label value="crow"/></Labels><Audio name="audio" value="$audio"/></View>

and Label Studio must serve files of this machine: ``LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true`` and
``LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=/``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from sonovec.paths import absolute, from_text

#: Where Label Studio serves the files of its machine.
SERVED = "/data/local-files/?d="


def texts(stretches: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The tasks of stretches with `path`, `start`, `end`, `label` and `score`, as JSON."""
    by_sound: dict[str, list[Mapping[str, Any]]] = {}
    for each in stretches:
        by_sound.setdefault(each["path"], []).append(each)
    tasks = [
        {
            "data": {"audio": SERVED + quote(absolute(from_text(path)).as_posix(), errors="surrogateescape")},
            "predictions": [{"model_version": "sonovec", "result": [_region(n, each) for n, each in enumerate(some)]}],
        }
        for path, some in by_sound.items()
    ]
    yield json.dumps(tasks, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _region(number: int, stretch: Mapping[str, Any]) -> dict[str, Any]:
    value = {"start": stretch["start"], "end": stretch["end"], "labels": [stretch["label"]]}
    return {
        "id": f"stretch-{number}",
        "from_name": "label",
        "to_name": "audio",
        "type": "labels",
        "value": value,
        "score": stretch["score"],
    }
