"""How `lite-json.tar.gz` was made, before Milvus kept typed fields: python -m tests.library.former.make_json FOLDER.

A library of format 2 in Milvus Lite whose tracks have all their fields in one JSON column; later versions make others. The
sounds are those of `make.py`, and lay in ``/music``.
"""

import json
import shutil
import sys
import tarfile
from pathlib import Path

import sonovec
from sonovec.library.records import Label, Passage
from tests.library.former.make import METADATA, SOUNDS, write_sounds

NAME = "lite-json.db"
WORDS = ["Hello, the World", "a dog barks", "the dog sleeps"]


def main(folder):
    sounds = Path("/music")
    write_sounds(sounds)
    (folder / "m.csv").write_text(METADATA)
    with sonovec.Library(folder / NAME) as library:
        library.add(sounds, metadata=folder / "m.csv")
        tracks = sorted(library.tracks(), key=lambda track: track.id)
        library.passages.put(
            Passage(track.id, 0.0, 1.0, text, source="Ann", time=1.0, language="en")
            for track, text in zip(tracks, WORDS, strict=False)
        )
        library.labels.put([Label(tracks[0].id, 0.0, 1.0, "Dog", source="dogs", time=1.0, score=0.9)])
        told = {
            "hits": {
                f"{query}/{level}": [
                    [Path(hit.path).name, hit.score] for hit in library.search(sounds / query, level=level)
                ]
                for query in SOUNDS
                for level in ("track", "segment")
            },
            "tracks": {track.id: dict(track.fields) for track in tracks},
        }
    (folder / "lite-json.json").write_text(json.dumps(told, ensure_ascii=False, indent=1))
    with tarfile.open(folder / "lite-json.tar.gz", "w:gz") as tar:
        for name in (NAME, "lite-json.ledger.sqlite"):
            tar.add(folder / name, name)
    shutil.rmtree(sounds)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
