"""The operator's backend over HTTP, which can be made to refuse, hang, drip, fail, send garbage and send compression bombs.

Knows only the contract: `GET /api/transaction/tag/…`, and the idempotency key that identifies a repeated request.
"""

from __future__ import annotations

import gzip
import json
from urllib.parse import parse_qs, unquote, urlsplit

from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory, Protocol

from chaos.ledger import BackendRequest, Ledger

MODES = ("good", "refuses", "hangs", "drips", "is slow", "500", "html", "garbage", "redirects", "bomb", "huge", "hangs up")

_BOMB = gzip.compress(b" " * (20 << 20))


class Backend(Factory):
    """Answers at ``url``; ``mode`` says how, one of `MODES`."""

    noisy = False

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.mode = "good"
        self._ids: dict[str, int] = {}
        self._last = 0
        self._listener = reactor.listenTCP(0, self, interface="127.0.0.1", backlog=256)
        self.url = f"http://127.0.0.1:{self._listener.getHost().port}"

    def buildProtocol(self, address) -> Protocol:
        return _Request(self)

    def id(self, key: str) -> int:
        """The transaction's id: the same for the same key."""
        if key and key in self._ids:
            return self._ids[key]
        self._last += 1
        if key:
            self._ids[key] = self._last
        return self._last

    def close(self) -> Deferred[None]:
        return maybeDeferred(self._listener.stopListening)


class _Request(Protocol):
    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._buffer = b""
        self._timer = None

    def connectionMade(self) -> None:
        if self._backend.mode == "refuses":
            self.transport.abortConnection()

    def connectionLost(self, reason=None) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def dataReceived(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if len(rest) < int(headers.get("content-length", 0)):
            return
        self._buffer = b""
        self._serve(first.split(" ")[1], headers.get("idempotency-key", ""))

    def _serve(self, target: str, key: str) -> None:
        backend, mode = self._backend, self._backend.mode
        parts = urlsplit(target)
        tag = unquote(parts.path.rstrip("/").rpartition("/")[2])
        request = BackendRequest(backend.ledger.now, parse_qs(parts.query).get("charger", [""])[0], tag, key, mode)
        backend.ledger.backend_requests.append(request)
        # It assigns the id before it fails to respond: that is what the key is for.
        id = backend.id(key)
        body = json.dumps({"status": True, "data": {"id": id, "status": "active", "tag": tag}}).encode()
        if mode in ("good", "is slow"):
            request.id = id
        if mode == "good":
            self._respond(200, body)
        elif mode == "is slow":
            self._timer = reactor.callLater(0.7, self._respond, 200, body)
        elif mode == "drips":
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            self._drip(body)
        elif mode == "500":
            self._respond(500, b'{"detail": "no"}')
        elif mode == "html":
            self._respond(200, b"<html><body>Please log in</body></html>", "text/html")
        elif mode == "garbage":
            self.transport.write(b"\x00\xff\x16\x03 not HTTP at all\r\n\r\n")
            self.transport.loseConnection()
        elif mode == "redirects":
            self._respond(302, b"", more="Location: /api/transaction/tag/x/\r\n")
        elif mode == "bomb":
            self._respond(200, _BOMB, more="Content-Encoding: gzip\r\n")
        elif mode == "huge":
            self._respond(200, b'{"status": true, "data": {"id": "' + b"9" * (1 << 20) + b'"}}')
        elif mode == "hangs up":
            self.transport.abortConnection()

    def _drip(self, rest: bytes) -> None:
        self.transport.write(rest[:1])
        if len(rest) > 1:
            self._timer = reactor.callLater(1.0, self._drip, rest[1:])

    def _respond(self, status: int, body: bytes, kind: str = "application/json", more: str = "") -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
        self.transport.write(head.encode() + body)
