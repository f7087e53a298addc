"""Downloads against a real HTTP server that supports ranges, breaks off, lies, or is not there."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from filelock import FileLock

from sonovec import jobs
from sonovec.errors import Cancelled, WeightsError
from sonovec.models import weights
from sonovec.models.card import WeightFile

CONTENT = np.random.default_rng(0).bytes(3_000_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """A server of one file as RFC 9110 has it; `ranges` may be False, or "blind": If-Range is not looked at."""

    def do_GET(self):
        server = self.server
        server.requests.append(self.headers.get("Range"))
        server.conditions.append(self.headers.get("If-Range"))
        content, start = server.content, 0
        same = self.headers.get("If-Range") in (None, *server.validators.values()) or server.ranges == "blind"
        if server.ranges and same and (wanted := self.headers.get("Range")):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start >= len(content):
            self.send_response(416)
            if server.tells:
                self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = start and start + server.shift
        self.send_response(206 if start else server.status)
        for name, value in server.validators.items():
            self.send_header(name, value)
        if start and server.tells:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = server.breaks.pop(0) if server.breaks else len(content)
        self.wfile.write(content[start : max(start, stop)])
        if stop < len(content):
            self.wfile.flush()
            self.connection.close()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.content, server.ranges, server.breaks, server.requests, server.status = CONTENT, True, [], [], 200
        server.validators, server.conditions, server.tells, server.shift = {}, [], True, 0
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SONOVEC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


def described(server, **changes):
    url = f"http://127.0.0.1:{server.server_port}/net.pth"
    return WeightFile(
        **{"name": "net.pth", "url": url, "sha256": DIGEST, "size": len(CONTENT), "about": "2.9 MiB", **changes}
    )


def test_a_file_is_fetched_once_and_then_found(server, cache):
    seen = []
    with jobs.running(seen.append):
        path = weights.resolve(described(server))
    assert path == cache / "net.pth" and path.read_bytes() == CONTENT
    assert seen[-1] == jobs.Progress("fetching", len(CONTENT), len(CONTENT), "bytes", note="net.pth")
    assert weights.resolve(described(server)) == path
    assert len(server.requests) == 1
    assert [file.name for file in cache.iterdir()] == ["net.pth"]


def test_a_fetch_that_is_cancelled_in_the_middle_keeps_what_arrived(server, cache):
    job = jobs.Job(lambda progress: job.cancel())
    with (
        pytest.raises(Cancelled, match=rf"cancelled while fetching: \d+ of {len(CONTENT)} bytes were done"),
        jobs.running(job),
    ):
        weights.resolve(described(server))
    assert job.state == "cancelled" and 0 < job.progress.done < len(CONTENT)
    kept = (cache / "net.pth.part").stat().st_size
    assert kept >= job.progress.done and not (cache / "net.pth").exists()
    assert weights.resolve(described(server)).read_bytes() == CONTENT
    assert server.requests == [None, f"bytes={kept}-"]


def test_who_waits_for_another_process_that_fetches_can_be_cancelled(server, cache):
    lock = cache.parent / "locks" / "net.pth.lock"
    lock.parent.mkdir(parents=True)
    job = jobs.Job(lambda progress: job.cancel())
    with FileLock(lock), pytest.raises(Cancelled, match="while waiting for another process"), jobs.running(job):
        weights.resolve(described(server))
    assert weights.resolve(described(server)).read_bytes() == CONTENT


def test_a_prefix_of_the_hash_is_enough_and_no_size_is_needed(server, cache):
    assert weights.resolve(described(server, sha256=DIGEST[:8], size=None)).read_bytes() == CONTENT


def test_what_arrived_before_a_break_is_taken_up_again(server, cache):
    server.breaks = [1_000_000, 2_000_000]
    assert weights.resolve(described(server)).read_bytes() == CONTENT
    assert [wanted is None for wanted in server.requests] == [True, False, False]


def test_it_resumes_in_another_run(server, cache):
    server.breaks = [500_000, 500_000, 500_000]
    with pytest.raises(WeightsError, match=r"net\.pth \(2\.9 MiB\) could not be fetched from http://127"):
        weights.resolve(described(server))
    assert not (cache / "net.pth").exists() and (cache / "net.pth.part").exists()
    server.requests.clear()
    assert weights.resolve(described(server)).read_bytes() == CONTENT
    assert server.requests[0] is not None


def test_a_server_without_ranges_starts_over(server, cache):
    server.ranges, server.breaks = False, [1_000_000]
    assert weights.resolve(described(server)).read_bytes() == CONTENT


def test_a_whole_part_that_was_not_put_in_place_is(server, cache):
    cache.mkdir(parents=True)
    (cache / "net.pth.part").write_bytes(CONTENT)
    assert weights.resolve(described(server)).read_bytes() == CONTENT


@pytest.mark.parametrize("changes", [{"sha256": "0" * 64}, {"size": 5}])
def test_what_is_not_what_was_published_is_not_kept(server, cache, changes):
    with pytest.raises(WeightsError, match="is not what was published; nothing was kept"):
        weights.resolve(described(server, **changes))
    assert list(cache.iterdir()) == []


def test_an_error_of_the_server_is_told(server, cache):
    server.status = 404
    with pytest.raises(WeightsError, match="404"):
        weights.resolve(described(server))


def test_offline_says_which_file_how_large_from_where_and_where_to_put_it(cache):
    file = WeightFile("net.pth", "https://localhost:1/net.pth", DIGEST, about="2.9 MiB")
    with pytest.raises(WeightsError) as raised:
        weights.resolve(file)
    message = str(raised.value)
    for part in ("net.pth (2.9 MiB)", "https://localhost:1/net.pth", str(cache / "net.pth"), "--weights"):
        assert part in message
    assert "\n" not in message


def test_a_tampered_file_in_the_cache_is_refused_with_both_hashes(server, cache):
    path = weights.resolve(described(server))
    path.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(WeightsError, match=f"should begin {DIGEST[:16]}; delete it to fetch it again"):
        weights.resolve(described(server))
    path.write_bytes(CONTENT[:100])
    with pytest.raises(WeightsError, match="has 100 bytes and should have 3000000"):
        weights.resolve(described(server))


def test_plain_http_to_elsewhere_is_refused(cache):
    with pytest.raises(WeightsError, match="over https only"):
        weights.resolve(WeightFile("net.pth", "http://example.org/net.pth", DIGEST))


def test_a_file_of_ones_own_is_taken_as_it_is(tmp_path, cache):
    file = WeightFile("net.pth", "https://localhost:1/net.pth", DIGEST)
    (tmp_path / "net.pth").write_bytes(b"mine")
    assert weights.resolve(file, tmp_path) == tmp_path / "net.pth"
    assert weights.resolve(file, tmp_path / "net.pth") == tmp_path / "net.pth"
    with pytest.raises(
        WeightsError, match=r"other: no such file of weights; give weights= the folder that holds net\.pth"
    ):
        weights.resolve(file, tmp_path / "other")


def test_two_processes_may_fetch_at_once(server, cache):
    """A second one waits for the first and finds its file, instead of writing into the same half."""
    imports = "from sonovec.models import weights\nfrom sonovec.models.card import WeightFile"
    code = f"{imports}\nweights.resolve({described(server)!r})"
    runs = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [(run.communicate()[1], run.returncode) for run in runs] == [("", 0), ("", 0)]
    assert len(server.requests) == 1 and (cache / "net.pth").read_bytes() == CONTENT


def test_where_no_hash_was_published_the_first_one_is_enforced(server, cache):
    file = described(server, sha256="", size=None)
    path = weights.resolve(file)
    assert weights.record_of(path).read_text() == DIGEST
    assert weights.resolve(file) == path
    path.write_bytes(b"another file")
    with pytest.raises(
        WeightsError, match=f"began {DIGEST[:16]} when it was first used; put that file back, or accept"
    ):
        weights.resolve(file)
    weights.record_of(path).unlink()
    assert weights.resolve(file) == path


OTHER = np.random.default_rng(1).bytes(2_500_000)
LONG_AGO = "Mon, 01 Jan 2024 00:00:00 GMT"


def broken_off(server, **changes):
    """A file without a published hash, whose download broke off after half a million bytes."""
    file = described(server, sha256="", size=None, **changes)
    server.breaks = [500_000] * weights.ATTEMPTS
    with pytest.raises(WeightsError):
        weights.resolve(file)
    server.requests.clear()
    server.conditions.clear()
    return file


@pytest.mark.parametrize(
    "validators", [{"ETag": '"a"'}, {"Last-Modified": LONG_AGO}, {"ETag": '"a"', "Last-Modified": LONG_AGO}]
)
def test_without_a_published_hash_it_resumes_if_the_server_has_the_same_file(server, cache, validators):
    server.validators = validators
    file = broken_off(server)
    assert weights.resolve(file).read_bytes() == CONTENT
    assert server.conditions == [next(iter(validators.values()))] and server.requests == [
        f"bytes={500_000 // weights.BLOCK * weights.BLOCK}-"
    ]
    assert sorted(path.name for path in cache.iterdir()) == ["net.pth", "net.pth.sha256"]


@pytest.mark.slow
@pytest.mark.parametrize("now", [{"ETag": '"b"'}, {"Last-Modified": "Tue, 02 Jan 2024 00:00:00 GMT"}, {}])
@pytest.mark.parametrize("validators", [{"ETag": '"a"'}, {"Last-Modified": LONG_AGO}])
def test_a_file_that_changed_meanwhile_is_fetched_from_the_beginning(server, cache, validators, now):
    server.validators = validators
    file = broken_off(server)
    server.content, server.validators = OTHER, now
    assert weights.resolve(file).read_bytes() == OTHER


@pytest.mark.parametrize(
    "validators",
    [{}, {"ETag": 'W/"a"'}, {"Last-Modified": "Fri, 01 Jan 2100 00:00:00 GMT"}, {"Last-Modified": "yesterday"}],
    ids=["none", "weak", "not settled", "no date"],
)
def test_where_nothing_tells_that_it_is_the_same_it_begins_again(server, cache, validators):
    server.validators = validators
    file = broken_off(server)
    server.content = OTHER
    assert weights.resolve(file).read_bytes() == OTHER
    assert server.requests == [None]


def test_a_break_while_a_changed_file_comes_leaves_no_mixture(server, cache):
    server.validators = {"ETag": '"a"'}
    file = broken_off(server)
    server.content, server.validators, server.breaks = OTHER, {"ETag": '"b"'}, [300_000, 900_000]
    assert weights.resolve(file).read_bytes() == OTHER
    assert server.conditions == ['"a"', '"b"', '"b"']


def test_a_part_of_another_address_is_none_of_this_file(server, cache):
    server.validators = {"ETag": '"1"'}
    broken_off(server)
    server.content = OTHER
    other = described(server, sha256="", size=None, url=f"http://127.0.0.1:{server.server_port}/other.pth")
    assert weights.resolve(other).read_bytes() == OTHER


@pytest.mark.slow
@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.parametrize("content", [CONTENT, CONTENT + OTHER, CONTENT[:-5]], ids=["whole", "longer", "shorter"])
def test_a_part_that_is_as_long_as_the_file_or_longer(server, cache, tells, content):
    """The server answers 416, and says how long its file is, or does not."""
    server.validators, server.tells = {"ETag": '"a"'}, tells
    file = broken_off(server)
    (cache / "net.pth.part").write_bytes(content)
    assert weights.resolve(file).read_bytes() == CONTENT
    assert len(server.requests) == (1 if content == CONTENT and tells else 1 if len(content) < len(CONTENT) else 2)


def test_another_part_than_was_asked_for_is_not_taken(server, cache):
    server.validators = {"ETag": '"a"'}
    file = broken_off(server)
    server.shift = 7
    assert weights.resolve(file).read_bytes() == CONTENT


def test_a_damaged_record_of_the_part_is_as_none(server, cache):
    server.validators = {"ETag": '"a"'}
    file = broken_off(server)
    weights.source_of(cache / "net.pth.part").write_text("[")
    assert weights.resolve(file).read_bytes() == CONTENT
    assert server.requests == [None]


def test_with_a_published_hash_what_is_there_is_kept_whatever_the_server_tells(server, cache):
    server.breaks = [500_000] * weights.ATTEMPTS
    with pytest.raises(WeightsError):
        weights.resolve(described(server))
    server.requests.clear()
    assert weights.resolve(described(server)).read_bytes() == CONTENT
    assert server.requests == [f"bytes={500_000 // weights.BLOCK * weights.BLOCK}-"]


def test_a_file_put_there_by_hand_is_recorded_too(server, cache):
    cache.mkdir(parents=True)
    (cache / "net.pth").write_bytes(CONTENT)
    weights.resolve(described(server, sha256=""))
    assert weights.record_of(cache / "net.pth").read_text() == DIGEST and not server.requests


HELD = """
import sys
from sonovec.models import weights
from sonovec.models.card import WeightFile
print(weights.resolve(WeightFile("w.bin", sys.argv[1], "", 3_000_000)))
"""


def test_weights_in_a_cache_that_cannot_be_written_are_used_and_others_fetched(
    server, tmp_path, monkeypatch, run_as_user, read_only
):
    """A cache that an administrator filled for all, say."""
    url = f"http://127.0.0.1:{server.server_port}/w.bin"
    shared = tmp_path / "shared"
    (shared / "weights").mkdir(parents=True)
    (tmp_path / "tmp").mkdir()
    read_only(shared)
    monkeypatch.setenv("SONOVEC_CACHE", str(shared))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    fetched = run_as_user(sys.executable, "-c", HELD, url)
    assert fetched.stdout.startswith(str(tmp_path / "tmp")), fetched.stderr
    (shared / "weights").chmod(0o755)
    (shared / "weights" / "w.bin").write_bytes(CONTENT)
    read_only(shared)
    assert run_as_user(sys.executable, "-c", HELD, url).stdout == f"{shared / 'weights' / 'w.bin'}\n"
    assert len(server.requests) == 1
