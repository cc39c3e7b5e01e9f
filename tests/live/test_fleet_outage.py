"""Two gateway processes whose Redis hangs or takes no writes: each tells what it knows itself, and calls nobody else's gone or away."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from fleets import PATIENCE, Valkey
from ocpp_tw.testing.ports import free_port
from plain_charger import PlainCharger

pytestmark = pytest.mark.live

LEASES_OVER = 12.0
"""Seconds after which every lease has expired."""


@pytest.fixture
def server(tmp_path: Path):
    (tmp_path / "valkey").mkdir()
    valkey = Valkey(tmp_path / "valkey", "--appendonly", "yes")
    yield valkey
    valkey.close()


def timed(gateway: Any, path: str) -> tuple[int, Any, float]:
    began = time.monotonic()
    status, answer = gateway.get(path)
    return status, answer, time.monotonic() - began


@pytest.mark.parametrize("how", ["full", "hangs"])
def test_nobody_elses_is_called_gone_or_away(start, server, how):
    gateways = {name: start("--name", name, redis=server.url) for name in "ab"}
    stack = ExitStack()
    for name, gateway in gateways.items():
        each = stack.enter_context(connect(f"ws://127.0.0.1:{gateway.port}/of-{name}", subprotocols=["ocpp1.6"], proxy=None))
        each.send(json.dumps([2, "1", "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}]))
        assert json.loads(each.recv(PATIENCE))[0] == 3
    a = gateways["a"]
    a.until(lambda: a.get("/api/overview")[1]["chargers"]["online"] == 2)
    if how == "full":
        server("CONFIG", "SET", "maxmemory", "1")
    else:
        server.signal(signal.SIGSTOP)
    until = time.monotonic() + LEASES_OVER
    slowest = 0.0
    while time.monotonic() < until:  # from its beginning on
        for each in gateways.values():
            _, told, took = timed(each, "/api/overview")
            slowest = max(slowest, took)
            assert told["gone"] == [] and told["chargers"]["away"] == 0, told
        time.sleep(0.2)
    assert slowest < 3.0
    for name, each in gateways.items():
        _, told, took = timed(each, "/api/overview")
        assert told["chargers"]["total"] == 1 and told["trouble"].startswith("Redis ") and took < 0.5
        assert [row["name"] for row in told["gateways"]] == [name] and not told["redis"]["connected"] and told["redis"]["trouble"]
        assert told["redis"]["state"] == ("refusing" if how == "full" else "away") and told["redis"] == told["gateways"][0]["redis"]
        rows = each.get("/api/fleet/chargers")[1]
        assert [(row["id"], row["state"]) for row in rows["rows"]] == [(f"of-{name}", "online")] and rows["trouble"]
        other = "of-b" if name == "a" else "of-a"
        assert each.get(f"/api/fleet/chargers/{other}")[0] == 503
    if how == "full":
        server("CONFIG", "SET", "maxmemory", "0")
    else:
        server.signal(signal.SIGCONT)

    def whole() -> bool:
        told = [each.get("/api/overview")[1] for each in gateways.values()]
        assert all(each["gone"] == [] and each["chargers"]["away"] == 0 for each in told), told
        return all(each["chargers"]["online"] == 2 and not each["trouble"] for each in told)

    a.until(whole)
    events = [json.loads(each) for each in server("LRANGE", "events", 0, -1)]
    assert not [each for each in events if each["event"] == "disconnect_charger"]
    stack.close()


@pytest.mark.parametrize("how", ["full", "hangs", "ends"])
def test_who_leaves_meanwhile_is_away_at_its_gateway_and_afterwards_at_all(start, server, how):
    gateways = {name: start("--name", name, redis=server.url) for name in "ab"}
    a = gateways["a"]
    charger = PlainCharger(a.port, "leaves")
    charger.boot()
    a.until(lambda: a.get("/api/fleet/chargers/leaves")[1]["row"]["connectors"])
    if how == "full":
        server("CONFIG", "SET", "maxmemory", "1")
    elif how == "hangs":
        server.signal(signal.SIGSTOP)
    else:
        server.kill()
    a.until(lambda: a.get("/api/overview")[1]["trouble"])
    charger.close()

    def listed(gateway: Any) -> list[tuple[str, str, int]]:
        return [(row["id"], row["state"], len(row["connectors"])) for row in gateway.get("/api/fleet/chargers")[1]["rows"]]

    a.until(lambda: listed(a) == [("leaves", "away", 1)])
    status, told, took = timed(a, "/api/fleet/chargers/leaves")
    assert (status, told["connected"], told["row"]["state"], told["away"]["gateway"]) == (200, False, "away", "a") and took < 3.0
    a.until(
        lambda: a.get("/api/fleet/chargers/leaves")[1]["record"]["vendor"] == "Vendor"
    )  # a gateway that was just started waits for Redis
    assert gateways["b"].get("/api/fleet/chargers/leaves")[0] == 503
    if how == "full":
        server("CONFIG", "SET", "maxmemory", "0")
    elif how == "hangs":
        server.signal(signal.SIGCONT)
    else:
        server.start()

    def whole() -> bool:
        assert listed(a) == [("leaves", "away", 1)]  # all the while
        return listed(gateways["b"]) == [("leaves", "away", 1)] and not any(
            each.get("/api/overview")[1]["trouble"] for each in gateways.values()
        )

    a.until(whole)
    for each in gateways.values():
        counted = each.get("/api/overview")[1]["chargers"]
        assert (counted["total"], counted["away"]) == (1, 1)
    events = [json.loads(each) for each in server("LRANGE", "events", 0, -1)]
    assert len([each for each in events if each["event"] == "disconnect_charger"]) == 1


@pytest.mark.parametrize("how", ["full", "read-only"])
def test_a_redis_that_answers_and_takes_no_writes_is_said_so_all_the_while(start, server, how):
    """And is not said to be away, from the first refusal to the end: also where its connections are cut again and again, in search of a master."""
    gateway = start("--name", "a", redis=server.url)
    gateway.until(lambda: gateway.get("/api/overview")[1]["redis"]["state"] == "ok")
    if how == "full":
        server("CONFIG", "SET", "maxmemory", "1")
    else:
        server("REPLICAOF", "127.0.0.1", free_port())  # of nobody: it goes on with what it has
    with connect(f"ws://127.0.0.1:{gateway.port}/cp1", subprotocols=["ocpp1.6"], proxy=None) as charger:
        charger.send(json.dumps([2, "1", "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}]))
        assert json.loads(charger.recv(PATIENCE))[0] == 3
        gateway.until(lambda: gateway.get("/api/overview")[1]["redis"]["state"] != "ok")
        until, states = time.monotonic() + LEASES_OVER, []
        while time.monotonic() < until:
            overview = gateway.get("/api/overview")[1]
            states.append(overview["redis"]["state"])
            assert overview["redis"]["trouble"].startswith("OOM" if how == "full" else "READONLY")
            time.sleep(0.1)
        assert set(states) == {"refusing"}
        printed = subprocess.run(
            [sys.executable, "-m", "ocpp_tw.cli", "status", "--url", f"http://127.0.0.1:{gateway.http}"], capture_output=True, text=True
        )
        assert "TROUBLE   Redis takes no writes: " in printed.stdout and "  takes no writes  " in printed.stdout, printed
    if how == "full":
        server("CONFIG", "SET", "maxmemory", "0")
    else:
        server("REPLICAOF", "NO", "ONE")
    gateway.until(lambda: gateway.get("/api/overview")[1]["redis"]["state"] == "ok")


def test_chargers_of_a_gateway_that_is_killed_are_in_one_state_at_every_moment(start):
    """As they were last, until they are away; also those of an earlier run of the one that is asked."""
    a, b = [start("--name", name) for name in "ab"]
    with ExitStack() as stack:
        for gateway, name, status in ((a, "a1", "Available"), (b, "b1", "Available"), (b, "b2", "Faulted"), (b, "b3", "Faulted")):
            each = stack.enter_context(connect(f"ws://127.0.0.1:{gateway.port}/{name}", subprotocols=["ocpp1.6"], proxy=None))
            told = {"connectorId": 1, "status": status, "errorCode": "NoError"}
            for action, payload in (
                ("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}),
                ("StatusNotification", told),
            ):
                each.send(json.dumps([2, action, action, payload]))
                assert json.loads(each.recv(PATIENCE))[0] == 3
        a.until(lambda: a.get("/api/overview")[1]["chargers"]["faulted"] == 2)
        time.sleep(4)  # what is kept of them is written by now
        b.process.kill()
        flagged, until = set(), time.monotonic() + 60
        while time.monotonic() < until:
            told = a.get("/api/overview")[1]
            counts = told["chargers"]
            assert counts["total"] == 4, told
            rows = a.get("/api/fleet/chargers")[1]["rows"]
            assert [row["id"] for row in rows] == ["a1", "b1", "b2", "b3"], rows
            flagged |= {(row["id"], row["state"]) for row in rows if row["flags"] == ["gateway_missing"]}
            if counts["away"]:
                break
            assert (counts["online"], counts["faulted"]) == (2, 2), told
        assert counts["away"] == 3 and flagged == {("b1", "online"), ("b2", "faulted"), ("b3", "faulted")}
        a.process.kill()
        a.process.wait()
    a.start()
    a.until(lambda: not a.get("/api/overview")[1]["trouble"])  # it can ask others
    told = a.get("/api/overview")[1]
    assert told["chargers"]["total"] == 4 and told["chargers"]["online"] == 1 and told["chargers"]["away"] == 3
    [row] = a.get("/api/fleet/chargers?state=online")[1]["rows"]
    assert (row["id"], row["flags"], [each["status"] for each in row["connectors"]]) == ("a1", ["gateway_missing"], ["Available"])


def test_what_the_overview_says_of_redis_and_what_the_gateway_says_is_one(start, server):
    """At every moment of an outage; and after it the number of unread events is known again soon."""
    server("RPUSH", "events", "{}")
    gateways = [start("--name", name, redis=server.url) for name in "ab"]

    def told() -> list[dict[str, Any]]:
        overviews = [each.get("/api/overview")[1] for each in gateways]
        for name, overview in zip("ab", overviews, strict=True):
            [own] = [row for row in overview["gateways"] if row["name"] == name]
            assert own["redis"] == overview["redis"]
            if overview["trouble"].startswith(("Redis does not answer", "Redis cannot be reached")):
                assert not own["redis"]["connected"] and own["redis"]["trouble"], overview
        return overviews

    gateways[0].until(lambda: all(each["redis"]["connected"] and each["redis"]["unread"] and not each["trouble"] for each in told()))
    for seconds in (4.0, 8.0):  # before its connections are given up, and after
        server.signal(signal.SIGSTOP)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            last = told()
        assert all(each["trouble"] and not each["redis"]["connected"] for each in last)
        server.signal(signal.SIGCONT)
        back = time.monotonic()
        gateways[0].until(lambda: all(each["redis"]["connected"] and each["redis"]["unread"] for each in told()))
        assert time.monotonic() - back < 8.0
        gateways[0].until(lambda: all(not each["trouble"] for each in told()))
