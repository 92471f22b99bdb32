"""A server for a browser on this machine alone: GET, a fixed list of addresses, no file of the disk.

A site that a browser is open at may name our address as its own (DNS rebinding): requests with another Host than this
machine's are refused.
"""

from __future__ import annotations

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from mta_eval.errors import MtaEvalError, SpecError
from mta_eval.results.view.shelf import INDEX, Shelf
from mta_eval.whole_files import encoded

LOOPBACK = "127.0.0.1"
NAMES = (LOOPBACK, "localhost", "[::1]")
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class ViewServer(ThreadingHTTPServer):
    """The pages of a shelf on a port of this machine (0: one that is free). Raises SpecError if it is taken."""

    daemon_threads = True

    def __init__(self, shelf: Shelf, port: int = 0) -> None:
        self.shelf, self.making = shelf, threading.Lock()
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as error:
            raise SpecError(f"port {port} cannot be used: {error.strerror}; name another with --port") from error

    @property
    def address(self) -> str:
        """Where the index is."""
        return f"http://{LOOPBACK}:{self.server_port}/"

    def text_of(self, path: str) -> str | None:
        """The page at a path; None if there is none. Raises MtaEvalError for a run that cannot be read."""
        with self.making:  # a page is made once, whoever asks for it meanwhile
            return self.shelf.index() if path in ("", INDEX) else self.shelf.page(path)


class _Handler(BaseHTTPRequestHandler):
    server: ViewServer
    server_version, sys_version = "mta-eval", ""
    timeout = 30  # seconds for a request to come

    def do_GET(self) -> None:
        """Answer with a page, or with why there is none."""
        if self.headers.get_all("Host", []) not in [[f"{name}:{self.server.server_port}"] for name in NAMES]:
            return self._answer(HTTPStatus.FORBIDDEN, "This server answers this machine alone.")
        try:
            text = self.server.text_of(unquote(urlsplit(self.path).path).lstrip("/"))
        except MtaEvalError as error:
            return self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, str(error), plain=True)
        if text is None:
            return self._answer(HTTPStatus.NOT_FOUND, "There is no such page.")
        return self._answer(HTTPStatus.OK, text, plain=False)

    def _answer(self, status: HTTPStatus, text: str, plain: bool = True) -> None:
        body = encoded(text)
        self.send_response(status)
        for name, value in (HEADERS | ({"Content-Type": "text/plain; charset=utf-8"} if plain else {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal is for results."""
