"""What every test has around it: nothing may be left behind, and a Valkey is there for who asks for one."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import hypothesis
import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher

from event_schemas import schema_faults
from event_tables import EventTables
from fleets import MemoryFleet, RedisFleet, Valkey, pause
from ocpp_tw.core.entries import Entry
from ocpp_tw.memory import MemoryEvents
from ocpp_tw.monitoring import observer, slices
from ocpp_tw.redis.events import RedisEvents

hypothesis.settings.register_profile("suite", deadline=None)  # other work may delay any example
hypothesis.settings.load_profile("suite")

_tables = EventTables()


OPTIONAL = ("tests/pages/", "tests/ocpp/test_compiled.py")
"""Tests of what may be missing on a machine: a browser, a C compiler."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says when the pages or the compiled modules were not tested, and how they are."""
    for tests in OPTIONAL:
        skipped = [report for report in terminalreporter.stats.get("skipped", []) if report.nodeid.startswith(tests)]
        if skipped:
            terminalreporter.write_line(f"{len(skipped)} tests skipped: {skipped[0].longrepr[2].removeprefix('Skipped: ')}")


@pytest.fixture(scope="session", autouse=True)
def _frozen() -> Iterator[None]:
    """What the imports made is never garbage: looking through it after each test would take most of the suite's time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _one_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work over many chargers is done in one turn of the reactor: on a busy machine it would wait for its next one, and a test's clock may stand still."""
    for module in slices, observer:
        monkeypatch.setattr(module, "SLICE", float("inf"))


@pytest.fixture(autouse=True)
def _as_documented(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test that publishes an event which is not as docs/contract.md and its JSON Schema have it."""
    faults: list[str] = []

    def compared(publish: Callable[..., Any]) -> Callable[..., Any]:
        def publish_compared(self: Any, entry: Entry, *more: Any) -> Any:
            if entry.event and len(faults) < 5:
                faults.extend(_tables.faults(entry.event) + schema_faults(entry.event))
            return publish(self, entry, *more)

        return publish_compared

    for driver in MemoryEvents, RedisEvents:
        monkeypatch.setattr(driver, "publish", compared(driver.publish))
    yield
    assert not faults, faults


@pytest_twisted.async_yield_fixture(autouse=True)
async def tidy() -> AsyncIterator[list[LogEvent]]:
    """Fails a test that leaves an unhandled error, a critical log event or a timer behind; an expected event is taken off the list."""
    failures: list[LogEvent] = []

    def watch(event: LogEvent) -> None:
        if event.get("log_failure") is not None or event.get("log_level") is LogLevel.critical:
            failures.append(event)

    before = set(reactor.getDelayedCalls())
    globalLogPublisher.addObserver(watch)
    yield failures

    def left() -> list[object]:
        return [each for each in reactor.getDelayedCalls() if each not in before]

    # An aborted connection takes a turn or two to end.
    for _ in range(4):
        await pause()
    gc.collect()
    globalLogPublisher.removeObserver(watch)
    timers = left()
    for each in timers:
        each.cancel()
    assert not failures, [formatEvent(each) or each["log_failure"] for each in failures]
    assert not timers, [(each, each.creator) for each in timers]


@pytest.fixture
def said() -> Iterator[list[str]]:
    """The lines that are logged meanwhile."""
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A server for the whole session; it keeps nothing on the disk."""
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    yield server
    server.close()


@pytest.fixture
def clean(valkey: Valkey) -> Valkey:
    """That server, empty."""
    valkey("FLUSHALL")
    return valkey


@pytest.fixture
def store_url(clean: Valkey) -> str:
    """The URL of a server that is empty."""
    return clean.url


@pytest_twisted.async_yield_fixture(params=["memory", "redis"])
async def fleet(request: pytest.FixtureRequest) -> AsyncIterator[MemoryFleet | RedisFleet]:
    """What a contract suite runs on, once for each kind; its gateways are stopped afterwards."""
    made = MemoryFleet() if request.param == "memory" else RedisFleet(request.getfixturevalue("clean"))
    yield made
    await made.close()
