"""``sonovec tag``: what is heard in sounds, and from when to when."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sonovec.cli.options import add_options, encoder_options, encoder_settings, json_option
from sonovec.cli.output import print_json, print_table, progress_bar, seconds_text, warn, warn_of

if TYPE_CHECKING:
    from sonovec.embedding.embedding import Embedding

COLUMNS = ("path", "start", "end", "tag", "score")


@click.command(short_help="What is heard in sounds, and when.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--top", default=5, show_default=True, help="Tags of a whole sound.")
@click.option("--threshold", default=0.2, show_default=True, help="Score from which a tag counts over time.")
@click.option(
    "--csv", "table", type=click.Path(path_type=Path), metavar="OUT.csv", help="Also write what is heard when."
)
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    metavar="OUT.txt",
    help="The same of one sound, as labels for Audacity.",
)
@click.option("--windows", is_flag=True, help="With --json: the tags of every window, too.")
@add_options(encoder_options)
@json_option
def tag(
    paths: tuple[Path, ...],
    top: int,
    threshold: float,
    table: Path | None,
    labels: Path | None,
    windows: bool,
    model: str | None,
    weights: str | None,
    options: tuple[str, ...],
    as_json: bool,
    **settings: object,
) -> int:
    """Name what is heard in FILE, on the whole and over time.

    FILE may be a folder, which is searched for audio. The names are AudioSet's, and the scores the model's own.
    """
    from sonovec.audio.scan import Found, scan
    from sonovec.embedding.embedding import Failure
    from sonovec.embedding.encoder import load
    from sonovec.errors import UsageError
    from sonovec.models import registry
    from sonovec.paths import display

    _check(top, threshold)
    encoder = load(model or registry.ALIAS, **encoder_settings(options, weights=weights, **settings))  # type: ignore[arg-type]
    if not encoder.tags:
        raise UsageError(f"model {encoder.card.name!r} scores no tags; leave --model out, or give one such as yamnet")
    seen = list(scan(paths))
    found = [item.path for item in seen if isinstance(item, Found)]
    failures = [(display(item.path), item.reason) for item in seen if not isinstance(item, Found) and item.failed]
    if not found and not failures:
        raise UsageError(f"no audio files in {', '.join(map(display, paths))}; give files or folders that hold sound")
    if labels and len(found) != 1:
        raise UsageError(f"--labels {display(labels)}: {len(found)} sounds; give one, or --csv for many")
    heard: list[dict[str, Any]] = []
    with progress_bar("tagging") as update:
        for done, result in enumerate(encoder.embed_many(found), start=1):
            if update:
                update(done, len(found), "")
            if isinstance(result, Failure):
                failures.append((display(result.path or ""), result.reason))
                continue
            heard.append(_told(result, top, threshold, windows))
            if not as_json:
                _print(heard[-1], blank=len(heard) > 1)
            for note in result.notes:
                warn_of(heard[-1]["path"], note)
    if table:
        _write_csv(table, heard)
    if labels and heard:
        _write_labels(labels, heard[0])
    for path, reason in failures:
        warn_of(path, reason)
    if as_json:
        failed = [{"path": path, "reason": reason} for path, reason in failures]
        print_json({"model": encoder.card.name, "threshold": threshold, "sounds": heard, "failures": failed})
    return 1 if failures else 0


def _check(top: int, threshold: float) -> None:
    from sonovec.errors import UsageError

    if top < 1:
        raise UsageError(f"--top {top} tells nothing; give 1 or more")
    if not 0 <= threshold <= 1:
        raise UsageError(f"--threshold {threshold} is no score; give one from 0 to 1")


def _told(sound: Embedding, top: int, threshold: float, windows: bool) -> dict[str, Any]:
    from sonovec.paths import display

    told: dict[str, Any] = {
        "path": display(sound.path or ""),
        "duration": sound.duration,
        "tags": [{"tag": name, "score": score} for name, score in sound.top_tags(top)],
        "events": [
            {"start": event.start, "end": event.end, "tag": event.tag, "score": event.score}
            for event in sound.events(threshold)
        ],
    }
    if windows:
        told["windows"] = [
            {"start": float(start), "end": float(end), "tags": _best(sound, row, top)}
            for row, (start, end) in enumerate(sound.times)
        ]
    return told


def _best(sound: Embedding, row: int, top: int) -> list[dict[str, Any]]:
    best = sorted(zip(sound.scores[row].tolist(), sound.tags, strict=True), key=lambda pair: -pair[0])[:top]
    return [{"tag": name, "score": score} for score, name in best]


def _print(told: dict[str, Any], blank: bool) -> None:
    if blank:
        click.echo()
    click.echo(f"{told['path']} ({told['duration']:.1f} s)")
    click.echo("  " + ", ".join(f"{each['tag']} {each['score']:.2f}" for each in told["tags"]))
    rows = [(seconds_text(each["start"], each["end"]), each["tag"], each["score"]) for each in told["events"]]
    if rows:
        print_table(["seconds", "tag", "score"], rows)
    else:
        warn(f"{told['path']}: nothing reaches the threshold at any time; try a lower --threshold")


def _write_csv(target: Path, heard: Sequence[dict[str, Any]]) -> None:
    from sonovec.paths import atomic

    with atomic(target) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for sound in heard:
            writer.writerows({"path": sound["path"], **event} for event in sound["events"])


def _write_labels(target: Path, sound: dict[str, Any]) -> None:
    from sonovec.paths import atomic

    lines = [f"{each['start']:.6f}\t{each['end']:.6f}\t{each['tag']}\n" for each in sound["events"]]
    with atomic(target) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")
