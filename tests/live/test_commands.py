"""Commands while gateways crash: each is executed at most once and ends in exactly one result."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import socket
import time
from collections import Counter

import pytest
import websockets

from clients import Obedient, clear, eventually, known, results

pytestmark = pytest.mark.live


def test_a_gateway_is_killed_and_restarted(start, clean, events):
    """F14: commands that are sent, queued, waiting for their charger, and not taken yet."""
    gateway = start()

    async def run() -> None:
        charger = Obedient()
        charger.willing = False
        first = charger.connect(gateway)
        await eventually(lambda: known(clean, "cp1"))
        for n in range(50):
            clean("RPUSH", "commands", clear("cp1", f"u{n}"))
        clean("RPUSH", "commands", clear("cp2", "later", ttl=600))
        await eventually(lambda: clean("LLEN", "commands:processing:gw-live") == 51 and charger.got)
        gateway.stop(signal.SIGKILL)
        await asyncio.gather(first, return_exceptions=True)
        clean("RPUSH", "commands", clear("cp1", "u50", ttl=60), clear("cp1", "u0", ttl=60))
        charger.willing = True
        await asyncio.to_thread(gateway.start)
        await asyncio.sleep(0.3)
        late = Obedient("cp2")
        tasks = [charger.connect(gateway), late.connect(gateway)]
        await eventually(lambda: len(results(events)) == 53)
        assert sorted(results(events)) == sorted(
            [("u0", "connection_lost", True), ("u0", "duplicate", False), ("later", "result", True)]
            + [(f"u{n}", "result", True) for n in range(1, 51)]
        )
        assert sorted(charger.ids()) == sorted(f"u{n}" for n in range(51)) and late.ids() == ["later"]
        assert clean("LLEN", "commands:processing:gw-live") == 0 and not clean("EXISTS", "ocpp:sent:gw-live")
        for each in tasks:
            each.cancel()

    asyncio.run(run())


def test_a_gateway_is_killed_again_and_again(start, clean, events):
    """F14, F33: at any moment, with some commands pushed twice."""
    gateway, charger = start(), Obedient()
    count, pushed = 300, Counter()

    async def stay_connected(stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await charger.serve(gateway, "")
            except (OSError, websockets.WebSocketException):
                await asyncio.sleep(0.05)

    async def run() -> None:
        stop = asyncio.Event()
        staying = asyncio.create_task(stay_connected(stop))
        await eventually(lambda: known(clean, "cp1"))

        async def push() -> None:
            for n in range(count):
                for id in [f"u{n}"] + ([f"u{n // 2}"] if n % 7 == 0 else []):
                    pushed[id] += 1
                    clean("RPUSH", "commands", clear("cp1", id, ttl=60))
                await asyncio.sleep(0.01)

        pushing = asyncio.create_task(push())
        for _ in range(4):
            await asyncio.sleep(0.4)
            gateway.stop(signal.SIGKILL)
            await asyncio.to_thread(gateway.start)
        await pushing
        await eventually(lambda: len(results(events)) >= sum(pushed.values()))
        await asyncio.sleep(0.3)
        assert Counter(id for id, _, _ in results(events)) == pushed
        assert max(Counter(charger.ids()).values()) == 1
        executed = {id for id, outcome, _ in results(events) if outcome == "result"}
        lost = {id for id, outcome, _ in results(events) if outcome == "connection_lost"}
        assert executed <= set(charger.ids()) <= executed | lost
        assert len(executed | lost) == count and clean("LLEN", "commands:processing:gw-live") == 0
        stop.set()
        staying.cancel()

    asyncio.run(run())


def test_another_gateway_takes_over_from_one_that_never_returns(start, clean, events, short_leases):
    """F14: commands that are sent, queued, for another gateway's charger, and addressed to the crashed gateway alone."""
    first = start("--name", "one", environment=short_leases)
    second = start("--name", "two", environment=short_leases)

    async def run() -> None:
        charger = Obedient()
        charger.willing = False
        gone = charger.connect(first, "one")
        await eventually(lambda: known(clean, "cp1")[:1] == ["one"])
        for n in range(10):
            clean("RPUSH", "commands:for:one", clear("cp1", f"u{n}", ttl=600))
        clean("RPUSH", "commands:for:one", clear("cp1", "short"))
        await eventually(lambda: clean("LLEN", "commands:processing:one") == 11 and charger.got)
        first.stop(signal.SIGKILL)
        await asyncio.gather(gone, return_exceptions=True)
        clean("RPUSH", "commands:for:one", clear("cp1", "u10", ttl=600))
        charger.willing = True
        back = charger.connect(second, "two")
        await eventually(lambda: len(results(events)) == 12)
        outcomes = {id: outcome for id, outcome, _ in results(events)}
        assert outcomes.pop("u0") == "connection_lost" and outcomes.pop("short") in ("result", "expired")
        assert outcomes == {f"u{n}": "result" for n in range(1, 11)}
        assert max(Counter(id for _, id in charger.got).values()) == 1 and charger.ids("one") == ["u0"]
        assert not clean("EXISTS", "commands:processing:one", "commands:for:one", "ocpp:sent:one")
        assert not clean("HEXISTS", "ocpp:gateways", "one")
        back.cancel()

    asyncio.run(run())


def test_a_charger_with_two_connections_is_sent_commands_on_the_newer_one(start, clean, events):
    """F13."""
    gateways = {name: start("--name", name) for name in ("one", "two")}

    async def run() -> None:
        charger, pushed, lines = Obedient(), 0, []
        for turn in range(6):
            name = ("one", "two")[turn % 2]
            before = known(clean, "cp1")
            lines.append(charger.connect(gateways[name], name))
            await eventually(lambda: known(clean, "cp1") not in ([], before))  # noqa: B023
            seen = len(charger.ids(("two", "one")[turn % 2]))
            for _ in range(300):
                clean("RPUSH", "commands", clear("cp1", f"u{pushed}"))
                pushed += 1
            await eventually(lambda: len(charger.got) == pushed)  # noqa: B023
            assert len(charger.ids(("two", "one")[turn % 2])) == seen
        await eventually(lambda: len(results(events)) == pushed)
        assert {outcome for _, outcome, _ in results(events)} == {"result"}
        for each in lines:
            each.cancel()
        await asyncio.gather(*lines, return_exceptions=True)

    asyncio.run(run())


def test_commands_for_a_charger_on_a_half_open_connection(start, clean, events):
    """F10: they end in time."""
    gateway = start("--ping-interval", "1", "--ping-timeout", "1")
    with socket.create_connection(("127.0.0.1", gateway.port)) as line:
        key = base64.b64encode(os.urandom(16)).decode()
        line.sendall(
            f"GET /cp1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n".encode()
        )
        assert line.recv(4096).startswith(b"HTTP/1.1 101")
        began = time.monotonic()
        for element in (clear("cp1", "u1", timeout=0.3), clear("cp1", "u2"), clear("cp1", "u3")):
            clean("RPUSH", "commands", element)
        gateway.until(lambda: len(results(events)) == 3)
        assert time.monotonic() - began < 25  # not the 30 s of --call-timeout
    assert results(events) == [("u1", "timeout", True), ("u2", "connection_lost", True), ("u3", "offline", False)]


def test_malformed_elements_do_not_stop_commands(start, clean, events):
    """F32: garbage, elements of megabytes, deeply nested ones, and a key that is no list."""
    gateway = start()
    deep = b"[" * 100_000 + b"]" * 100_000
    poison = [
        os.urandom(1 << 20), b"\x00" * (4 << 20), b"", b"{", deep, b'{"CpID":"cp1","data":' + deep + b"}",
        b'{"CpID":"cp1","data":[2,"deep","DataTransfer",{"vendorId":"v","data":' + deep + b"}]}",
        b'{"CpID":"cp1","data":[2,"long","' + b"A" * (5 << 20) + b'",{}]}', b'{"CpID":"\\ud800","data":[2,"lone","Reset",{}]}',
    ]  # fmt: skip
    for element in poison:
        clean("RPUSH", "commands", element)
    gateway.until(lambda: clean("LLEN", "commands") + clean("LLEN", "commands:processing:gw-live") == 0)
    gateway.until(lambda: clean("LLEN", "commands:dead") + len(results(events)) == len(poison))
    clean("DEL", "commands")
    clean("SET", "commands", "mine")
    time.sleep(0.2)
    clean("DEL", "commands")

    async def run() -> None:
        charger = Obedient()
        task = charger.connect(gateway)
        await eventually(lambda: known(clean, "cp1"))
        text = "x" * (3 << 20)
        big = json.dumps({"CpID": "cp1", "data": [2, "big", "DataTransfer", {"vendorId": "v", "data": text}]})
        clean("RPUSH", "commands", clear("cp1", "u1"))
        await eventually(lambda: charger.ids() == ["u1"])
        clean("RPUSH", "commands", big)  # longer than the charger's client takes: it closes the connection
        await eventually(lambda: ("big", "connection_lost", True) in results(events))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
