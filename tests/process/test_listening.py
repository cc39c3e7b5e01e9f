"""One address for several processes: whoever comes is spread over them, and nobody else may have it."""

from __future__ import annotations

import errno
import socket
import sys
from contextlib import ExitStack, closing
from typing import Any

import pytest

from ocpp_tw.process import listening
from ocpp_tw.process.listening import SharedPort
from ocpp_tw.settings import Address, InvalidSetting

linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel does not spread")
ANY = Address("127.0.0.1", 0)


@pytest.fixture
def made() -> Any:
    """Makes doors, which are closed with the test."""
    with ExitStack() as stack:
        yield lambda *args: stack.enter_context(closing(SharedPort(*args)))


def knock(doors: SharedPort, times: int) -> ExitStack:
    stack = ExitStack()
    for _ in range(times):
        stack.enter_context(socket.create_connection(doors.where, 5))
    return stack


def taken(door: socket.socket) -> int:
    """How many wait there."""
    count = 0
    while True:
        try:
            door.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


@linux
def test_chargers_are_spread_over_all_processes_before_any_of_them_accepts(made):
    doors = made(ANY, "chargers", 3)
    with knock(doors, 300):
        counts = [taken(doors.socket_of(number)) for number in (1, 2, 3)]
    assert sum(counts) == 300 and min(counts) > 50


@linux
def test_a_process_that_will_not_accept_for_a_while_is_spared(made):
    doors = made(ANY, "chargers", 2)
    doors.withdraw(1)
    with knock(doors, 50):
        assert taken(doors.socket_of(2)) == 50
    first, second = doors.socket_of(1), doors.socket_of(2)  # it is back
    with knock(doors, 100):
        assert taken(first) > 10 and taken(second) > 10


@linux
def test_the_last_door_stays_open(made):
    """Or nobody would keep the address, and chargers would be refused."""
    doors = made(ANY, "chargers", 2)
    doors.withdraw(1)
    doors.withdraw(2)
    doors.withdraw(2)
    with knock(doors, 5):
        assert taken(doors.socket_of(2)) == 5


def test_nobody_else_can_have_the_address(made):
    """Although the kernel would let others of the same user share it."""
    doors = made(ANY, "chargers", 2)
    with pytest.raises(InvalidSetting, match=f"nothing can listen for chargers at 127.0.0.1:{doors.where.port}: .*Address already in use"):
        SharedPort(doors.where, "chargers", 2)
    doors.close()
    again = made(doors.where, "chargers", 2)
    assert again.where == doors.where


def test_once_closed_everybody_is_refused(made):
    doors = made(ANY, "chargers", 2)
    doors.close()
    with pytest.raises(OSError) as why:
        socket.create_connection(doors.where, 5)
    assert why.value.errno == errno.ECONNREFUSED


def test_where_the_kernel_does_not_spread_all_have_one_socket(made, monkeypatch):
    monkeypatch.setattr(listening, "KERNEL_BALANCES", False)
    doors = made(ANY, "chargers", 3)
    assert doors.socket_of(1) is doors.socket_of(2) is doors.socket_of(3)
    doors.withdraw(1)
    with knock(doors, 10):
        assert taken(doors.socket_of(3)) == 10


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_an_ipv6_address_is_one_too(made):
    doors = made(Address("::1", 0), "chargers", 2)
    with knock(doors, 20):
        assert doors.socket_of(2).family == socket.AF_INET6
        assert taken(doors.socket_of(1)) + taken(doors.socket_of(2)) == 20
