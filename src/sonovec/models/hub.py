"""Fetch models from the Hugging Face hub, and hold them to what they were when they were first used."""

from __future__ import annotations

import io
import json
import logging
import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any

from sonovec.errors import Cancelled, MissingExtraError, UsageError, WeightsError
from sonovec.jobs import Progress, current
from sonovec.models.pretrained import CONFIG, OTHERS, WEIGHTS, Pretrained, read_json
from sonovec.models.weights import held, sha256_of
from sonovec.paths import atomic, cache_dir, cached, display, why_not_writable

_LOG = logging.getLogger(__name__)

#: ``organisation/name``, and after an @ the revision: a branch, a tag or a commit.
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
#: Files that are fetched whatever else a repository holds.
ALWAYS = (CONFIG, *OTHERS, "README.md", "*.py")


def snapshot(name: str) -> tuple[Path, str]:
    """Folder and commit of a hub id; fetched on first use, pinned and checked ever after.

    A branch moves and a file can be replaced; vectors must not change with them. So the commit that was found first stays,
    and each file's SHA-256, the published one where the hub knows it, is compared at every use.
    """
    pin = pin_of(name)
    lock = cache_dir() / "locks" / f"{pin.stem}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with held(lock, name):
        if not pin.exists():
            _record(pin, {"name": name, **_fetch(name)})
        pinned = read_json(pin)
        if not all((Path(pinned["folder"]) / file).is_file() for file in pinned["files"]):
            pinned = _fetch_again(name, pinned)
            _record(pin, pinned)
    folder = Path(pinned["folder"])
    for file, expected in pinned["files"].items():
        if sha256_of(folder / file) != expected:
            raise WeightsError(
                f"{display(folder / file)}: is not the file that {name} had when it was first used; "
                f"delete it to fetch it again, or take the new one: sonovec models remove {name}"
            )
    return folder, pinned["commit"]


def another(name: str, file: str) -> Path:
    """One more file of a hub id, of the commit that is pinned: fetched on first use, and checked ever after as the others.

    Raises
    ------
    WeightsError
        If it cannot be fetched; the message says where to put it by hand.
    """
    folder, commit = snapshot(name)
    lock = cache_dir() / "locks" / f"{pin_of(name).stem}.lock"
    with held(lock, name):
        if not (folder / file).is_file():
            _fetch_another(name.split("@")[0], commit, file, folder)
        pinned = read_json(pin_of(name))
        if file not in pinned["files"]:
            _record(pin_of(name), {**pinned, "files": {**pinned["files"], file: sha256_of(folder / file)}})
    return folder / file


def _fetch_another(repository: str, commit: str, file: str, folder: Path) -> None:
    _LOG.info("%s: fetching %s from the hub", repository, file)
    cache = folder.parents[2]  # where its other files lie: CACHE/REPOSITORY/snapshots/COMMIT
    try:
        import huggingface_hub

        huggingface_hub.hf_hub_download(repository, file, revision=commit, cache_dir=cache)
    except Exception as error:  # offline, refused, no such file: the client raises many kinds, by its version
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise WeightsError(
            f"{repository}: {file} could not be fetched from the hub ({reason}); on a machine with a network: hf download "
            f"{repository} {file} --revision {commit}, then put it here: {display(folder)}"
        ) from error


def _fetch_again(name: str, pinned: dict[str, Any]) -> dict[str, Any]:
    """The same commit, after its files were deleted; the hashes stay."""
    again = _fetch(f"{name.split('@')[0]}@{pinned['commit']}")
    folder = Path(again["folder"])
    # Files of `another` are fetched when they are asked for.
    files = {file: sha for file, sha in pinned["files"].items() if file in again["files"] or (folder / file).is_file()}
    return {**pinned, "folder": str(folder), "files": files}


def _fetch(name: str) -> dict[str, Any]:
    try:
        import huggingface_hub
    except ImportError:
        raise MissingExtraError(f"{name} has to be fetched: pip install 'sonovec[transformers]'") from None
    from huggingface_hub.errors import (
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    repository, _, revision = name.partition("@")
    try:
        info = huggingface_hub.HfApi().model_info(repository, revision=revision or None, files_metadata=True)
        wanted = _wanted(name, [file.rfilename for file in info.siblings or ()])
        there = _in_the_clients_cache(repository, str(info.sha))
        _LOG.info("%s: fetching commit %s from the hub", name, info.sha)
        download = partial(
            huggingface_hub.snapshot_download,
            repository,
            revision=info.sha,
            allow_patterns=wanted,
            cache_dir=_clients_cache(),
        )
        folder = Path(_watched(download, name))
    except GatedRepoError as error:
        raise WeightsError(f"{name}: its authors ask for consent; give it on its page, then: hf auth login") from error
    except RevisionNotFoundError as error:
        raise UsageError(f"model {name!r}: no such revision; give a branch, tag or commit after the @") from error
    except RepositoryNotFoundError as error:
        raise UsageError(f"model {name!r} is unknown here and on the hub, or private; see: sonovec models") from error
    except (UsageError, Cancelled):
        raise
    except Exception as error:  # offline, refused, broken off, no room: the client raises many kinds, by its version
        if (found := _in_the_clients_cache(repository, revision)) is not None:
            return found
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise WeightsError(
            f"{name} could not be fetched from the hub ({reason}); on a machine with a network: hf download {repository} "
            f"--local-dir FOLDER, then give weights= (--weights) that folder"
        ) from error
    published = {file.rfilename: file.lfs.sha256 for file in info.siblings or () if file.lfs}
    files = {file: published.get(file) or sha256_of(folder / file) for file in wanted if (folder / file).is_file()}
    return {"commit": info.sha, "folder": str(folder), "files": files, "fetched": there is None}


def _watched(download: Callable[..., str], name: str) -> str:
    """What the client fetches, in a thread of its own, while the job of this call is told of the bytes.

    The client draws a bar for whatever it does; it is given one that only counts, and that ends it where nobody waits.
    """
    from tqdm import tqdm

    job, ended, counters = current(), threading.Event(), list[Any]()

    class Counter(tqdm):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{**options, "file": io.StringIO(), "disable": False})
            counters.append(self)

        def update(self, n: float | None = 1) -> None:
            if ended.is_set():
                raise Cancelled(f"{name}: the download was cancelled")
            super().update(n)

    def tell() -> None:
        fetched = [counter for counter in counters if counter.unit == "B"]
        have = max((int(counter.n) for counter in fetched), default=0)
        total = max((int(counter.total or 0) for counter in fetched), default=0)
        job.report(Progress("fetching", have, max(have, total) or None, "bytes", note=name))

    fetching = ThreadPoolExecutor(1, "sonovec_fetch")
    try:
        folder = job.wait_for(fetching.submit(download, tqdm_class=Counter), tell)
        tell()
        return folder
    finally:
        ended.set()
        fetching.shutdown(wait=False)


def _clients_cache() -> Path:
    """Where the client keeps what it fetches, for all programs; in our own cache where that cannot be written."""
    from huggingface_hub import constants

    place = Path(constants.HF_HUB_CACHE)
    return place if why_not_writable(place) is None else cache_dir() / "huggingface"


def _in_the_clients_cache(repository: str, revision: str) -> dict[str, Any] | None:
    """A snapshot that the client fetched at another time, for whatever program."""
    import huggingface_hub

    try:
        found = huggingface_hub.snapshot_download(repository, revision=revision or None, local_files_only=True)
    except (OSError, ValueError):
        return None
    folder = Path(found)
    there = [path.name for path in folder.iterdir() if path.is_file()]
    if CONFIG not in there or not any(layout in there for layout in WEIGHTS):
        return None
    wanted = _wanted(repository, there)
    return {
        "commit": folder.name,
        "folder": str(folder),
        "files": {file: sha256_of(folder / file) for file in wanted},
        "fetched": False,
    }


def _wanted(name: str, there: list[str]) -> list[str]:
    if CONFIG not in there:
        raise UsageError(f"model {name!r}: its repository has no {CONFIG}, so transformers cannot load it")
    layout = next((file for file in WEIGHTS if file in there), None)
    if layout is None:
        raise UsageError(f"model {name!r}: its repository has none of {', '.join(WEIGHTS)}")
    shards = layout.split(".")[0] + "-*-of-*." + layout.split(".")[1]
    patterns = (*ALWAYS, layout, *([shards] if layout.endswith(".json") else []))
    return [file for file in there if any(fnmatch(file, pattern) for pattern in patterns)]


def _record(file: Path, content: Mapping[str, Any]) -> None:
    """Write JSON at once or not at all."""
    with atomic(file) as temporary:
        temporary.write_text(json.dumps(content, indent=1))


def _pins() -> Path:
    """Where it is kept which commit and which hashes a hub id had when it was first used."""
    return cache_dir() / "hub"


def pin_of(name: str) -> Path:
    """Where the pin of a hub id is, or would be."""
    return cached("hub", f"{re.sub(r'[/@]', '--', name)}.json")


def pinned_names() -> list[str]:
    """Hub ids that are pinned here."""
    return [str(read_json(pin)["name"]) for pin in sorted(_pins().glob("*.json"))]


def files_of(name: str) -> list[Path]:
    """The pin of a hub id, and the files that were fetched for it, with what links point to.

    Files that another program had fetched before are its own.
    """
    pinned = read_json(pin_of(name))
    files = [pin_of(name)]
    for file in pinned["files"] if pinned["fetched"] else ():
        path = Path(pinned["folder"]) / file
        files += [path.resolve(), path] if path.is_symlink() else [path]
    return files


def digest_of(name: str) -> str:
    """The hash of the weights of a pinned hub id, as graphs are named by it; empty if files are gone."""
    folder = Path(read_json(pin_of(name))["folder"])
    try:
        return Pretrained(name, folder, "", {}, {}).weights_hash
    except WeightsError:
        return ""
