"""A hub on this machine: the few endpoints that huggingface_hub asks, over a folder of repositories."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Hub:
    """Repositories by name: branches to commits, commits to files. `refuse` answers with an error instead."""

    def __init__(self) -> None:
        self.branches: dict[tuple[str, str], str] = {}
        self.commits: dict[str, dict[str, bytes]] = {}
        self.refuse: dict[str, tuple[int, str]] = {}
        self.cut = 0
        self.pause = 0.0  # seconds between small blocks of weights
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub.answer(self, with_body=True)

            def do_HEAD(self) -> None:
                hub.answer(self, with_body=False)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def push(self, name: str, folder: Path, branch: str = "main") -> str:
        """Make what lies in a folder the newest commit of a branch."""
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        commit = hashlib.sha1(b"".join(name.encode() + content for name, content in sorted(files.items()))).hexdigest()
        self.commits[commit] = files
        self.branches[name, branch] = commit
        return commit

    def answer(self, request: BaseHTTPRequestHandler, with_body: bool) -> None:
        path = unquote(urlsplit(request.path).path).strip("/").split("/")
        if path[:2] == ["api", "models"]:
            revision = path[5] if path[4:5] in (["revision"], ["tree"]) else "main"
            self._info(request, "/".join(path[2:4]), revision, as_tree=path[4:5] == ["tree"])
        elif path[2:3] == ["resolve"]:
            self._file(request, path[3], "/".join(path[4:]), with_body)
        else:
            self._send(request, 404, b"")

    def _info(self, request: BaseHTTPRequestHandler, name: str, revision: str, as_tree: bool) -> None:
        if name in self.refuse:
            status, code = self.refuse[name]
            self._send(request, status, b'{"error": "refused"}', {"X-Error-Code": code})
        elif not any(known == name for known, _ in self.branches):
            self._send(request, 404, b'{"error": "no such repository"}', {"X-Error-Code": "RepoNotFound"})
        elif (commit := self.branches.get((name, revision), revision)) not in self.commits:
            self._send(request, 404, b'{"error": "no such revision"}', {"X-Error-Code": "RevisionNotFound"})
        elif as_tree:
            entries = [self._entry(file, content) for file, content in self.commits[commit].items()]
            self._send(request, 200, json.dumps(entries).encode(), {"Content-Type": "application/json"})
        else:
            siblings = [self._sibling(file, content) for file, content in self.commits[commit].items()]
            told = {"_id": "1", "id": name, "modelId": name, "sha": commit, "private": False, "siblings": siblings}
            self._send(request, 200, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def _sibling(self, file: str, content: bytes) -> dict[str, object]:
        told: dict[str, object] = {"rfilename": file, "size": len(content), "blobId": hashlib.sha1(content).hexdigest()}
        if file.endswith((".safetensors", ".bin")):
            told["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
        return told

    def _entry(self, file: str, content: bytes) -> dict[str, object]:
        told = self._sibling(file, content)
        entry = {"type": "file", "path": file, "size": len(content), "oid": told["blobId"]}
        if "lfs" in told:
            entry["lfs"] = {"oid": told["lfs"]["sha256"], "size": len(content), "pointerSize": 130}
        return entry

    def _file(self, request: BaseHTTPRequestHandler, commit: str, file: str, with_body: bool) -> None:
        content = self.commits.get(commit, {}).get(file)
        if content is None:
            self._send(request, 404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        headers = {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
        self._send(request, 200, content, headers, with_body, self.cut if file.endswith(".safetensors") else 0)

    def _send(self, request, status, body, headers=None, with_body=True, cut=0) -> None:
        request.send_response(status)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if with_body:
            blocks = [body[: len(body) - cut]]
            if self.pause and len(body) > 1 << 16:
                blocks = [body[at : at + (1 << 12)] for at in range(0, len(body) - cut, 1 << 12)]
            for block in blocks:
                request.wfile.write(block)
                time.sleep(self.pause)
        if cut:
            request.close_connection = True
