"""A command by HTTP, whose asker often hangs up before the answer.

Knows nothing of commands but their text.
"""

from __future__ import annotations

import random

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol

from chaos.ledger import Ledger, Push

PATIENCE = 10.0
"""Seconds after which an asker that waits for the answer gives up."""


class _Asker(Protocol):
    def __init__(self) -> None:
        self.heard = b""
        self.ended: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason=None) -> None:
        self.ended.callback(None)


async def ask(port: int, push: Push, ledger: Ledger, rng: random.Random, hang_ups: bool = True) -> None:
    """Ask for the push's command, and record whether the gateway certainly has it: it has if it answered with the command's outcome."""
    patience = rng.choice((0.0, rng.uniform(0, 0.1), rng.uniform(0, 2), PATIENCE)) if hang_ups else PATIENCE
    push.at = ledger.now
    asker = _Asker()
    try:
        await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port, timeout=2), asker)
    except Exception:
        return
    body = push.element.encode()
    head = "POST /command/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nConnection: close\r\n"
    asker.transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    push.state = "unsure"
    timer = reactor.callLater(patience, asker.transport.abortConnection)
    await asker.ended
    if timer.active():
        timer.cancel()
    if asker.heard.startswith((b"HTTP/1.1 200", b"HTTP/1.1 400")):
        push.state = "certain"
