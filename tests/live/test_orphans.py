"""The chargers of a gateway that was killed: published as disconnected, once, by those that survive or by its next run."""

from __future__ import annotations

import asyncio
import json
import signal

import pytest

from clients import Obedient, clear, eventually, known, results

pytestmark = pytest.mark.live


def disconnected(events) -> list[tuple[str, str, str]]:
    """Charger, by which gateway, and why."""
    of = [event for event in events() if event["event"] == "disconnect_charger"]
    return sorted((each["data"]["charger"], each["gateway"], each["data"]["reason"]) for each in of)


def connected(events) -> list[tuple[str, str]]:
    return sorted((event["data"]["charger"], event["gateway"]) for event in events() if event["event"] == "connect_charger")


def numbers(events, charger: str) -> list[int]:
    return [event["seq"] for event in events() if event["data"]["charger"] == charger]


def test_survivors_publish_those_of_a_gateway_that_was_killed(start, clean, events, short_leases):
    gone, *others = [start("--name", name, environment=short_leases) for name in ("one", "two", "three")]

    async def run() -> None:
        chargers = {id: Obedient(id) for id in ("cp1", "cp2", "cp3")}
        lines = [each.connect(gone) for each in chargers.values()]
        await eventually(lambda: all(known(clean, id)[:1] == ["one"] for id in chargers))
        await eventually(lambda: clean("HGET", "ocpp:gateways", "one"))
        await asyncio.sleep(0.5)  # the others look for the first time
        gone.stop(signal.SIGKILL)
        lines.append(chargers["cp3"].connect(others[0]))
        await asyncio.gather(*lines[:3], return_exceptions=True)
        await eventually(lambda: len(disconnected(events)) == 2)
        await asyncio.sleep(1)
        told = disconnected(events)
        assert [each[::2] for each in told] == [("cp1", "its gateway one is gone"), ("cp2", "its gateway one is gone")]
        assert {each[1] for each in told} <= {"two", "three"}
        assert numbers(events, "cp1") == numbers(events, "cp2") == [1, 2]
        assert clean("HKEYS", "ocpp:owners") == clean("HKEYS", "ocpp:connections") == [b"cp3"]
        assert others[1].get("/api/chargers/cp1")[0] == 404  # it has never sent anything that would be stored
        clean("RPUSH", "commands", clear("cp1", "late"))
        await eventually(lambda: results(events) == [("late", "offline", False)])
        lines[3].cancel()

    asyncio.run(run())


def test_a_gateway_that_is_started_again_publishes_those_that_do_not_come_back(start, clean, events, short_leases):
    gateway = start(environment=short_leases)

    async def run() -> None:
        chargers = {id: Obedient(id) for id in ("cp1", "cp2")}
        lines = [each.connect(gateway) for each in chargers.values()]
        await eventually(lambda: all(known(clean, id) for id in chargers))
        gateway.stop(signal.SIGKILL)
        await asyncio.gather(*lines, return_exceptions=True)
        gateway.start()
        back = chargers["cp1"].connect(gateway)
        await eventually(lambda: len(connected(events)) == 3)
        assert disconnected(events) == []
        await eventually(lambda: disconnected(events))
        await asyncio.sleep(1)
        assert disconnected(events) == [("cp2", "gw-live", "its gateway gw-live is gone")]
        assert json.loads(clean("LINDEX", "events", -1))["seq"] == 2
        assert clean("HKEYS", "ocpp:owners") == [b"cp1"]
        back.cancel()

    asyncio.run(run())


def test_one_that_was_only_suspended_publishes_that_its_chargers_are_connected(start, clean, events, short_leases):
    first, second = [start("--name", name, environment=short_leases) for name in ("one", "two")]

    async def run() -> None:
        stays, moves = Obedient("cp1"), Obedient("cp2")
        lines = [each.connect(first, "one") for each in (stays, moves)]
        await eventually(lambda: known(clean, "cp1") and known(clean, "cp2"))
        await asyncio.sleep(0.5)
        first.process.send_signal(signal.SIGSTOP)
        await eventually(lambda: len(disconnected(events)) == 2)
        lines.append(moves.connect(second, "two"))
        await eventually(lambda: known(clean, "cp2")[:1] == ["two"])
        first.process.send_signal(signal.SIGCONT)
        await eventually(lambda: connected(events) == [("cp1", "one")] * 2 + [("cp2", "one"), ("cp2", "two")])
        clean("RPUSH", "commands", clear("cp1", "a"), clear("cp2", "b"))
        await eventually(lambda: len(results(events)) == 2)
        assert stays.got == [("one", "a")] and moves.got == [("two", "b")]
        assert len(disconnected(events)) == 2
        for each in lines:
            each.cancel()
        await asyncio.gather(*lines, return_exceptions=True)
        await eventually(lambda: len(disconnected(events)) == 4)

    asyncio.run(run())
