"""A gateway in memory that is fed anything, and what must hold after each message: no error of ours, an answer, bounded events and records.

Knows no schemas.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec
from twisted.logger import globalLogPublisher

from in_memory import in_memory

KEPT = 200_000
"""Most bytes that are stored about one charger, whatever it sends."""

EVENT = 30_000
"""Bytes that the events of a message may have beyond four times its own: the payload is in each of two events, as readings, and as values."""


class Finding(AssertionError):
    """What must not be; its text says which input, too."""


class Harness:
    """One gateway for all inputs; a charger for each version, which is connected again when its connection was closed."""

    def __init__(self) -> None:
        self.here = in_memory(heartbeat_interval=300)
        self.here.application.start()
        self.errors: list[str] = []
        self.now = time.process_time
        """What time is measured by: on some systems it takes as long as a message to ask for the process' own."""
        self.longest = self.here.settings.max_message  # of a longer one the connection sees to it that nobody hears
        self._clients: dict[str, Any] = {}
        self._asked: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._ids = 0
        globalLogPublisher.addObserver(self._observe)

    def close(self) -> None:
        globalLogPublisher.removeObserver(self._observe)
        for client in self._clients.values():
            client.disconnect()

    def _observe(self, event: dict[str, Any]) -> None:
        if event.get("log_failure") is not None or event["log_level"].name in ("error", "critical"):
            self.errors.append(f"{event.get('log_format')} {event.get('log_failure')}")

    def charger(self, ocpp: str) -> Any:
        """Its connected charger of that version."""
        client = self._clients.get(ocpp)
        if client is None or client.charger.gone or client.wire.closed:
            client = self._clients[ocpp] = self.here.connect(f"fuzz-{ocpp}", ocpp=ocpp)
            self._asked[ocpp] = []
            self._hear(ocpp, client)
        return client

    def _hear(self, ocpp: str, client: Any) -> list[Any]:
        """The frames that have come; CALLs among them are to be answered."""
        frames = client.frames()
        self._asked[ocpp] += [(id, action) for kind, id, action, *_ in frames if kind == 2]
        return frames

    def send(self, ocpp: str, text: bytes, what: str = "", *, owed: bool = False) -> float:
        """Send a text; the time that it took. ``owed``: it is a CALL, which is answered."""
        client = self.charger(ocpp)
        self.here.store.events.clear()
        begun = self.now()
        client.send_text(text)
        took = self.now() - begun
        what = what or repr(text[:300])
        events, frames = self.here.store.events, self._hear(ocpp, client)
        if self.errors:
            raise Finding(f"{what}: {self.errors}")
        if any(frame[0] == 4 and frame[2] == "InternalError" for frame in frames):
            raise Finding(f"{what}: InternalError")
        if owed and not any(frame[0] in (3, 4) for frame in frames):
            raise Finding(f"{what}: no answer")
        if (told := sum(map(len, events))) > 4 * len(text) + EVENT:
            raise Finding(f"{what}: {told} bytes of events for {len(text)}")
        for event in events:
            msgspec.json.decode(event)
        tables = self.here.store.tables
        kept = sum(len(name) + len(value) for key, table in tables.items() if client.charger.id in key for name, value in table.items())
        if kept > KEPT:
            raise Finding(f"{what}: {kept} bytes are kept")
        if kept > KEPT // 2:
            client.disconnect()
            tables.clear()
        return took

    def call(self, ocpp: str, action: str, payload: str, what: str = "") -> float:
        """Send a CALL, or a SEND where the action is one."""
        self._ids += 1
        kind = 6 if action in self.charger(ocpp).charger.version.send_actions else 2
        return self.send(ocpp, f'[{kind},"f{self._ids}","{action}",{payload}]'.encode(), what, owed=kind == 2)

    def answer(self, ocpp: str, action: str, payload: str, what: str = "") -> float:
        """Answer a CALL of that action, which is sent for it."""
        client, outcomes = self.charger(ocpp), []
        client.charger.call(action, {}).addCallback(outcomes.append)
        (_, id, _, _) = client.frames()[-1]
        took = self.send(ocpp, f'[3,"{id}",{payload}]'.encode(), what)
        if not outcomes:
            raise Finding(f"{what}: the command did not end")
        return took

    def command(self, ocpp: str, element: bytes, answer: Callable[[str, str], bytes]) -> None:
        """Push a command, and answer what comes of it: ``answer`` makes a frame, given the id and the action of a CALL."""
        self.charger(ocpp)
        self.here.store.push(element)
        self.answer_all(answer)

    def answer_all(self, answer: Callable[[str, str], bytes]) -> None:
        """Answer all CALLs of the gateway, and some of those that follow from the answers."""
        for ocpp, client in list(self._clients.items()):
            self._hear(ocpp, client)
            asked, self._asked[ocpp] = self._asked[ocpp], []
            for id, action in asked:
                self.send(ocpp, answer(id, action))

    def pass_time(self, seconds: float) -> None:
        """Let time pass, so that what waits ends."""
        self.here.clock.advance(seconds)

    def forget(self) -> None:
        """What is kept for the test, not by the gateway; and the store forgets whoever is not connected, as Redis does in the end."""
        store, ours = self.here.store, {client.charger.id for client in self._clients.values()} | {self.here.settings.name}
        for kept in (store.events, store.dead, store.done, store.replies):
            kept.clear()
        for key in [key for key in store.tables if key[1] not in ours]:
            del store.tables[key]
        for charger in store.seq.keys() - ours:
            del store.seq[charger]
        for client in self._clients.values():
            client.wire.sent.clear()
            client._read = 0

    def best(self, send: Callable[[], float], times: int = 3) -> float:
        """The least time of several: what it costs on a machine that has nothing else to do."""
        return min(send() for _ in range(times))
