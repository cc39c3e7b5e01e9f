"""Turns are taken in order, one at a time for each name."""

from __future__ import annotations

import sys

from twisted.internet.defer import CancelledError, Deferred

from ocpp_tw.dispatch.queues import KeyedLock


def test_each_waits_for_the_one_before_and_nobody_for_another_name():
    turns, had = KeyedLock(), []

    async def want(name: str, who: int) -> None:
        await turns.acquire(name)
        had.append((name, who))

    for who in range(3):
        Deferred.fromCoroutine(want("a", who))
    Deferred.fromCoroutine(want("b", 0))
    assert had == [("a", 0), ("b", 0)]
    for _ in range(3):
        turns.release("a")
    turns.release("b")
    assert had == [("a", 0), ("b", 0), ("a", 1), ("a", 2)]
    assert len(turns) == 0


def test_thousands_who_are_done_at_once_follow_each_other():
    turns, had = KeyedLock(), []

    async def want(who: int) -> None:
        await turns.acquire("a")
        had.append(who)
        turns.release("a")

    Deferred.fromCoroutine(turns.acquire("a"))
    many = 3 * sys.getrecursionlimit()
    for who in range(many):
        Deferred.fromCoroutine(want(who))
    turns.release("a")
    assert had == list(range(many)) and len(turns) == 0


def test_who_no_longer_waits_has_no_turn():
    turns, ends = KeyedLock(), []
    Deferred.fromCoroutine(turns.acquire("a"))
    for _ in range(2):
        Deferred.fromCoroutine(turns.acquire("a")).addErrback(lambda why: ends.append(why.check(CancelledError)))
    turns.cancel()
    assert ends == [CancelledError] * 2
    turns.release("a")
    assert len(turns) == 0
