"""One address for several processes: connections are balanced over them, and no other gateway may share it."""

from __future__ import annotations

import errno
import socket
import sys
from contextlib import ExitStack, closing
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.protocol import Factory

from fleets import until
from ocpp_tw.process import listening
from ocpp_tw.process.listening import MAX_ACCEPTS_PER_TURN, SharedPort, endpoint_at, listen
from ocpp_tw.settings import Address, InvalidSetting

linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel does not balance")
ANY = Address("127.0.0.1", 0)


@pytest.fixture
def made() -> Any:
    """Makes shared ports, which are closed with the test."""
    with ExitStack() as stack:
        yield lambda *args: stack.enter_context(closing(SharedPort(*args)))


def connect(shared: SharedPort, times: int) -> ExitStack:
    stack = ExitStack()
    for _ in range(times):
        stack.enter_context(socket.create_connection(shared.address, 5))
    return stack


def accepted(listener: socket.socket) -> int:
    """How many connections were waiting there."""
    count = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


@linux
def test_chargers_are_spread_over_all_processes_before_any_of_them_accepts(made):
    shared = made(ANY, "chargers", 3)
    with connect(shared, 300):
        counts = [accepted(shared.socket_of(number)) for number in (1, 2, 3)]
    assert sum(counts) == 300 and min(counts) > 50


@linux
def test_a_withdrawn_process_gets_no_connections(made):
    shared = made(ANY, "chargers", 2)
    shared.withdraw(1)
    with connect(shared, 50):
        assert accepted(shared.socket_of(2)) == 50
    first, second = shared.socket_of(1), shared.socket_of(2)  # it is back
    with connect(shared, 100):
        assert accepted(first) > 10 and accepted(second) > 10


@linux
def test_the_last_socket_stays_open(made):
    """Or the address would be free, and chargers would be refused."""
    shared = made(ANY, "chargers", 2)
    shared.withdraw(1)
    shared.withdraw(2)
    shared.withdraw(2)
    with connect(shared, 5):
        assert accepted(shared.socket_of(2)) == 5


def test_no_other_gateway_can_share_the_address(made):
    """Although the kernel would let others of the same user share it."""
    shared = made(ANY, "chargers", 2)
    with pytest.raises(InvalidSetting, match=f"cannot listen for chargers at 127.0.0.1:{shared.address.port}: .*Address already in use"):
        SharedPort(shared.address, "chargers", 2)
    shared.close()
    again = made(shared.address, "chargers", 2)
    assert again.address == shared.address


def test_once_closed_connections_are_refused(made):
    shared = made(ANY, "chargers", 2)
    shared.close()
    with pytest.raises(OSError) as why:
        socket.create_connection(shared.address, 5)
    assert why.value.errno == errno.ECONNREFUSED


def test_where_the_kernel_does_not_balance_all_have_one_socket(made, monkeypatch):
    monkeypatch.setattr(listening, "KERNEL_BALANCES", False)
    shared = made(ANY, "chargers", 3)
    assert shared.socket_of(1) is shared.socket_of(2) is shared.socket_of(3)
    shared.withdraw(1)
    with connect(shared, 10):
        assert accepted(shared.socket_of(3)) == 10


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_an_ipv6_address_is_one_too(made):
    shared = made(Address("::1", 0), "chargers", 2)
    with connect(shared, 20):
        assert shared.socket_of(2).family == socket.AF_INET6
        assert accepted(shared.socket_of(1)) + accepted(shared.socket_of(2)) == 20


async def test_a_port_accepts_a_few_connections_in_a_turn():
    """However many wait: the chargers' messages are looked at in between."""
    came: list[int] = []
    turn = [0]

    class Crowd(Factory):
        noisy = False

        def buildProtocol(self, addr: Any) -> None:
            came.append(turn[0])  # and is closed

    def next_turn() -> None:
        turn[0] += 1
        if len(came) < 100:
            turns[0] = reactor.callLater(0, next_turn)

    port = await listen(endpoint_at(ANY, reactor), Crowd(), ANY, "a crowd")
    crowd = [socket.create_connection(("127.0.0.1", port.getHost().port)) for _ in range(100)]
    turns = [reactor.callLater(0, next_turn)]
    await until(lambda: len(came) == 100)
    await until(lambda: not turns[0].active())
    assert max(came.count(each) for each in came) == MAX_ACCEPTS_PER_TURN
    for each in crowd:
        each.close()
    await port.stopListening()
