"""``sonovec doctor``: is everything there that sonovec needs, and does it work?"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import click

from sonovec import __version__
from sonovec.cli import doctor_recall as of_recall
from sonovec.cli.completion import LIBRARY
from sonovec.cli.log import watched
from sonovec.cli.options import json_option
from sonovec.cli.output import print_json, print_table
from sonovec.errors import UsageError


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: ``ok``, ``note`` (works, with a remark) or ``failed``, and what was seen."""

    check: str
    state: str
    detail: str


@click.command(short_help="Check this machine and, with -l, a library.")
@click.argument("place", metavar="[LIBRARY]", type=LIBRARY, required=False)
@click.option("-l", "--library", type=LIBRARY, help="Also look at this library; the same as LIBRARY.")
@click.option("--token", help="user:password or API key of a Milvus server. [env: SONOVEC_MILVUS_TOKEN]")
@click.option(
    "--repair", is_flag=True, help="With -l: bring back what can be read of a damaged library, and nothing else."
)
@click.option("--recall", is_flag=True, help="With -l: compare its searches with exact ones, and nothing else.")
@click.option("--space", default="main", show_default=True, help="With --recall: the space that is searched.")
@click.option("--queries", type=click.IntRange(1), default=100, show_default=True, help="With --recall: searches.")
@click.option("-k", type=click.IntRange(1), default=10, show_default=True, help="With --recall: hits of each.")
@json_option
def doctor(
    place: str | None,
    library: str | None,
    token: str | None,
    repair: bool,
    recall: bool,
    space: str,
    queries: int,
    k: int,
    as_json: bool,
) -> int:
    """Check this machine: decoders, processor, packages, caches, and a whole round from sound to vector.

    With -l, the command also reads the whole library. It looks for damage, and counts duplicates, orphans, ghosts (tracks
    that no file holds) and stale indices. --repair brings back the last good version after a crash or a power cut, and says
    what    is lost. It deletes nothing: it moves what cannot be read into the library's folder `damaged`.

    --recall searches for tracks of the library, by its index and exactly: how much does the index miss? The exit code is 1 if
    it is more than 5 %.
    """
    if place and library:
        raise UsageError(f"the library is named twice, {place!r} and {library!r}; leave out one of them")
    library = library or place
    if repair and not library:
        raise UsageError("--repair needs a library; run: sonovec doctor -l LIBRARY --repair")
    if recall and (repair or not library):
        raise UsageError("--recall needs a library, and no --repair; run: sonovec doctor -l LIBRARY --recall")
    if recall:
        return of_recall.show(str(library), token, space, queries, k, as_json)
    if space != "main" or queries != 100 or k != 10:
        raise UsageError("--space, --queries and -k are of --recall; add --recall")
    checks = {} if repair else CHECKS
    findings = [finding for name, check in checks.items() for finding in _guard(name, check)]
    if library:
        findings += _guard("library", lambda: _library(library, token, repair))
    if as_json:
        print_json({"version": __version__, "findings": [asdict(finding) for finding in findings]})
    else:
        print_table(["check", "state", "what was seen"], [(f.check, f.state, f.detail) for f in findings])
    return 1 if any(finding.state == "failed" for finding in findings) else 0


def _guard(name: str, check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    findings: list[Finding] = []
    try:
        findings.extend(check())
    except Exception as error:  # noqa: BLE001 - a doctor reports whatever is broken, and goes on
        findings.append(Finding(name, "failed", f"{type(error).__name__}: {error}"))
    return findings


def _machine() -> Iterator[Finding]:
    import psutil

    from sonovec.runtime.network import available_cores

    memory = psutil.virtual_memory().total / 2**30
    yield Finding("sonovec", "ok", __version__)
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.platform()}")
    yield Finding("machine", "ok", f"{available_cores()} cores to use of {os.cpu_count()}, {memory:.1f} GiB of memory")


def _runtime() -> Iterator[Finding]:
    from sonovec.runtime.openvino_core import core

    capabilities = core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    name = core().get_property("CPU", "FULL_DEVICE_NAME")
    precision = "bf16 and f32" if "BF16" in capabilities else "f32"
    yield Finding("networks", "ok", f"OpenVINO {version('openvino')} on {name}: {precision}")


def _decoders() -> Iterator[Finding]:
    import av
    import soundfile

    yield Finding("libsndfile", "ok", f"{soundfile.__libsndfile_version__}: {', '.join(soundfile.available_formats())}")
    libraries = ", ".join(f"{name} {'.'.join(map(str, number))}" for name, number in av.library_versions.items())
    yield Finding("ffmpeg", "ok", f"PyAV {av.__version__} ({libraries})")


#: Extra, the module that tells whether it is there, and what it is for.
EXTRAS = {
    "torch": ("torch", "converts PyTorch weights, runs on CUDA"),
    "milvus": ("pymilvus", "libraries on a Milvus server or in Milvus Lite"),
}


def _extras() -> Iterator[Finding]:
    for extra, (module, purpose) in EXTRAS.items():
        if find_spec(module):
            yield Finding(f"extra {extra}", "ok", f"{module} {_version(module)}")
        else:
            yield Finding(f"extra {extra}", "note", f"not installed ({purpose}): pip install 'sonovec[{extra}]'")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"


def _cache() -> Iterator[Finding]:
    from sonovec.paths import atomic, cache_dir

    folder = cache_dir()
    with atomic(folder / "doctor") as temporary:
        temporary.write_text("written by sonovec doctor", encoding="utf-8")
    (folder / "doctor").unlink()
    free = shutil.disk_usage(folder).free / 2**30
    yield Finding("cache", "ok" if free > 1 else "note", f"{folder}: {free:.1f} GiB free")


def _plugins() -> Iterator[Finding]:
    from sonovec.models import registry

    yield Finding("models", "ok", ", ".join(card.name for card in registry.cards()))
    for note in registry.notes():
        yield Finding("models", "note", note)


def _round_trip() -> Iterator[Finding]:
    import io

    import numpy as np
    import soundfile

    from sonovec.embedding.encoder import load

    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(32000) / 32000).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, tone, 32000, format="FLAC")
    file.seek(0)
    samples, rate = soundfile.read(file, dtype="float32")
    embedding = load().embed((samples, rate))
    yield Finding(
        "sound to vector", "ok", f"a tone became {len(embedding.vector)} numbers ({embedding.passport.model})"
    )


def _library(location: str, token: str | None, mend: bool) -> Iterator[Finding]:
    from sonovec.library.library import Library
    from sonovec.library.repair import examine, repair

    with Library(location, token=token) as library:
        damage = False
        with watched() as bar:
            seen = repair(library, progress=bar) if mend else examine(library, progress=bar)
        for found in seen:
            yield Finding(*found)
            damage = damage or found[1] == "failed"
        if damage:
            return
        tracks = len(library)
        config = library.config
        assert config is not None
        yield Finding("library", "ok", f"{location}: {tracks} tracks, {config.model}, {config.dim} numbers a vector")
        yield Finding("tables", "ok", "0 duplicates, 0 orphans, 0 ghosts, 0 tracks that are not whole")
        counts = library.ledger.summary()
        empty = tracks and not counts.found
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in asdict(counts).items())
        remedy = "; index again to write its rows: nothing is embedded for that" if empty else f": {outcomes}"
        yield Finding("ledger", "note" if empty else "ok", f"{counts.found} files seen{remedy}")


CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "machine": _machine,
    "networks": _runtime,
    "decoders": _decoders,
    "extras": _extras,
    "cache": _cache,
    "models": _plugins,
    "sound to vector": _round_trip,
}
