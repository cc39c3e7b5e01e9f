"""A source of events that publishes all the time, and the proof that none was lost."""

from __future__ import annotations

import json
import time

from twisted.internet.defer import Deferred

from fleets import Valkey, pause, soon
from ocpp_tw.core.entries import Entry, Put, Reply


class Source:
    """Publishes all the time, and records when each event became durable: ``durable``, and the longest ``gap`` between two, in seconds."""

    def __init__(self, gateway) -> None:
        self.events, self.sent, self.durable, self.last, self.gap = gateway.events, 0, [], time.monotonic(), 0.0
        self.running = True
        self.ended = Deferred.fromCoroutine(self._run())

    async def _run(self) -> None:
        while self.running:
            for _ in range(5):
                effects = (Put("transactions", "last", b"%d" % self.sent), Reply("replies", b"%d" % self.sent))
                self.events.publish(Entry(f"c{self.sent % 2}", b'{"n":%d}' % self.sent, effects), self._then, self.sent)
                self.sent += 1
            await pause(0.001)

    def _then(self, n: int) -> None:
        now = time.monotonic()
        self.gap, self.last = max(self.gap, now - self.last), now
        self.durable.append(n)

    async def end(self) -> None:
        self.running = False
        await self.ended
        await soon(self.events.flushed())


def assert_complete(server: Valkey, source: Source) -> None:
    """Everything is in Redis once, in order, numbered without a gap, and so are the effects."""
    events = [json.loads(each) for each in server("LRANGE", "events", 0, -1)]
    assert [each["n"] for each in events] == list(range(source.sent)) == source.durable
    for charger in range(2):
        numbers = [each["seq"] for each in events if each["n"] % 2 == charger]
        assert numbers == list(range(1, len(numbers) + 1))
    assert [int(each) for each in server("LRANGE", "replies", 0, -1)] == list(range(source.sent))
