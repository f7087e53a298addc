"""Makes the figures and the picture of docs/detectors.md again: ``python docs/detectors.py DATA WORK``.

DATA is the folder of real audio (esc10, train, music). The detectors go to WORK and are not shipped: ESC-10 is a test.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))  # the recipe of the encoder, which is beside the package
import sonovec
from sonovec.learn import chart, report
from sonovec.learn.training import Settings, Training, train_into
from training.background import taken
from training.corpus import group

PICTURE = Path(__file__).parent / "pictures" / "train-esc10.png"
#: Seconds of each set in the hour of speech and music, and the recordings of DATA/music that are neither: animals.
HOUR = {
    "kathleen": 870,
    "picovoice_intent": 645,
    "picovoice_keywords": 310,
    "philharmonia": 400,
    "lmms": 367,
    "sonic_pi": 401,
}
NEITHER = ("robin", "humpback", "pibble")
#: What the last letters of a name in Donate-a-Cry say.
CRIES = {"hu": "hungry", "ti": "tired", "dc": "discomfort", "bp": "belly pain", "bu": "burping", "ch": "cold or hot"}


def rows_of(data: Path, name: str) -> list[dict[str, str]]:
    """The clips of one set."""
    with (data / "train" / "index.csv").open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["set"] == name]


def hour(data: Path, folder: Path) -> Path:
    """Links to an hour of speech and music, by equal steps through what no stored background is made of."""
    folder.mkdir(parents=True, exist_ok=True)
    sounds = [
        data / "train" / row["path"]
        for name, seconds in HOUR.items()
        for row in spread(apart(rows_of(data, name)), seconds)
    ]
    sounds += [path for path in (data / "music").glob("*.ogg") if not any(word in path.name for word in NEITHER)]
    for path in sounds:
        link = folder / f"{path.parent.name}-{path.name}"
        if not link.exists():
            link.symlink_to(path.resolve())
    return folder


def apart(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The clips of which no stored background is made."""
    return [row for row in rows if not taken(group(row))]


def spread(rows: Sequence[dict[str, str]], seconds: float) -> Iterator[dict[str, str]]:
    """Some of the clips, about so many seconds together."""
    share, due = min(1.0, seconds / sum(float(row["seconds"]) for row in rows)), 0.0
    for row in rows:
        due += share
        if due >= 1 - 1e-9:
            due -= 1
            yield row


def lists(data: Path, folder: Path) -> dict[str, Path]:
    """Lists of three other sets: path, label and group of each clip."""
    cries = [
        (row["path"], CRIES[name.rsplit("-", 1)[1]], "-".join(name.split("-")[:5]))
        for row in rows_of(data, "donateacry")
        for name in [row["source_name"].removesuffix(".wav")]
    ]
    notes = [
        (row["path"], *row["source_name"].split("_")[:2])
        for row in rows_of(data, "philharmonia")
        if row["source_name"].split("_")[1]  # instruments that have notes
    ]
    words = [
        (row["path"], Path(row["path"]).name.removeprefix("audio_").rsplit("_", 1)[0], row["source_name"])
        for row in rows_of(data, "picovoice_keywords")
    ]
    found = {}
    for name, clips in (("donate-a-cry", cries), ("instruments", notes), ("keywords", words)):
        found[name] = folder / f"{name}.csv"
        with found[name].open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("path", "label", "group"), *clips])
    return found


def told(name: str, result: Training) -> None:
    """One row of figures."""
    found = result.report
    error = f"{found.confidence.error:.3f}" if found.confidence else "-"
    columns = (report.percent(found.accuracy), report.percent(found.mean_average_precision), error)
    print(f"| {name} | {found.stretches} | {found.groups} | {len(found.classes)} |", " | ".join(columns), "|")
    for each in found.classes:
        print(f"    {each.name}: {report.percent(each.recall)} recall, AP {report.percent(each.average_precision)}")


def main(data: Path, work: Path) -> None:
    """Train on ESC-10 with its folds, count false alarms, draw; then train on the other sets."""
    encoder = sonovec.load()
    pool = hour(data, work / "hour of speech and music")
    settings = Settings(group=r"^(\d)-", false_alarms=pool)
    result = train_into(work / "esc10.detector", data / "esc10", encoder, settings)
    chart.draw(result.report, f"esc10: ESC-10, {encoder.card.name}", PICTURE)
    with Image.open(PICTURE) as image:  # a page of the site should be small
        image.convert("RGB").quantize(256).save(PICTURE, optimize=True)
    told("ESC-10", result)
    assert result.report.false_alarms is not None
    print(f"{result.report.false_alarms.hours:.2f} hours of speech and music")
    for row in report.alarm_rows(result.report.false_alarms):
        print("|", " | ".join(row), "|")
    for name, path in lists(data, work).items():
        told(name, train_into(work / f"{name}.detector", path, encoder, Settings(audio=data / "train")))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
