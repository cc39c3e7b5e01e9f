"""Somebody else with a charger's identity: a clone, or its own second connection (F12).

Knows only how to say a few words. They have an order of their own; commands it may be given are the charger's.
"""

from __future__ import annotations

import json
from collections import deque

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

from chaos.charger import Charger
from chaos.ledger import Message, Sending
from chaos.line import Line


def double(charger: Charger, seconds: float) -> None:
    """Somebody else connects with its identity, says a few words and stays for a while (F12)."""
    charger.doubles += 1
    voice = charger.doubles
    words = deque(
        Message(charger.name, "DataTransfer", charger.words.transfer("double"), False, voice) for _ in range(charger.rng.randrange(0, 4))
    )
    sent: dict[str, Sending] = {}

    def more() -> None:
        if words and line.open:
            message = words.popleft()
            id = f"{charger.name}-double-{voice}-{len(words)}"
            sent[id] = charger.ledger.sent(message, -voice, id)
            line.say(json.dumps([2, id, message.action, message.payload]))

    def heard(text: bytes) -> None:
        frame = json.loads(text)
        if frame[0] == 2:
            charger.asked(line, frame[1], frame[2], frame[3], -voice)
        elif frame[0] == 3:
            sent[frame[1]].answered = charger.ledger.now
            more()

    line = Line(f"/ocpp/{charger.name}", f"ocpp{charger.habits.version}", more, heard, lambda: None)
    connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", charger.port, timeout=5), line).addErrback(lambda _: None)
    reactor.callLater(seconds, lambda: line.transport is not None and line.close())
