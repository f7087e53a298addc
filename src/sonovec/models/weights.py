"""Files of weights: the user's own, the cache's, or a download that is checked, resumable and never half there."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from sonovec.errors import WeightsError
from sonovec.jobs import TICK, Pace, Progress, current
from sonovec.models.card import WeightFile
from sonovec.paths import atomic, cache_dir, cached, display

if TYPE_CHECKING:
    import httpx

BLOCK = 1 << 16
TIMEOUT_SECONDS = 20.0
ATTEMPTS = 3

_LOG = logging.getLogger(__name__)


def folder() -> Path:
    """Where fetched weights lie, and where to put them by hand."""
    return cache_dir() / "weights"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    stat = path.stat()
    return _sha256_of(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=64)  # large files are asked for more than once: when they are found, and for the passport
def _sha256_of(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def resolve(file: WeightFile, explicit: Path | None = None) -> Path:
    """Find a file of weights: what the user named, else the cache, else a download, which the job of the call is told of.

    Parameters
    ----------
    file : WeightFile
    explicit : Path, optional
        A file, or a folder that holds it under its published name. It is taken as it is: weights of one's own have
        another hash than the published ones, and the passport holds the hash of what was used.

    Raises
    ------
    WeightsError
        If `explicit` does not hold it, the cached file is not what was published, or the download fails. The message
        says which file, how large, from where, and where to put it by hand.
    """
    if explicit is not None:
        return _named(file, explicit)
    target = cached("weights", file.name)
    if target.exists():
        _check(file, target, f"delete it to fetch it again: {display(target)}")
    else:
        download(file, target)
    _hold(file, target)
    return target


def _named(file: WeightFile, explicit: Path) -> Path:
    found = explicit / file.name if explicit.is_dir() else explicit
    if not found.is_file():
        raise WeightsError(
            f"{display(found)}: no such file of weights; give weights= the folder that holds {file.name}"
        )
    return found


def _check(file: WeightFile, path: Path, remedy: str) -> None:
    """Hold a file to its published size and hash; where no hash was published, to the one that it had first."""
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        raise WeightsError(f"{display(path)}: has {size} bytes and should have {file.size}; {remedy}")
    digest = sha256_of(path)
    if file.sha256 and not digest.startswith(file.sha256):
        raise WeightsError(
            f"{display(path)}: its SHA-256 begins {digest[:16]} and should begin {file.sha256[:16]}; {remedy}"
        )


def _hold(file: WeightFile, path: Path) -> None:
    """Record the hash of a file that none was published for when it is first used, and enforce it from then on."""
    if file.sha256:
        return
    record = cached("weights", record_of(path).name)
    digest = sha256_of(path)
    if not record.exists():
        with atomic(record) as temporary:
            temporary.write_text(digest)
    elif (first := record.read_text().strip()) != digest:
        raise WeightsError(
            f"{display(path)}: its SHA-256 begins {digest[:16]} and began {first[:16]} when it was first used; put that file "
            f"back, or accept this one by deleting {display(record)}"
        )


def record_of(path: Path) -> Path:
    """Where the hash of a file lies that none was published for."""
    return path.with_name(path.name + ".sha256")


def part_of(path: Path) -> Path:
    """Where a download of a file lies that is not whole."""
    return path.with_name(path.name + ".part")


def source_of(part: Path) -> Path:
    """Where it lies which file of the server a part is the beginning of."""
    return part.with_name(part.name + ".json")


def download(file: WeightFile, target: Path) -> None:
    """Fetch a file over HTTPS (plain HTTP only from this machine itself), check it, and put it in place at once.

    What arrived before a connection broke, or the job was cancelled, is kept beside the target and taken up again; where no
    hash was published, only if the server says that its file is still the same.
    """
    _need_secure(file.url)
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = cache_dir() / "locks" / f"{target.name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with held(lock, file.name):  # two processes would write into one .part
        if not target.exists():
            _download(file, target)


@contextmanager
def held(path: Path, name: str) -> Iterator[None]:
    """Hold a lock file; the job of the call is told that another process holds it."""
    lock = FileLock(path)
    while True:
        try:
            lock.acquire(timeout=TICK)
            break
        except Timeout:
            current().report(Progress("waiting for another process that fetches it", note=name))
    try:
        yield
    finally:
        lock.release()


def _download(file: WeightFile, target: Path) -> None:
    import httpx

    _LOG.info("%s: fetching it from %s", file.name, file.url)

    part = part_of(target)
    try:
        with httpx.Client(follow_redirects=True, timeout=TIMEOUT_SECONDS) as client:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    _fetch(client, file, part)
                    break
                except httpx.TransportError:
                    if attempt == ATTEMPTS:
                        raise
    except (httpx.HTTPError, OSError) as error:
        raise WeightsError(f"{_not_fetched(file, target)} ({_one_line(error)})") from error
    try:
        _check(file, part, f"what {file.url} sends is not what was published; nothing was kept")
    except WeightsError:
        part.unlink()
        source_of(part).unlink(missing_ok=True)
        raise
    part.replace(target)
    _LOG.info("%s: fetched, %d bytes", display(target), target.stat().st_size)
    source_of(part).unlink(missing_ok=True)


def _need_secure(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise WeightsError(f"{url}: weights are fetched over https only; put https:// in the card")


def _fetch(client: httpx.Client, file: WeightFile, part: Path) -> None:
    import httpx

    job, pace = current(), Pace(TICK)

    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if not file.sha256:  # nothing would tell a mixture of two files from either
        same = _former_validator(part, file.url)
        have = have if same else 0
        headers |= {"If-Range": same} if have and same else {}
    if have:
        headers["Range"] = f"bytes={have}-"
    with client.stream("GET", file.url, headers=headers) as response:
        if response.status_code == 416 and (file.sha256 or _range_of(response)[1] == have):
            return  # nothing is left to send: what is there is whole, or wrong and found out below
        if response.status_code == 416 or (response.status_code == 206 and _range_of(response)[0] not in (have, None)):
            part.unlink()
            raise httpx.RemoteProtocolError(
                "the server sends another part than was asked for", request=response.request
            )
        response.raise_for_status()
        resumed = response.status_code == 206
        have = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with part.open("ab" if resumed else "wb") as stream:
            if not resumed:  # after the old content is gone, and before the new one comes
                _keep_validator(response, part, file.url)
            for block in response.iter_raw(BLOCK):
                stream.write(block)
                have += len(block)
                job.check()
                if pace.due() or have == total:
                    job.report(Progress("fetching", have, total, "bytes", note=file.name))
            stream.flush()
            os.fsync(stream.fileno())


def _range_of(response: httpx.Response) -> tuple[int | None, int | None]:
    """What a server says of a part that it sends: its first byte, and the bytes of the whole file."""
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", ""))
    first, whole = (found[1], found[2]) if found else (None, None)
    return int(first) if first else None, int(whole) if whole and whole != "*" else None


def _keep_validator(response: httpx.Response, part: Path, url: str) -> None:
    """Write down what tells whether the server's file is still the same; nothing where it says nothing that is exact."""
    source = source_of(part)
    source.unlink(missing_ok=True)
    if validator := _validator(response.headers):
        with atomic(source) as temporary:
            temporary.write_text(json.dumps({"url": url, "validator": validator}))


def _validator(headers: Mapping[str, str]) -> str | None:
    """A strong ETag, or a time of change that lies a minute before the answer (RFC 9110, 8.8.2.2)."""
    if (etag := headers.get("ETag", "")) and not etag.startswith("W/"):
        return etag
    try:
        changed = parsedate_to_datetime(headers["Last-Modified"])
        settled = (parsedate_to_datetime(headers["Date"]) - changed).total_seconds() >= 60
    except (KeyError, ValueError, TypeError):
        return None
    return headers["Last-Modified"] if settled else None


def _former_validator(part: Path, url: str) -> str | None:
    try:
        source = json.loads(source_of(part).read_text())
        return str(source["validator"]) if source["url"] == url else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _not_fetched(file: WeightFile, target: Path) -> str:
    size = f" ({file.about})" if file.about else ""
    return (
        f"{file.name}{size} could not be fetched from {file.url}; fetch it by hand and put it at {display(target)}, "
        "or give weights= (--weights) the folder that holds it"
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
