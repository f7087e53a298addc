"""Hear the tags again of tracks that a former version indexed, which keep the mean of each tag and not when it was heard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sonovec.library import sound_tags
from sonovec.library.filters import And, Filter, In, IsNull
from sonovec.library.making import make_segments
from sonovec.library.records import MAIN
from sonovec.library.spaces import SpaceIngest

if TYPE_CHECKING:
    from sonovec.embedding.pooled import Pooled
    from sonovec.library.store import Store

#: Tracks without tags in time: those that nothing was heard in have empty lists.
_LACKING = IsNull(sound_tags.MEANS)


def lacks_tags(store: Store) -> bool:
    """Whether there are tracks whose tags are not kept in time, in a library that keeps tags.

    Where none lacks them that reads a column of all tracks: some hundredths of a second at 100,000.
    """
    columns = store.columns()
    if columns.get(sound_tags.COLUMN) != list[str]:
        return False
    return bool(store.ids(_LACKING if sound_tags.MEANS in columns else None, 1))


class Retagging(SpaceIngest):
    """One run over files and folders that embeds the tracks whose tags are not kept in time, and nothing else.

    Segments and the clip vector are written first and the track's tags last, so that a run that was killed is taken up by
    the same call. Other columns of the tracks are not touched.
    """

    absent = "not in the library; index it without --retag first"

    def _held(self, ids: set[str]) -> set[str]:
        lacking: Filter = And((In("id", tuple(ids)), _LACKING))
        return ids - set(self._store.ids(lacking)) if ids else ids

    def _put(self, done: Sequence[tuple[str, Pooled]]) -> None:
        items = [(content, pooled.vector, make_segments(pooled)) for content, pooled in done]
        self._store.put_vectors(items, MAIN)
        refused = self._store.update({content: sound_tags.fields_of(pooled.tags) for content, pooled in done})
        paths = {content: pooled.path for content, pooled in done}
        for content, reason in refused.items():
            self._counts["indexed"] -= 1
            self._leave_out(paths[content], reason, failed=True)  # type: ignore[arg-type]  # all are of files
