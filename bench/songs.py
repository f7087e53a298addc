"""Songs with known truth: performances as MIDI, rendered by FluidSynth into a folder of FLAC files, with beats and keys.

Three kinds: `groove` (the drum performances of the Groove MIDI data, beats and not fills), `pop909` (melody, bridge and
piano) and `drums` (pop909 with a performance of groove laid over it, beat by beat). What is in the folder already is not
rendered again.

    python bench/songs.py WHERE [--kinds groove,pop909,drums] [--songs 361-450] [--split test,validation]

It needs `mido`, the program `fluidsynth`, and a soundfont (Debian: fluidsynth, fluid-soundfont-gm).
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
KINDS = ("groove", "pop909", "drums")
RATE = 44100
#: MIDI channel of drums, counted from zero.
DRUMS = 9
#: The controller of the sustain pedal.
SUSTAIN = 64
#: Ticks a second of the files that we write: one is a tenth of a millisecond.
TICKS = 10_000
#: Seconds that are rendered behind the last event, for its decay.
DECAY = 1.0
#: Seconds between songs of one run.
PAUSE = 2.0


@dataclass(frozen=True)
class Event:
    """A MIDI message (its fields, as mido names them) at a second."""

    second: float
    message: Mapping[str, Any]


@dataclass(frozen=True)
class Score:
    """What is played, with the truth that is known of it; seconds count from its begin."""

    name: str
    kind: str
    events: tuple[Event, ...]
    bpm: float
    beats: tuple[float, ...]
    downbeats: tuple[float, ...] = ()
    beats_a_bar: int | None = None
    key: str | None = None  # as "Gb major"; None where it changes, or there is none


@dataclass(frozen=True)
class Song:
    """A rendered score."""

    name: str
    kind: str
    path: Path
    bpm: float
    beats: tuple[float, ...]
    downbeats: tuple[float, ...]
    beats_a_bar: int | None
    key: str | None


# -- reading


def read_midi(path: Path) -> list[Event]:
    """Messages of a MIDI file by their seconds: notes, programs, controls."""
    import mido

    second, events = 0.0, []
    for message in mido.MidiFile(path):
        second += message.time
        if message.type in ("note_on", "note_off", "program_change", "control_change"):
            events.append(Event(second, {k: v for k, v in message.dict().items() if k != "time"}))
    return events


def groove_rows(data: Path, splits: Iterable[str] = ("train", "validation", "test")) -> list[dict[str, str]]:
    """Rows of groove's table of the splits: beats alone, without the fills."""
    with (data / "groove" / "info.csv").open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["beat_type"] == "beat" and row["split"] in set(splits)]


def groove_score(data: Path, row: Mapping[str, str]) -> Score:
    """A drum performance; it was played to a metronome, which begins at zero."""
    events = read_midi(data / "groove" / row["midi_filename"])
    top, bottom = (int(each) for each in row["time_signature"].split("-"))
    bpm = float(row["bpm"])
    end = max((event.second for event in events), default=0.0)
    beats = np.arange(0.0, end, 60 / bpm)
    beats_a_bar = top if bottom == 4 else None  # of 6/8 and 5/8 the table does not say what its BPM counts
    downbeats = beats[::beats_a_bar] if beats_a_bar else np.empty(0)
    return Score(
        "groove-" + row["id"].replace("/", "-"), "groove", tuple(events), bpm, *_tuples(beats, downbeats), beats_a_bar
    )


def pop_score(data: Path, number: int) -> Score:
    """A song of pop909."""
    folder = data / "pop909" / f"{number:03d}"
    table = np.loadtxt(folder / "beat_midi.txt", ndmin=2)
    keys = [line.split()[2] for line in (folder / "key_audio.txt").read_text().splitlines() if line.strip()]
    beats, downbeats = table[:, 0], table[table[:, 2] > 0, 0]
    key = keys[0].replace(":maj", " major").replace(":min", " minor") if len(set(keys)) == 1 else None
    return Score(
        f"pop909-{number:03d}",
        "pop909",
        tuple(read_midi(folder / f"{number:03d}.mid")),
        float(60 / np.median(np.diff(beats))),
        *_tuples(beats, downbeats),
        4,
        key,
    )


def _tuples(*arrays: np.ndarray) -> Iterator[tuple[float, ...]]:
    return (tuple(float(value) for value in array) for array in arrays)


# -- changing


def cut(score: Score, start: float, seconds: float) -> Score:
    """A part of a score; its tempo is the median of its beats. Notes that began before are left out, programs are kept."""
    end = start + seconds
    held: list[Event] = []
    sounding: set[tuple[int, int]] = set()
    for event in score.events:
        message = event.message
        note = (message["channel"], message.get("note", -1))
        begins = message["type"] == "note_on" and message["velocity"] > 0
        if not message["type"].startswith("note"):
            if event.second < end:
                held.append(Event(max(0.0, event.second - start), message))
        elif begins and start <= event.second < end:
            sounding.add(note)
            held.append(Event(event.second - start, message))
        elif not begins and note in sounding:
            sounding.discard(note)
            held.append(Event(min(event.second, end) - start, message))
    beats, downbeats = (
        np.array([beat - start for beat in each if start <= beat < end]) for each in (score.beats, score.downbeats)
    )
    bpm = float(60 / np.median(np.diff(beats))) if len(beats) > 2 else score.bpm
    times = tuple(_tuples(beats, downbeats))
    return replace(score, events=tuple(held), bpm=bpm, beats=times[0], downbeats=times[1])


def stretch(score: Score, factor: float) -> Score:
    """The same, played so many times as fast."""
    return replace(
        score,
        events=tuple(Event(event.second / factor, event.message) for event in score.events),
        bpm=score.bpm * factor,
        beats=tuple(beat / factor for beat in score.beats),
        downbeats=tuple(beat / factor for beat in score.downbeats),
    )


def with_programs(score: Score, programs: Mapping[int, int]) -> Score:
    """The same by other instruments: General MIDI programs by channel."""
    kept = [event for event in score.events if event.message["type"] != "program_change"]
    chosen = [
        Event(0.0, {"type": "program_change", "channel": channel, "program": program})
        for channel, program in programs.items()
    ]
    return replace(score, events=(*chosen, *kept))


def with_drums(song: Score, drums: Score) -> Score:
    """A song with a drum performance laid over it: its beats on the song's beats, from bar to bar, over and over."""
    bars = drums.beats_a_bar or 4
    length = max(bars, len(drums.beats) // bars * bars)
    hits = [event for event in drums.events if event.message["type"].startswith("note")]
    positions = np.array([event.second * drums.bpm / 60 for event in hits])
    first = int(np.argmin(np.abs(np.subtract(song.beats, song.downbeats[0])))) if song.downbeats else 0
    beats = np.array(song.beats[first:])
    laid = []
    for begin in range(0, len(beats), length):
        for event, position in zip(hits, positions, strict=True):
            place = begin + position
            if position < length and place <= len(beats) - 1:
                second = float(np.interp(place, np.arange(len(beats)), beats))
                laid.append(Event(second, {**event.message, "channel": DRUMS}))
    merged = sorted([*song.events, *laid], key=lambda event: event.second)
    return replace(song, name=f"{song.name}-{drums.name}", kind="drums", events=tuple(merged))


def drums_for(song: Score, rows: Sequence[Mapping[str, str]], data: Path, seed: int = 0) -> Score:
    """A performance in four with at least two bars that is laid over a song: drawn by the song's name."""
    long_enough = [
        row for row in rows if row["time_signature"] == "4-4" and float(row["duration"]) * float(row["bpm"]) / 60 >= 8
    ]
    return groove_score(data, random.Random(zlib.crc32(f"{song.name} {seed}".encode())).choice(long_enough))


# -- rendering


def write_midi(events: Sequence[Event], path: Path, seconds: float | None = None) -> None:
    """Write messages as a MIDI file of so many seconds at least."""
    import mido

    track, at = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)]), 0
    for event in events:
        tick = round(event.second * TICKS)
        track.append(mido.Message(**event.message, time=max(0, tick - at)))
        at = max(at, tick)
    track.append(mido.MetaMessage("end_of_track", time=max(0, round((seconds or 0) * TICKS) - at)))
    mido.MidiFile(ticks_per_beat=TICKS, tracks=[track]).save(path)


def synthesise(events: Sequence[Event], wav: Path, soundfont: Path, rate: int, options: Sequence[str] = ()) -> None:
    """Play messages into a file; `options` are FluidSynth's own."""
    with TemporaryDirectory(dir=wav.parent) as scratch:
        midi = Path(scratch, "a.mid")
        write_midi(events, midi)
        command = ["fluidsynth", "-ni", "-q", "-F", str(wav), "-r", str(rate), "-o", "synth.dynamic-sample-loading=1"]
        command += [*options, str(soundfont), str(midi)]
        subprocess.run(command, check=True, capture_output=True, timeout=600, stdin=subprocess.DEVNULL)


def render(score: Score, folder: Path, soundfont: Path = SOUNDFONT) -> Song:
    """Render a score into a folder, unless it is there: NAME.flac, and NAME.json with the truth."""
    if not (folder / f"{score.name}.json").exists():
        return next(iter(render_batch([score], folder, soundfont)))
    return read_song(folder, score.name)


def render_batch(
    scores: Sequence[Score], folder: Path, soundfont: Path = SOUNDFONT, rate: int = RATE, options: Sequence[str] = ()
) -> list[Song]:
    """Render scores one behind the other in one run: a soundfont takes long to open."""
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    lengths = [max((event.second for event in score.events), default=0.0) + DECAY for score in scores]
    starts = np.cumsum([0.0, *(length + PAUSE for length in lengths)])
    events = [
        Event(event.second + start, event.message)
        for score, start in zip(scores, starts, strict=False)
        for event in (*_fresh(), *score.events)
    ]
    with TemporaryDirectory(dir=folder) as scratch:
        wav = Path(scratch, "a.wav")
        synthesise(events, wav, soundfont, rate, options)
        with soundfile.SoundFile(wav) as file:
            for score, start, length in zip(scores, starts, lengths, strict=False):
                file.seek(min(file.frames, int(start * rate)))
                samples = file.read(int(length * rate), dtype="int16", always_2d=True)
                soundfile.write(folder / f"{score.name}.flac", samples, rate)
    for score in scores:
        told = asdict(replace(score, events=()))
        del told["events"]
        (folder / f"{score.name}.json").write_text(json.dumps(told), encoding="utf-8")
    return [read_song(folder, score.name) for score in scores]


def _fresh() -> list[Event]:
    """What brings all channels to their begin: no sustain, the first program."""
    return [
        Event(0.0, message)
        for channel in range(16)
        for message in (
            {"type": "control_change", "channel": channel, "control": SUSTAIN, "value": 0},
            {"type": "program_change", "channel": channel, "program": 0},
        )
    ]


def read_song(folder: Path, name: str) -> Song:
    """A song that was rendered."""
    told = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    told |= {each: tuple(told[each]) for each in ("beats", "downbeats")}
    return Song(path=folder / f"{name}.flac", **told)


def songs(
    where: Path,
    kind: str,
    data: Path,
    numbers: Sequence[int] = (),
    splits: Sequence[str] = ("test", "validation"),
    start: float = 30.0,
    seconds: float = 60.0,
    soundfont: Path = SOUNDFONT,
    limit: int | None = None,
) -> Iterator[Song]:
    """Songs of a kind, rendered as they are asked for, below a folder of the kind.

    Parameters
    ----------
    where, kind, data
        Folder for what is rendered; "groove", "pop909" or "drums"; folder of the data (`common.data_folder`).
    numbers
        Of pop909's songs; default: all that are there.
    splits
        Of groove's table: which performances, and which are laid over songs.
    start, seconds
        The part of pop909's songs.
    limit
        Take only so many, spread over all.
    """
    rows = groove_rows(data, splits)
    if kind == "groove":
        for row in _spread(rows, limit):
            yield render(groove_score(data, row), where / soundfont.stem / kind, soundfont)
        return
    there = sorted(int(path.name) for path in (data / "pop909").iterdir() if path.name.isdecimal())
    part = f"{kind}-{start:g}-{seconds:g}"
    for number in _spread([n for n in there if not numbers or n in set(numbers)], limit):
        score = pop_score(data, number)
        if kind == "drums":
            score = with_drums(score, drums_for(score, rows, data))
        yield render(cut(score, start, seconds), where / soundfont.stem / part, soundfont)


def _spread(items: Sequence[Any], limit: int | None) -> Sequence[Any]:
    count = len(items) if limit is None else min(limit, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def numbers_of(text: str) -> list[int]:
    """Numbers such as 1-3,7."""
    bounds = [[int(end) for end in part.split("-")] for part in text.split(",") if part]
    return [number for each in bounds for number in range(each[0], each[-1] + 1)]


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """What says which songs to take, for this program and those that measure by them."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("where", type=Path, help="folder for rendered songs")
    made.add_argument("--kinds", "--sets", default=",".join(KINDS), help="some of groove, pop909, drums; default: all")
    made.add_argument("--data", type=Path, help="folder with groove/ and pop909/; default: SONOVEC_DATA")
    made.add_argument(
        "--songs", type=numbers_of, default=(), help="numbers of pop909, such as 361-450; default: all there"
    )
    made.add_argument("--split", default="test,validation", help="of groove: train, validation, test")
    made.add_argument("--start", type=float, default=30.0)
    made.add_argument("--seconds", type=float, default=60.0)
    made.add_argument("--soundfont", type=Path, default=SOUNDFONT)
    made.add_argument("--limit", type=int, help="take so many of each kind, spread over all")
    return made


def chosen(told: argparse.Namespace) -> Iterator[tuple[str, Iterator[Song]]]:
    """Each kind with its songs, by the arguments."""
    import common

    for kind in told.kinds.split(","):
        if kind not in KINDS:
            raise SystemExit(f"--kinds {kind}: no such kind; take some of {', '.join(KINDS)}")
        yield (
            kind,
            songs(
                told.where,
                kind,
                told.data or common.data_folder(),
                told.songs,
                told.split.split(","),
                told.start,
                told.seconds,
                told.soundfont,
                told.limit,
            ),
        )


def main() -> None:
    for kind, each in chosen(arguments(__doc__).parse_args()):
        count = sum(1 for _ in each)
        print(f"{kind}: {count} songs")


if __name__ == "__main__":
    main()
