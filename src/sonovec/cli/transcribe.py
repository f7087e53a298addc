"""``sonovec transcribe``: what is said in files or in a stream, as text with times."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sonovec.cli.detect_live import layout_of, layout_options
from sonovec.cli.index import left_out_lines
from sonovec.cli.log import watched
from sonovec.cli.look_up import Seen, look_up
from sonovec.cli.options import (
    add_options,
    files_from_options,
    given_paths,
    jobs_option,
    json_option,
    part_options,
    weights_option,
)
from sonovec.cli.output import fail_of, position_text, print_json, seconds_text, warn, warn_of
from sonovec.cli.recogniser_options import parted, recogniser_options
from sonovec.cli.transcript_folder import TranscriptFolder
from sonovec.errors import UsageError
from sonovec.paths import check_output, display, from_text, printable, to_text
from sonovec.speech import writing
from sonovec.words import counted

if TYPE_CHECKING:
    from sonovec.audio.pipe import Layout
    from sonovec.speech.recogniser import Recogniser
    from sonovec.speech.transcript import Segment, Transcript

_model_options = (
    click.option(
        "-m",
        "--model",
        required=True,
        metavar="MODEL",
        help="A size of Whisper, such as base.en; or a Whisper or CTC model by hub id or folder.",
    ),
    weights_option,
    *recogniser_options(),
    click.option("--precision", type=click.Choice(["auto", "f32", "bf16", "int8"]), help="Numbers to compute in."),
    click.option("--denoise", is_flag=True, help="Take steady noise out of what is heard (pip extra: denoise)."),
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where the model runs."),
    jobs_option,
)
_file_options = (
    click.option(
        "-o",
        "--out",
        "targets",
        multiple=True,
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help=f"Also write the transcript of one sound, by the ending: {writing.endings()}. Repeatable.",
    ),
    click.option(
        "--out-folder",
        "folder",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="FOLDER",
        help="Also write one file for each sound into FOLDER, and transcribe only those that it does not have yet.",
    ),
    click.option(
        "--format",
        "format",
        type=click.Choice(list(writing.FORMATS)),
        help="Of the files in --out-folder.  [default: txt]",
    ),
)


@click.command(short_help="What is said, as text with times.")
@click.argument("arguments", nargs=-1, type=click.Path(), metavar="[FILE...|-]")
@add_options(files_from_options)
@add_options(_model_options)
@click.option("--align", metavar="TEXT", help="CTC: say when each word of a known text, or of a file of text, is said.")
@add_options(_file_options)
@add_options(part_options("Hear only a part of each sound"))
@add_options(layout_options)
@json_option
def transcribe(
    arguments: tuple[str, ...],
    files_from: str | None,
    null: bool,
    model: str,
    denoise: bool,
    align: str | None,
    targets: tuple[Path, ...],
    folder: Path | None,
    format: str | None,
    start: float,
    end: float | None,
    rate: int | None,
    channels: int | None,
    encoding: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Write down what is said in FILE, and from when to when.

    FILE may be a folder, which is searched for audio as by `sonovec index`. `-` is a stream on the standard input: WAV,
    samples without a header (--rate), or what FFmpeg reads from a pipe; each segment is printed when its pause has begun.

    Only what voice activity takes for speech is heard: nothing is written where nobody speaks.
    """
    from sonovec.speech.loading import load

    recognising, running = parted(options)
    used = recognising | {name: value for name, value in running.items() if value is not None}
    _check(targets, folder, format)
    layout = layout_of(rate, channels, encoding)
    if "-" in arguments:
        if arguments != ("-",) or files_from:
            raise UsageError("- is a stream of sound, which is heard alone; give the paths of files by --files-from -")
        for name, given in (("--start", start), ("--end", end), ("--out-folder", folder), ("--align", align)):
            if given:
                raise UsageError(f"{name} is of files; leave it out for a stream")
        return _listen(load(model, **used), used.get("language"), denoise, layout, targets, as_json)
    if layout is not None:
        raise UsageError("--rate, --channels and --encoding are of a stream; give - in place of files")
    roots = [from_text(path) for path in given_paths(arguments, files_from, null)]
    seen = look_up(roots)
    alone = "-o" if targets else "--align" if align is not None else None
    if alone is not None and len(seen.found) > 1:
        raise UsageError(f"{alone} is of one sound, and there are {len(seen.found)}; give one, or --out-folder FOLDER")
    if align is not None:
        if folder is not None:
            raise UsageError("--align is of one sound; write it with -o FILE in place of --out-folder")
        if denoise:
            raise UsageError("--align hears a sound as it is; leave --denoise out")
        return _align(seen, align, model, used, (start, end), targets, as_json)
    recogniser = load(model, **used)
    kept = None
    if folder is not None:
        settings = _settings(recogniser, used.get("language"), start, end, denoise)
        kept = TranscriptFolder(folder, format or "txt", seen.found, roots, settings)
    return _of_files(seen, recogniser, used.get("language"), (start, end), denoise, targets, kept, as_json)


def _check(targets: Sequence[Path], folder: Path | None, format: str | None) -> None:
    """Refuse files that could not be written in the end."""
    for target in targets:
        writing.format_of(target)
        check_output(target)
    if folder is not None:
        check_output(folder / "a.txt")
    elif format is not None:
        raise UsageError(f"--format {format} is of the files in --out-folder; add --out-folder FOLDER, or leave it out")


def _settings(recogniser: Recogniser, language: str | None, start: float, end: float | None, denoise: bool) -> str:
    """All that shapes a transcript beside the content of a sound."""
    from sonovec.cleaning.chain import Cleaning
    from sonovec.speech.transcribing import VERSION

    part = f"{start:g}-{'' if end is None else f'{end:g}'}"
    cleaned = Cleaning(denoise=denoise).passport.values()
    return " ".join([f"{recogniser.name}@{recogniser.version}", VERSION, language or "", part, *cleaned])


def _of_files(
    seen: Seen,
    recogniser: Recogniser,
    language: str | None,
    part: tuple[float, float | None],
    denoise: bool,
    targets: Sequence[Path],
    folder: TranscriptFolder | None,
    as_json: bool,
) -> int:
    from sonovec.embedding.embedding import Failure
    from sonovec.speech.remembering import remembering
    from sonovec.speech.transcribing import transcribed

    there = [] if folder is None else [sound for sound in seen.found if folder.has(sound)]
    wanted = [sound for sound in seen.found if sound not in set(there)]
    rows: list[dict[str, Any]] = []
    failures = seen.failures
    place = folder.heard if folder is not None else _heard_beside(targets[0]) if targets else None
    with watched() as bar, nullcontext(recogniser) if place is None else remembering(recogniser, place) as hearing:
        heard = transcribed(wanted, hearing, language, *part, denoise, progress=bar)
        for sound, result in zip(wanted, heard, strict=True):
            if isinstance(result, Failure):
                failures.append((to_text(sound), result.reason))
                continue
            if folder is not None:
                folder.write(sound, result)
            for target in targets:
                writing.write(target, result)
            rows.append(_told(sound, result, as_json))
    _report(seen, recogniser, rows, [to_text(sound) for sound in there], failures, as_json)
    if folder is not None and not as_json:
        warn(f"{counted(len(rows), 'transcript')} written, {len(there)} there already")
    return 1 if failures else 0


def _heard_beside(target: Path) -> Path:
    """Where what is heard is kept until a file is written."""
    return target.with_name(f".{target.name}.heard")


def _align(
    seen: Seen,
    text: str,
    model: str,
    options: dict[str, Any],
    part: tuple[float, float | None],
    targets: Sequence[Path],
    as_json: bool,
) -> int:
    from sonovec.speech.alignment import align
    from sonovec.speech.ctc import CtcRecogniser
    from sonovec.speech.loading import load

    recogniser = load(model, **options)
    if not isinstance(recogniser, CtcRecogniser):
        raise UsageError(f"--align needs a CTC model, and {recogniser.name} is none; give one, such as a wav2vec 2.0")
    rows = []
    for sound in seen.found:
        result = align(sound, _text(text), recogniser, start=part[0], end=part[1])
        for target in targets:
            writing.write(target, result)
        rows.append(_told(sound, result, as_json))
    _report(seen, recogniser, rows, [], seen.failures, as_json)
    return 1 if seen.failures else 0


def _text(given: str) -> str:
    """A text, from a file if there is one of that name."""
    path = Path(given)
    try:
        is_file = path.is_file()
    except (OSError, ValueError):  # a text that is too long for a name, or holds what no name does
        is_file = False
    if not is_file:
        return given
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"--align {display(given)}: cannot be read as text in UTF-8 ({error})") from error


def _told(sound: Path, transcript: Transcript, as_json: bool) -> dict[str, Any]:
    """A transcript as a row; it is printed at once where no JSON is asked for."""
    path = to_text(sound)
    for note in transcript.notes:
        warn_of(path, note)
    if not as_json:
        language = f", {transcript.language}" if transcript.language else ""
        click.echo(f"{printable(path)} ({transcript.duration:.1f} s{language})")
        for segment in transcript.segments:
            click.echo(f"  {_line(segment)}")
        click.echo()
    return {"path": path, **writing.as_record(transcript)}


def _line(segment: Segment) -> str:
    return f"{seconds_text(segment.start, segment.end)}  {printable(' '.join(segment.text.split()))}"


def _report(
    seen: Seen,
    recogniser: Recogniser,
    rows: list[dict[str, Any]],
    there: list[str],
    failures: list[tuple[str, str]],
    as_json: bool,
) -> None:
    left_out = [(to_text(item.path), item.reason) for item in seen.skipped if item.by_custom]
    for line in left_out_lines(left_out):
        warn(line)
    for path, reason in failures:
        fail_of(path, reason)
    if as_json:
        print_json(
            {
                "model": recogniser.name,
                "version": recogniser.version,
                "sounds": rows,
                "kept": there,
                "failures": [{"path": path, "reason": reason} for path, reason in failures],
                "left_out": [{"path": path, "reason": reason} for path, reason in left_out],
            }
        )


def _listen(
    recogniser: Recogniser,
    language: str | None,
    denoise: bool,
    layout: Layout | None,
    targets: Sequence[Path],
    as_json: bool,
) -> int:
    """Print segments as they come, and write files at the end, whether that is the stream's or Ctrl-C."""
    from sonovec.audio.live import LiveMono
    from sonovec.audio.pipe import NAME, open_pipe
    from sonovec.speech.recogniser import RATE
    from sonovec.speech.transcribing import Transcribing, language_of
    from sonovec.speech.transcript import Transcript

    live = LiveMono(open_pipe(sys.stdin.buffer, layout), RATE)
    stream = Transcribing(recogniser, language, live=True, denoise=denoise)
    heard: list[Segment] = []

    def tell(segments: Sequence[Segment]) -> None:
        for segment in segments:
            heard.append(segment)
            row = json.dumps(writing.as_row(segment), ensure_ascii=False, allow_nan=False)
            click.echo(row if as_json else _line(segment))
        sys.stdout.flush()

    try:
        for block in live:
            tell(stream.push(block))
        tell(stream.finish())
    except KeyboardInterrupt:
        tell(stream.finish())  # what is known by then
        raise
    finally:
        transcript = Transcript(heard, live.seconds, language_of(heard), f"{recogniser.name}@{recogniser.version}")
        for target in targets:
            writing.write(target, transcript)
        for note in [*live.notes, *stream.notes]:
            warn(f"{NAME}: {note}")
        warn(f"{NAME}: {position_text(live.seconds)} heard, {counted(len(heard), 'segment')}")
    return 0
