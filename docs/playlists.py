"""Makes the songs, the run and the picture of docs/playlists.md again: ``python docs/playlists.py songs|loops|picture ...``.

``songs DATA WORK`` renders songs of POP909 (DATA/pop909) by fluidsynth into WORK/songs, each by one of eight bands, some with
drums, and writes their truth to WORK/songs.csv. ``loops DATA WORK`` links the loops of DATA/train/lmms that tell their
tempo in their name to WORK/loops. ``picture LIBRARY LIST PNG`` draws a playlist's way over the map.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import mido
import numpy as np
import soundfile

SOUNDFONT = "/usr/share/sounds/sf2/FluidR3_GM.sf2"
SONGS, SECONDS, RATE = 64, 75.0, 32000
#: Programs of General MIDI for the melody, the bridge and the accompaniment.
BANDS = {
    "Piano Solo": (0, 0, 0),
    "Two Guitars": (24, 25, 25),
    "Flute and Organ": (73, 16, 16),
    "String Room": (40, 48, 48),
    "Synth Club": (80, 89, 81),
    "Brass House": (56, 60, 0),
    "Sax Electric": (65, 4, 4),
    "Oboe and Harp": (68, 46, 46),
}
#: Those that play with a drummer.
DRUMS = ("Synth Club", "Brass House", "Sax Electric", "Two Guitars")
KICK, SNARE, HAT, DRUM_CHANNEL = 36, 38, 42, 9


def songs(data: Path, work: Path) -> None:
    """Render the first songs that keep one key, and write what is known of them."""
    folder = work / "songs"
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for source in sorted(each for each in (data / "pop909").iterdir() if each.is_dir()):
        keys = (source / "key_audio.txt").read_text().splitlines()
        if len(keys) != 1 or len(rows) == SONGS:
            continue
        band = list(BANDS)[len(rows) % len(BANDS)]
        beats = [float(line.split()[0]) for line in (source / "beat_midi.txt").read_text().splitlines()]
        target = folder / f"{source.name}.flac"
        score, notes = arranged(source / f"{source.name}.mid", band, [each for each in beats if each < SECONDS])
        if not target.exists():
            render(score, target)
        rows.append(
            {
                "path": target.name,
                "title": f"Song {source.name}",
                "artist": band,
                "tempo": round(60 / float(np.median(np.diff(beats))), 1),
                "key": key_of(keys[0].split()[-1]),
                "energy": energy(target, notes / SECONDS),
                "downbeats": " ".join(f"{each:.2f}" for each in beats[::4] if each < SECONDS),
            }
        )
    for rank, row in enumerate(sorted(rows, key=lambda row: row["energy"])):
        row["energy"] = round(rank / (len(rows) - 1), 3)
    write(work / "songs.csv", rows)


def key_of(text: str) -> str:
    """``Gb:maj`` as ``Gb major``."""
    tonic, mode = text.split(":")
    return f"{tonic} {'major' if mode == 'maj' else 'minor'}"


def arranged(path: Path, band: str, beats: list[float]) -> tuple[mido.MidiFile, int]:
    """The beginning of a song for a band, and how many notes it has."""
    programs = dict(zip(("MELODY", "BRIDGE", "PIANO"), BANDS[band], strict=True))
    source = mido.MidiFile(path)
    names = {n: track.name for n, track in enumerate(source.tracks)}
    events: list[tuple[float, mido.Message]] = []
    for n, track in enumerate(source.tracks):
        channel = n if n < DRUM_CHANNEL else 0
        alone = mido.MidiFile(ticks_per_beat=source.ticks_per_beat, tracks=[source.tracks[0], track])
        now = 0.0
        for message in alone:
            now += message.time
            if message.type == "program_change":
                message = message.copy(program=programs.get(names[n], 0))
            if not message.is_meta and now < SECONDS:
                events.append((now, message.copy(channel=channel)))
    if band in DRUMS:
        for n, beat in enumerate(beats):
            events += [(beat, mido.Message("note_on", channel=9, note=(KICK, SNARE)[n % 2], velocity=90))]
            events += [(beat, mido.Message("note_on", channel=9, note=HAT, velocity=60))]
    events += [(SECONDS, mido.Message("control_change", channel=n, control=120, value=0)) for n in range(16)]  # silence
    return written(events), sum(each.type == "note_on" and each.velocity > 0 for _, each in events)


def written(events: list[tuple[float, mido.Message]]) -> mido.MidiFile:
    """A file of one track, in milliseconds."""
    score, track, before = mido.MidiFile(ticks_per_beat=500), mido.MidiTrack(), 0
    score.tracks.append(track)  # at 120 beats a minute a tick is a millisecond
    for time, message in sorted(events, key=lambda event: event[0]):
        tick = round(1000 * time)
        track.append(message.copy(time=tick - before))
        before = tick
    return score


def render(score: mido.MidiFile, target: Path) -> None:
    """Play a score into a file."""
    midi, wave = target.with_suffix(".mid"), target.with_suffix(".wav")
    score.save(midi)
    command = [
        "fluidsynth",
        "-ni",
        "-q",
        "-o",
        "player.timing-source=sample",
        "-F",
        wave,
        "-r",
        str(RATE),
        SOUNDFONT,
        midi,
    ]
    subprocess.run(command, check=True, timeout=120, stdout=subprocess.DEVNULL)
    samples, rate = soundfile.read(wave)
    soundfile.write(target, samples[: round(SECONDS * rate)], rate)
    midi.unlink()
    wave.unlink()


def energy(path: Path, notes: float) -> float:
    """A stand-in for the analyser's energy, by which songs are ranked: how loud it is, and how many notes it has."""
    samples, _ = soundfile.read(path)
    return float(np.sqrt(np.mean(np.square(samples))) * np.sqrt(notes))


def loops(data: Path, work: Path) -> None:
    """Link the loops whose names tell their tempo."""
    folder = work / "loops"
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((data / "train" / "lmms").iterdir()):
        found = re.search(r"_(?:[a-z]+loops|beats|[a-z]+)_(.+)_-_(\d+)_BPM", path.stem)
        if found is None:
            continue
        link = folder / f"{found[1]} {found[2]} BPM.opus"
        if not link.exists():
            link.symlink_to(path.resolve())


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Rows as a table of `sonovec index --metadata`."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def picture(library: Path, listed: Path, target: Path) -> None:
    """The way of a playlist over the map of all tracks: the first two principal components of the vectors."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    import sonovec

    with sonovec.Library(library) as opened:
        tracks = opened.tracks(vectors=True)
    vectors = np.stack([track.vector for track in tracks])
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    centred = vectors - vectors.mean(axis=0)
    places = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    at = {track.id: n for n, track in enumerate(tracks)}
    way = [at[each["id"]] for each in json.loads(listed.read_text())["tracks"] if each["id"] in at]
    figure, axes = pyplot.subplots(figsize=(8, 5.5), dpi=110)
    for n, band in enumerate(sorted({str(track.fields["artist"]) for track in tracks})):
        mine = [at[track.id] for track in tracks if track.fields["artist"] == band]
        axes.scatter(*places[mine].T, s=22, color=f"C{n}", alpha=0.55, label=band)
    axes.plot(*places[way].T, color="black", linewidth=1.3)
    for number, place in enumerate(way, start=1):
        axes.annotate(str(number), places[place], (4, 4), textcoords="offset points", fontsize=9, weight="bold")
    axes.set(xlabel="first component", ylabel="second component")
    axes.legend(fontsize=8, frameon=False, bbox_to_anchor=(1.0, 1.0), loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(target)


if __name__ == "__main__":
    {"songs": songs, "loops": loops, "picture": picture}[sys.argv[1]](*map(Path, sys.argv[2:]))
