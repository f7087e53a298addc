"""Transcripts as files: text, JSON, subtitles, tables, and Praat's TextGrid; a table of the formats."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sonovec.errors import UsageError
from sonovec.paths import display, output
from sonovec.speech.transcript import Segment, Transcript


def as_row(segment: Segment) -> dict[str, Any]:
    """A segment as JSON has it."""
    return {
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "text": segment.text,
        "language": segment.language,
        "confidence": round(segment.confidence, 4),
        "words": [
            {
                "start": round(word.start, 3),
                "end": round(word.end, 3),
                "text": word.text,
                "confidence": round(word.confidence, 4),
            }
            for word in segment.words
        ],
    }


def as_record(transcript: Transcript) -> dict[str, Any]:
    """A transcript as JSON has it."""
    return {
        "duration": round(transcript.duration, 3),
        "language": transcript.language,
        "model": transcript.model,
        "notes": list(transcript.notes),
        "segments": [as_row(segment) for segment in transcript.segments],
    }


def _txt(transcript: Transcript) -> str:
    return "".join(f"{_line(segment.text)}\n" for segment in transcript.segments)


def _json(transcript: Transcript) -> str:
    return f"{json.dumps(as_record(transcript), ensure_ascii=False, allow_nan=False, indent=1)}\n"


def _srt(transcript: Transcript) -> str:
    cues = enumerate(transcript.segments, start=1)
    return "".join(f"{number}\n{_times(each, ',')}\n{_line(each.text)}\n\n" for number, each in cues)


def _vtt(transcript: Transcript) -> str:
    """WebVTT, in whose text three signs are written otherwise."""
    cues = (f"{_times(each, '.')}\n{_escaped(_line(each.text))}\n\n" for each in transcript.segments)
    return f"WEBVTT\n\n{''.join(cues)}"


def _tsv(transcript: Transcript) -> str:
    """Times in whole milliseconds, as Whisper's own tool writes them."""
    rows = (
        f"{_milliseconds(each.start)}\t{_milliseconds(each.end)}\t{_line(each.text)}\n" for each in transcript.segments
    )
    return f"start\tend\ttext\n{''.join(rows)}"


def _textgrid(transcript: Transcript) -> str:
    """Praat's long text format: two tiers of intervals, which follow each other without gaps."""
    end = max([transcript.duration, *(segment.end for segment in transcript.segments)])
    tiers = {
        "segments": [(each.start, each.end, each.text) for each in transcript.segments],
        "words": [(each.start, each.end, each.text) for each in transcript.words],
    }
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end:.6f}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, intervals) in enumerate(tiers.items(), start=1):
        filled = list(_filled(intervals, end))
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{name}"']
        lines += ["        xmin = 0", f"        xmax = {end:.6f}", f"        intervals: size = {len(filled)}"]
        for index, (first, last, text) in enumerate(filled, start=1):
            quoted = _line(text).replace('"', '""')
            lines += [
                f"        intervals [{index}]:",
                f"            xmin = {first:.6f}",
                f"            xmax = {last:.6f}",
            ]
            lines.append(f'            text = "{quoted}"')
    return "\n".join([*lines, ""])


def _filled(intervals: Iterable[tuple[float, float, str]], end: float) -> Iterator[tuple[float, float, str]]:
    """Intervals, and empty ones where nothing is said."""
    at = 0.0
    for start, stop, text in intervals:
        if start > at:
            yield at, start, ""
        yield start, stop, text
        at = stop
    if end > at:
        yield at, end, ""


def _line(text: str) -> str:
    """Text on one line, without tabs."""
    return " ".join(text.split())


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _times(segment: Segment, point: str) -> str:
    return f"{_clock(segment.start, point)} --> {_clock(segment.end, point)}"


def _clock(seconds: float, point: str) -> str:
    """A time as subtitles have it.

    Examples
    --------
    >>> _clock(3723.5, ",")
    '01:02:03,500'
    """
    minutes, thousandths = divmod(_milliseconds(seconds), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{thousandths // 1000:02}{point}{thousandths % 1000:03}"


#: What a format writes, by the ending of its files without the point.
FORMATS: Mapping[str, Callable[[Transcript], str]] = {
    "txt": _txt,
    "json": _json,
    "srt": _srt,
    "vtt": _vtt,
    "tsv": _tsv,
    "TextGrid": _textgrid,
}


def text_of(transcript: Transcript, format: str) -> str:
    r"""A transcript in a format of `FORMATS`.

    Examples
    --------
    >>> text_of(Transcript([Segment(0.2, 1.0, "Open sesame.")], 2.0), "srt")
    '1\n00:00:00,200 --> 00:00:01,000\nOpen sesame.\n\n'
    """
    return FORMATS[format](transcript)


def format_of(target: Path) -> str:
    """The format that the ending of a file asks for.

    Raises
    ------
    UsageError
        None has this ending.

    Examples
    --------
    >>> format_of(Path("talk.textgrid"))
    'TextGrid'
    """
    ending = target.suffix.removeprefix(".").lower()
    found = next((name for name in FORMATS if name.lower() == ending), None)
    if found is None:
        raise UsageError(f"{display(target)}: give a name with one of these endings: {endings()}")
    return found


def endings() -> str:
    """The endings that are known."""
    return ", ".join(f".{name}" for name in FORMATS)


def write(target: Path, transcript: Transcript, format: str | None = None) -> None:
    """Write a transcript to a file, whole or not at all, in the format of its ending or in another.

    Raises
    ------
    UsageError
        The ending is unknown, or the system refused to write.
    """
    text = text_of(transcript, format or format_of(target))
    with output(target) as (temporary,):
        temporary.write_text(text, encoding="utf-8", newline="")
