"""A second peer with a charger's identity: a clone, or the charger's own second connection (F12).

It only sends a few messages, which have an order of their own; commands sent to it count as the charger's.
"""

from __future__ import annotations

import json
from collections import deque

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

from chaos.charger import Charger
from chaos.ledger import Message, Sending
from chaos.websocket_client import WebSocketClient


def connect_duplicate(charger: Charger, seconds: float) -> None:
    """Open a second connection with the charger's identity that sends a few messages and stays open for a while (F12)."""
    charger.duplicates += 1
    sender = charger.duplicates
    messages = deque(
        Message(charger.name, "DataTransfer", charger.messages.transfer("duplicate"), False, sender)
        for _ in range(charger.rng.randrange(0, 4))
    )
    sent: dict[str, Sending] = {}

    def send_next() -> None:
        if messages and client.open:
            message = messages.popleft()
            id = f"{charger.name}-duplicate-{sender}-{len(messages)}"
            sent[id] = charger.ledger.sent(message, -sender, id)
            client.send(json.dumps([2, id, message.action, message.payload]))

    def received(text: bytes) -> None:
        frame = json.loads(text)
        if frame[0] == 2:
            charger.execute(client, frame[1], frame[2], frame[3], -sender)
        elif frame[0] == 3:
            sent[frame[1]].answered = charger.ledger.now
            send_next()

    client = WebSocketClient(f"/ocpp/{charger.name}", f"ocpp{charger.behaviour.version}", send_next, received, lambda: None)
    connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", charger.port, timeout=5), client).addErrback(lambda _: None)
    reactor.callLater(seconds, lambda: client.transport is not None and client.close())
