"""Files of stretches of sounds, in the formats of the tools that people look at them with."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from sonovec.cli import label_studio
from sonovec.errors import UsageError
from sonovec.paths import display, from_text, output

#: Its `path`, as `sonovec.paths.to_text` writes it, `start`, `end` in seconds, `label`, `score`, and what else is known.
Stretch = Mapping[str, Any]

RAVEN = (
    *("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)"),
    *("Begin Path", "File Offset (s)", "Label", "Score"),
)
#: What selections span that have no frequencies: all that people hear.
LOWEST, HIGHEST = 0, 20_000
#: Frames in a second, as cue sheets count.
CUE_FRAMES = 75


def _csv(file: TextIO, stretches: Sequence[Stretch]) -> None:
    writer = csv.DictWriter(file, list(stretches[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(stretches)


def _json_lines(file: TextIO, stretches: Sequence[Stretch]) -> None:
    file.writelines(f"{json.dumps(stretch, ensure_ascii=False, allow_nan=False)}\n" for stretch in stretches)


def _audacity(file: TextIO, stretches: Sequence[Stretch]) -> None:
    for each in stretches:
        file.write(f"{each['start']:.6f}\t{each['end']:.6f}\t{_line(each['label'])} {each['score']:.3f}\n")


def _raven(file: TextIO, stretches: Sequence[Stretch]) -> None:
    writer = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, escapechar="\\")
    writer.writerow(RAVEN)
    for number, each in enumerate(stretches, start=1):
        times = f"{each['start']:.6f}", f"{each['end']:.6f}"
        place = _line(display(from_text(each["path"]))), times[0]
        writer.writerow(
            [number, "Spectrogram 1", 1, *times, LOWEST, HIGHEST, *place, _line(each["label"]), f"{each['score']:.6f}"]
        )


def _cue(file: TextIO, stretches: Sequence[Stretch]) -> None:
    name = _line(from_text(stretches[0]["path"]).name).replace('"', "'")
    file.write(f'FILE "{name}" WAVE\n')
    for number, each in enumerate(sorted(stretches, key=lambda each: each["start"]), start=1):
        seconds, frames = divmod(round(each["start"] * CUE_FRAMES), CUE_FRAMES)
        title = _line(each["label"]).replace('"', "'")
        file.write(f'  TRACK {number:02} AUDIO\n    TITLE "{title} {each["score"]:.3f}"\n')
        file.write(f"    INDEX 01 {seconds // 60:02}:{seconds % 60:02}:{frames:02}\n")


def _line(text: str) -> str:
    """Text on one line, without tabs."""
    return " ".join(text.split())


@dataclass(frozen=True)
class Format:
    """How stretches are written; `alone`: a file of this kind is about one sound."""

    write: Callable[[TextIO, Sequence[Stretch]], None]
    ending: str
    alone: bool = False


FORMATS: Mapping[str, Format] = {
    "csv": Format(_csv, ".csv"),
    "jsonl": Format(_json_lines, ".jsonl"),
    "raven": Format(_raven, ".selections.txt"),
    "audacity": Format(_audacity, ".txt", alone=True),
    "labelstudio": Format(lambda file, some: file.writelines(label_studio.texts(some)), ".tasks.json"),
    "cue": Format(_cue, ".cue", alone=True),
}


def format_of(target: Path) -> str:
    """The format that the ending of a file asks for.

    Raises
    ------
    UsageError
        None has this ending.

    Examples
    --------
    >>> format_of(Path("a.selections.txt")), format_of(Path("a.txt"))
    ('raven', 'audacity')
    """
    found = next((name for name, each in FORMATS.items() if target.name.lower().endswith(each.ending)), None)
    if found is None:
        endings = ", ".join(f"{each.ending} ({name})" for name, each in FORMATS.items())
        raise UsageError(f"{display(target)}: give a name with one of these endings: {endings}")
    return found


def write(target: Path, stretches: Sequence[Stretch]) -> list[Path]:
    """Write stretches to a file in the format of its ending, and return what was written.

    Where a file of that format is about one sound, and there are several, each gets one of its own: its name stands
    before the ending, as in ``barks.NAME.txt``.

    Raises
    ------
    UsageError
        The ending is unknown, or the system refused to write.
    """
    kind = FORMATS[format_of(target)]
    by_sound: dict[str, list[Stretch]] = {}
    for each in stretches:
        by_sound.setdefault(each["path"] if kind.alone else "", []).append(each)
    if len(by_sound) <= 1:
        parts = {target: list(stretches)}
    else:
        stem = target.name[: -len(kind.ending)]
        names = _names([from_text(path).stem for path in by_sound])
        parts = {
            target.with_name(f"{stem}.{name}{kind.ending}"): each
            for name, each in zip(names, by_sound.values(), strict=True)
        }
    for path, some in parts.items():
        _write(path, kind, some)
    return list(parts)


def write_each(folder: Path, format: str, sounds: Sequence[tuple[Path, Sequence[Stretch]]]) -> list[Path]:
    """Write a file for each of some sounds into a folder, and return what was written.

    Each sound is given with the place of its file below the folder, without an ending, and its stretches; of one without
    any the file is empty. Of two with the same place the second gets a number.

    Raises
    ------
    UsageError
        The system refused to write.
    """
    kind = FORMATS[format]
    names = _names([str(place) for place, _ in sounds])
    targets = [folder / f"{name}{kind.ending}" for name in names]
    for target, (_, stretches) in zip(targets, sounds, strict=True):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{display(target.parent)}: cannot be made ({error.strerror}); give another folder"
            ) from error
        _write(target, kind, stretches)
    return targets


def _write(path: Path, kind: Format, stretches: Sequence[Stretch]) -> None:
    with output(path) as (temporary,), temporary.open("w", encoding="utf-8", newline="") as file:
        if stretches:
            kind.write(file, stretches)


def _names(stems: Sequence[str]) -> list[str]:
    """Names of files, each once: sounds of several folders may have the same.

    Examples
    --------
    >>> _names(["a", "b", "a"])
    ['a', 'b', 'a-2']
    """
    found: list[str] = []
    taken: set[str] = set()
    for stem in stems:
        number = 1
        name = stem
        while name.lower() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.lower())
        found.append(name)
    return found
