"""A gateway that resumes after it was suspended for so long that another one took over."""

from __future__ import annotations

import asyncio
import signal

import pytest

from clients import Obedient, clear, eventually, known, results

pytestmark = pytest.mark.live


def test_it_sends_no_stale_command_and_publishes_no_second_result(start, clean, events, short_leases):
    """F16."""
    first = start("--name", "one", environment=short_leases)
    second = start("--name", "two", environment=short_leases)

    async def run() -> None:
        charger = Obedient()
        charger.willing = False
        old = charger.connect(first, "one")
        await eventually(lambda: known(clean, "cp1")[:1] == ["one"])
        for n in range(20):
            clean("RPUSH", "commands:for:one", clear("cp1", f"u{n}", ttl=600))
        await eventually(lambda: clean("LLEN", "commands:processing:one") == 20 and charger.got)
        first.process.send_signal(signal.SIGSTOP)
        charger.willing = True
        new = charger.connect(second, "two")
        await eventually(lambda: len(results(events)) == 20)
        first.process.send_signal(signal.SIGCONT)
        await eventually(lambda: old.done(), 15)  # it has to close the connection of the charger that it has lost
        await eventually(lambda: clean("HEXISTS", "ocpp:gateways", "one"))
        clean("RPUSH", "commands:for:one", clear("cp1", "fresh"))
        await eventually(lambda: ("fresh", "result", True) in results(events))
        await asyncio.sleep(1)
        assert charger.ids("one") == ["u0"]
        assert charger.ids("two") == [*(f"u{n}" for n in range(1, 20)), "fresh"]
        expected = [("u0", "connection_lost", True), *((f"u{n}", "result", True) for n in range(1, 20)), ("fresh", "result", True)]
        assert sorted(results(events)) == sorted(expected)
        new.cancel()
        await asyncio.gather(old, new, return_exceptions=True)

    asyncio.run(run())
