"""What commands print with ``--json`` has the shape that a schema in docs/schemas says; each command is really run."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import soundfile

from sonovec import Library, demo
from sonovec.cli.main import cli, run
from sonovec.library.records import Passage
from tests.learn.detectors import tones
from tests.models import tiny
from tests.speech.training import spoken

jsonschema = pytest.importorskip("jsonschema", reason="shapes are held by the package jsonschema")

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"
SCHEMAS = {path.stem: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}
#: Where a command has more shapes than one, or the shape of another.
MORE, SAME = (
    {
        "finetune-ctc",
        "search-places",
        "search-many",
        "search-said",
        "detect-library",
        "label-suggest",
        "cluster-new",
        "error",
    },
    {"models": "models-list"},
)

#: By the name of a schema: commands that are run one after the other, and the exit code of each. They share one folder, with
#: `sounds`, `flat` (without classes), `broken` (sounds, one of them damaged), the library `library` of `sounds`, which is
#: `exported` and `copied`, the library `copies` of one sound in three files, the library `failed` of `broken`, the library
#: `spaced` of `flat` with a second space, a detector. Each runs alone: workers share the tests out as it comes.
RUNS: dict[str, list[tuple[str, int]]] = {
    "index": [
        ("index broken -l other --metadata sounds/demo.csv", 1),
        ("index sounds/bells -l library --space second -m logmel", 0),
        ("index sounds -l library --prune --show-skipped", 0),
    ],
    "search": [
        ("search sounds/bells/bells-01.flac -l library", 0),
        ("search sounds/bells/bells-01.flac -l library --level segment", 0),
        ("search sounds/rain/rain-01.flac -l copies", 0),
        ("search sounds/bells/bells-01.flac -l library --filter duration>1000", 0),
        ("search --text music -l library", 0),
        ("search --text helicopter -l library", 0),
        ("search --text music-theremin-moon -l library", 0),
        ("search sounds/rain/rain-01.flac -l library --said door", 0),
    ],
    "search-places": [
        ("search sounds/bells/bells-01.flac -l library --places", 0),
        ("search sounds/bells/bells-01.flac -l library --places --min-score 1", 0),
    ],
    "search-said": [("search --said door -l library", 0), ("search --said window -l library", 0)],
    "duplicates": [("duplicates -l library", 0), ("duplicates -l copies", 0)],
    "cluster": [
        ("cluster library --column kinds", 0),
        ("cluster library -k 2 --dry-run --within duration>0", 0),
        ("cluster library --method hdbscan --min-size 2 --dry-run", 0),
    ],
    "cluster-new": [("cluster library --new --column twos", 0)],
    "outliers": [("outliers library", 0), ("outliers library -n 3", 0), ("outliers library --since 1d", 0)],
    "fad": [("fad library copies", 0), ("fad sounds/bells sounds/rain -m logmel", 0)],
    "search-many": [("search sounds/bells/bells-01.flac missing.wav -l library", 1)],
    "show": [("show sounds/bells/bells-01.flac -l library", 0)],
    "remove": [
        ("remove sounds/bells/bells-01.flac -l library --dry-run", 0),
        ("remove --filter duration>0 -l copied --yes", 0),
    ],
    "history": [("history -l library", 0), ("history -l failed --run 1", 0), ("history -l failed --failed", 0)],
    "stats": [("stats -l library", 0)],
    "export": [("export library exported-again", 0)],
    "import": [("import exported -l imported", 0), ("import exported -l imported", 0)],
    "list": [("list -l library", 0), ("list -l library --columns all", 0)],
    "tag": [("tag sounds/bells", 0), ("tag broken --windows", 1), ("tag sounds --class music --min-duration 1", 0)],
    "embed": [("embed broken -o vectors.npz", 1)],
    "plot": [("plot sounds/bells/bells-01.flac -o picture.png", 0)],
    "doctor": [("doctor", 0), ("doctor -l library", 0)],
    "finetune": [("finetune sounds -o tuned --epochs 1 --head-only --batch 4 --held-out 0.4", 0)],
    "finetune-ctc": [
        ("finetune words -o written --task ctc --from-scratch --epochs 1 --batch 8 --front-end frozen", 0),
        ("finetune words -o again --task ctc -m written --epochs 1 --batch 8 --test others/list.csv", 0),
    ],
    "pretrain": [("pretrain sounds -o pretrained --steps 2 --every 1 --batch 10", 0)],
    "evaluate": [("evaluate sounds -m logmel --robustness gain", 0)],
    "models-list": [("models", 0), ("models list", 0)],
    "models-show": [("models show default", 0), ("models show yamnet", 0), ("models show byola-512", 0)],
    "models-fetch": [("models fetch default", 0)],
    "models-remove": [("models remove yamnet", 0)],
    "models-check": [("models check logmel --quick", 0)],
    "models-compare": [("models compare sounds -m logmel,default", 0), ("models compare flat -m logmel,default", 0)],
    "models-quantize": [("models quantize default sounds", 0)],
    "library-roots": [("library roots library", 0)],
    "library-jobs": [("library jobs library", 0)],
    "library-rename-root": [("library rename-root spaced flat renamed", 0)],
    "library-move-root": [("library move-root failed broken broken-moved", 0)],
    "library-spaces": [("library spaces library", 0)],
    "library-drop-space": [("library drop-space spaced second", 0)],
    "error": [("search missing.wav -l library", 2), ("search --no-such-option", 2), ("list -l nowhere", 2)],
    "demo": [("demo", 0)],
    "label": [("label library --class bells --who ann", 0), ("label library --class rain --class bells --who bob", 0)],
    "label-suggest": [
        ("label library --class bells --class rain --suggest 3", 0),
        ("label failed --class a --suggest 9", 0),
    ],
    "detect": [
        ("detect sounds/bells broken -d tones.detector --explain --threshold 0.01", 1),
        ("detect sounds -d tones.detector --class beep", 0),
    ],
    "detect-library": [("detect -l failed -d tones.detector", 0)],
    "transcribe": [("transcribe sounds/bells broken -m writer --out-folder texts", 1)],
    "train": [
        ("train sounds -m logmel -o sounds.detector", 0),
        ("train sounds -m logmel --background copy.wav --false-alarms loud.wav --precision 0.9", 0),
    ],
}
SLOW = {
    "plot",
    "pretrain",
    "finetune",
    "finetune-ctc",
    "search-places",
    "demo",
    "evaluate",
    "models-check",
    "models-quantize",
    "models-compare",
    "transcribe",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("shapes")
    demo.write(place / "sounds", per_kind=3)
    for kind in place.joinpath("sounds").iterdir():
        if kind.is_dir() and kind.name not in ("bells", "rain"):
            shutil.rmtree(kind)
    shutil.copy(place / "sounds" / "bells" / "bells-01.flac", place / "sounds" / "bells" / "copy.flac")
    shutil.copytree(place / "sounds" / "bells", place / "broken")
    shutil.copytree(place / "sounds" / "bells", place / "flat")
    broken = place / "broken" / "bells-01.flac"
    broken.write_bytes(broken.read_bytes()[:40])
    assert run(["index", str(place / "sounds"), "-l", str(place / "library"), "--quiet"]) == 0
    assert run(["cluster", str(place / "library"), "-k", "2", "--column", "twos", "--quiet"]) == 0
    with Library(place / "library") as library:
        library.passages.put([Passage(library.tracks()[0].id, 0.0, 1.0, "A door bell.", "Ann", 1.0, "en")])
    samples, rate = soundfile.read(place / "sounds" / "bells" / "bells-01.flac")
    for name, gain in (("loud", 1.0), ("quiet", 0.1), ("copy", 0.1)):
        soundfile.write(place / f"{name}.wav", gain * samples, rate)
    paths = [str(place / f"{name}.wav") for name in ("loud", "quiet", "copy")]
    assert run(["index", *paths, "-l", str(place / "copies"), "--analyser", "fingerprint", "--quiet"]) == 0
    assert run(["index", str(place / "broken"), "-l", str(place / "failed"), "-m", "logmel", "--quiet"]) == 1
    shutil.copytree(place / "broken", place / "broken-moved")
    for more in ([], ["--space", "second"]):
        index = ["index", str(place / "flat"), "-l", str(place / "spaced"), "-m", "logmel", *more, "--quiet"]
        assert run(index) == 0
    tones().save(place / "tones.detector")
    spoken.write(place / "words", count=12)
    spoken.write(place / "others", count=2, seed=1)
    assert run(["export", str(place / "library"), str(place / "exported")]) == 0
    assert run(["import", str(place / "exported"), "-l", str(place / "copied")]) == 0
    return place


def closed(schema: Any) -> bool:
    """Whether every object in a schema that is not open on purpose names all of its fields."""
    if isinstance(schema, list):
        return all(map(closed, schema))
    if not isinstance(schema, dict):
        return True
    is_open = schema.get("type") == "object" and "properties" in schema and "additionalProperties" not in schema
    return (not is_open or schema.get("description", "").startswith(OPEN)) and all(map(closed, schema.values()))


#: Beginnings of the descriptions of objects that may have other fields.
OPEN = (
    "A hit, with the fields of its track",
    "The values of its columns",
    "What it was begun with",
    "Everything that shapes the vectors",
    "A track",
)


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in RUNS])
def test_what_a_command_prints_has_its_shape(name, folder, monkeypatch, capsys):
    if name == "models-quantize":
        pytest.importorskip("nncf")
    if name == "transcribe":
        pytest.importorskip("transformers")
        tiny.ctc("wav2vec2-group", folder / "writer")
    monkeypatch.chdir(folder)
    validator = jsonschema.Draft202012Validator(SCHEMAS[name])
    capsys.readouterr()
    for command, code in RUNS[name]:
        monkeypatch.setattr(sys, "stdin", io.StringIO("1\nn\ns\n"))  # for what asks; others read nothing
        assert run([*command.split(), "--json"]) == code, capsys.readouterr()
        wrong = [
            (error.json_path, error.message) for error in validator.iter_errors(json.loads(capsys.readouterr().out))
        ]
        assert wrong == [], f"docs/schemas/{name}.json"


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_and_names_all_fields(name):
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])
    assert closed(SCHEMAS[name])


def test_every_command_with_json_has_a_schema_that_is_tried():
    def names(group: click.Group, before: str = "") -> list[str]:
        found = []
        with click.Context(group) as context:
            for name in group.list_commands(context):
                command = group.get_command(context, name)
                assert command is not None
                if any("--json" in parameter.opts for parameter in command.params):
                    found.append(before + name)
                if isinstance(command, click.Group):
                    found += names(command, f"{before}{name}-")
        return found

    expected = {SAME.get(name, name) for name in names(cli)} | MORE
    assert expected == set(SCHEMAS) == set(RUNS)
