"""What only commands over Redis do: back-pressure, elements that are given back, and elements that were lost on their way."""

from __future__ import annotations

import signal
import time
from collections.abc import AsyncIterator

import pytest
import pytest_twisted

from fleets import RedisFleet, Valkey, pause, soon, until
from ocpp_tw.core.commands import Taken
from ocpp_tw.core.entries import Acknowledged, Entry
from ocpp_tw.redis import commands


@pytest_twisted.async_yield_fixture
async def fleet(clean) -> AsyncIterator[RedisFleet]:
    made = RedisFleet(clean)
    yield made
    await made.close()


@pytest.fixture
def hasty(monkeypatch) -> None:
    """BLMOVE waits for one second only, and a server that hangs is noticed soon."""
    monkeypatch.setattr(commands, "BLOCK_TIMEOUT", 1)
    monkeypatch.setattr(commands, "BLOCK_GRACE", 0.3)


async def test_no_more_is_pulled_than_can_be_taken_soon_and_a_stop_gives_it_back(fleet, clean):
    gateway = await fleet.gateway("a")
    for n in range(300):
        fleet.push(b"%d" % n)
    await until(lambda: clean("LLEN", "commands") <= 200)
    await pause(0.05)
    assert clean("LLEN", "commands") in range(198, 201)
    taken = [(await soon(gateway.commands.take())).element for _ in range(50)]
    await until(lambda: clean("LLEN", "commands") <= 150)
    await fleet.stop(gateway)
    assert taken == [b"%d" % n for n in range(50)] == fleet.processing("a")
    assert clean("LRANGE", "commands", 0, -1) == [b"%d" % n for n in range(50, 300)]
    assert not clean("EXISTS", "ocpp:gateway:a")


async def test_peer_messages_that_were_not_taken_go_with_their_gateway(fleet, clean):
    gateway = await fleet.gateway("a")
    clean("RPUSH", "commands:for:a", b'{"evict":"c1","connection":"1"}', b"command", b'{"event":1}')
    await until(lambda: len(fleet.processing("a")) == 3)
    await fleet.stop(gateway)
    assert fleet.processing("a") == []
    assert clean("LRANGE", "commands", 0, -1) == [b"command"]


async def test_a_list_of_the_wrong_type_is_waited_for(fleet, clean, said):
    gateway = await fleet.gateway("a")
    clean("SET", "commands", "mine")
    # A BLMOVE that waits at the list is refused only when it is sent the next time.
    for line in clean("CLIENT", "LIST").split(b"\n"):
        if b"cmd=blmove" in line:
            clean("CLIENT", "UNBLOCK", line.split(b" ")[0][3:])
    await until(lambda: any("commands cannot be taken: WRONGTYPE" in line for line in said))
    clean("DEL", "commands")
    fleet.push(b"one")
    assert (await soon(gateway.commands.take())).element == b"one"


async def test_what_was_moved_while_nobody_listened_is_found(fleet, clean, hasty):
    gateway = await fleet.gateway("a")
    fleet.push(b"seen")
    assert (await soon(gateway.commands.take())).element == b"seen"
    await pause(3)  # by then it has looked for what its previous run may have left over
    clean("CLIENT", "KILL", "TYPE", "normal")
    clean("RPUSH", "commands:processing:a", b"lost", b"seen")
    began = time.monotonic()
    found = [await soon(gateway.commands.take()) for _ in range(2)]
    assert found == [Taken(b"lost"), Taken(b"seen")]  # no other run has had them: nobody is to wait longer for their chargers
    assert time.monotonic() - began < 25
    for element in (b"seen", b"seen", b"lost"):
        gateway.events.publish(Entry("c", b'{"n":1}', (Acknowledged(element),)))
    await soon(gateway.events.flushed())
    assert fleet.processing("a") == []
    assert not gateway.commands.in_flight.elements


async def test_a_server_that_hangs_is_given_up_and_nothing_is_lost(tmp_path, hasty):
    server = Valkey(tmp_path, "--appendonly", "yes")
    fleet = RedisFleet(server, reply_timeout=0.4)
    gateway = await fleet.gateway("a")
    cut = [connection.client for connection in (gateway.store.connections.shared, gateway.store.connections.own)]
    server.signal(signal.SIGSTOP)
    await until(lambda: not any(line.connected for line in cut))
    server.signal(signal.SIGCONT)
    fleet.push(b"one")
    assert (await soon(gateway.commands.take())).element == b"one"
    server.kill()
    server.start()
    fleet.push(b"two")
    assert (await soon(gateway.commands.take())).element == b"two"
    await fleet.close()
    server.close()
