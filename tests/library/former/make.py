"""How the libraries in this folder were made, by sonovec 0.1.0 before its stores kept columns: python make.py FOLDER.

They are opened by every later version. The script stays as the record of what is in them; a later version makes others.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import soundfile

import sonovec

RATE = 8000
SOUNDS = {"s0.wav": (220, 2), "s1.wav": (440, 3), "s2.wav": (880, 12), "s3.wav": (1500, 1), "s4.wav": (300, 25)}
AWKWARD = {b"latin-\xe9.wav": (600, 1), b"two\nlines.wav": (700, 1)}
METADATA = "path,mood,stars,weight,live\ns0.wav,calm,5,1.5,true\ns1.wav,wild,,2.25,false\ns2.wav,,3,,\n"
LIBRARIES = {"lance-logmel": "logmel", "lance-builtin": None, "lite-logmel.db": "logmel"}


def tone(frequency, seconds, seed):
    time = np.arange(int(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).standard_normal(len(time))
    return (
        0.3 * np.sin(2 * np.pi * frequency * time) * (1 + 0.5 * np.sin(2 * np.pi * 3 * time)) + 0.02 * noise
    ).astype(np.float32)


def write_sounds(folder):
    """Seven sounds, a copy, a file that is broken and one that is none; lay in ``/music`` when the libraries were made."""
    folder.mkdir(exist_ok=True)
    for seed, (name, (frequency, seconds)) in enumerate(SOUNDS.items()):
        soundfile.write(folder / name, tone(frequency, seconds, seed), RATE)
    for seed, (name, (frequency, seconds)) in enumerate(AWKWARD.items(), start=9):
        soundfile.write(folder / "t.wav", tone(frequency, seconds, seed), RATE)
        (folder / "t.wav").rename(os.fsdecode(os.fsencode(folder) + b"/" + name))
    shutil.copy(folder / "s1.wav", folder / "copy.wav")
    (folder / "broken.wav").write_text("no sound")
    (folder / "readme.txt").write_text("words")


def main(folder):
    sounds = Path("/music")
    write_sounds(sounds)
    (folder / "m.csv").write_text(METADATA)
    told = {}
    for name, model in LIBRARIES.items():
        with sonovec.Library(folder / name, **({"model": model} if model else {})) as library:
            library.add(sounds, metadata=folder / "m.csv")
            hits = {
                f"{query}/{level}": [
                    (Path(hit.path).name, round(hit.score, 5), hit.start, hit.end)
                    for hit in library.search(sounds / query, limit=10, level=level)
                ]
                for query in SOUNDS
                for level in ("track", "segment")
            }
            tracks = [{**track.fields, "id": track.id} for track in library.tracks()]
            told[name] = {"hits": hits, "tracks": sorted(tracks, key=lambda track: track["id"])}
    (folder / "expected.json").write_text(json.dumps(told, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
