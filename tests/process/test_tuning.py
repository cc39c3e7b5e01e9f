"""The short loop does what Twisted's own does, an error in one connection costs no other; Python looks for cycles seldom, and never
among what was loaded at the start."""

from __future__ import annotations

import gc
import platform
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionDone
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.selectreactor import SelectReactor
from twisted.logger import LogEvent

from ocpp_tw.process import tuning


class End(FileDescriptor):
    """One end of a socket pair; ``act`` is called with each read, and ``calls`` is shared by all."""

    def __init__(self, reactor: Any, name: str, calls: list[Any]) -> None:
        super().__init__(reactor)
        self.name, self.calls = name, calls
        self.line, self.peer = socket.socketpair()
        self.line.setblocking(False)
        self.act: Any = lambda: None
        self.connected = 1
        self.startReading()

    def fileno(self) -> int:
        return self.line.fileno()

    def doRead(self) -> Any:
        data = self.line.recv(100)
        self.calls.append((self.name, data))
        return self.act() if data else CONNECTION_DONE

    def writeSomeData(self, data: bytes) -> int:
        self.calls.append((self.name, "writes"))
        return self.line.send(data)

    def connectionLost(self, reason: Any) -> None:
        self.calls.append((self.name, reason.type))
        super().connectionLost(reason)
        self.line.close()


@pytest.fixture(params=["Twisted's own", "short"])
def reactor(request: pytest.FixtureRequest) -> Iterator[Any]:
    """One that runs when the test says so."""
    if not hasattr(select, "epoll"):
        pytest.skip("the short loop is for epoll")
    from twisted.internet.epollreactor import EPollReactor

    made = EPollReactor()
    if request.param == "short":
        assert tuning.shorten_loop(made)
        assert made.doIteration.__module__ == tuning.__name__
    yield made
    for each in made.removeAll():
        each.connectionLost(None)  # its own wakers
    made._poller.close()


@pytest.fixture
def calls() -> list[Any]:
    return []


@pytest.fixture
def ends(reactor: Any, calls: list[Any]) -> Iterator[list[End]]:
    made = [End(reactor, name, calls) for name in "abc"]
    yield made
    for each in made:
        each.peer.close()
        if each.connected:
            each.stopReading()
            each.stopWriting()
            each.line.close()


def turns(reactor: Any, count: int = 3) -> None:
    for _ in range(count):
        reactor.doIteration(0)


def test_bytes_are_read_and_written(reactor: Any, ends: list[End], calls: list[Any]) -> None:
    one, two, _ = ends
    one.peer.send(b"hello")
    turns(reactor)
    two.write(b"to you")
    turns(reactor)
    assert calls == [("a", b"hello"), ("b", "writes")] and two.peer.recv(100) == b"to you"


def test_a_turn_waits_no_longer_than_its_timeout(reactor: Any, ends: list[End], calls: list[Any]) -> None:
    """And as long as it takes where it may: there is something to read then."""
    reactor.doIteration(0.01)
    assert calls == []
    ends[0].peer.send(b"x")
    reactor.doIteration(None)
    assert calls == [("a", b"x")]


@pytest.mark.parametrize("failure", [ValueError("boom"), KeyboardInterrupt()], ids=repr)
def test_an_error_is_logged_and_costs_its_own_connection_alone(
    reactor: Any, ends: list[End], calls: list[Any], tidy: list[LogEvent], failure: BaseException
) -> None:
    """C15: whatever a reader raises."""

    def fails() -> None:
        raise failure

    ends[1].act = fails
    for each in ends:
        each.peer.send(b"1")
    turns(reactor)
    for each in (ends[0], ends[2]):
        each.peer.send(b"2")
    turns(reactor)
    (event,) = tidy
    assert event["failure"].value is failure
    tidy.clear()
    assert sorted(calls, key=str) == sorted(
        [("a", b"1"), ("b", b"1"), ("c", b"1"), ("b", type(failure)), ("a", b"2"), ("c", b"2")], key=str
    )


def test_an_error_in_the_end_of_a_connection_is_logged_too(reactor: Any, ends: list[End], calls: list[Any], tidy: list[LogEvent]) -> None:
    def fails(reason: Any) -> None:
        raise ValueError("boom")

    ends[0].connectionLost = fails  # type: ignore[method-assign]
    ends[0].peer.close()
    ends[1].peer.send(b"still here")
    turns(reactor)
    (event,) = tidy
    tidy.clear()
    assert str(event["failure"].value) == "boom" and ("b", b"still here") in calls


def test_the_end_of_a_connection_is_reported_once(reactor: Any, ends: list[End], calls: list[Any]) -> None:
    """Whether the peer has closed it or a read says that it is lost."""
    ends[0].peer.close()
    ends[1].act = lambda: CONNECTION_LOST
    ends[1].peer.send(b"last words")
    turns(reactor)
    assert calls.count(("a", ConnectionDone)) == 1
    assert [each[1] for each in calls if each[0] == "b"][1:] == [type(CONNECTION_LOST)]


def test_a_reader_stopped_earlier_in_the_turn_is_not_read(reactor: Any, ends: list[End], calls: list[Any]) -> None:
    def stop_the_others() -> None:
        for each in ends:
            each.stopReading()

    for each in ends:
        each.act = stop_the_others
        each.peer.send(b"x")
    turns(reactor)
    assert len(calls) == 1


@pytest.mark.parametrize("reactor", ["short"], indirect=True)
def test_a_turn_takes_a_limited_number_of_events(reactor: Any, calls: list[Any]) -> None:
    """FIELD 4: so that a turn is short when everybody speaks at once; nobody is passed over."""
    many = [End(reactor, str(number), calls) for number in range(tuning.MAX_EVENTS_PER_TURN * 2)]
    for each in many:
        each.peer.send(b"x")
    reactor.doIteration(0)
    assert len(calls) == tuning.MAX_EVENTS_PER_TURN
    turns(reactor, 2)
    assert sorted(each[0] for each in calls) == sorted(each.name for each in many)
    for each in many:
        each.stopReading()
        each.peer.close()
        each.line.close()


def test_another_reactor_keeps_its_own_loop() -> None:
    class Other:
        def doIteration(self, delay: float) -> None:
            pass

    other = Other()
    assert not tuning.shorten_loop(other) and other.doIteration.__func__ is Other.doIteration  # type: ignore[attr-defined]
    assert not tuning.shorten_loop(object.__new__(SelectReactor))


def test_a_reactor_without_a_required_attribute_keeps_its_own_loop(reactor: Any) -> None:
    """As one of a later Twisted may be."""
    before = reactor.doIteration
    assert not tuning.shorten_loop(reactor, ["_poller", "_somethingElse"]) and reactor.doIteration == before


# the garbage collector


@pytest.fixture
def usual() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_existing_objects_are_frozen(usual: None) -> None:
    tuning.freeze_garbage()
    frozen, threshold = gc.get_freeze_count(), gc.get_threshold()
    assert frozen > 1000 and threshold == tuning.GC_THRESHOLDS


def test_later_cycles_are_still_collected(usual: None) -> None:
    tuning.freeze_garbage()
    found: list[int] = []
    gc.callbacks.append(look := lambda phase, calls: found.append(calls["collected"]))
    try:
        for _ in range(2 * tuning.GC_THRESHOLDS[0]):
            cycle: list[object] = []
            cycle.append(cycle)
    finally:
        gc.callbacks.remove(look)
    assert sum(found) > tuning.GC_THRESHOLDS[0] // 2


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_memory_of_large_blocks_goes_back_to_the_system():
    """In a process of its own: what glibc was told stays."""
    program = """
import resource
from ocpp_tw.process.tuning import return_large_blocks
def rss():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() >> 20
assert return_large_blocks()
blocks = [bytes(16 << 20)[:] + b"x" for _ in range(8)]
kept = [bytearray(1000) for _ in range(1000)]
full = rss()
blocks.clear()
print(full - rss())
"""
    freed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(freed.stdout) > 120


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_memory_that_is_free_between_blocks_in_use_goes_back_to_the_system():
    """In a process of its own, which a second block after each keeps from being given back otherwise; and only once."""
    program = """
import resource
from twisted.internet.task import Clock
from ocpp_tw.process.tuning import FREE_INTERVAL, FreeMemory
def rss():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() >> 20
clock = Clock()
FreeMemory().start(clock)
blocks = [bytearray(b"x" * 20_000) for _ in range(2000)]
kept = blocks[::50]
full = rss()
blocks.clear()
freed = full - rss()
clock.advance(FREE_INTERVAL)
print(freed, full - rss())
"""
    freed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    before, after = map(int, freed.stdout.split())
    assert before < 10 and after > 25
