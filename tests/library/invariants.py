"""What must hold of a library and its ledger after a run over a folder that has come to its end."""

from __future__ import annotations

from pathlib import Path

from sonovec.library import consistency
from sonovec.library.identity import content_hash
from sonovec.library.roots import Roots
from sonovec.paths import from_text, to_text


def check_in_step(library, root: Path) -> None:
    """Disk, ledger and store say the same of every file, and nothing is left to do."""
    ledger, store = library.ledger, library._store
    on_disk = {path: content_hash(path) for path in root.rglob("*.wav")}
    held = {entry.path: entry.content_hash for entry in ledger.entries(under=root) if entry.held}
    assert held == on_disk
    tracks = {track.id: track for track in library.tracks()}
    roots = Roots.of(ledger)
    assert all(roots.texts(from_text(tracks[each.id].path))[0] == each.path for each in store.tracks()), "a former root"
    assert set(tracks) == set(on_disk.values()), "a track too many or too few"
    paths = {}
    for path, content in on_disk.items():
        paths.setdefault(content, []).append(to_text(path))
    assert {track.id: track.path in paths[track.id] for track in tracks.values()} == dict.fromkeys(tracks, True)
    segments = store.segments(tracks)
    assert set(segments) == set(tracks)
    assert store.count() == (len(tracks), sum(map(len, segments.values()))), "segments without a track"
    assert ledger.unsettled() == []
    assert list(consistency.examine(store, ledger).faults()) == []
    for track in tracks.values():
        given = next(entry.fields for entry in ledger.holders(track.id) if to_text(entry.path) == track.path)
        assert {name: track.fields[name] for name in given or {}} == (given or {})
