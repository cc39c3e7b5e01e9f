"""Several workers on one port: to chargers, operators and the backend they are one gateway."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from base64 import b64encode
from collections import Counter
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import websockets
import websockets.sync.client

from clients import eventually
from fleets import PATIENCE
from prometheus_text import Samples

pytestmark = [pytest.mark.live, pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")]

COUNT = 24
IDS = [f"cp{number}" for number in range(COUNT)]
RESET = {"command": "change_availability", "data": {"connectorId": 0, "type": "Operative"}}


def children(pid: int) -> list[int]:
    """The living children of a process."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent, *_ = entry.read_text().rpartition(")")[2].split()
            if int(parent) == pid and state != "Z":
                found.append(int(entry.parent.name))
    return sorted(found)


def running(pids: list[int]) -> list[int]:
    """Those that have not ended."""

    def runs(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    return [each for each in pids if runs(each)]


def wait_until_ended(pids: list[int], within: float = PATIENCE) -> None:
    deadline = time.monotonic() + within
    while running(pids):
        assert time.monotonic() < deadline, running(pids)
        time.sleep(0.05)


class Client:
    """A charger that accepts every command, and reconnects when its connection is lost."""

    def __init__(self, gateway: Any, id: str) -> None:
        self.url, self.id = f"ws://127.0.0.1:{gateway.port}/{id}", id
        self.answers: dict[str, asyncio.Future[Any]] = {}
        self.asked: list[str] = []
        self.closed: list[tuple[int, str]] = []
        self.connection: Any = None
        self.calls = 0

    async def stay_connected(self) -> None:
        while True:
            with suppress(OSError, websockets.WebSocketException):
                async with websockets.connect(self.url, subprotocols=["ocpp1.6"]) as self.connection:
                    await self.listen()
            await asyncio.sleep(0.1)

    async def listen(self) -> None:
        try:
            async for text in self.connection:
                kind, id, *rest = json.loads(text)
                if kind == 2:
                    self.asked.append(rest[0])
                    await self.connection.send(json.dumps([3, id, {"status": "Accepted"}]))
                elif id in self.answers:
                    self.answers.pop(id).set_result(rest[0])
        finally:
            self.closed.append((self.connection.close_code, self.connection.close_reason))
            for answer in self.answers.values():
                if not answer.done():
                    answer.set_exception(ConnectionError())  # it is asked for again at once
            self.answers.clear()

    async def call(self, action: str, payload: dict[str, Any]) -> Any:
        """Send a CALL, again until it is answered, as a charger does."""
        self.calls += 1
        id = f"{self.id}-{self.calls}"
        deadline = time.monotonic() + 3 * PATIENCE
        while time.monotonic() < deadline:
            answer = self.answers[id] = asyncio.get_running_loop().create_future()
            with suppress(OSError, websockets.WebSocketException, asyncio.TimeoutError, AttributeError):
                await self.connection.send(json.dumps([2, id, action, payload]))
                return await asyncio.wait_for(answer, PATIENCE)
            await asyncio.sleep(0.2)
        raise AssertionError(f"{self.id} was never answered")


@asynccontextmanager
async def fleet(gateway: Any):
    """Chargers that are connected and have booted."""
    clients = [Client(gateway, id) for id in IDS]
    tasks = [asyncio.create_task(each.stay_connected()) for each in clients]
    try:
        await asyncio.gather(*(each.call("BootNotification", {"chargePointModel": "M", "chargePointVendor": "V"}) for each in clients))
        yield clients
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def listed(gateway: Any) -> list[str]:
    status, chargers = await asyncio.to_thread(gateway.get, "/api/chargers")
    assert status == 200
    return sorted(each["id"] for each in chargers)


def charger_counts(gateway: Any) -> dict[str, int]:
    return gateway.get("/healthz")[1]["workers"]


def balanced(events: Any) -> bool:
    """Whether every connection has its end among the events. A charger that one worker dismissed may have been let in by another."""
    counts = Counter(each["event"] for each in events())
    return counts["disconnect_charger"] == counts["connect_charger"] >= COUNT


def test_chargers_are_distributed_over_workers_and_operators_see_one_gateway(start, clean, events):
    gateway = start("--workers", "2")

    async def scenario() -> None:
        async with fleet(gateway) as clients:
            spread = await asyncio.to_thread(charger_counts, gateway)
            assert set(spread) == {"gw-live-1", "gw-live-2"} and sum(spread.values()) == COUNT and all(spread.values())
            assert await listed(gateway) == sorted(IDS)
            for id in IDS:
                status, charger = await asyncio.to_thread(gateway.get, f"/api/chargers/{id}")
                assert status == 200 and charger["connected"] and charger["id"] == id and charger["transactions"] == []
            # commands by HTTP, twice each, so that both workers get some; and from the list
            for id in IDS * 2:
                assert await asyncio.to_thread(gateway.post, "/command/", {"cp_id": id, **RESET}) == (200, {"status": "Accepted"})
            for id in IDS:
                clean("RPUSH", "commands", json.dumps({"CpID": id, "data": [2, f"c-{id}", "Reset", {"type": "Soft"}]}))
            outcomes = await eventually(
                lambda: len(found := [each for each in events() if each["event"] == "command_result"]) == 3 * COUNT and found
            )
            assert {each["data"]["outcome"] for each in outcomes} == {"result"}
            for each in clients:
                await each.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Broken"})

    asyncio.run(asyncio.wait_for(scenario(), 5 * PATIENCE))
    (record,) = gateway.get("/api/violations")[1]
    assert record["messages"] == COUNT and record["breaches"][0]["count"] == COUNT  # whichever worker saw them
    assert gateway.get("/api/chargers/cp1")[1]["connected"] is False  # and its stored state is available all the same
    assert gateway.get("/api/chargers/nobody")[0] == 404
    samples = Samples(gateway.read("/metrics"))
    assert samples("ocpp_workers") == 2 and samples("ocpp_redis_up") == 1
    assert samples("ocpp_messages_total", direction="in", action="BootNotification") == COUNT
    assert samples("ocpp_messages_total", direction="in", action="StatusNotification") == COUNT
    assert samples("ocpp_commands_total", outcome="result") == samples("ocpp_command_seconds_count") == 3 * COUNT
    assert gateway.stop() == 0
    published = events()
    gateways = {each["gateway"] for each in published}
    assert gateways == {"gw-live-1", "gw-live-2"}
    for id in IDS:
        mine = [each["seq"] for each in published if each["data"]["charger"] == id]
        assert mine == list(range(1, 1 + 2 + 3 + 2 + 1 + 1))  # each command by HTTP has a security_event beside its result


def test_decisions_reach_the_charger_wherever_it_is(start):
    gateway = start("--workers", "2", "--boot-status", "Pending")

    async def scenario() -> None:
        async with fleet(gateway) as clients:
            for each in clients:
                status, _ = await asyncio.to_thread(gateway.put, f"/api/chargers/{each.id}", {"boot_status": "Accepted"})
                assert status == 200
                # it is asked for another BootNotification as soon as the worker that has it knows of the decision, and is accepted
                await eventually(lambda asked=each.asked: asked == ["TriggerMessage"])
                assert (await each.call("BootNotification", {"chargePointModel": "M", "chargePointVendor": "V"}))["status"] == "Accepted"
                assert (await asyncio.to_thread(gateway.get, f"/api/chargers/{each.id}"))[1]["boot_status"] == "Accepted"

    asyncio.run(asyncio.wait_for(scenario(), 5 * PATIENCE))
    assert gateway.stop() == 0


def test_a_worker_that_is_killed_comes_back_and_its_chargers_are_served_again(start, events):
    """F14: new connections are accepted at all times, and nothing that was answered is lost."""
    gateway = start("--workers", "2")
    beats: Counter[str] = Counter()

    async def scenario() -> None:
        async with fleet(gateway) as clients:
            before = children(gateway.process.pid)
            assert len(before) == 2

            async def beat(client: Client) -> None:
                for _ in range(40):
                    await client.call("Heartbeat", {})
                    beats[client.id] += 1
                    await asyncio.sleep(0.05)

            beating = [asyncio.create_task(beat(each)) for each in clients]
            await asyncio.sleep(0.5)
            os.kill(before[0], signal.SIGKILL)
            await asyncio.gather(*beating)
            await eventually(lambda: len(after := children(gateway.process.pid)) == 2 and before[0] not in after)
            assert any(each.closed for each in clients) and not all(each.closed for each in clients)
            while (await asyncio.to_thread(gateway.get, "/readyz"))[1]["workers"] != {"gw-live-1": True, "gw-live-2": True}:
                await asyncio.sleep(0.1)
            assert await listed(gateway) == sorted(IDS)
            for id in IDS:
                assert await asyncio.to_thread(gateway.post, "/command/", {"cp_id": id, **RESET}) == (200, {"status": "Accepted"})

    asyncio.run(asyncio.wait_for(scenario(), 5 * PATIENCE))
    assert set(beats.values()) == {40}
    assert gateway.stop() == 0
    assert "worker ended: gw-live-1 " in gateway.log.read_text() or "worker ended: gw-live-2 " in gateway.log.read_text()
    published = events()
    for id in IDS:
        mine = [each["seq"] for each in published if each["data"]["charger"] == id]
        assert mine == list(range(1, len(mine) + 1)), [
            (each["seq"], each["event"], each["data"].get("kind")) for each in published if each["data"]["charger"] == id
        ]


def test_while_a_worker_keeps_ending_the_others_accept_new_connections(start):
    """It is restarted with growing delays, and no connection waits in its backlog meanwhile."""
    gateway = start("--workers", "2")
    steady, unlucky = children(gateway.process.pid)

    def restart_logged(delay: str) -> bool:
        return f"restart in {delay} s" in gateway.log.read_text()

    def back() -> list[int]:
        here = all(gateway.get("/readyz")[1]["workers"].values())
        return [each for each in children(gateway.process.pid) if each != steady] if here else []

    for delay in ("0.4", "0.8"):
        os.kill(unlucky, signal.SIGKILL)
        gateway.until(partial(restart_logged, delay))
        (unlucky,) = gateway.until(back)

    async def connect_some() -> None:
        for id in IDS[:12]:
            async with websockets.connect(f"ws://127.0.0.1:{gateway.port}/{id}", subprotocols=["ocpp1.6"], open_timeout=PATIENCE):
                pass

    # On a busy machine it may be back before all have connected: then the next delay, which is longer, has to do.
    for delay in ("1.6", "3.2", "6.4"):
        os.kill(unlucky, signal.SIGKILL)
        gateway.until(partial(restart_logged, delay))
        asyncio.run(connect_some())
        alone = children(gateway.process.pid) == [steady]
        (unlucky,) = gateway.until(back)  # and finally it is back
        if alone:
            break
    assert alone
    assert gateway.stop() == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, None)])
def test_one_signal_drains_all_workers(start, events, number, status):
    """F15."""
    gateway = start("--workers", "3")
    pids = children(gateway.process.pid)
    assert len(pids) == 3

    async def scenario() -> list[tuple[int, str]]:
        async with fleet(gateway) as clients:
            gateway.process.send_signal(number)
            await eventually(lambda: all(each.closed for each in clients))
            return [each.closed[0] for each in clients]

    assert set(asyncio.run(asyncio.wait_for(scenario(), 5 * PATIENCE))) == {(1012, "service restart")}
    ended = gateway.process.wait(PATIENCE)
    assert ended == status if status is not None else ended in (0, -number)
    assert running(pids) == []
    log = gateway.log.read_text()
    assert "Traceback" not in log and "restart in" not in log
    assert [log.count(f"[gw-live-{each} ") > 0 for each in (1, 2, 3)] == [True] * 3
    if not balanced(events):  # where Redis was slow, the spool has the last events
        gateway.start()
        gateway.until(lambda: balanced(events))


def test_a_parent_that_is_killed_leaves_no_orphan(start, events):
    gateway = start("--workers", "2")
    pids = children(gateway.process.pid)
    directory = next(iter({Path(word).parent for word in gateway.log.read_text().split("'") if word.startswith("/") and "/ocpp-" in word}))
    assert len(pids) == 2 and directory.is_dir() and directory.stat().st_mode & 0o777 == 0o700

    async def scenario() -> None:
        async with fleet(gateway) as clients:
            gateway.process.kill()
            gateway.process.wait()
            await eventually(lambda: all(each.closed for each in clients))
            assert {each.closed[0] for each in clients} == {(1012, "service restart")}

    asyncio.run(asyncio.wait_for(scenario(), 5 * PATIENCE))
    wait_until_ended(pids)
    assert not directory.exists()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", gateway.port), 2)
    gateway.start()  # nothing listens at its port any more
    gateway.until(lambda: balanced(events))  # where Redis was slow, the spool had the last events
    assert gateway.stop() == 0


def failed_start(start, *options: str, **more: Any) -> str:
    """The log of a gateway that cannot start, which ends with status 1."""
    gateway = start("--workers", "2", *options, wait=False, **more)
    assert gateway.process.wait(PATIENCE) == 1
    return gateway.log.read_text()


def test_an_invalid_setting_is_reported_once_and_ends_all_with_status_1(start):
    log = failed_start(start, "--handlers", "nobody")
    assert log.count("nobody") == 1 and "Traceback" not in log
    assert "expected a positive number of seconds" in failed_start(start, "--call-timeout", "soon").splitlines()[-1]
    assert "may have 62 characters" in failed_start(start, "--name", "n" * 64).splitlines()[-1]


@pytest.mark.parametrize("which", ["--port", "--http"])
def test_a_port_that_is_taken_ends_all_with_status_1(start, which):
    """Even if the other gateway shares it with its own workers."""
    other = start("--workers", "2")
    log = failed_start(start, which, f"127.0.0.1:{other.port if which == '--port' else other.http}")
    assert f"127.0.0.1:{other.port if which == '--port' else other.http}: " in log and "Traceback" not in log
    assert other.get("/readyz")[0] == 200


def test_a_line_of_a_workers_log_is_the_parents_with_the_workers_name(start):
    gateway = start("--workers", "2", twistd=["--logger", "ocpp_tw.log.json_lines"])
    assert gateway.stop() == 0
    lines = [json.loads(each) for each in gateway.log.read_text().splitlines()]
    assert {each.get("worker") for each in lines} == {None, "gw-live-1", "gw-live-2"}
    assert all({"time", "level", "logger", "message"} <= set(each) for each in lines)


@pytest.mark.parametrize("length", [60, 200])
def test_operators_are_served_however_long_the_path_of_the_temporary_directory_is(start, tmp_path, length):
    """HOSTILE F12."""
    place = tmp_path / "t"
    while len(str(place)) < length:
        place /= "d" * 30
    place.mkdir(parents=True)
    gateway = start("--workers", "2", environment={"TMPDIR": str(place)})
    assert gateway.get("/healthz")[1]["workers"] == {"gw-live-1": 0, "gw-live-2": 0}
    assert gateway.stop() == 0


def test_every_worker_requires_the_operators_token(start):
    gateway = start("--workers", "2", "--http-token", "s3cret")
    assert gateway.get("/healthz")[0] == gateway.get("/readyz")[0] == 200
    assert [gateway.get(path)[0] for path in ("/api/chargers", "/api/chargers/x", "/api/violations")] == [401] * 3
    assert gateway.post("/command/", {})[0] == 401
    for pid in [gateway.process.pid, *children(gateway.process.pid)][1:]:
        assert b"s3cret" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert gateway.stop() == 0 and "s3cret" not in gateway.log.read_text()


def test_a_probe_without_a_host_is_answered(start):
    """HTTP/1.0 has no such header."""
    gateway = start("--workers", "2")
    for path in ("/healthz", "/readyz"):
        with socket.create_connection(("127.0.0.1", gateway.http), PATIENCE) as line:
            line.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            assert line.makefile("rb").readline().split()[1] == b"200"
    assert "Traceback" not in gateway.log.read_text()


def test_who_fails_to_authenticate_is_told_of_once_and_shown_whichever_workers_were_tried(start, events):
    gateway = start("--workers", "2", "--security-profile", "1")
    assert gateway.put("/api/chargers/cp1", {"password": "correct horse battery"})[0] == 200

    def refused(id: str) -> int:
        shown = {"Authorization": "Basic " + b64encode(f"{id}:a wrong password".encode()).decode()}
        with pytest.raises(websockets.InvalidStatus) as why:
            websockets.sync.client.connect(f"ws://127.0.0.1:{gateway.port}/{id}", subprotocols=["ocpp1.6"], additional_headers=shown)
        return why.value.response.status_code

    def told(id: str) -> int:
        return sum(each["event"] == "authentication_failed" and each["data"]["charger"] == id for each in events())

    # one worker alone gets all of them once in millions of times
    assert {refused("cp1") for _ in range(COUNT)} == {401, 429}
    assert {refused(f"other-{n}") for n in range(COUNT)} <= {401, 429}
    gateway.until(lambda: all(told(f"other-{n}") for n in range(COUNT)))  # by then both have told what they had to
    assert told("cp1") == 1
    last = gateway.get("/api/chargers/cp1")[1]["last_refusal"]
    assert last["reason"] == "wrong password" and last["remote_address"] == "127.0.0.1"
    assert [each["id"] for each in gateway.get("/api/registered")[1]["chargers"]] == ["cp1"]
