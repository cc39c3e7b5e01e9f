"""Commands go to the socket at once, and whole, however large they are."""

from __future__ import annotations

import socket

from pytest_twisted import async_yield_fixture
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

from fleets import pause
from ocpp_tw.redis.protocol import LostError, Packed, RedisClient, pack


@async_yield_fixture
async def ends():
    """A client, and the socket at the other end."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", listening.getsockname()[1])
        client = await connectProtocol(endpoint, RedisClient(reactor, 60))
        server, _ = listening.accept()
        with server:
            server.settimeout(10)
            yield client, server
            client.abort()
            await pause(0.05)


def ignore_end(replies):
    replies.addErrback(lambda why: why.trap(LostError))


async def test_a_command_is_sent_before_the_next_turn_of_the_loop(ends):
    client, server = ends
    ignore_end(client.send("PING"))
    assert server.recv(100) == b"*1\r\n$4\r\nPING\r\n"


async def test_what_the_socket_does_not_take_at_once_follows_in_order(ends):
    client, server = ends
    values = [b"%d:" % number + b"x" * 1_000_000 for number in range(12)]
    for value in values:
        ignore_end(client.send("SET", "k", Packed(1, pack(value))))
    received = b""
    server.settimeout(0)
    expected = b"".join(b"*3\r\n" + pack("SET", "k", value) for value in values)
    while len(received) < len(expected):
        try:
            received += server.recv(1 << 20)
        except BlockingIOError:
            await pause(0.001)
    assert received == expected
