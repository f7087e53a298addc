"""Files of stretches of sounds, in the formats of the tools that people look at them with."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def _csv(stretches: Iterable[Stretch]) -> Iterator[str]:
    line, writer = _Row(), None
    for row in stretches:
        if writer is None:
            writer = csv.DictWriter(line, list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow({**row, "label": _line(row["label"])})
        yield line.taken()


def _json_lines(stretches: Iterable[Stretch]) -> Iterator[str]:
    for stretch in stretches:
        yield f"{json.dumps(stretch, ensure_ascii=False, allow_nan=False)}\n"


def _audacity(stretches: Iterable[Stretch]) -> Iterator[str]:
    for each in stretches:
        yield f"{each['start']:.6f}\t{each['end']:.6f}\t{_line(each['label'])} {each['score']:.3f}\n"


def _raven(stretches: Iterable[Stretch]) -> Iterator[str]:
    """Cells between tabs, as they are: Raven knows neither quotes nor escapes."""
    for number, each in enumerate(stretches, start=1):
        times = f"{each['start']:.6f}", f"{each['end']:.6f}"
        place = display(from_text(each["path"])), times[0]
        scored = _line(each["label"]), f"{each['score']:.6f}"
        cells = [number, "Spectrogram 1", 1, *times, LOWEST, HIGHEST, *place, *scored]
        head = "\t".join(RAVEN) + "\n" if number == 1 else ""
        yield head + "\t".join(map(str, cells)) + "\n"


def _srt(stretches: Iterable[Stretch]) -> Iterator[str]:
    for number, each in enumerate(stretches, start=1):
        times = f"{_srt_time(each['start'])} --> {_srt_time(each['end'])}"
        yield f"{number}\n{times}\n{_line(each['label'])} {each['score']:.3f}\n\n"


def _srt_time(seconds: float) -> str:
    """A time as subtitles have it.

    Examples
    --------
    >>> _srt_time(3723.5)
    '01:02:03,500'
    """
    minutes, thousandths = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{thousandths // 1000:02},{thousandths % 1000:03}"


def _cue(stretches: Iterable[Stretch]) -> Iterator[str]:
    ordered = sorted(stretches, key=lambda each: each["start"])
    for number, each in enumerate(ordered, start=1):
        if number == 1:
            name = _line(from_text(each["path"]).name).replace('"', "'")
            yield f'FILE "{name}" WAVE\n'
        seconds, frames = divmod(round(each["start"] * CUE_FRAMES), CUE_FRAMES)
        title = _line(each["label"]).replace('"', "'")
        yield f'  TRACK {number:02} AUDIO\n    TITLE "{title} {each["score"]:.3f}"\n'
        yield f"    INDEX 01 {seconds // 60:02}:{seconds % 60:02}:{frames:02}\n"


class _Row:
    """What the package csv writes rows to."""

    def __init__(self) -> None:
        self._text = ""

    def write(self, text: str) -> None:
        """Keep a row."""
        self._text += text

    def taken(self) -> str:
        """What was written since the last call."""
        text, self._text = self._text, ""
        return text


def _line(text: str) -> str:
    """Text on one line, without tabs."""
    return " ".join(text.split())


@dataclass(frozen=True)
class Format:
    """How stretches become text: a piece for each as it comes, which for cue sheets wait for all of them.

    `alone`: a file of this kind is about one sound.
    """

    texts: Callable[[Iterable[Stretch]], Iterator[str]]
    ending: str
    alone: bool = False


FORMATS: Mapping[str, Format] = {
    "csv": Format(_csv, ".csv"),
    "jsonl": Format(_json_lines, ".jsonl"),
    "raven": Format(_raven, ".selections.txt"),
    "audacity": Format(_audacity, ".txt", alone=True),
    "srt": Format(_srt, ".srt", alone=True),
    "labelstudio": Format(label_studio.texts, ".tasks.json"),
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
        names = numbered([from_text(path).stem for path in by_sound])
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
    names = numbered([str(place) for place, _ in sounds])
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
            file.writelines(kind.texts(stretches))


def numbered(stems: Sequence[str]) -> list[str]:
    """Names of files, each once: sounds of several folders may have the same.

    Examples
    --------
    >>> numbered(["a", "b", "a"])
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
