"""Where models of the user's own lie on this machine: libraries know them by what they are made of, wherever they lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from sonovec.errors import LibraryError
from sonovec.library.records import Space
from sonovec.paths import atomic, data_dir, display

if TYPE_CHECKING:
    from sonovec.embedding.encoder import Encoder

#: Places that are remembered of one model, the last first.
MOST = 8


def record() -> Path:
    """The file that says where the models were last, by the hash of their content."""
    return data_dir() / "models.json"


def remember(encoder: Encoder) -> None:
    """Note where a model of the user's own lies; nothing for one that its name finds."""
    place, content = encoder.card.place, encoder.model.weights_hash
    if not place or _read().get(content, [""])[0] == place:
        return
    record().parent.mkdir(parents=True, exist_ok=True)
    with FileLock(record().with_suffix(".lock")):
        known = _read()
        known[content] = [place, *(other for other in known.get(content, ()) if other != place)][:MOST]
        with atomic(record()) as temporary:
            temporary.write_text(json.dumps(known, indent=1), encoding="utf-8")


def _read() -> dict[str, list[str]]:
    try:
        known = json.loads(record().read_text(encoding="utf-8"))
        return {str(content): [str(place) for place in places] for content, places in known.items() if places}
    except (OSError, ValueError, AttributeError, TypeError):  # it only helps to find them
        return {}


def candidates(space: Space) -> list[str]:
    """Where the model of a space may lie: where it was last, and where a library of a former version says."""
    known = _read().get(str(space.passport.get("weights", "")), [])
    return [*known, *([space.model] if Path(space.model).is_absolute() and space.model not in known else [])]


def source_of(library: object, space: Space) -> str:
    """What `load` takes for the model that a space was made with.

    Raises
    ------
    LibraryError
        It is one of the user's own, and is at no place that is known.
    """
    from sonovec.models import hub, registry

    places = candidates(space)
    if (here := next((place for place in places if Path(place).exists()), None)) is not None:
        return here
    name = space.model
    if not Path(name).is_absolute() and (registry.is_listed(name) or hub.HUB_ID.fullmatch(name)):
        return name
    looked = f"looked at {', '.join(map(display, places))}" if places else "this machine has not had it before"
    content = str(space.passport.get("weights", ""))[:16]
    raise LibraryError(
        f"{library}: its encoder {display(name)} (SHA-256 {content}) was not found on this machine ({looked}); "
        "give its place: "
        "--model FOLDER, or in Python model='FOLDER'"
    )
