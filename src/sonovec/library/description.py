"""All that a library, and this machine's ledger, know of one track."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sonovec.library.ledger import Ledger
from sonovec.library.outcomes import Analysis, Entry
from sonovec.library.records import Label, Passage, Space, Value
from sonovec.library.store import Store
from sonovec.library.stretches import labels, passages

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Description:
    """All that is known of a track.

    Attributes
    ----------
    id : str
    fields : mapping
        The values of its columns; its `path` is that on this machine, where it is known.
    segments : array, shape (n, 2)
        Start and end of each segment of the main space, in seconds.
    spaces : mapping of str to Space
        The spaces that hold vectors of it.
    files : sequence of Entry
        The ledger's rows of the file and its copies on this machine; none if another machine indexed it.
    analyses : mapping of str to Analysis
        Which analysers heard it, by name.
    passages, labels : sequence
    """

    id: str
    fields: Mapping[str, Value]
    segments: NDArray[np.float64]
    spaces: Mapping[str, Space]
    files: Sequence[Entry]
    analyses: Mapping[str, Analysis]
    passages: Sequence[Passage]
    labels: Sequence[Label]


def describe(store: Store, ledger: Ledger | None, id: str) -> Description:
    """What is known of a track that is in the library."""
    import numpy as np

    parts = store.parts([id]).get(id)
    spaces = {name: space for name, space in store.spaces().items() if store.holds([id], name)}
    return Description(
        id=id,
        fields=store.get([id])[id].fields,
        segments=np.empty((0, 2)) if parts is None else parts.times,
        spaces=spaces,
        files=[] if ledger is None else list(ledger.holders(id)),
        analyses={} if ledger is None else ledger.analyses(id),
        passages=passages(store).get(id),
        labels=labels(store).get(id),
    )
