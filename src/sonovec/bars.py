"""The one bar: how far a job is, for people who look at a terminal or a notebook."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from sonovec.html import Html, element

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from sonovec.jobs import Progress

#: Characters of a note that are shown.
LONGEST_NOTE = 40
#: Seconds between two pictures of a bar in a notebook.
PAGE_SECONDS = 0.2


def visible_bar() -> Bar | None:
    """A bar on the error stream, or in the notebook; None where nobody would see it."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_jupyter:
        return PageBar()
    return TerminalBar(console) if console.is_terminal else None


class Bar(Protocol):
    """Draws each `Progress` that it is called with, from the first on, until it is closed; called again, it begins anew."""

    def __call__(self, progress: Progress) -> None:
        """Draw how far it is."""
        ...

    def close(self) -> None:
        """Draw no more, and let the last picture stand."""
        ...


class TerminalBar:
    """A `Bar` on a terminal, drawn by Rich."""

    def __init__(self, console: Any) -> None:
        self._console = console
        self._drawn: tuple[RichProgress, TaskID] | None = None

    def __call__(self, progress: Progress) -> None:
        """Draw how far it is."""
        if self._drawn is None:
            self._drawn = self._begin()
        drawn, task = self._drawn
        drawn.update(
            task,
            description=progress.stage,
            completed=progress.done,
            total=progress.total,
            count=_count(progress),
            remark=_remark(progress),
        )

    def close(self) -> None:
        """Draw no more, and let the last picture stand."""
        if self._drawn is not None:
            drawn, self._drawn = self._drawn[0], None
            drawn.stop()

    def _begin(self) -> tuple[RichProgress, TaskID]:
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        columns = [
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[count]}", markup=False),
            TextColumn("{task.fields[remark]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        ]
        # What others print to the output stream is theirs: it stays there. Lines on the error stream go above the bar.
        drawn = RichProgress(*columns, console=self._console, redirect_stdout=False)
        task = drawn.add_task("", total=None, count="", remark="")
        drawn.start()
        return drawn, task


class PageBar:
    """A `Bar` in a notebook: a line of the page, which is drawn anew; Rich's bar needs a package of widgets there."""

    def __init__(self) -> None:
        self._shown: Any = None
        self._progress: Progress | None = None
        self._began = self._drawn = 0.0

    def __call__(self, progress: Progress) -> None:
        """Draw how far it is, a few times in a second."""
        self._progress = progress
        if self._shown is None or time.monotonic() - self._drawn >= PAGE_SECONDS:
            self._draw(progress)

    def close(self) -> None:
        """Draw the last picture, and let it stand."""
        if self._shown is not None and self._progress is not None:
            self._draw(self._progress)
        self._shown = None

    def _draw(self, progress: Progress) -> None:
        from IPython.display import HTML, display

        self._drawn = time.monotonic()
        if self._shown is None:
            self._began = self._drawn
            self._shown = display(HTML(page_of(progress, 0.0)), display_id=True)
        else:
            self._shown.update(HTML(page_of(progress, self._drawn - self._began)))


def page_of(progress: Progress, seconds: float) -> Html:
    """A bar as HTML, after so many seconds; without a total it moves, and says nothing of how far it is."""
    known = {"max": max(progress.total, 1), "value": progress.done} if progress.total is not None else {}
    told = f" {progress.stage}  {_count(progress)} {progress.unit}  {_remark(progress)}  {_clock(seconds)}"
    return element("div", element("progress", style="width:240px;vertical-align:middle", **known), told)


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02}"


def _count(progress: Progress) -> str:
    if progress.unit == "bytes":
        told = f"{progress.done / 1e6:.1f}"
        return f"{told} MB" if progress.total is None else f"{told}/{progress.total / 1e6:.1f} MB"
    return f"{progress.done}" if progress.total is None else f"{progress.done}/{progress.total}"


def _remark(progress: Progress) -> str:
    from sonovec.paths import display

    heard = [f"{progress.audio_seconds / 60:.1f} min of sound"] if progress.audio_seconds else []
    note = display(progress.note)
    return "  ".join([*heard, note if len(note) <= LONGEST_NOTE else f"{note[: LONGEST_NOTE - 3]}..."]).strip()
