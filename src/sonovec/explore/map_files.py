"""A map as bytes: what a library keeps of it. NumPy's own format, without pickles, and one JSON text."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np

from sonovec.errors import LibraryError
from sonovec.explore.alignment import Alignment
from sonovec.explore.basis import Basis
from sonovec.explore.projection import Projection
from sonovec.explore.record import Map

#: The version of the form; a map of a later one is refused.
VERSION = 1


def to_bytes(found: Map) -> bytes:
    """What a library keeps of a map."""
    fitted = found.projection
    head = {
        "version": VERSION,
        "name": found.name,
        "space": found.space,
        "passport": dict(found.passport),
        "method": fitted.method,
        "dims": fitted.dims,
        "settings": dict(fitted.settings),
        "notes": list(fitted.notes),
        "fitted": found.fitted,
        "made": found.made,
        "scale": found.alignment.scale,
    }
    arrays = {
        "head": np.frombuffer(json.dumps(head).encode(), np.uint8),
        "ids": np.array(found.ids, dtype=np.str_).astype(np.bytes_) if found.ids else np.zeros(0, "S1"),
        "places": found.places,
        "trustworthiness": found.trustworthiness,
        "continuity": found.continuity,
        "reference": found.reference.astype(np.int32),
        "mean": fitted.basis.mean.astype(np.float64),
        "axes": fitted.basis.axes,
        "shares": fitted.basis.shares,
        "sample": fitted.sample,
        "sample_places": fitted.sample_places,
        "turn": found.alignment.turn,
        "offset": found.alignment.offset,
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # its stubs know no mappings
    return buffer.getvalue()


def from_bytes(content: bytes, place: object) -> Map:
    """Read what `to_bytes` gave.

    Raises
    ------
    LibraryError
        It is damaged, or of a later version; the message names `place`.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        head = json.loads(arrays["head"].tobytes())
        if head["version"] > VERSION:
            raise LibraryError(
                f"{place}: made by a later sonovec (form {head['version']}, and this one reads up to {VERSION}); use a newer "
                "one: pip install -U sonovec"
            )
        return _map(head, arrays)
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise LibraryError(f"{place}: is damaged ({error}); make it anew with --refit (refit=True)") from error


def _map(head: dict[str, Any], arrays: dict[str, np.ndarray[Any, Any]]) -> Map:
    basis = Basis(arrays["mean"], arrays["axes"], arrays["shares"])
    fitted = Projection(
        head["method"],
        head["dims"],
        basis,
        arrays["sample"],
        arrays["sample_places"],
        head["settings"],
        tuple(head["notes"]),
    )
    return Map(
        name=head["name"],
        space=head["space"],
        passport=head["passport"],
        projection=fitted,
        alignment=Alignment(arrays["turn"], head["scale"], arrays["offset"]),
        ids=[id.decode() for id in arrays["ids"].tolist()],
        places=arrays["places"],
        trustworthiness=arrays["trustworthiness"],
        continuity=arrays["continuity"],
        reference=arrays["reference"].astype(np.intp),
        fitted=head["fitted"],
        made=head["made"],
    )
