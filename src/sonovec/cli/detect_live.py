"""``sonovec detect -``: events of a stream on the standard input, a line each as they end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sonovec.cli import stretch_files, stretch_output
from sonovec.cli.detection_rows import as_row, as_stretch, example_text
from sonovec.cli.output import position_text, seconds_text, warn
from sonovec.errors import UsageError

if TYPE_CHECKING:
    from sonovec.audio.pipe import Layout
    from sonovec.learn.detection import Panel
    from sonovec.learn.events import Detection

#: What a stream is called where a file would have its path.
PATH = "-"
#: Formats whose lines can be printed one by one.
LINED = [name for name in stretch_files.FORMATS if name not in ("cue", "labelstudio")]

layout_options: Sequence[Callable[[Any], Any]] = (
    click.option("--rate", type=int, help="Of a stream of samples without a header: samples a second."),
    click.option("--channels", type=int, help="Of such a stream.  [default: 1]"),
    click.option(
        "--encoding",
        type=click.Choice(["u8", "s16le", "s24le", "s32le", "f32le", "f64le"]),
        help="Of the samples of such a stream.  [default: s16le]",
    ),
)
stream_options: Sequence[Callable[[Any], Any]] = (
    *layout_options,
    click.option("--begins", is_flag=True, help="Of a stream: print events as they begin, too."),
)


@dataclass(frozen=True)
class Stream:
    """What was said of a stream."""

    layout: Layout | None = None
    begins: bool = False

    @classmethod
    def of(cls, rate: int | None, channels: int | None, encoding: str | None, begins: bool) -> Stream:
        """That of the options."""
        return cls(layout_of(rate, channels, encoding), begins)


def layout_of(rate: int | None, channels: int | None, encoding: str | None) -> Layout | None:
    """What the options say of samples without a header; the rate says that they have none."""
    if rate is None and (channels or encoding):
        raise UsageError(
            "--channels and --encoding are of samples without a header; give --rate too, or leave them out"
        )
    if rate is None:
        return None
    from sonovec.audio.pipe import Layout

    return Layout(rate, 1 if channels is None else channels, encoding or "s16le")


def listen(panels: Sequence[Panel], stream: Stream, targets: Sequence[Path], format: str | None, as_json: bool) -> int:
    """Print events as they come, and write files at the end, whether that is the stream's or Ctrl-C."""
    from sonovec.audio.pipe import NAME, open_pipe
    from sonovec.learn.live import Live
    from sonovec.words import counted

    if format is not None and (as_json or format not in LINED or (stream.begins and format != "jsonl")):
        reason = (
            "--json prints lines of its own" if as_json else f"give one of: {', '.join(LINED)} (with --begins: jsonl)"
        )
        raise UsageError(f"--format {format}: {reason}")
    stretch_output.check(targets)
    live = Live(open_pipe(sys.stdin.buffer, stream.layout), *panels)
    printer = _Printer(format, as_json)
    try:
        for event in live:
            printer.tell(event)
    except KeyboardInterrupt:
        for event in live.finish():  # what is known by then
            printer.tell(event)
        raise
    finally:
        stretch_output.write(targets, printer.ended, "nothing was detected")
        for note in live.notes:
            warn(f"{NAME}: {note}")
        warn(f"{NAME}: {position_text(live.seconds)} heard, {counted(len(printer.ended), 'event')}")
    return 0


class _Printer:
    """Prints each event as a line, at once: whoever reads the pipe waits for it."""

    def __init__(self, format: str | None, as_json: bool) -> None:
        self._as_json = as_json
        self._next: dict[str, Any] = {}
        self._texts = None if format is None else stretch_files.FORMATS[format].texts(self._given())
        self.ended: list[dict[str, Any]] = []

    def tell(self, event: Detection) -> None:
        """Print an event."""
        row = as_row(event)
        self._next = as_stretch(PATH, row)
        if event.end is not None:
            self.ended.append(self._next)
        if self._as_json:
            click.echo(json.dumps(row, allow_nan=False))
        elif self._texts is None:
            click.echo("\t".join(_words(event, row)))
        else:
            click.echo(next(self._texts), nl=False)
        sys.stdout.flush()

    def _given(self) -> Iterator[dict[str, Any]]:
        while True:
            yield self._next


def _words(event: Detection, row: dict[str, Any]) -> list[str]:
    when = f"{position_text(event.start)}-" if event.end is None else seconds_text(event.start, event.end)
    nearest = [example_text(row["examples"][0])] if row.get("examples") else []
    return [when, event.name, f"{event.probability:.2f}", event.detector, *nearest]
