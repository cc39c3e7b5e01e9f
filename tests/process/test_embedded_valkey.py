"""The embedded Valkey: it starts, keeps its data, and ends with its gateway however that ends."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from twisted.application.service import MultiService
from twisted.internet import reactor

from fleets import PATIENCE, Valkey, free_port, soon, until
from ocpp_tw.process import find_redis
from ocpp_tw.process.embedded_valkey import EmbeddedFailed, EmbeddedValkey
from ocpp_tw.redis import Connection, RedisAddress, probe


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_it_keeps_its_data(tmp_path):
    data = tmp_path / "new" / "data"
    pids = []
    for turn in range(2):
        embedded = EmbeddedValkey(reactor, data)
        embedded.startService()
        await soon(embedded.ready())
        await soon(embedded.ready())
        connection = Connection(reactor, RedisAddress.of(embedded.url))
        connection.startService()
        assert await soon(connection.send("INCR", "turns")) == turn + 1
        assert await soon(connection.send("CONFIG", "GET", "appendfsync")) == [b"appendfsync", b"always"]
        await connection.stopService()
        pids.append(embedded.pid)
        await soon(embedded.stopService())
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert all(gone(pid) for pid in pids)
    assert embedded.pid is None


async def test_two_gateways_cannot_have_one_directory(tmp_path):
    first, second = (EmbeddedValkey(reactor, tmp_path) for _ in range(2))
    first.startService()
    await soon(first.ready())
    second.startService()
    with pytest.raises(EmbeddedFailed, match="used by another gateway"):
        await soon(second.ready())
    await soon(second.stopService())
    await soon(first.stopService())


async def test_only_its_user_can_reach_it(tmp_path):
    """HOSTILE 3.4: at a port of loopback everybody on the machine could."""
    embedded = EmbeddedValkey(reactor, tmp_path)
    embedded.startService()
    await soon(embedded.ready())
    connection = Connection(reactor, RedisAddress.of(embedded.url))
    connection.startService()
    assert await soon(connection.send("CONFIG", "GET", "port")) == [b"port", b"0"]
    await connection.stopService()
    assert stat.S_IMODE(embedded.socket.stat().st_mode) == stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    await soon(embedded.stopService())


async def test_a_server_that_cannot_start_is_reported_with_its_log(tmp_path):
    (tmp_path / "valkey.sock").mkdir()
    embedded = EmbeddedValkey(reactor, tmp_path)
    embedded.startService()
    with pytest.raises(EmbeddedFailed, match="Failed opening Unix socket"):
        await soon(embedded.ready())
    with pytest.raises(EmbeddedFailed):
        await soon(embedded.ready())
    await soon(embedded.stopService())


async def test_a_path_that_no_socket_can_have_is_reported_with_the_setting(tmp_path):
    embedded = EmbeddedValkey(reactor, tmp_path / ("d" * 100))
    embedded.startService()
    with pytest.raises(EmbeddedFailed, match="--data"):
        await soon(embedded.ready())
    await soon(embedded.stopService())


async def test_a_redis_that_happens_to_be_there_is_used_with_a_warning(tmp_path, clean: Valkey, monkeypatch, said):
    monkeypatch.setattr(find_redis, "DEFAULT_REDIS", clean.url)
    parent = MultiService()
    assert await soon(find_redis.find_redis(parent, reactor, tmp_path)) == clean.url
    assert [line for line in said if "since none is configured" in line and "--redis" in line]
    assert list(parent) == list(tmp_path.iterdir()) == []


async def test_without_one_it_is_started_and_the_log_says_how_to_look_into_it(tmp_path, monkeypatch, said):
    monkeypatch.setattr(find_redis, "DEFAULT_REDIS", f"redis://127.0.0.1:{free_port()}")
    parent = MultiService()
    parent.startService()
    url = await soon(find_redis.find_redis(parent, reactor, tmp_path / "a b%"))
    assert await soon(probe(reactor, url)) and [line for line in said if f"redis-cli -s {tmp_path}/a b%/valkey.sock" in line]
    await soon(parent.stopService())


async def test_a_directory_that_cannot_be_created_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    embedded = EmbeddedValkey(reactor, tmp_path / "file" / "data")
    embedded.startService()
    with pytest.raises(EmbeddedFailed, match="file"):
        await soon(embedded.ready())
    await soon(embedded.stopService())


async def test_a_server_that_ends_by_itself_is_restarted(tmp_path):
    embedded = EmbeddedValkey(reactor, tmp_path)
    embedded.startService()
    await soon(embedded.ready())
    first = embedded.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: embedded.pid not in (None, first))
    await soon(embedded.ready())
    assert await soon(probe(reactor, embedded.url))
    await soon(embedded.stopService())


async def test_it_can_be_stopped_while_it_starts(tmp_path):
    embedded = EmbeddedValkey(reactor, tmp_path)
    embedded.startService()
    await until(lambda: embedded.pid)
    pid = embedded.pid
    await soon(embedded.stopService())
    assert gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
async def test_it_does_not_outlive_a_gateway_that_is_killed(tmp_path):
    program = (
        "import sys; from twisted.internet import reactor; from ocpp_tw.process.embedded_valkey import EmbeddedValkey\n"
        "e = EmbeddedValkey(reactor, sys.argv[1]); e.startService()\n"
        "e.ready().addCallback(lambda _: print(e.pid, flush=True)); reactor.run()"
    )
    gateway = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert gateway.stdout
    pid = int(gateway.stdout.readline())
    assert not gone(pid)
    gateway.kill()
    gateway.wait()
    gateway.stdout.close()
    deadline = time.monotonic() + PATIENCE
    while not gone(pid) and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)
