"""The page of `comp watch`, served to this machine only.

It listens on 127.0.0.1. Every address begins with a random token, so that no other user of the
machine and no page in a browser can guess one; names of other hosts are refused, so that none of
them can be pointed here. It answers questions, and nothing that it is sent is used but the address.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from comp.core.errors import UsageError
from comp.report.live.page import parts, title, watch_page
from comp.report.live.rows import LiveRun
from comp.stages.watching.reading import RunReader

_HERE = ("127.0.0.1", "localhost", "[::1]")  # as a tunnel of ssh may call it too
_LARGEST = 32 << 20  # bytes of a picture
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class WatchServer(ThreadingHTTPServer):
    """Serves the page of some runs until it is closed; `address` is where."""

    daemon_threads = True

    def __init__(self, readers: Sequence[RunReader], port: int, seconds: float) -> None:
        self.readers, self.seconds = readers, seconds
        self.token = secrets.token_urlsafe(18)
        self._looked, self._runs = -1.0, list[LiveRun]()
        self._one = threading.Lock()
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as problem:
            raise UsageError(
                f"--port {port}: {problem.strerror}; another program listens there, or the port is "
                "reserved. Leave --port out, or give another"
            ) from problem

    @property
    def address(self) -> str:
        """The address of the page."""
        return f"http://127.0.0.1:{self.server_address[1]}/{self.token}/"

    def runs(self) -> list[LiveRun]:
        """The state of the runs, at most half a look old, for all who ask."""
        with self._one:
            if time.monotonic() - self._looked > self.seconds / 2 or not self._runs:
                self._runs = [reader.read() for reader in self.readers]
                self._looked = time.monotonic()
            return self._runs

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that leaves in the middle of an answer is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: WatchServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "comp", ""
    timeout = 30

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        host = self.headers.get("Host", "").rsplit(":", 1)
        name = host[0] if len(host) == 2 and host[1].isdecimal() else ":".join(host)
        token, _, rest = urlsplit(self.path).path.removeprefix("/").partition("/")
        known = secrets.compare_digest(token.encode(), self.server.token.encode())
        content, kind = None, "text/plain; charset=utf-8"
        if known and name in _HERE:
            content, kind = self._content(unquote(rest))
        status = 404 if content is None else 200
        content = b"not here\n" if content is None else content
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for key, value in _HEADERS.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def _content(self, place: str) -> tuple[bytes | None, str]:
        """What stands at a place below the token, and what it is; None for nothing."""
        if place == "":
            page = watch_page(self.server.runs(), self.server.seconds)
            return page.encode(), "text/html; charset=utf-8"
        if place == "state":
            runs = self.server.runs()
            state = {"title": title(runs), "parts": parts(runs), "time": time.strftime("%H:%M:%S")}
            return json.dumps(state).encode(), "application/json"
        if place.startswith("picture/"):
            return self._picture(place.split("/")[1:]), "image/png"
        return None, "text/plain; charset=utf-8"

    def _picture(self, words: list[str]) -> bytes | None:
        if len(words) != 3 or not (words[0].isdecimal() and words[1].isdecimal()):
            return None
        run, fold = int(words[0]), int(words[1])
        if run >= len(self.server.readers):
            return None
        path = self.server.readers[run].picture(fold, words[2])
        with contextlib.suppress(OSError):
            if path is not None and path.stat().st_size <= _LARGEST:
                return path.read_bytes()
        return None

    def log_message(self, format: str, *args: Any) -> None:
        """Questions are not logged: their addresses hold the token."""


def serve(server: WatchServer) -> None:
    """Answer until the process is interrupted."""
    try:
        server.serve_forever(poll_interval=0.2)
    finally:
        with contextlib.suppress(OSError):
            server.socket.shutdown(socket.SHUT_RDWR)
        server.server_close()
