"""Work in slices: everybody else has a turn between two of them."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ocpp_tw.monitoring import slices


async def taken(clock: Clock, items: range) -> list[int]:
    return [len(some) async for some in slices.slices(items, clock)]


@pytest.mark.parametrize(("items", "sizes"), [(0, []), (1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])])
def test_a_slice_that_took_long_is_followed_by_a_pause_but_for_the_last(
    monkeypatch: pytest.MonkeyPatch, items: int, sizes: list[int]
) -> None:
    monkeypatch.setattr(slices, "SLICE", -1.0)
    clock, pauses = Clock(), list[float]()
    call_later = clock.callLater
    monkeypatch.setattr(clock, "callLater", lambda delay, *call: pauses.append(delay) or call_later(delay, *call))
    done = Deferred.fromCoroutine(taken(clock, range(items)))
    assert done.called is (items <= 100)
    clock.advance(0)
    assert done.result == sizes and pauses == [0] * max(0, len(sizes) - 1)


def test_what_takes_no_time_is_done_at_once() -> None:
    assert Deferred.fromCoroutine(taken(Clock(), range(250))).result == [100, 100, 50]
