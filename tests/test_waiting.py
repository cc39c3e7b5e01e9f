"""Many who wait equally long have one timer, and each its own time."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed
from twisted.internet.task import Clock

from ocpp_tw.waiting import Deadlines


def held(deadlines: Deadlines, waiting: Any) -> list[Any]:
    """What it comes to."""
    came: list[Any] = []
    deadlines.hold(waiting).addCallbacks(came.append, lambda why: came.append(type(why.value)))
    return came


def test_each_ends_in_its_own_time():
    clock = Clock()
    deadlines = Deadlines(3.0, clock)
    first: Deferred[str] = Deferred()
    came = [held(deadlines, first), held(deadlines, Deferred())]
    clock.advance(1)
    came.append(held(deadlines, Deferred()))
    assert len(clock.getDelayedCalls()) == 1
    first.callback("here")
    clock.advance(1.9)
    assert came == [["here"], [], []]
    clock.advance(0.2)
    assert came == [["here"], [TimeoutError], []]
    clock.advance(0.8)
    assert came == [["here"], [TimeoutError], []]
    clock.advance(0.2)
    assert came == [["here"], [TimeoutError], [TimeoutError]]
    assert clock.getDelayedCalls() == []


def test_nobody_who_waits_is_no_timer():
    clock = Clock()
    deadlines = Deadlines(3.0, clock)
    one: Deferred[str] = Deferred()
    came = held(deadlines, one)
    assert held(deadlines, succeed("at once")) == ["at once"]
    one.errback(ValueError())
    assert came == [ValueError] and clock.getDelayedCalls() == []


def test_what_waits_for_another_is_not_there_yet():
    clock = Clock()
    came = held(Deadlines(3.0, clock), succeed(None).addCallback(lambda _: Deferred()))
    clock.advance(3)
    assert came == [TimeoutError]


def test_whoever_gives_up_is_not_late():
    clock = Clock()
    deadlines = Deadlines(3.0, clock)
    one: Deferred[str] = Deferred()
    came = held(deadlines, one)
    one.cancel()
    assert came == [CancelledError] and clock.getDelayedCalls() == []


def test_what_is_late_is_cancelled():
    clock = Clock()
    cancelled: list[Any] = []

    async def asked() -> None:
        try:
            await Deferred(cancelled.append)
        finally:
            cancelled.append("ended")

    came = held(Deadlines(3.0, clock), asked())
    clock.advance(3)
    assert came == [TimeoutError] and cancelled[1:] == ["ended"]


def test_what_comes_too_late_after_all_is_taken():
    """Whoever was cancelled may have an answer all the same."""
    clock = Clock()
    one: Deferred[str] = Deferred(lambda waiting: waiting.callback("after all"))
    came = held(Deadlines(3.0, clock), one)
    clock.advance(3)
    assert came == ["after all"] and clock.getDelayedCalls() == []
