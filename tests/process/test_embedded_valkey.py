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
from twisted.internet import reactor

from fleets import PATIENCE, Valkey, free_port, soon, until
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
        embedded = EmbeddedValkey(reactor, data, free_port())
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
    first, second = (EmbeddedValkey(reactor, tmp_path, free_port()) for _ in range(2))
    first.startService()
    await soon(first.ready())
    second.startService()
    with pytest.raises(EmbeddedFailed, match="used by another gateway"):
        await soon(second.ready())
    await soon(second.stopService())
    await soon(first.stopService())


async def test_a_port_in_use_is_reported_with_the_servers_log(tmp_path, valkey: Valkey):
    embedded = EmbeddedValkey(reactor, tmp_path, valkey.port)
    embedded.startService()
    with pytest.raises(EmbeddedFailed, match="Address already in use"):
        await soon(embedded.ready())
    with pytest.raises(EmbeddedFailed):
        await soon(embedded.ready())
    await soon(embedded.stopService())


async def test_a_directory_that_cannot_be_created_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    embedded = EmbeddedValkey(reactor, tmp_path / "file" / "data", free_port())
    embedded.startService()
    with pytest.raises(EmbeddedFailed, match="file"):
        await soon(embedded.ready())
    await soon(embedded.stopService())


async def test_a_server_that_ends_by_itself_is_restarted(tmp_path):
    embedded = EmbeddedValkey(reactor, tmp_path, free_port())
    embedded.startService()
    await soon(embedded.ready())
    first = embedded.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: embedded.pid not in (None, first))
    await soon(embedded.ready())
    assert await soon(probe(reactor, embedded.url))
    await soon(embedded.stopService())


async def test_it_can_be_stopped_while_it_starts(tmp_path):
    embedded = EmbeddedValkey(reactor, tmp_path, free_port())
    embedded.startService()
    await until(lambda: embedded.pid)
    pid = embedded.pid
    await soon(embedded.stopService())
    assert gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
async def test_it_does_not_outlive_a_gateway_that_is_killed(tmp_path):
    program = (
        "import sys; from twisted.internet import reactor; from ocpp_tw.process.embedded_valkey import EmbeddedValkey\n"
        "e = EmbeddedValkey(reactor, sys.argv[1], int(sys.argv[2])); e.startService()\n"
        "e.ready().addCallback(lambda _: print(e.pid, flush=True)); reactor.run()"
    )
    gateway = subprocess.Popen([sys.executable, "-c", program, str(tmp_path), str(free_port())], stdout=subprocess.PIPE, text=True)
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
