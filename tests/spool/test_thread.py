"""Work that blocks is done beside the reactor, and nothing of it is kept when it is done."""

from __future__ import annotations

import weakref

from twisted.internet import reactor
from twisted.internet.task import deferLater

from fleets import soon
from ocpp_tw.spool.thread import SerialThread


class Held:
    """Something large that a piece of work has."""


async def test_work_that_is_done_keeps_nothing_until_there_is_more_to_do():
    thread, held = SerialThread(reactor, "test"), Held()
    there = weakref.ref(held)

    def work(held=held) -> Held:
        return held

    try:
        assert await soon(thread.run(work)) is held
        thread.post(work)
        del work, held
        for _ in range(1000):
            if there() is None:
                break
            await deferLater(reactor, 0.01)
        assert there() is None, "its thread holds on to the last piece of work"
    finally:
        await soon(thread.stop())
